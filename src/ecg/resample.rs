//! Polyphase resampling with the filter of `scipy.signal.resample_poly`'s defaults: a windowed sinc
//! (Kaiser window, beta 5) of `20 max(up, down) + 1` taps, cut-off at the lower of the two Nyquist
//! frequencies, zeros outside the signal. Same length, alignment and values as SciPy's.
//!
//! Measured rates (129.87 or 499.98 Hz) are in no simple ratio to others. Then each sample of the result takes the one
//! of some thousand phases of the filter that is nearest to its own time: it is right in place to a small part of a
//! sample, and that however long the signal is, for nothing adds up.

use crate::error::{Error, Result};
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// The largest `up` or `down`; 500/257 and 25/18 are typical.
const MAX_TERM: u64 = 5_000;
/// Relative error allowed when a ratio of rates is made a fraction: 2 ms in half an hour.
const TOLERANCE: f64 = 1e-6;
/// How far a fraction may displace the last sample of a result, in samples of the result.
const MAX_DRIFT: f64 = 0.05;
/// Rates further apart than this factor are taken for a mistake: a header's rate must not decide how much memory
/// the result takes.
pub(super) const MAX_FACTOR: f64 = 100.0;
const KAISER_BETA: f64 = 5.0;

/// Checks that a signal can be brought from `fs_in` to `fs_out` (Hz): both above 0, within a factor of 100.
pub fn check(fs_in: f64, fs_out: f64) -> Result<()> {
    let fault = |what: String| Err(Error::data("resampling", what, "give both rates in Hz"));
    if !(fs_in.is_finite() && fs_out.is_finite() && fs_in > 0.0 && fs_out > 0.0) {
        return fault(format!("from {fs_in} Hz to {fs_out} Hz, expected two positive rates"));
    }
    if !(1.0 / MAX_FACTOR..=MAX_FACTOR).contains(&(fs_out / fs_in)) {
        return fault(format!("from {fs_in} Hz to {fs_out} Hz, expected rates within a factor of {MAX_FACTOR}"));
    }
    Ok(())
}

/// The ratio `fs_out / fs_in` of two positive rates as a fraction `(up, down)` in lowest terms of at most 5000, right to
/// one in a million; `None` where there is no such fraction.
pub fn fraction(fs_in: f64, fs_out: f64) -> Option<(usize, usize)> {
    let target = fs_out / fs_in;
    // convergents of the continued fraction
    let (mut p0, mut q0, mut p1, mut q1) = (0_u64, 1_u64, 1_u64, 0_u64);
    let mut x = target;
    for _ in 0..32 {
        let a = x.floor();
        if !(0.0..=MAX_TERM as f64).contains(&a) {
            break;
        }
        let (p2, q2) = (a as u64 * p1 + p0, a as u64 * q1 + q0);
        if p2 > MAX_TERM || q2 > MAX_TERM {
            break;
        }
        if p2 > 0 && q2 > 0 && (p2 as f64 / q2 as f64 / target - 1.0).abs() <= TOLERANCE {
            return Some((p2 as usize, q2 as usize));
        }
        (p0, q0, p1, q1) = (p1, q1, p2, q2);
        let rest = x - a;
        if rest <= 0.0 {
            break;
        }
        x = 1.0 / rest;
    }
    None
}

/// Resamples from `fs_in` to `fs_out` (Hz). Equal rates give a copy. Rates in a simple ratio (see [`fraction`]) that
/// displaces no sample by more than 1/20 of a sample go by it; for others each sample is taken at its own time, to 1/100
/// of a sample of the result.
pub fn resample(x: &[f64], fs_in: f64, fs_out: f64) -> Result<Vec<f64>> {
    let plan = Plan::new(x.len(), fs_in, fs_out)?;
    Ok(plan.part(x, 0..plan.len))
}

/// How a signal of some length is brought to another rate. It gives any part of the result, with the bits that
/// [`resample`] gives the whole, so that a strip of a day need not wait for the day.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Samples of the whole result.
    pub len: usize,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Copy,
    /// By a simple ratio.
    Fraction(Arc<Polyphase>),
    /// Each sample at its own time, the steps in phases of the filter.
    Measured(Arc<Polyphase>, f64),
}

impl Way {
    /// To a rate that is `ratio` times that of the signal.
    fn measured(ratio: f64) -> Self {
        // enough phases to keep the filter as short as that of a fraction
        let phases = (MAX_TERM as f64 * ratio.min(1.0)).max(1.0).floor();
        let filter = Polyphase::cached(phases as usize, (phases / ratio).round().max(1.0) as usize);
        Self::Measured(filter, phases / ratio)
    }
}

