//! Zero-phase filters: Butterworth high-pass and band-pass in second-order sections and the moving average,
//! run forward and back over an odd extension of the signal (as `scipy.signal.sosfiltfilt` and
//! `filtfilt` do by default).

use crate::error::{Error, Result};
use std::f64::consts::PI;

/// A second-order section `[b0, b1, b2, a1, a2]` with `a0 = 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Section {
    /// Numerator.
    pub b: [f64; 3],
    /// Denominator without its leading 1.
    pub a: [f64; 2],
}

/// A Butterworth high-pass of `order` (1 to 12) with cut-off in Hz, between 0 and half the rate, by the bilinear
/// transform; sections with the poles nearest the unit circle last, the whole gain in the first.
pub fn butterworth_highpass(order: usize, cutoff: f64, fs: f64) -> Result<Vec<Section>> {
    if !((1..=12).contains(&order) && cutoff > 0.0 && cutoff < fs / 2.0 && fs.is_finite()) {
        let what = format!("high-pass of order {order} at {cutoff} Hz for a rate of {fs} Hz");
        return Err(Error::config(what, "the order must be 1 to 12 and the cut-off between 0 and half the rate"));
    }
    // analog prototype poles exp(i theta), low-pass to high-pass p -> w / p, bilinear
    let w = 4.0 * (PI * cutoff / fs).tan();
    let mut sections = Vec::new();
    let mut gain = 1.0;
    let pole = |theta: f64| {
        // w / p for |p| = 1 is w conj(p)
        let ((re, im), d) = bilinear(w * theta.cos(), -w * theta.sin());
        // the high-pass gain of one pole is |1 / (1 - p / 4)|
        (re, im, 4.0 / d.sqrt())
    };
    if order % 2 == 1 {
        let (re, _, g) = pole(PI);
        gain *= g;
        sections.push(Section { b: [1.0, -1.0, 0.0], a: [-re, 0.0] });
    }
    for k in (0..order / 2).rev() {
        // from the most damped pair to the least
        let (re, im, g) = pole(PI * (0.5 + (2 * k + 1) as f64 / (2 * order) as f64));
        gain *= g * g;
        sections.push(Section { b: [1.0, -2.0, 1.0], a: [-2.0 * re, re * re + im * im] });
    }
    for b in &mut sections[0].b {
        *b *= gain;
    }
    Ok(sections)
}

/// A Butterworth band-pass of `order` (1 to 6; it has twice as many poles) from `low` to `high` Hz, both
/// between 0 and half the rate, by the bilinear transform. Every section has a zero at 0 and one at half the rate; the gain is 1 at the centre.
pub fn butterworth_bandpass(order: usize, low: f64, high: f64, fs: f64) -> Result<Vec<Section>> {
    if !((1..=6).contains(&order) && low > 0.0 && low < high && high < fs / 2.0 && fs.is_finite()) {
        return Err(Error::config(
            format!("band-pass of order {order} from {low} to {high} Hz for a rate of {fs} Hz"),
            "the order must be 1 to 6 and the cut-offs ascend between 0 and half the rate",
        ));
    }
    let warp = |f: f64| 4.0 * (PI * f / fs).tan();
    let (width, centre) = (warp(high) - warp(low), (warp(high) * warp(low)).sqrt());
    let mut sections = Vec::new();
    for k in 0..order.div_ceil(2) {
        // prototype pole p to the two roots of s^2 - width p s + centre^2, then bilinear
        let theta = PI * (0.5 + (2 * k + 1) as f64 / (2 * order) as f64);
        let half = (width / 2.0 * theta.cos(), width / 2.0 * theta.sin());
        let root = complex_sqrt(half.0 * half.0 - half.1 * half.1 - centre * centre, 2.0 * half.0 * half.1);
        let (first, _) = bilinear(half.0 + root.0, half.1 + root.1);
        let (second, _) = bilinear(half.0 - root.0, half.1 - root.1);
        if 2 * k + 1 == order {
            // the real prototype pole: its two roots are real or each other's conjugate
            let product = first.0 * second.0 - first.1 * second.1;
            sections.push(Section { b: [1.0, 0.0, -1.0], a: [-(first.0 + second.0), product] });
        } else {
            for (re, im) in [first, second] {
                sections.push(Section { b: [1.0, 0.0, -1.0], a: [-2.0 * re, re * re + im * im] });
            }
        }
    }
    let middle = 2.0 * (centre / 4.0).atan();
    for s in &mut sections {
        let gain = gain_at(s, middle);
        for b in &mut s.b {
            *b /= gain;
        }
    }
    Ok(sections)
}

