//! How well a map agrees with the guidance target, and the maps that every such number must be compared with.
//!
//! All scores work at the map's resolution of `T` bins, on targets average-pooled to it by [`pool`]. None of them
//! panics or errs: a map that cannot be scored is [`is_dead`] and scores 0.

mod groups;

pub use groups::{ClassScores, GroupScores, MeanScores, Summary, summary};

use super::argmax;
use crate::ecg::guidance::{Guidance, marked_bins, pool};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How far from an R peak a map's maximum may lie to point at it, s.
pub const POINTING_SECONDS: f64 = 0.075;

/// The value of the pooled target `G` above which a bin counts as inside it.
///
/// Pooling lowers a beat's bump: with the default `beat_sigma` of 0.05 s a regular rhythm's beats are surely inside
/// where bins are no wider than 0.12 s, and never where they are wider than 0.25 s. Compare energies at one
/// resolution only.
pub const INSIDE: f32 = 0.5;

/// Whether a map says nothing: no value above 0, or one that is no finite number. An empty map is dead.
pub fn is_dead(map: &[f32]) -> bool {
    !map.iter().all(|v| v.is_finite()) || map.iter().all(|&v| v <= 0.0)
}

/// Normalised cross-correlation of a map with a pooled target, both `[T]`; -1 to 1.
///
/// With `a`, `b` the two minus their means: `sum(a b) / (sqrt(sum a^2 + 1e-12) sqrt(sum b^2 + 1e-12) + 1e-6)`, in
/// f64: the formula of the guidance loss, small terms included. They pull the score of a map whose spread `sqrt(sum
/// a^2)` is near 1e-6 or below towards 0; elsewhere neither scale nor shift of the map matters.
///
/// 0 for a constant (so also an all-zero) map or target, lengths that differ, and values that are not finite.
pub fn ncc(map: &[f32], truth: &[f32]) -> f64 {
    let finite = |x: &[f32]| x.iter().all(|v| v.is_finite());
    if map.len() != truth.len() || map.is_empty() || !finite(map) || !finite(truth) {
        return 0.0;
    }
    let (a, b) = (centred(map), centred(truth));
    let norm = |v: &[f64]| (v.iter().map(|x| x * x).sum::<f64>() + 1e-12).sqrt();
    let found = a.iter().zip(&b).map(|(x, y)| x * y).sum::<f64>() / (norm(&a) * norm(&b) + 1e-6);
    // the roots are rounded
    found.clamp(-1.0, 1.0)
}

fn centred(x: &[f32]) -> Vec<f64> {
    let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / x.len() as f64;
    x.iter().map(|&v| f64::from(v) - mean).collect()
}

/// Share, 0 to 1, of a map `[T]` that lies in bins where the pooled target `[T]` is above [`INSIDE`]. Values below 0,
/// which Grad-CAM does not have, count as 0.
///
/// 0 for a dead map and lengths that differ.
pub fn energy(map: &[f32], target: &[f32]) -> f64 {
    if map.len() != target.len() || is_dead(map) {
        return 0.0;
    }
    let weight = |v: f32| f64::from(v.max(0.0));
    let inside: f64 = map.iter().zip(target).filter(|(_, g)| **g > INSIDE).map(|(&v, _)| weight(v)).sum();
    inside / map.iter().map(|&v| weight(v)).sum::<f64>()
}

/// The pointing game: whether the maximum of a map `[T]`, the first of equals, lies within [`POINTING_SECONDS`] of an
/// R peak or in a bin where the pooled target `[T]` is above [`INSIDE`]. A bin `t` stands at its centre, sample `(t +
/// 1/2) L / T` of the strip's `L = samples` at `fs` Hz; R peaks in samples, those outside the strip are ignored.
///
/// False for a dead map and lengths that differ.
pub fn pointing(map: &[f32], fs: f64, samples: usize, r_peaks: &[u32], target: &[f32]) -> bool {
    if map.len() != target.len() || is_dead(map) {
        return false;
    }
    is_hit(argmax(map), fs, samples, r_peaks, target)
}

/// What the pointing game gives a map whose maximum falls on any of `bins`, all within the target, with equal chance: the
/// share of them that [`pointing`] counts as hits. 0 for none.
pub fn pointing_chance(fs: f64, samples: usize, r_peaks: &[u32], target: &[f32], bins: Range<usize>) -> f64 {
    let hits = bins.clone().filter(|&t| is_hit(t, fs, samples, r_peaks, target)).count();
    hits as f64 / bins.len().max(1) as f64
}

