//! How well detected R peaks agree with the beats of an expert.

use std::ops::AddAssign;

/// Counts of a comparison, and how far the peaks found lie from the expert's.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    /// Expert beats with a detected peak.
    pub true_positive: usize,
    /// Detected peaks without an expert beat.
    pub false_positive: usize,
    /// Expert beats without a detected peak.
    pub false_negative: usize,
    /// Sum of the distances of the pairs, in ms.
    distances: f64,
}

impl Score {
    /// Pairs ascending `peaks` with ascending `beats` (samples at `fs` Hz) one to one, in order, at most
    /// `tolerance` seconds apart; what is left over on either side is an error. The number of pairs is the
    /// largest possible.
    pub fn of(peaks: &[i64], beats: &[i64], tolerance: f64, fs: f64) -> Self {
        let within = (tolerance * fs) as i64;
        let mut score = Self::default();
        let (mut i, mut j) = (0, 0);
        while let (Some(&p), Some(&b)) = (peaks.get(i), beats.get(j)) {
            let d = p.saturating_sub(b);
            if d.saturating_abs() <= within {
                score.true_positive += 1;
                score.distances += (d as f64 / fs * 1000.0).abs();
                (i, j) = (i + 1, j + 1);
            } else if d < 0 {
                i += 1;
            } else {
                j += 1;
            }
        }
        score.false_positive = peaks.len() - score.true_positive;
        score.false_negative = beats.len() - score.true_positive;
        score
    }

    /// Share of the expert's beats that were found; NaN without beats.
    pub fn sensitivity(&self) -> f64 {
        self.true_positive as f64 / (self.true_positive + self.false_negative) as f64
    }

    /// Positive predictive value, the share of detected peaks that are beats; NaN without peaks.
    pub fn ppv(&self) -> f64 {
        self.true_positive as f64 / (self.true_positive + self.false_positive) as f64
    }

    /// Mean distance of a found peak from the expert's in ms; NaN without pairs.
    pub fn mean_absolute_offset(&self) -> f64 {
        self.distances / self.true_positive as f64
    }
}

impl AddAssign for Score {
    fn add_assign(&mut self, other: Self) {
        self.true_positive += other.true_positive;
        self.false_positive += other.false_positive;
        self.false_negative += other.false_negative;
        self.distances += other.distances;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pairs_one_to_one_within_the_tolerance() {
        let s = Score::of(&[90, 115, 300, 416, 700], &[100, 120, 400, 500, 685], 0.15, 100.0);
        // 90-100, 115-120, 300 alone, 416-400 is 160 ms apart, 500 alone, 700-685 just within
        assert_eq!((s.true_positive, s.false_positive, s.false_negative), (3, 2, 2));
        assert!((s.sensitivity() - 0.6).abs() < 1e-12 && (s.ppv() - 0.6).abs() < 1e-12);
        assert!((s.mean_absolute_offset() - 100.0).abs() < 1e-9);
        // two peaks on one beat are one hit and one error
        let s = Score::of(&[98, 102], &[100], 0.15, 100.0);
        assert_eq!((s.true_positive, s.false_positive, s.false_negative), (1, 1, 0));
    }

    #[test]
    fn adds_up_and_has_no_share_of_nothing() {
        let mut sum = Score::default();
        assert!(sum.sensitivity().is_nan() && sum.ppv().is_nan() && sum.mean_absolute_offset().is_nan());
        sum += Score::of(&[10], &[10, 90], 0.15, 100.0);
        sum += Score::of(&[10, 51], &[50], 0.15, 100.0);
        assert_eq!((sum.true_positive, sum.false_positive, sum.false_negative), (2, 1, 1));
        assert!((sum.mean_absolute_offset() - 5.0).abs() < 1e-9);
    }

    proptest! {
        /// The number of pairs of the best assignment (by trying all, in order).
        #[test]
        fn pairs_as_many_as_possible(mut peaks in proptest::collection::vec(0..60_i64, 0..9), mut beats in proptest::collection::vec(0..60_i64, 0..9)) {
            peaks.sort_unstable();
            beats.sort_unstable();
            let mut best = vec![vec![0; beats.len() + 1]; peaks.len() + 1];
            for (i, p) in peaks.iter().enumerate() {
                for (j, b) in beats.iter().enumerate() {
                    let pair = best[i][j] + usize::from(p.abs_diff(*b) <= 5);
                    best[i + 1][j + 1] = pair.max(best[i][j + 1]).max(best[i + 1][j]);
                }
            }
            prop_assert_eq!(Score::of(&peaks, &beats, 0.05, 100.0).true_positive, best[peaks.len()][beats.len()]);
        }
    }
}
