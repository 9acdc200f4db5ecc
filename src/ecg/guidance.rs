//! The guidance target: where in a strip an explanation should point, from the R peaks alone. A regular
//! rhythm is recognised by its beats, an irregular one by the intervals that make it irregular. This construction
//! is this project's own; nothing else in the crate knows how it is made.

use super::Strip;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The `[guidance]` table: constants of the target. Their defaults are set by physiology, not tuned for a
/// higher agreement between maps and targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuidanceConfig {
    /// Deviation from the mean RR interval, as a share of it, from which an interval counts as fully irregular.
    pub tolerance: f64,
    /// Standard deviation of the bump at each beat, s.
    pub beat_sigma: f64,
    /// Standard deviation of the Gaussian that smooths the intervals, s.
    pub smooth_sigma: f64,
    /// Where that Gaussian ends, in standard deviations.
    pub radius: f64,
    /// Beats inside the strip that a valid target needs.
    pub min_beats: usize,
}

impl Default for GuidanceConfig {
    fn default() -> Self {
        Self { tolerance: 0.15, beat_sigma: 0.05, smooth_sigma: 0.04, radius: 4.0, min_beats: 3 }
    }
}

impl GuidanceConfig {
    /// Checks every constant.
    pub fn check(&self) -> Result<()> {
        self.problem().map_or(Ok(()), |(key, found, expected)| {
            let default = "or leave the key out for its default";
            Err(Error::config(format!("{key}: found {found}, expected {expected}"), default))
        })
    }

    /// The first constant that makes no sense: its key, what was found, what was expected.
    pub(crate) fn problem(&self) -> Option<(&'static str, f64, String)> {
        [
            ("guidance.tolerance", self.tolerance, 0.001..=10.0, " (a share of the mean RR interval)"),
            ("guidance.beat_sigma", self.beat_sigma, 0.001..=1.0, " seconds"),
            ("guidance.smooth_sigma", self.smooth_sigma, 0.001..=1.0, " seconds"),
            ("guidance.radius", self.radius, 1.0..=10.0, " standard deviations"),
            ("guidance.min_beats", self.min_beats as f64, 2.0..=1000.0, " beats"),
        ]
        .into_iter()
        .find(|(_, found, range, _)| !range.contains(found))
        .map(|(key, found, range, unit)| (key, found, format!("{} to {}{unit}", range.start(), range.end())))
    }
}

/// The target of one strip and what it is made of; the three curves have one value a sample.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Guidance {
    /// `B`: 1 at every beat, falling off as a Gaussian.
    pub beats: Vec<f32>,
    /// `I`: the deviation, 0 to 1, of the interval that a sample lies in, smoothed; 0 before the first and after the
    /// last beat.
    pub intervals: Vec<f32>,
    /// `G`, 0 to 1 with maximum 1; all zero where invalid.
    pub target: Vec<f32>,
    /// `rho`: the mean deviation of the intervals, 0 (regular) to 1.
    pub irregularity: f64,
    /// Whether there are enough beats and `G` is not constant.
    pub valid: bool,
    /// See [`Strip::marked`]; what lies outside is neither taught nor scored.
    pub marked: Option<[u32; 2]>,
}

