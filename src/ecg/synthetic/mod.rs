//! Labelled artificial ECG for the quick start: rhythms of six classes on the model of [`super::ecgsyn`],
//! with noise. Every record has its own random stream, keyed by seed and index, so record `i` is the same
//! however many are made.
//!
//! The rates of the classes overlap (fibrillation and irregular sinus rhythm run through those of SR, SB and
//! ST; flutter with 2:1 block, SVT and ST meet at 150 per minute) and every class has some ectopic beats, so
//! neither the mean rate nor its variability separates the classes: P waves, flutter waves and the pattern
//! of intervals do.

mod noise;
mod rhythm;

use super::dataset::Dataset;
use super::ecgsyn;
use super::labels::{RHYTHM6, Rhythm};
use super::options::{LoadOptions, check_range, check_rate_and_length};
use super::sources::{Kind, Source, load_all};
use crate::error::{Error, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// What to make; the `[data.synthetic]` table of an experiment but for rate and length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyntheticOptions {
    /// Number of records; the classes take turns.
    pub records: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Class names, out of those of the scheme `rhythm6`.
    pub classes: Vec<String>,
    /// Sampling rate in Hz.
    #[serde(skip)]
    pub fs: f64,
    /// Length of each record in seconds.
    #[serde(skip)]
    pub seconds: f64,
    /// Strength of baseline wander, mains hum and muscle noise: 1 as in an ordinary recording, 0 for none.
    pub noise: f64,
    /// Share of records with ectopic beats, 0 to 1.
    pub ectopic: f64,
    /// How much the rates of ST and SVT/AT overlap: 1 as much as the generator knows, 0 not at all.
    pub overlap: f64,
}

impl Default for SyntheticOptions {
    /// 600 records of the six classes, 10 s at 500 Hz.
    fn default() -> Self {
        Self {
            records: 600,
            seed: 42,
            classes: RHYTHM6.classes.iter().map(|c| (*c).to_string()).collect(),
            fs: 500.0,
            seconds: 10.0,
            noise: 1.0,
            ectopic: 0.25,
            overlap: 1.0,
        }
    }
}

/// The most samples that are made in one go: 8 GiB of f32.
const MAX_SAMPLES: usize = 1 << 31;

/// Makes a data set. Every record is a patient of its own, and its R peaks are exact. Classes are numbered in the
/// order of the scheme.
///
/// # Errors
/// [`Error::Config`] for an unknown or repeated class, no records or too many, and values out of range.
///
/// ```
/// use exgnet::ecg::{SyntheticOptions, synthesize};
/// let set = synthesize(&SyntheticOptions { records: 12, ..SyntheticOptions::default() })?;
/// assert_eq!(set.counts(), [2; 6]);
/// assert_eq!(set.strips[0].signal.len(), 5000);
/// # Ok::<(), exgnet::error::Error>(())
/// ```
pub fn synthesize(options: &SyntheticOptions) -> Result<Dataset> {
    let load = LoadOptions {
        classes: RHYTHM6.name.into(),
        fs: options.fs,
        seconds: options.seconds,
        min_class: 0,
        synthetic: options.clone(),
        ..LoadOptions::default()
    };
    load_all(&[Source::new(Kind::Synthetic, "")], &load, &|_| {})
}

/// A checked order for records, which are then made one by one.
pub(super) struct Generator {
    options: SyntheticOptions,
    rhythms: Vec<Rhythm>,
    samples: usize,
}

/// What the generator makes of one index.
pub(super) struct Record {
    pub rhythm: Rhythm,
    /// mV.
    pub signal: Vec<f64>,
    /// The true R peaks, samples.
    pub r_peaks: Vec<u32>,
}

impl Generator {
    pub fn new(options: &SyntheticOptions) -> Result<Self> {
        let samples = check_rate_and_length(options.fs, options.seconds)?;
        let rhythms = rhythms_of(&options.classes)?;
        if options.records == 0 || options.records.checked_mul(samples).is_none_or(|t| t > MAX_SAMPLES) {
            return Err(Error::config(
                format!(
                    "found {} synthetic records of {samples} samples, expected 1 to {}",
                    options.records,
                    MAX_SAMPLES / samples
                ),
                "600 is usual; of shorter records, or at a lower rate, there may be more",
            ));
        }
        check_range("synthetic noise", options.noise, 0.0..=100.0, "", "1 is an ordinary recording")?;
        for (name, share) in [("synthetic ectopic", options.ectopic), ("synthetic overlap", options.overlap)] {
            check_range(name, share, 0.0..=1.0, "", "0 makes the easiest records")?;
        }
        Ok(Self { options: options.clone(), rhythms, samples })
    }

