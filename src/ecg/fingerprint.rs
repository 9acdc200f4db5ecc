//! What a data set holds, in a few hashes: two that differ in a sample, a label or a feature differ here, whatever their
//! names.

use super::{Dataset, GuidanceConfig};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

/// Hashes of a data set's parts (XXH3, 64 bits, hexadecimal), in the order of its records. They detect accidental changes,
/// and are no protection against intended ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Names of the sources, joined by `+`.
    pub name: String,
    /// Number of records.
    pub records: usize,
    /// Ids of the records.
    pub ids: String,
    /// Patients of the records.
    pub patients: String,
    /// Classes of the records, by name.
    pub labels: String,
    /// Samples, bit by bit.
    pub signals: String,
    /// R peaks.
    pub r_peaks: String,
    /// The parts in which beats are marked; `None` where that is all of every strip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marked: Option<String>,
    /// Ids, samples and R peaks of the other leads; `None` where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads: Option<String>,
    /// The 17 features.
    pub features: String,
    /// Guidance targets; `None` where they are to be made from the R peaks.
    pub targets: Option<String>,
}

impl Fingerprint {
    /// Of `data`, whose targets count where they were made with `constants`.
    pub fn of(data: &Dataset, constants: &GuidanceConfig) -> Self {
        let mut sources: Vec<&str> = Vec::new();
        for strip in &data.strips {
            if !sources.contains(&strip.source.as_str()) {
                sources.push(&strip.source);
            }
        }
        let marked = data.strips.iter().any(|s| s.marked.is_some());
        let usable = data.guidance == *constants && data.strips.iter().all(|s| s.target.is_some());
        let floats = |values: &[f32], hasher: &mut Xxh3| match cfg!(target_endian = "little") {
            true => hasher.update(bytemuck::cast_slice(values)),
            false => values.iter().for_each(|v| hasher.update(&v.to_le_bytes())),
        };
        let text = |text: &str, hasher: &mut Xxh3| hasher.update(text.as_bytes());
        let leads = data.strips.iter().any(|s| !s.others.is_empty());
        let lead = |s: &super::Strip, h: &mut Xxh3| {
            text(&s.id, h);
            floats(&s.signal, h);
            s.r_peaks.iter().for_each(|p| h.update(&p.to_le_bytes()));
        };
        Self {
            name: sources.join("+"),
            records: data.strips.len(),
            ids: hash(data, |s, h| text(&s.id, h)),
            patients: hash(data, |s, h| text(&s.patient, h)),
            labels: hash(data, |s, h| text(data.classes.get(s.label).map_or("", String::as_str), h)),
            signals: hash(data, |s, h| floats(&s.signal, h)),
            r_peaks: hash(data, |s, h| s.r_peaks.iter().for_each(|p| h.update(&p.to_le_bytes()))),
            marked: marked
                .then(|| hash(data, |s, h| s.marked.iter().flatten().for_each(|v| h.update(&v.to_le_bytes())))),
            leads: leads.then(|| hash(data, |s, h| s.others.iter().for_each(|other| lead(other, h)))),
            // a feature that is not defined has one bit pattern
            features: hash(data, |s, h| floats(&s.features.map(|v| if v.is_nan() { f32::NAN } else { v }), h)),
            targets: usable.then(|| hash(data, |s, h| s.target.iter().for_each(|t| floats(t, h)))),
        }
    }

    /// One hash of everything but the targets, which may be made or read.
    pub fn short(&self) -> String {
        let parts = [&self.ids, &self.patients, &self.labels, &self.signals, &self.r_peaks, &self.features];
        let mut all = Xxh3::new();
        parts.into_iter().chain(&self.marked).chain(&self.leads).for_each(|part| all.update(part.as_bytes()));
        format!("{:016x}", all.digest())
    }

    /// Name and hash, as files of a test say it.
    pub fn id(&self) -> String {
        format!("{}:{}", self.name, self.short())
    }

    /// In what another data set differs; empty where it is the same.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let both = self.targets.as_ref().zip(other.targets.as_ref());
        let parts = [
            ("records", self.ids == other.ids),
            ("patients", self.patients == other.patients),
            ("labels", self.labels == other.labels),
            ("signals", self.signals == other.signals),
            ("R peaks", self.r_peaks == other.r_peaks),
            ("marked parts", self.marked == other.marked),
            ("other leads", self.leads == other.leads),
            ("features", self.features == other.features),
            ("guidance targets", both.is_none_or(|(a, b)| a == b)),
        ];
        parts.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }
}

/// The hash of a part of every strip: of each by itself, in parallel, and of all those in order.
fn hash(data: &Dataset, part: impl Fn(&super::Strip, &mut Xxh3) + Sync) -> String {
    let one = |strip: &super::Strip| {
        let mut hasher = Xxh3::new();
        part(strip, &mut hasher);
        hasher.digest()
    };
    let each: Vec<u64> = data.strips.par_iter().map(one).collect();
    let mut all = Xxh3::new();
    each.iter().for_each(|h| all.update(&h.to_le_bytes()));
    format!("{:016x}", all.digest())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecg::{SyntheticOptions, synthesize};

    #[test]
    fn what_differs_is_named() {
        let set = synthesize(&SyntheticOptions { records: 6, ..SyntheticOptions::default() }).unwrap();
        let constants = GuidanceConfig::default();
        let of = |change: &dyn Fn(&mut Dataset)| {
            let mut changed = set.clone();
            change(&mut changed);
            Fingerprint::of(&changed, &constants)
        };
        let own = of(&|_| {});
        assert_eq!((own.records, own.name.as_str()), (6, "synthetic"));
        let check = |change: &dyn Fn(&mut Dataset), expected: &[&str]| {
            let changed = of(change);
            assert_eq!(own.differences(&changed), expected);
            assert_eq!(own.short() == changed.short(), expected.is_empty() || expected == ["guidance targets"]);
        };
        check(&|_| {}, &[]);
        check(&|d| d.strips[3].id.push('x'), &["records"]);
        check(&|d| d.strips[3].patient.push('x'), &["patients"]);
        check(&|d| d.strips[5].label ^= 1, &["labels"]);
        check(&|d| d.classes[0] = "other".into(), &["labels"]);
        check(&|d| d.strips[0].r_peaks[0] += 1, &["R peaks"]);
        check(&|d| d.strips[1].features[2] += 1.0, &["features"]);
        check(&|d| d.strips[1].marked = Some([10, 900]), &["marked parts"]);
        check(&|d| d.strips[1].others = vec![d.strips[2].clone()], &["other leads"]);
        check(&|d| d.notes.push("a note".into()), &[]);
        let one_bit = |d: &mut Dataset| {
            let mut signal = d.strips[2].signal.to_vec();
            signal[17] = f32::from_bits(signal[17].to_bits() ^ 1);
            d.strips[2].signal = signal.into();
        };
        check(&one_bit, &["signals"]);
        // targets that one side is still to make are not compared; two that are there are
        let target = |d: &mut Dataset, v: f32| {
            let n = d.samples();
            d.strips.iter_mut().for_each(|s| s.target = Some(vec![v; n].into()));
        };
        check(&|d| target(d, 0.5), &[]);
        let (half, whole) = (of(&|d| target(d, 0.5)), of(&|d| target(d, 1.0)));
        assert_eq!(half.differences(&whole), ["guidance targets"]);
    }
}