/// The target of a strip of `samples` values at `fs` Hz with R peaks in samples; peaks may come in any
/// order, those outside the strip and repeated ones are ignored.
///
/// With `m` the mean of the intervals `RR_i` between beats `r_i`: `v_i = clamp(|RR_i - m| / m / tolerance, 0, 1)`,
/// `rho = mean(v_i)`; `B(t) = max_i exp(-(t - r_i)^2 / (2 beat_sigma^2))`; `I(t) = v_i` on `[r_i, r_{i+1})`, convolved
/// with a Gaussian of sum 1 that ends after `ceil(radius smooth_sigma fs)` samples; `G = (1 - rho) B + rho I`, divided
/// by its maximum.
///
/// A rate outside 1 Hz to 100 kHz or a configuration that fails [`GuidanceConfig::check`] makes all zeros, not valid. Takes time in proportion to `samples` and to beats times the Gaussian's length.
pub fn guidance(r_peaks: &[u32], fs: f64, samples: usize, config: &GuidanceConfig) -> Guidance {
    let zeros = vec![0.0; samples];
    let mut made = Guidance { beats: zeros.clone(), intervals: zeros.clone(), target: zeros, ..Guidance::default() };
    if !(1.0..=1e5).contains(&fs) || config.check().is_err() {
        return made;
    }
    let mut peaks: Vec<usize> = r_peaks.iter().map(|&p| p as usize).filter(|&p| p < samples).collect();
    peaks.sort_unstable();
    peaks.dedup();
    let deviations = deviations(&peaks, config.tolerance);
    if !deviations.is_empty() {
        made.irregularity = deviations.iter().sum::<f64>() / deviations.len() as f64;
    }
    let beats = beat_curve(&peaks, config.beat_sigma * fs, samples);
    let kernel = gaussian(config.smooth_sigma * fs, config.radius);
    let intervals = interval_curve(&peaks, &deviations, &kernel, samples);
    let rho = made.irregularity;
    let mixed: Vec<f64> = beats.iter().zip(&intervals).map(|(b, i)| (1.0 - rho) * b + rho * i).collect();
    let (least, most) = mixed.iter().fold((f64::INFINITY, 0.0_f64), |(l, m), &v| (l.min(v), m.max(v)));
    made.valid = peaks.len() >= config.min_beats && (most - least) / most > f64::from(f32::EPSILON);
    if made.valid {
        made.target = mixed.iter().map(|v| (v / most) as f32).collect();
    }
    made.beats = beats.into_iter().map(|v| v as f32).collect();
    made.intervals = intervals.into_iter().map(|v| v as f32).collect();
    made
}

impl Strip {
    /// The [`guidance`] of a strip of a data set of `fs` Hz.
    pub fn guidance(&self, fs: f64, config: &GuidanceConfig) -> Guidance {
        Guidance { marked: self.marked, ..guidance(&self.r_peaks, fs, self.signal.len(), config) }
    }
}

/// `v_i` of each interval between ascending, distinct peaks.
fn deviations(peaks: &[usize], tolerance: f64) -> Vec<f64> {
    let rr: Vec<f64> = peaks.windows(2).map(|w| (w[1] - w[0]) as f64).collect();
    let mean = rr.iter().sum::<f64>() / rr.len() as f64;
    rr.iter().map(|v| ((v - mean).abs() / mean / tolerance).clamp(0.0, 1.0)).collect()
}

/// `B`, `sigma` in samples. Bumps of one width: the highest at a sample is that of the nearest beat.
fn beat_curve(peaks: &[usize], sigma: f64, samples: usize) -> Vec<f64> {
    let Some(&first) = peaks.first() else { return vec![0.0; samples] };
    let mut after = peaks.iter().copied().peekable();
    let mut before = first;
    (0..samples)
        .map(|t| {
            while let Some(p) = after.next_if(|&p| p <= t) {
                before = p;
            }
            let distance = after.peek().map_or(usize::MAX, |p| p - t).min(t.abs_diff(before));
            (-0.5 * (distance as f64 / sigma).powi(2)).exp()
        })
        .collect()
}

