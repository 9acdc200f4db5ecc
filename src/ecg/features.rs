//! The 17 quantitative features: the heart rate and 16 measures of heart-rate variability in the time
//! domain, as `hrv_time` of NeuroKit2 0.2.13 computes them from R peaks.

use super::zscore::mean_and_sd;

/// Names of the features, in the order of the values: that of the authors' published tables.
pub const NAMES: [&str; 17] = [
    "bpm", "MeanNN", "SDNN", "SDSD", "RMSSD", "CVNN", "CVSD", "MedianNN", "MadNN", "MCVNN", "IQRNN", "SDRMSSD",
    "Prc20NN", "Prc80NN", "MinNN", "MaxNN", "HTI",
];

/// The features of a record, in the order of [`NAMES`].
pub type Features = [f32; NAMES.len()];

/// What the names stand for, in words.
pub const MEANINGS: &str = "NN: interval between beats, of any rhythm here; bpm: beats per minute; SDNN: standard deviation of the \
    intervals; SDSD and RMSSD: standard deviation and root mean square of the differences of successive intervals; CVNN and \
    CVSD: SDNN and RMSSD over MeanNN; MadNN: median absolute deviation, times 1.4826; MCVNN: MadNN over MedianNN; IQRNN: \
    interquartile range; SDRMSSD: SDNN over RMSSD; Prc20NN and Prc80NN: 20th and 80th percentile; HTI: triangular index of \
    heart-rate variability, the number of intervals over that in the fullest bin of 7.8 ms.";

/// Width of a histogram bin for the triangular index: 1/128 s in ms, exact in binary.
const BIN: f64 = 7.8125;

/// Makes a median absolute deviation comparable to a standard deviation.
const MAD_SCALE: f64 = 1.4826;

/// RR intervals in ms of ascending R peaks in samples at `fs` Hz, in NeuroKit2's arithmetic
/// (`difference / fs * 1000`); a peak given twice makes an interval of 0.
///
/// Empty for fewer than two peaks, for peaks out of order (NeuroKit2 refuses them) and for a rate that is
/// not a positive number.
pub fn rr_intervals(r_peaks: &[u32], fs: f64) -> Vec<f64> {
    if !(fs.is_finite() && fs > 0.0 && r_peaks.is_sorted()) {
        return Vec::new();
    }
    r_peaks.windows(2).map(|w| f64::from(w[1] - w[0]) / fs * 1000.0).collect()
}

/// The 17 features, in the order of [`NAMES`], of R peaks in samples at `fs` Hz: [`hrv_of_rr`] of their
/// [`rr_intervals`]. All NaN where there are none.
///
/// ```
/// let f = exgnet::ecg::features::hrv(&[0, 400, 820], 500.0);
/// assert_eq!((f[1], f[7], f[16]), (820.0, 820.0, 2.0)); // MeanNN, MedianNN, HTI of 800 and 840 ms
/// assert!(f[3].is_nan()); // SDSD needs three intervals
/// ```
pub fn hrv(r_peaks: &[u32], fs: f64) -> [f64; 17] {
    hrv_of_rr(&rr_intervals(r_peaks, fs))
}