impl Plan {
    pub fn new(samples: usize, fs_in: f64, fs_out: f64) -> Result<Self> {
        check(fs_in, fs_out)?;
        let target = fs_out / fs_in;
        let length = (samples as f64 * fs_out / fs_in).ceil();
        let drift = |(up, down)| (up as f64 / down as f64 / target - 1.0).abs() * length;
        let simple = fraction(fs_in, fs_out).filter(|&ratio| drift(ratio) < MAX_DRIFT);
        let exact = |(up, down)| (samples as u128 * up as u128).div_ceil(down as u128).min(usize::MAX as u128) as usize;
        let len = simple.map_or(length as usize, exact);
        if len > 1 << 28 {
            let what = format!("{samples} samples at {fs_in} Hz would become {len} at {fs_out} Hz");
            return Err(Error::data("resampling", what, "check the sampling rate in the header or in --fs"));
        }
        let way = match simple {
            Some((1, 1)) => Way::Copy,
            Some((up, down)) => Way::Fraction(Polyphase::cached(up, down)),
            None => Way::measured(target),
        };
        Ok(Self { len, way })
    }

    /// Samples `part` of the result; `x` is the whole signal.
    pub fn part(&self, x: &[f64], part: Range<usize>) -> Vec<f64> {
        match &self.way {
            Way::Copy => x[part].to_vec(),
            Way::Fraction(filter) => part.map(|m| filter.at(x, m * filter.down)).collect(),
            Way::Measured(filter, step) => part.map(|m| filter.at(x, (m as f64 * step).round() as usize)).collect(),
        }
    }
}

/// The filter's taps by phase: output `m` is the scalar product of one row with consecutive inputs.
#[derive(Debug)]
struct Polyphase {
    up: usize,
    down: usize,
    half: usize,
    /// Row `p` holds the taps `p, p + up, ...` from the last to the first.
    rows: Vec<Vec<f64>>,
}

impl Polyphase {
    fn new(up: usize, down: usize) -> Self {
        let half = 10 * up.max(down);
        let h = lowpass(half, 1.0 / up.max(down) as f64, up as f64);
        let row = |p: usize| {
            let mut taps: Vec<f64> = h.iter().skip(p).step_by(up).copied().collect();
            taps.reverse();
            taps
        };
        Self { up, down, half, rows: (0..up).map(row).collect() }
    }

    /// The filter for these terms; the last few are kept, for the strips of a source all need the same.
    fn cached(up: usize, down: usize) -> Arc<Self> {
        static LAST: Mutex<Vec<Arc<Polyphase>>> = Mutex::new(Vec::new());
        let mut last = LAST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(filter) = last.iter().find(|f| (f.up, f.down) == (up, down)) {
            return filter.clone();
        }
        let filter = Arc::new(Self::new(up, down));
        last.truncate(3);
        last.insert(0, filter.clone());
        filter
    }

    /// The output at `time` in `1/up` of an input sample: tap `k` meets input `i` where `time + half = i up + k`; zeros
    /// outside the input.
    fn at(&self, x: &[f64], time: usize) -> f64 {
        let centre = time + self.half;
        let row = &self.rows[centre % self.up];
        // the row's last tap meets input `last`, which may lie past the end
        let last = centre / self.up;
        let first = (last + 1).saturating_sub(row.len());
        let end = (last + 1).min(x.len());
        if first >= end {
            return 0.0;
        }
        let row = &row[row.len() - (last + 1 - first)..];
        dot(&x[first..end], &row[..end - first])
    }
}

/// Scalar product in eight running sums, which the processor takes side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (eights_a, rest_a) = a.as_chunks::<8>();
    let (eights_b, rest_b) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (u, v) in eights_a.iter().zip(eights_b) {
        for ((sum, x), y) in sums.iter_mut().zip(u).zip(v) {
            *sum += x * y;
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(x, y)| x * y).sum();
    let [s0, s1, s2, s3, s4, s5, s6, s7] = sums;
    ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7)) + rest
}

/// Windowed-sinc low-pass of `2 half + 1` taps with cut-off relative to Nyquist, gain `gain` at 0 Hz.
fn lowpass(half: usize, cutoff: f64, gain: f64) -> Vec<f64> {
    let norm = bessel_i0(KAISER_BETA);
    let mut h: Vec<f64> = (0..=2 * half)
        .map(|i| {
            let m = i as f64 - half as f64;
            let window = bessel_i0(KAISER_BETA * (1.0 - (m / half as f64).powi(2)).max(0.0).sqrt()) / norm;
            let arg = std::f64::consts::PI * cutoff * m;
            let sinc = if m == 0.0 { 1.0 } else { arg.sin() / arg };
            cutoff * sinc * window
        })
        .collect();
    let sum: f64 = h.iter().sum();
    for v in &mut h {
        *v *= gain / sum;
    }
    h
}