fn is_hit(t: usize, fs: f64, samples: usize, r_peaks: &[u32], target: &[f32]) -> bool {
    let centre = (t as f64 + 0.5) * samples as f64 / target.len() as f64;
    let mut inside = r_peaks.iter().filter(|&&p| (p as usize) < samples);
    target[t] > INSIDE || inside.any(|&p| (centre - f64::from(p)).abs() <= POINTING_SECONDS * fs)
}

/// The scores of one map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MapScores {
    /// [`ncc`] with the target `G`.
    pub ncc: f64,
    /// [`ncc`] with the beats `B`.
    pub ncc_beats: f64,
    /// [`ncc`] with the intervals `I`; 0 where all intervals are equal.
    pub ncc_intervals: f64,
    /// [`energy`] inside `G`.
    pub energy: f64,
    /// [`pointing`] at a beat or into `G`.
    pub pointing: bool,
    /// [`is_dead`]; such a map scores 0 in everything.
    pub dead: bool,
}

impl MapScores {
    /// Scores of a map `[T]` of a strip at `fs` Hz with R peaks in samples against its target, over the bins that lie in the
    /// marked part of the strip alone; `None` where the target is not valid.
    pub fn against(map: &[f32], guidance: &Guidance, r_peaks: &[u32], fs: f64) -> Option<Self> {
        if !guidance.valid {
            return None;
        }
        let dead = is_dead(map);
        let bins = marked_bins(guidance.marked, guidance.target.len(), map.len());
        let own = &map[bins.clone()];
        let correlation = |curve: &[f32]| if dead { 0.0 } else { ncc(own, &pool(curve, map.len())[bins.clone()]) };
        let target = pool(&guidance.target, map.len());
        // the maximum is looked for among them
        let seen: Vec<f32> =
            map.iter().enumerate().map(|(t, v)| if bins.contains(&t) { *v } else { f32::MIN }).collect();
        Some(Self {
            ncc: correlation(&guidance.target),
            ncc_beats: correlation(&guidance.beats),
            ncc_intervals: correlation(&guidance.intervals),
            energy: energy(own, &target[bins.clone()]),
            pointing: pointing(&seen, fs, guidance.target.len(), r_peaks, &target),
            dead,
        })
    }
}

/// The map that knows nothing: 1 in every bin. Its NCC is 0, its energy the share of bins inside the target; its
/// maximum is the first bin, so that [`pointing_chance`] says more than its pointing.
pub fn uniform(bins: usize) -> Vec<f32> {
    vec![1.0; bins]
}

/// `|dx/dt|` of a strip, a value a sample: central differences, one-sided ones at both ends, so that the slope lies where the
/// signal has it. Zeros for fewer than two samples.
pub fn slope_curve(signal: &[f32]) -> Vec<f32> {
    let last = signal.len().saturating_sub(1);
    let slope = |i: usize| {
        let (before, after) = (i.saturating_sub(1), (i + 1).min(last));
        let width = (after - before).max(1) as f64;
        ((f64::from(signal[after]) - f64::from(signal[before])) / width).abs() as f32
    };
    (0..signal.len()).map(slope).collect()
}