/// The 17 features, in the order of [`NAMES`], of RR intervals in ms; [`MEANINGS`] says what they are. bpm is in beats per
/// minute; CVNN, CVSD, MCVNN, SDRMSSD and HTI are ratios; the others are in ms.
///
/// What is undefined is NaN: SDNN, RMSSD and their ratios of one interval, SDSD of two, everything of none.
/// A quotient with a zero below is NaN as well: SDRMSSD of equal intervals (NeuroKit2 gives NaN or, where its mean
/// is rounded, infinity), and where all intervals are 0 the ratios, bpm and HTI (there NeuroKit2 stops). Everything
/// is NaN if an interval is negative or not finite.
pub fn hrv_of_rr(rr: &[f64]) -> [f64; 17] {
    if rr.is_empty() || !rr.iter().all(|v| v.is_finite() && *v >= 0.0) {
        return [f64::NAN; 17];
    }
    let mut sorted = rr.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let d: Vec<f64> = rr.windows(2).map(|w| w[1] - w[0]).collect();
    let mean_nn = mean(rr);
    let sdnn = standard_deviation(rr);
    let rmssd = mean(&d.iter().map(|v| v * v).collect::<Vec<_>>()).sqrt();
    let median = middle(&sorted);
    let mut deviations: Vec<f64> = rr.iter().map(|v| (v - median).abs()).collect();
    deviations.sort_unstable_by(f64::total_cmp);
    let mad = MAD_SCALE * middle(&deviations);
    let mut features = [
        60_000.0 / mean_nn,
        mean_nn,
        sdnn,
        standard_deviation(&d),
        rmssd,
        sdnn / mean_nn,
        rmssd / mean_nn,
        median,
        mad,
        mad / median,
        quantile(&sorted, 0.75) - quantile(&sorted, 0.25),
        sdnn / rmssd,
        quantile(&sorted, 0.2),
        quantile(&sorted, 0.8),
        sorted[0],
        sorted[sorted.len() - 1],
        triangular_index(&sorted),
    ];
    for v in features.iter_mut().filter(|v| v.is_infinite()) {
        *v = f64::NAN;
    }
    features
}

/// NaN of no values.
fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// With ddof 1; NaN of fewer than two values. Exactly 0 of equal values, as it works with differences from the first.
fn standard_deviation(x: &[f64]) -> f64 {
    if x.len() < 2 {
        return f64::NAN;
    }
    let n = x.len() as f64;
    let shift = x.iter().map(|v| v - x[0]).sum::<f64>() / n;
    (x.iter().map(|v| (v - x[0] - shift).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// The median of sorted values.
fn middle(sorted: &[f64]) -> f64 {
    let n = sorted.len();
    if n % 2 == 1 { sorted[n / 2] } else { f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]) }
}

/// The value at position `q (n - 1)` of sorted values, linear between neighbours.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let below = sorted[at as usize];
    let above = sorted[(at as usize + 1).min(sorted.len() - 1)];
    let t = at.fract();
    // from the nearer side, as NumPy, so that rounding never leaves the interval
    if t < 0.5 { below + (above - below) * t } else { above - (above - below) * (1.0 - t) }
}

/// The number of intervals over the number in the fullest bin of `histogram(rr, arange(0, max + BIN, BIN))`.
///
/// The last bin of that histogram is closed: a longest interval that is a multiple of [`BIN`] lies on the last edge
/// and counts in the bin below.
fn triangular_index(sorted: &[f64]) -> f64 {
    let longest = sorted[sorted.len() - 1];
    let edges = ((longest + BIN) / BIN).ceil();
    let last = (edges - 1.0) * BIN;
    let bin = |v: f64| {
        let i = (v / BIN).floor();
        let i = if i * BIN > v { i - 1.0 } else { i };
        i.min(edges - 2.0)
    };
    // longest may lie above the last edge by less than can be added to BIN: then it is in no bin
    let inside = sorted.iter().take_while(|v| **v <= last).map(|&v| bin(v)).collect::<Vec<_>>();
    let fullest = inside.chunk_by(|a, b| a == b).map(<[f64]>::len).max();
    match fullest {
        Some(n) if edges >= 2.0 => sorted.len() as f64 / n as f64,
        _ => f64::NAN,
    }
}

/// Mean and standard deviation of each feature over a training fold: features are standardised with them.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureScale {
    /// Means.
    pub mean: [f64; 17],
    /// Standard deviations (ddof 0); 1 where a feature never changes.
    pub sd: [f64; 17],
}