/// Modified Bessel function of the first kind, order 0: `sum ((x/2)^k / k!)^2`.
fn bessel_i0(x: f64) -> f64 {
    let q = x * x / 4.0;
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-18 {
        term *= q / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

/// [`resample`] with the mean taken out and put back, so that the zeros outside make no step at the ends.
pub fn resample_centred(mut x: Vec<f64>, fs_in: f64, fs_out: f64) -> Result<Vec<f64>> {
    if fs_in == fs_out {
        return Ok(x);
    }
    let mean = x.iter().sum::<f64>() / x.len().max(1) as f64;
    x.iter_mut().for_each(|v| *v -= mean);
    let mut y = resample(&x, fs_in, fs_out)?;
    y.iter_mut().for_each(|v| *v += mean);
    Ok(y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_exact_for_the_usual_rates() {
        for (a, b, expected) in [
            (360.0, 500.0, (25, 18)),
            (360.0, 250.0, (25, 36)),
            (300.0, 500.0, (5, 3)),
            (257.0, 500.0, (500, 257)),
            (1000.0, 500.0, (1, 2)),
            (128.5, 500.0, (1000, 257)),
            (500.0, 500.0, (1, 1)),
            (333.3333333, 500.0, (3, 2)),
            (100.0, 500.0, (5, 1)),
        ] {
            assert_eq!(fraction(a, b), Some(expected), "{a} -> {b}");
        }
        assert_eq!(fraction(129.87, 500.0), None);
    }

    #[test]
    fn impossible_rates_are_refused() {
        for (a, b) in [(0.0, 500.0), (-1.0, 2.0), (f64::NAN, 1.0), (1.0, f64::INFINITY), (1.0, 1e9), (1e9, 1.0)] {
            assert!(resample(&[1.0], a, b).unwrap_err().to_string().contains("HINT"), "{a} {b}");
        }
    }

    /// The largest distance of the result from a sine sampled at `fs_out`, of amplitude 1 and 7 Hz, its ends left out.
    fn sine_error(fs_in: f64, fs_out: f64, seconds: f64) -> f64 {
        let sine = |i: usize, fs: f64| (i as f64 / fs * 7.0 * std::f64::consts::TAU + 0.4).sin();
        let x: Vec<f64> = (0..(seconds * fs_in) as usize).map(|i| sine(i, fs_in)).collect();
        let y = resample(&x, fs_in, fs_out).unwrap();
        // a fraction that is off by one in a million may give one sample less or more
        let expected = (x.len() as f64 * fs_out / fs_in).ceil() as usize;
        assert!(y.len().abs_diff(expected) <= 1, "{fs_in} -> {fs_out}: {}, {expected}", y.len());
        let edge = (fs_out * 0.5) as usize;
        (edge..y.len() - edge).map(|i| (y[i] - sine(i, fs_out)).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn measured_rates_keep_time() {
        for fs in [129.87, 333.33, 499.98, 256.41, 499.987_654, 977.513, 500.001, 249.9999] {
            // half a sample of a sine of 7 Hz at 500 Hz is 0.044 of its amplitude
            let (strip, hour) = (sine_error(fs, 500.0, 10.0), sine_error(fs, 500.0, 3600.0));
            assert!(strip < 3e-3 && hour < 5e-3, "{fs} Hz: {strip} in a strip, {hour} in an hour");
        }
        assert!(sine_error(500.0, 129.87, 60.0) < 3e-3);
        assert!(sine_error(2000.3, 21.7, 60.0) < 2e-2);
        assert!(sine_error(30.1, 2999.9, 60.0) < 2e-2);
    }

    #[test]
    fn simple_ratios_go_by_the_fraction() {
        let x: Vec<f64> = (0..500).map(|i| f64::from(i % 91)).collect();
        for (a, b, up, down) in
            [(360.0, 500.0, 25.0, 18.0), (1000.0, 500.0, 1.0, 2.0), (333.333_333_3, 500.0, 3.0, 2.0)]
        {
            let (found, expected) = (resample(&x, a, b).unwrap(), resample(&x, down, up).unwrap());
            assert_eq!(found.len(), expected.len());
            assert!(found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{a} -> {b}");
        }
    }

    #[test]
    fn short_signals_and_lengths() {
        assert!(resample(&[], 18.0, 25.0).unwrap().is_empty());
        assert_eq!(resample(&[1.0], 3.0, 5.0).unwrap().len(), 2);
        assert_eq!(Plan::new(650_000, 18.0, 25.0).unwrap().len, 902_778);
        assert_eq!(resample(&[1.0, 2.0], 360.0, 360.0).unwrap(), [1.0, 2.0]);
    }
}