/// The map that detects beats for nothing: [`slope_curve`], average-pooled to `bins`.
///
/// A network's map says something about the rhythm only where it scores above this one. Samples that are not finite make a
/// dead map.
pub fn slope_map(signal: &[f32], bins: usize) -> Vec<f32> {
    pool(&slope_curve(signal), bins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecg::guidance::{GuidanceConfig, guidance};
    use proptest::prelude::*;

    #[test]
    fn correlations_by_hand() {
        // a = (-1, 0, 1), b = (-1, 0, 1) and (2, -1, -1) / 3
        assert!((ncc(&[1.0, 2.0, 3.0], &[0.0, 0.5, 1.0]) - 1.0).abs() < 2e-6);
        assert!((ncc(&[3.0, 2.0, 1.0], &[0.0, 0.5, 1.0]) + 1.0).abs() < 2e-6);
        let expected = -1.0 / (2.0_f64.sqrt() * (2.0_f64 / 3.0).sqrt());
        assert!((ncc(&[1.0, 2.0, 3.0], &[1.0, 0.0, 0.0]) - expected).abs() < 2e-6);
        for (map, truth) in [(&[0.0; 3][..], &[0.0, 1.0, 0.0][..]), (&[0.1; 3], &[0.0, 1.0, 0.0]), (&[], &[])] {
            assert!(ncc(map, truth).abs() < 1e-9, "{map:?}");
            assert!(ncc(truth, map).abs() < 1e-9, "{map:?}");
        }
        assert_eq!(ncc(&[1.0, 2.0], &[1.0, 2.0, 3.0]), 0.0);
        // a spread of 1e-6 with a target of spread 1: the small terms count
        let (map, truth) = ([0.0, 2e-6_f32 / 2.0_f32.sqrt()], [0.0, 2.0_f32.sqrt()]);
        let expected = 1e-6 / (2e-12_f64.sqrt() + 1e-6);
        assert!((ncc(&map, &truth) - expected).abs() < 1e-6);
    }

    #[test]
    fn energy_by_hand() {
        let target = [0.2, 0.5, 0.51, 1.0];
        assert_eq!(energy(&[1.0, 2.0, 3.0, 4.0], &target), 0.7);
        assert_eq!(energy(&[1.0, 2.0, 0.0, 0.0], &target), 0.0);
        assert_eq!(energy(&[-5.0, 2.0, 1.0, 1.0], &target), 0.5);
        assert_eq!((energy(&[0.0; 4], &target), energy(&[1.0], &target), energy(&[], &[])), (0.0, 0.0, 0.0));
        assert_eq!(energy(&uniform(4), &target), 0.5);
    }

    #[test]
    fn pointing_by_hand() {
        // 100 Hz, 100 samples in 10 bins: centres at 5, 15, .., 95; 75 ms are 7.5 samples
        let points = |top: usize, peaks: &[u32]| {
            let mut map = [0.5; 10];
            map[top] = 1.0;
            pointing(&map, 100.0, 100, peaks, &[0.5; 10])
        };
        assert!(points(4, &[52]) && points(4, &[38]) && points(4, &[3, 45]));
        assert!(!points(4, &[53]) && !points(4, &[37]) && !points(4, &[]));
        assert!(!points(9, &[100]), "outside the strip");
        let mut target = [0.0; 10];
        target[7] = 0.6;
        let mut map = [0.0; 10];
        (map[7], map[8]) = (1.0, 1.0);
        assert!(pointing(&map, 100.0, 100, &[], &target), "the first of equals");
        (target[7], target[8]) = (0.0, 0.6);
        assert!(!pointing(&map, 100.0, 100, &[], &target));
        assert!(!pointing(&[0.0; 10], 100.0, 100, &[5], &[1.0; 10]), "dead");
        assert!(!pointing(&map, f64::NAN, 100, &[75], &[0.0; 10]) && !pointing(&map, 1.0, 100, &[75], &[]));
        assert_eq!(pointing_chance(100.0, 100, &[40, 300], &target, 0..10), 0.3);
        assert_eq!(pointing_chance(100.0, 100, &[40, 300], &target, 5..10), 0.2);
        assert_eq!(pointing_chance(100.0, 100, &[40], &[], 0..0), 0.0);
    }

    /// A map that also finds a beat before the first marked one is not punished for it.
    #[test]
    fn what_is_not_marked_does_not_count() {
        let config = GuidanceConfig::default();
        let (marked, all) = ([300_u32, 500, 700], [100_u32, 300, 500, 700, 900]);
        let of = |peaks: &[u32], part| Guidance { marked: part, ..guidance(peaks, 250.0, 1000, &config) };
        let map = pool(&of(&all, None).target, 50);
        let against = |made: &Guidance| MapScores::against(&map, made, &marked, 250.0).unwrap();
        let (whole, part) = (against(&of(&marked, None)), against(&of(&marked, Some([260, 740]))));
        assert!(whole.ncc < 0.8 && part.ncc > 0.999, "{whole:?} {part:?}");
        assert!(whole.energy < 0.7 * part.energy && part.pointing, "{whole:?} {part:?}");
        // of what is outside nothing is seen, whatever it is
        let mut wild = map.clone();
        wild[..13].fill(9.0);
        wild[37..].fill(5.0);
        assert_eq!(MapScores::against(&wild, &of(&marked, Some([260, 740])), &marked, 250.0), Some(part));
        assert!(!MapScores::against(&wild, &of(&marked, None), &marked, 250.0).unwrap().pointing);
        // too narrow for a bin: nothing to be right about
        let none = MapScores::against(&map, &of(&marked, Some([301, 302])), &marked, 250.0).unwrap();
        assert_eq!((none.ncc, none.energy, none.pointing, none.dead), (0.0, 0.0, false, false));
    }

    #[test]
    fn slopes_of_what_is_too_short_or_flat() {
        assert_eq!(
            (slope_map(&[], 2), slope_map(&[3.0], 2), slope_map(&[3.0], 0)),
            (vec![0.0; 2], vec![0.0; 2], vec![])
        );
        assert!(is_dead(&slope_map(&[0.0, f32::INFINITY, 0.0], 3)) && is_dead(&slope_map(&[1.0; 9], 3)));
    }

    #[test]
    fn rounding_does_not_carry_a_correlation_out_of_its_range() {
        let (map, truth) = ([-248_856_580_000.0, 0.0], [-0.273_679_3, -394_126_840_000_000.0]);
        assert_eq!(ncc(&map, &truth), -1.0);
    }

    /// Any value a slice can hold.
    fn any_value() -> impl Strategy<Value = f32> {
        prop_oneof![8 => -2.0..2.0_f32, 1 => any::<f32>(), 1 => Just(f32::NAN), 1 => Just(0.0)]
    }

    proptest! {
        #[test]
        fn nothing_panics_and_scores_keep_their_ranges(
            map in proptest::collection::vec(any_value(), 0..40),
            truth in proptest::collection::vec(any_value(), 0..40),
            same_length in any::<bool>(),
            peaks in proptest::collection::vec(prop_oneof![0..700_u32, any::<u32>()], 0..9),
            fs in prop_oneof![1.0..2000.0_f64, any::<f64>()],
            samples in 0..600_usize,
        ) {
            let n = if same_length { map.len().min(truth.len()) } else { map.len() };
            let (map, truth) = (&map[..n], &truth[..n.min(truth.len())]);
            prop_assert!(ncc(map, truth).abs() <= 1.0 && ncc(truth, map).abs() <= 1.0);
            prop_assert!((0.0..=1.0).contains(&energy(map, truth)));
            prop_assert!((0.0..=1.0).contains(&pointing_chance(fs, samples, &peaks, truth, 0..truth.len())));
            prop_assert!(!pointing(map, fs, samples, &peaks, truth) || !is_dead(map));
            prop_assert_eq!(slope_map(map, 7).len(), 7);
            if let Some(s) = MapScores::against(map, &guidance(&peaks, fs, samples, &GuidanceConfig::default()), &peaks, fs) {
                prop_assert!([s.ncc, s.ncc_beats, s.ncc_intervals].iter().all(|v| v.abs() <= 1.0));
                prop_assert!((0.0..=1.0).contains(&s.energy));
                prop_assert!(!s.dead || (s.ncc, s.energy, s.pointing) == (0.0, 0.0, false));
            }
        }

        /// Whole numbers, which `f32` scales and shifts exactly.
        #[test]
        fn scale_and_shift_of_a_map_do_not_matter(
            pairs in proptest::collection::vec((0..500_i32, 0..500_i32), 4..60),
            scale in 1..100_i32,
            shift in -5000..5000_i32,
        ) {
            let take = |of: &dyn Fn(&(i32, i32)) -> i32| pairs.iter().map(|p| of(p) as f32).collect::<Vec<f32>>();
            let (map, truth) = (take(&|p| p.0), take(&|p| p.1));
            let spread = |x: &[f32]| centred(x).iter().map(|v| v * v).sum::<f64>().sqrt();
            prop_assume!(spread(&map) > 2.0 && spread(&truth) > 2.0);
            let plain = ncc(&map, &truth);
            let changed = ncc(&take(&|p| p.0 * scale + shift), &truth);
            prop_assert!((plain - changed).abs() < 1e-6, "{plain} {changed}");
            let turned = ncc(&take(&|p| -p.0 * scale), &truth);
            prop_assert!((plain + turned).abs() < 1e-6, "{plain} {turned}");
        }
    }
}