impl FeatureScale {
    /// Of these rows; NaN is left out. A feature without any value has mean 0 and sd 1.
    pub fn of<'a>(rows: impl Iterator<Item = &'a Features> + Clone) -> Self {
        let mut scale = Self { mean: [0.0; 17], sd: [1.0; 17] };
        for j in 0..17 {
            let known: Vec<f64> = rows.clone().map(|r| f64::from(r[j])).filter(|v| v.is_finite()).collect();
            if !known.is_empty() {
                let (mean, sd) = mean_and_sd(known.iter().copied());
                scale.mean[j] = mean;
                // a constant feature leaves rounding errors, which are no deviation
                scale.sd[j] = if sd > 1e-9 * mean.abs() { sd } else { 1.0 };
            }
        }
        scale
    }

    /// A warning of the features that none of these rows has a value of: nothing can be learned of them.
    pub fn warning<'a>(rows: impl Iterator<Item = &'a Features> + Clone) -> Option<String> {
        let unknown = |j: &usize| rows.clone().all(|row| !row[*j].is_finite());
        let names: Vec<&str> = (0..NAMES.len()).filter(unknown).map(|j| NAMES[j]).collect();
        (!names.is_empty()).then(|| {
            let names = names.join(", ");
            format!("warning: features without a value in any training strip: {names}; they are 0 (the mean) everywhere, nothing \
                     is learned of them")
        })
    }

    /// Standardised features; NaN becomes 0, the mean.
    pub fn apply(&self, row: &Features) -> Features {
        std::array::from_fn(|j| {
            let v = (f64::from(row[j]) - self.mean[j]) / self.sd[j];
            if v.is_finite() { v as f32 } else { 0.0 }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_half_open_but_the_last() {
        assert_eq!(triangular_index(&[7.8125, 15.625]), 1.0, "both in the last bin [7.8125, 15.625]");
        assert_eq!(triangular_index(&[7.0, 7.8125, 20.0]), 3.0);
        assert!(triangular_index(&[0.0, 0.0]).is_nan());
    }

    #[test]
    fn peaks_that_make_no_intervals() {
        for (peaks, fs) in [(&[][..], 500.0), (&[3], 500.0), (&[5, 3, 9], 500.0), (&[1, 2], 0.0), (&[1, 2], f64::NAN)] {
            assert!(rr_intervals(peaks, fs).is_empty(), "{peaks:?} {fs}");
            assert!(hrv(peaks, fs).iter().all(|v| v.is_nan()));
        }
        assert_eq!(rr_intervals(&[100, 100, 350], 500.0), [0.0, 500.0]);
        assert!(hrv_of_rr(&[800.0, f64::INFINITY]).iter().all(|v| v.is_nan()));
        assert!(hrv_of_rr(&[800.0, -1.0]).iter().all(|v| v.is_nan()));
    }

    #[test]
    fn scale_leaves_nan_out_and_constants_alone() {
        let row = |a: f32, b: f32| std::array::from_fn::<f32, 17, _>(|j| if j == 0 { a } else { b });
        let rows = [row(1.0, 0.1), row(f32::NAN, 0.1), row(3.0, 0.1)];
        let scale = FeatureScale::of(rows.iter());
        assert_eq!((scale.mean[0], scale.sd[0], scale.sd[1]), (2.0, 1.0, 1.0));
        assert_eq!((scale.apply(&rows[0])[0], scale.apply(&rows[1])[0]), (-1.0, 0.0));
        assert!(scale.apply(&rows[0])[1].abs() < 1e-6);
        assert_eq!(FeatureScale::warning(rows.iter()), None);
        let warning = FeatureScale::warning([row(f32::NAN, 0.1), row(f32::NAN, f32::NAN)].iter()).expect("a warning");
        assert!(warning.contains("in any training strip: bpm; they are 0"), "{warning}");
        let none = FeatureScale::of([row(f32::NAN, f32::NAN)].iter());
        assert_eq!(none.apply(&rows[0])[0], 1.0);
    }
}
