//! R peaks by the gradient method, as NeuroKit2 0.2.13's `ecg_peaks` (method `neurokit`): the published
//! features were computed with them. A beat at the very start of a strip is missed, see [`r_peaks`].

use crate::ecg::filter::uniform_filter;

/// R peaks of a cleaned signal in samples, ascending. `fs` in Hz.
///
/// The absolute gradient is averaged over 0.1 s, and that again over 0.75 s; a QRS complex is where the
/// first exceeds 1.5 times the second. Complexes shorter than 0.4 of the mean length are dropped; of each
/// the most prominent local maximum is taken, at least 0.3 s after the one before. As in NeuroKit2 that
/// distance also holds for the first beat, counted from the start of the signal: a beat in the first 0.3 s
/// of a strip is missed, as is one whose complex is under way at the first sample.
pub fn r_peaks(clean: &[f64], fs: f64) -> Vec<u32> {
    let n = clean.len();
    if n < 3 || !(fs.is_finite() && fs > 0.0) {
        return Vec::new();
    }
    let samples = |seconds: f64| ((seconds * fs).round_ties_even() as usize).clamp(1, n);
    let slope: Vec<f64> = gradient(clean).into_iter().map(f64::abs).collect();
    let smooth = uniform_filter(&slope, samples(0.1));
    let average = uniform_filter(&smooth, samples(0.75));
    let in_qrs: Vec<bool> = smooth.iter().zip(&average).map(|(s, a)| *s > 1.5 * a).collect();
    let begins: Vec<usize> = (0..n - 1).filter(|&i| !in_qrs[i] && in_qrs[i + 1]).collect();
    let Some(&first) = begins.first() else { return Vec::new() };
    let ends = (first + 1..n - 1).filter(|&i| in_qrs[i] && !in_qrs[i + 1]);
    let complexes: Vec<(usize, usize)> = begins.into_iter().zip(ends).collect();
    if complexes.is_empty() {
        return Vec::new();
    }
    let mean = complexes.iter().map(|(b, e)| (e - b) as f64).sum::<f64>() / complexes.len() as f64;
    let delay = (0.3 * fs).round_ties_even() as usize;
    let mut peaks: Vec<u32> = Vec::new();
    for (b, e) in complexes {
        if ((e - b) as f64) < 0.4 * mean {
            continue;
        }
        let Some(peak) = most_prominent_maximum(&clean[b..e]).map(|p| b + p) else { continue };
        if peak - peaks.last().map_or(0, |&p| p as usize) > delay {
            peaks.push(peak as u32);
        }
    }
    peaks
}

/// Central differences, one-sided at the ends.
fn gradient(x: &[f64]) -> Vec<f64> {
    let n = x.len();
    (0..n)
        .map(|i| match i {
            0 => x[1] - x[0],
            i if i == n - 1 => x[n - 1] - x[n - 2],
            i => (x[i + 1] - x[i - 1]) / 2.0,
        })
        .collect()
}

/// Index of the local maximum (the middle of a plateau) that stands highest above the higher of the
/// lowest points on either side, up to where the signal rises above it; the first one of equals.
fn most_prominent_maximum(x: &[f64]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    let mut i = 1;
    while i + 1 < x.len() {
        if x[i - 1] < x[i] {
            let mut ahead = i + 1;
            while ahead + 1 < x.len() && x[ahead] == x[i] {
                ahead += 1;
            }
            if x[ahead] < x[i] {
                let peak = usize::midpoint(i, ahead - 1);
                let prominence = prominence(x, peak);
                if best.is_none_or(|(_, p)| prominence > p) {
                    best = Some((peak, prominence));
                }
                i = ahead;
            }
        }
        i += 1;
    }
    best.map(|(i, _)| i)
}

fn prominence(x: &[f64], peak: usize) -> f64 {
    let height = x[peak];
    let lowest =
        |side: &mut dyn Iterator<Item = &f64>| side.take_while(|v| **v <= height).fold(height, |m, v| m.min(*v));
    let left = lowest(&mut x[..peak].iter().rev());
    let right = lowest(&mut x[peak + 1..].iter());
    height - left.max(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn maxima_by_prominence() {
        assert_eq!(most_prominent_maximum(&[0.0, 1.0, 0.5, 2.0, 0.0]), Some(3));
        assert_eq!(most_prominent_maximum(&[0.0, 1.0, 1.0, 1.0, 0.0]), Some(2));
        assert_eq!(most_prominent_maximum(&[1.9, 2.0, 1.9, 1.0, 1.8, 0.0]), Some(4));
        assert_eq!(most_prominent_maximum(&[3.0, 2.0, 1.0]), None);
        assert_eq!(most_prominent_maximum(&[]), None);
    }

    proptest! {
        #[test]
        fn never_panics(x in proptest::collection::vec(prop_oneof![Just(f64::NAN), Just(0.0), -1e30..1e30f64], 0..120), fs in 1.0..2000.0f64) {
            let _ = r_peaks(&x, fs);
        }
    }
}