/// Gaussian weights of sum 1 at `-reach..=reach` samples, `reach = ceil(radius sigma)`.
fn gaussian(sigma: f64, radius: f64) -> Vec<f64> {
    // seconds times the rate may come out a rounding error above a whole number
    let reach = (radius * sigma - 1e-9).ceil() as usize;
    let weights: Vec<f64> =
        (0..=2 * reach).map(|i| (-0.5 * (i.abs_diff(reach) as f64 / sigma).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / sum).collect()
}

/// `I`: a sum of steps, one at every peak, each turned into the kernel's running sum.
fn interval_curve(peaks: &[usize], deviations: &[f64], kernel: &[f64], samples: usize) -> Vec<f64> {
    let mut curve = vec![0.0; samples];
    for (w, &v) in peaks.windows(2).zip(deviations) {
        curve[w[0]..w[1]].fill(v);
    }
    let reach = kernel.len() / 2;
    let rise: Vec<f64> = kernel
        .iter()
        .scan(0.0, |sum, w| {
            *sum += w;
            Some(*sum)
        })
        .collect();
    let mut level = 0.0;
    for (i, &at) in peaks.iter().enumerate() {
        let next = deviations.get(i).copied().unwrap_or(0.0);
        let step = next - level;
        level = next;
        for t in at.saturating_sub(reach)..(at + reach + 1).min(samples) {
            curve[t] += step * (rise[t + reach - at] - f64::from(t >= at));
        }
    }
    for v in &mut curve {
        *v = v.clamp(0.0, 1.0);
    }
    curve
}

/// The mean of a target over each of `bins` equal parts (adaptive average pooling): bin `t` covers the samples
/// `floor(t L / bins)` to `ceil((t + 1) L / bins)`, the last left out, so that neighbours share a sample where `bins` does
/// not divide the length `L`. Zeros for an empty target.
pub fn pool(target: &[f32], bins: usize) -> Vec<f32> {
    let length = target.len();
    (0..bins)
        .map(|t| {
            let part = &target[t * length / bins..((t + 1) * length).div_ceil(bins)];
            (part.iter().map(|&v| f64::from(v)).sum::<f64>() / part.len().max(1) as f64) as f32
        })
        .collect()
}

/// Those of the `bins` parts of [`pool`] that lie wholly in the [`Strip::marked`] part of a strip of `samples` values; all
/// where there is no such part.
pub fn marked_bins(marked: Option<[u32; 2]>, samples: usize, bins: usize) -> Range<usize> {
    let Some([from, to]) = marked.map(|ends| ends.map(|v| v as usize)) else { return 0..bins };
    let first = (0..bins).find(|t| t * samples / bins >= from).unwrap_or(bins);
    let after = (first..bins).find(|t| ((t + 1) * samples).div_ceil(bins) > to).unwrap_or(bins);
    first..after
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn default(peaks: &[u32], fs: f64, samples: usize) -> Guidance {
        guidance(peaks, fs, samples, &GuidanceConfig::default())
    }

    #[test]
    fn too_few_beats_and_senseless_rates_make_no_target() {
        for (peaks, fs) in [
            (&[][..], 250.0),
            (&[5], 250.0),
            (&[5, 300], 250.0),
            (&[5, 300, 300, 5], 250.0),
            (&[5, 300, 1000, 1200], 250.0),
            (&[5, 300, 600], 0.0),
            (&[5, 300, 600], f64::NAN),
            (&[5, 300, 600], 1e300),
        ] {
            let g = default(peaks, fs, 1000);
            assert!(!g.valid && g.target == [0.0; 1000], "{peaks:?} {fs}");
        }
        let one = default(&[5], 250.0, 10);
        assert_eq!((one.beats[5], one.irregularity), (1.0, 0.0));
        let config = GuidanceConfig { beat_sigma: f64::NAN, ..GuidanceConfig::default() };
        assert!(!guidance(&[5, 300, 600], 250.0, 1000, &config).valid);
        // a beat at every sample: G is 1 everywhere
        assert!(!default(&(0..50).collect::<Vec<_>>(), 250.0, 50).valid);
    }

    #[test]
    fn the_order_of_peaks_and_beats_outside_make_no_difference() {
        let g = default(&[0, 210, 333, 640, 999], 250.0, 1000);
        assert!(g.valid && g.beats[0] == 1.0 && g.beats[999] == 1.0);
        assert_eq!(g, default(&[640, 999, 0, 333, 333, 1000, 210, u32::MAX], 250.0, 1000));
        assert!(default(&[1, 2, 3], 250.0, 0).target.is_empty());
    }

    #[test]
    fn constants_are_checked() {
        GuidanceConfig::default().check().unwrap();
        type Change = fn(&mut GuidanceConfig);
        let cases: [(&str, Change); 5] = [
            ("tolerance", |c| c.tolerance = 0.0),
            ("beat_sigma", |c| c.beat_sigma = f64::NAN),
            ("smooth_sigma", |c| c.smooth_sigma = 2.0),
            ("radius", |c| c.radius = -1.0),
            ("min_beats", |c| c.min_beats = 1),
        ];
        for (key, change) in cases {
            let mut config = GuidanceConfig::default();
            change(&mut config);
            let text = config.check().unwrap_err().to_string();
            assert!(text.contains(&format!("guidance.{key}: found")) && text.contains("HINT"), "{text}");
        }
        let read = |text| serde_json::from_str::<GuidanceConfig>(text);
        assert_eq!(read("{}").unwrap(), GuidanceConfig::default());
        assert_eq!(read("{\"radius\": 3}").unwrap().radius, 3.0);
        assert!(read("{\"sigma\": 3}").is_err());
    }

    #[test]
    fn bins_share_samples_where_they_do_not_divide() {
        assert_eq!(pool(&[1.0, 2.0, 3.0, 4.0], 2), [1.5, 3.5]);
        assert_eq!(pool(&[1.0, 2.0, 4.0], 2), [1.5, 3.0]);
        assert_eq!(pool(&[1.0, 3.0], 4), [1.0, 1.0, 3.0, 3.0]);
        assert_eq!((pool(&[], 2), pool(&[1.0], 0)), (vec![0.0, 0.0], vec![]));
        assert_eq!((marked_bins(None, 10, 5), marked_bins(Some([0, 10]), 10, 5)), (0..5, 0..5));
        // 4 bins of 10 samples: 0..3, 2..5, 5..8, 7..10
        let of = |from, to| marked_bins(Some([from, to]), 10, 4);
        assert_eq!((of(2, 8), of(3, 8), of(2, 7), of(6, 7).len(), of(0, 3)), (1..3, 2..3, 1..2, 0, 0..1));
    }

    proptest! {
        #[test]
        fn any_peaks_make_a_target_from_0_to_1(
            peaks in proptest::collection::vec(prop_oneof![0..700_u32, any::<u32>()], 0..20),
            fs in 1.0..2000.0_f64,
            samples in 0..600_usize,
        ) {
            let g = default(&peaks, fs, samples);
            for curve in [&g.beats, &g.intervals, &g.target] {
                prop_assert!(curve.len() == samples && curve.iter().all(|v| (0.0..=1.0).contains(v)));
            }
            prop_assert!((0.0..=1.0).contains(&g.irregularity));
            let most = g.target.iter().copied().fold(0.0, f32::max);
            prop_assert_eq!(most, if g.valid { 1.0 } else { 0.0 });
        }

        /// Steps made of the kernel's running sum are the plain convolution.
        #[test]
        fn intervals_are_convolved(gaps in proptest::collection::vec(1..90_usize, 2..8), sigma in 0.3..30.0_f64) {
            let peaks: Vec<usize> = gaps.iter().scan(0, |at, g| { *at += g; Some(*at - 1) }).collect();
            let samples = peaks.last().unwrap() + 20;
            let v = deviations(&peaks, 0.15);
            let kernel = gaussian(sigma, 4.0);
            let mut steps = vec![0.0; samples];
            for (w, v) in peaks.windows(2).zip(&v) {
                steps[w[0]..w[1]].fill(*v);
            }
            let reach = kernel.len() / 2;
            for (t, found) in interval_curve(&peaks, &v, &kernel, samples).into_iter().enumerate() {
                let expected: f64 = kernel
                    .iter()
                    .enumerate()
                    .filter_map(|(i, k)| steps.get((t + reach).checked_sub(i)?).map(|s| k * s))
                    .sum();
                prop_assert!((found - expected).abs() < 1e-12, "{t}: {found} {expected}");
            }
        }
    }
}