/// The bilinear transform `(4 + p) / (4 - p)`, for a rate of 2, of a pole `re + i im`; and `|4 - p|^2`.
fn bilinear(re: f64, im: f64) -> ((f64, f64), f64) {
    let d = (4.0 - re).powi(2) + im * im;
    ((((4.0 + re) * (4.0 - re) - im * im) / d, 8.0 * im / d), d)
}

/// The root with the real part not negative.
fn complex_sqrt(re: f64, im: f64) -> (f64, f64) {
    let size = re.hypot(im);
    (((size + re) / 2.0).max(0.0).sqrt(), ((size - re) / 2.0).max(0.0).sqrt().copysign(im))
}

/// Gain of a section at `w` radians per sample.
fn gain_at(s: &Section, w: f64) -> f64 {
    let magnitude = |c: [f64; 3]| {
        let re = c[0] + c[1] * w.cos() + c[2] * (2.0 * w).cos();
        let im = -c[1] * w.sin() - c[2] * (2.0 * w).sin();
        re.hypot(im)
    };
    magnitude(s.b) / magnitude([1.0, s.a[0], s.a[1]])
}

/// Filters forward and back with zero phase a signal that is longer than the extension at its ends.
pub fn sosfiltfilt(sections: &[Section], x: &[f64]) -> Result<Vec<f64>> {
    let b_zero = sections.iter().filter(|s| s.b[2] == 0.0).count();
    let a_zero = sections.iter().filter(|s| s.a[1] == 0.0).count();
    forward_and_back(x, 3 * (2 * sections.len() + 1 - b_zero.min(a_zero)), |y| sosfilt(sections, y))
}

/// Runs a filter both ways over the signal, continued by `edge` samples at either end.
fn forward_and_back(x: &[f64], edge: usize, filter: impl Fn(&mut [f64])) -> Result<Vec<f64>> {
    let mut y = odd_extension(x, edge)?;
    for _ in 0..2 {
        filter(&mut y);
        y.reverse();
    }
    Ok(y[edge..y.len() - edge].to_vec())
}

/// One pass in place; it starts in the steady state of a constant input equal to the first sample. Every sample goes
/// through all sections at once: the processor then works on several of them side by side.
fn sosfilt(sections: &[Section], x: &mut [f64]) {
    let Some(&start) = x.first() else { return };
    let mut level = start;
    let mut states: Vec<(Section, [f64; 2])> = Vec::with_capacity(sections.len());
    for s in sections {
        let ([b0, b1, b2], [a1, a2]) = (s.b, s.a);
        let settled = level * (b0 + b1 + b2) / (1.0 + a1 + a2);
        states.push((*s, [settled - b0 * level, b2 * level - a2 * settled]));
        level = settled;
    }
    for v in x.iter_mut() {
        let mut value = *v;
        for (Section { b: [b0, b1, b2], a: [a1, a2] }, z) in &mut states {
            let out = *b0 * value + z[0];
            z[0] = *b1 * value - *a1 * out + z[1];
            z[1] = *b2 * value - *a2 * out;
            value = out;
        }
        *v = value;
    }
}

/// A moving average of `width` samples run forward and back: zero phase, zeros at multiples of `fs / width`.
pub fn boxcar_filtfilt(x: &[f64], width: usize) -> Result<Vec<f64>> {
    let width = width.max(1);
    forward_and_back(x, 3 * width, |y| boxcar_causal(y, width))
}

