//! Means over the beats of a class: map, target and strip about the R peak.

use serde::{Deserialize, Serialize};

/// What is averaged before and after an R peak, s.
pub const BEFORE: f64 = 0.4;
/// See [`BEFORE`].
pub const AFTER: f64 = 0.6;

/// Means about the R peaks over the tested records of one class; every record counts alike, however many beats it has.
/// One value a sample, from [`BEFORE`] the peak to [`AFTER`] it. Empty without a record.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Aligned {
    /// Records with at least one beat whose surroundings lie inside of the strip, and a map that is not dead.
    pub records: usize,
    /// Their beats.
    pub beats: usize,
    /// Those of the records whose source states no unit, see [`crate::ecg::Strip::in_mv`].
    #[serde(default)]
    pub unitless: usize,
    /// Mean over the records of the map for the true class, each scaled to a maximum of 1.
    #[serde(skip)]
    pub map: Vec<f32>,
    /// Its standard deviation over the records (ddof 1); 0 for a single one.
    #[serde(skip)]
    pub map_sd: Vec<f32>,
    /// Mean of the guidance target.
    #[serde(skip)]
    pub target: Vec<f32>,
    /// Mean of the strip, each record's median being 0; in mV unless some are `unitless`.
    #[serde(skip)]
    pub signal: Vec<f32>,
}

/// One record to be averaged: R peaks, map and target as long as the strip, and the strip.
pub struct Beats<'a> {
    /// R peaks, samples.
    pub r_peaks: &'a [u32],
    /// The part in which they are marked, where that is not all; beats count whose surroundings lie inside.
    pub marked: Option<[u32; 2]>,
    /// The map, scaled to a maximum of 1.
    pub map: &'a [f32],
    /// The target.
    pub target: &'a [f32],
    /// The strip.
    pub signal: &'a [f32],
    /// It is in mV.
    pub in_mv: bool,
}

/// Sums over the records of a class.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    records: usize,
    beats: usize,
    unitless: usize,
    /// Map, its square, target, strip.
    sums: [Vec<f64>; 4],
}

/// Samples before and after the peak at `fs` Hz.
fn window(fs: f64) -> (usize, usize) {
    ((BEFORE * fs).round() as usize, (AFTER * fs).round() as usize)
}

impl Sums {
    /// Adds a record; one without a whole beat says nothing.
    pub fn add(&mut self, one: &Beats<'_>, fs: f64) {
        let (before, after) = window(fs);
        let length = one.signal.len().min(one.map.len()).min(one.target.len());
        let [from, to] = one.marked.map_or([0, length], |ends| ends.map(|v| v as usize));
        let whole = |&&p: &&u32| p as usize >= before + from && p as usize + after < length.min(to);
        let peaks: Vec<usize> = one.r_peaks.iter().filter(whole).map(|&p| p as usize).collect();
        if peaks.is_empty() {
            return;
        }
        let mean = |values: &[f32]| -> Vec<f64> {
            let at = |i: usize| peaks.iter().map(|p| f64::from(values[p - before + i])).sum::<f64>();
            (0..=before + after).map(|i| at(i) / peaks.len() as f64).collect()
        };
        let (map, target, mut signal) = (mean(one.map), mean(one.target), mean(one.signal));
        let baseline = median(one.signal);
        signal.iter_mut().for_each(|v| *v -= baseline);
        let squares = map.iter().map(|v| v * v).collect();
        for (sum, values) in self.sums.iter_mut().zip([map, squares, target, signal]) {
            sum.resize(values.len(), 0.0);
            sum.iter_mut().zip(values).for_each(|(s, v)| *s += v);
        }
        self.records += 1;
        self.beats += peaks.len();
        self.unitless += usize::from(!one.in_mv);
    }

    /// The means.
    pub fn means(&self) -> Aligned {
        let n = self.records as f64;
        let mean = |k: usize| -> Vec<f32> { self.sums[k].iter().map(|s| (s / n) as f32).collect() };
        let sd = |(sum, square): (&f64, &f64)| match self.records {
            0 | 1 => 0.0,
            _ => ((square - sum * sum / n) / (n - 1.0)).max(0.0).sqrt() as f32,
        };
        Aligned {
            records: self.records,
            beats: self.beats,
            unitless: self.unitless,
            map: mean(0),
            map_sd: self.sums[0].iter().zip(&self.sums[1]).map(sd).collect(),
            target: mean(2),
            signal: mean(3),
        }
    }
}

fn median(values: &[f32]) -> f64 {
    let mut finite: Vec<f32> = values.iter().copied().filter(|v| v.is_finite()).collect();
    finite.sort_by(f32::total_cmp);
    finite.get(finite.len() / 2).map_or(0.0, |v| f64::from(*v))
}

/// Means of the records, one a class of `classes`; a record is its class and what is averaged.
pub fn aligned<'a>(records: impl Iterator<Item = (usize, Beats<'a>)>, classes: usize, fs: f64) -> Vec<Aligned> {
    let mut sums = vec![Sums::default(); classes];
    for (class, one) in records {
        if let Some(sums) = sums.get_mut(class) {
            sums.add(&one, fs);
        }
    }
    sums.iter().map(Sums::means).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_alike_and_beats_at_the_edge_do_not() {
        let ramp: Vec<f32> = (0..30).map(|i| i as f32).collect();
        let level = vec![2.0; 30];
        let one = |r_peaks, map| Beats { r_peaks, marked: None, map, target: &level, signal: &ramp, in_mv: true };
        // 10 Hz: 4 samples before, 6 after
        let records = [(0, one(&[3, 5, 15, 24][..], &ramp)), (0, one(&[10][..], &level)), (1, one(&[2][..], &ramp))];
        let found = aligned(records.into_iter(), 3, 10.0);
        assert_eq!((found[0].records, found[0].beats), (2, 3));
        assert_eq!(found[0].map.len(), 11);
        // beats at 5 and 15: mean of the ramp at the peak 10; with the level 2 of the other record 6
        assert!((found[0].map[4] - 6.0).abs() < 1e-6 && (found[0].map_sd[4] - 32.0_f32.sqrt()).abs() < 1e-5);
        assert!((found[0].target[0] - 2.0).abs() < 1e-6);
        assert_eq!((found[1].records, found[1].map.len(), found[2].records), (0, 0, 0));
        let part = Beats { marked: Some([2, 21]), ..one(&[5, 6, 14, 15][..], &ramp) };
        assert_eq!(aligned([(0, part)].into_iter(), 1, 10.0)[0].beats, 2, "6 and 14");
        let counts = [Beats { in_mv: false, ..one(&[5][..], &ramp) }, one(&[5][..], &ramp)].map(|one| (0, one));
        assert_eq!(aligned(counts.into_iter(), 1, 10.0)[0].unitless, 1);
    }
}