    /// Record `index`; the classes take turns.
    pub fn record(&self, index: usize) -> Record {
        let rhythm = self.rhythms[index % self.rhythms.len()];
        let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed);
        rng.set_stream(index as u64);
        let plan = rhythm::plan(rhythm, &self.options, &mut rng);
        let mut x = vec![0.0; self.samples];
        ecgsyn::draw(&plan.beats, self.options.fs, &mut x);
        let gain = rhythm::spread(&mut rng, 1.0, 0.25);
        let breathing = plan.breathing_hz;
        let depth = rng.random_range(0.0..0.08);
        let phase = rng.random_range(0.0..TAU);
        for (i, v) in x.iter_mut().enumerate() {
            // the chest moves the electrodes against the heart
            let t = i as f64 / self.options.fs;
            let nearness = 1.0 + depth * (TAU * breathing * t + phase).sin();
            *v = (*v + plan.atria.at(t)) * (gain * nearness);
        }
        noise::add(&mut x, self.options.fs, self.options.noise, breathing, &mut rng);
        let mut r_peaks: Vec<u32> = plan
            .beats
            .iter()
            .map(|b| (b.time * self.options.fs).round())
            .filter(|&p| p >= 0.0 && p < self.samples as f64)
            .map(|p| p as u32)
            .collect();
        r_peaks.dedup();
        Record { rhythm, signal: x, r_peaks }
    }
}

fn rhythms_of(classes: &[String]) -> Result<Vec<Rhythm>> {
    use Rhythm::{Bradycardia, Fibrillation, Irregularity, Sinus, Supraventricular, Tachycardia};
    let all = [Sinus, Bradycardia, Tachycardia, Irregularity, Fibrillation, Supraventricular];
    let fail = |found: String, hint: &str| Err(Error::config(format!("synthetic classes: found {found}"), hint));
    let unknown = |found: &str| {
        let known = RHYTHM6.classes.join(", ");
        fail(format!("{found}, expected some of {known}"), "leave the classes out to have all of them")
    };
    let mut rhythms = Vec::new();
    for class in classes {
        match RHYTHM6.classes.iter().position(|c| c == class).map(|index| all[index]) {
            None => return unknown(&format!("`{class}`")),
            Some(rhythm) if rhythms.contains(&rhythm) => {
                return fail(format!("`{class}` twice, expected every class once"), "take one of the two away");
            }
            Some(rhythm) => rhythms.push(rhythm),
        }
    }
    if rhythms.is_empty() { unknown("none") } else { Ok(rhythms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(records: usize) -> SyntheticOptions {
        SyntheticOptions { records, ..SyntheticOptions::default() }
    }

    #[test]
    fn a_record_depends_on_seed_and_index_only() {
        let a = synthesize(&small(8)).unwrap();
        let b = synthesize(&small(20)).unwrap();
        assert_eq!(a.strips[..], b.strips[..8]);
        let c = synthesize(&SyntheticOptions { seed: 43, ..small(8) }).unwrap();
        assert_ne!(a.strips[0].signal, c.strips[0].signal);
        assert_ne!(a.strips[0].signal, b.strips[6].signal);
    }

    #[test]
    fn rates_lie_where_the_class_says_and_signals_are_plausible() {
        let set = synthesize(&small(360)).unwrap();
        assert_eq!(set.counts(), [60; 6]);
        for s in &set.strips {
            let rr: Vec<f64> = s.r_peaks.windows(2).map(|w| f64::from(w[1] - w[0]) / 500.0).collect();
            let bpm = 60.0 * rr.len() as f64 / rr.iter().sum::<f64>();
            let range = match set.classes[s.label].as_str() {
                "SR" => 56.0..104.0,
                "SB" => 34.0..61.0,
                "ST" => 96.0..168.0,
                "SI" => 44.0..105.0,
                "AFIB/AFL" => 45.0..185.0,
                _ => 140.0..224.0,
            };
            assert!(range.contains(&bpm), "{} {}: {bpm}", s.id, set.classes[s.label]);
            assert!(rr.iter().all(|&r| r > 0.2), "{}", s.id);
            let top = s.signal.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            assert!((0.2..8.0).contains(&top), "{}: {top} mV", s.id);
        }
    }

    #[test]
    fn other_rates_lengths_and_classes() {
        let o = SyntheticOptions { fs: 125.0, seconds: 4.0, classes: vec!["ST".into(), "SR".into()], ..small(3) };
        let set = synthesize(&o).unwrap();
        assert_eq!((set.samples(), set.strips[2].signal.len(), set.counts()), (500, 500, vec![1, 2]));
        for bad in [
            SyntheticOptions { records: 0, ..o.clone() },
            SyntheticOptions { records: usize::MAX, ..o.clone() },
            SyntheticOptions { classes: vec![], ..o.clone() },
            SyntheticOptions { classes: vec!["VF".into()], ..o.clone() },
            SyntheticOptions { classes: vec!["SR".into(), "SR".into()], ..o.clone() },
            SyntheticOptions { noise: -1.0, ..o.clone() },
            SyntheticOptions { fs: f64::NAN, ..o.clone() },
        ] {
            assert!(synthesize(&bad).unwrap_err().to_string().contains("HINT"));
        }
    }
}