/// Mean of the last `width` samples, the first sample repeated before the start.
fn boxcar_causal(x: &mut [f64], width: usize) {
    let input = x.to_vec();
    let Some(&first) = input.first() else { return };
    let run_in = (width - 1).min(x.len());
    for (i, v) in x[..run_in].iter_mut().enumerate() {
        *v = (input[..=i].iter().sum::<f64>() + (width - 1 - i) as f64 * first) / width as f64;
    }
    for (v, window) in x[run_in..].iter_mut().zip(input.windows(width)) {
        *v = window.iter().sum::<f64>() / width as f64;
    }
}

/// Centred moving average with the end samples repeated, as `scipy.ndimage.uniform_filter1d(mode="nearest")`:
/// an even `size` reaches one sample further back than forward.
pub fn uniform_filter(x: &[f64], size: usize) -> Vec<f64> {
    let n = x.len();
    let size = size.max(1);
    if n == 0 {
        return Vec::new();
    }
    let at = |i: usize| x[i.saturating_sub(size / 2).min(n - 1)];
    // a running sum in the order SciPy takes it, so that comparisons of the result fall out alike
    let mut mean = (0..size).map(at).sum::<f64>() / size as f64;
    let mut out = Vec::with_capacity(n);
    out.push(mean);
    for i in 1..n {
        mean += (at(i + size - 1) - at(i - 1)) / size as f64;
        out.push(mean);
    }
    out
}

/// The signal turned about its end points: `2 x[0] - x[edge..1]`, x, `2 x[n-1] - x[n-2..]`.
fn odd_extension(x: &[f64], edge: usize) -> Result<Vec<f64>> {
    let n = x.len();
    if n <= edge {
        let what = format!("a signal of {n} samples, expected more than {edge}");
        return Err(Error::data("filter", what, "use a longer strip"));
    }
    let (first, last) = (x[0], x[n - 1]);
    let head = x[1..=edge].iter().rev().map(|v| 2.0 * first - v);
    let tail = x[n - 1 - edge..n - 1].iter().rev().map(|v| 2.0 * last - v);
    Ok(head.chain(x.iter().copied()).chain(tail).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_designs_are_refused() {
        for (order, cutoff, fs) in [(0, 0.5, 500.0), (5, 0.0, 500.0), (5, 250.0, 500.0), (5, f64::NAN, 500.0)] {
            assert!(butterworth_highpass(order, cutoff, fs).is_err());
        }
        for (order, low, high) in [(0, 8.0, 20.0), (2, 20.0, 8.0), (2, 0.0, 20.0), (2, 8.0, 250.0), (2, 8.0, f64::NAN)]
        {
            assert!(butterworth_bandpass(order, low, high, 500.0).is_err());
        }
    }

    #[test]
    fn constants_and_short_signals() {
        let s = butterworth_highpass(5, 0.5, 500.0).unwrap();
        assert!(sosfiltfilt(&s, &[3.0; 400]).unwrap().iter().all(|v| v.abs() < 1e-9));
        assert!(sosfiltfilt(&s, &[3.0; 18]).is_err());
        assert!(sosfiltfilt(&s, &[3.0; 19]).is_ok());
        assert!(boxcar_filtfilt(&[3.0; 400], 10).unwrap().iter().all(|v| (v - 3.0).abs() < 1e-12));
        assert!(boxcar_filtfilt(&[3.0; 30], 10).is_err());
    }

    #[test]
    fn uniform_filter_repeats_the_ends() {
        assert_eq!(uniform_filter(&[0.0, 6.0, 0.0], 2), [0.0, 3.0, 3.0]);
        assert_eq!(uniform_filter(&[3.0, 6.0, 0.0], 3), [4.0, 3.0, 2.0]);
        assert_eq!(uniform_filter(&[1.0], 9), [1.0]);
        assert!(uniform_filter(&[], 3).is_empty());
    }
}
