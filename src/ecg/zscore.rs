//! The standard score of a strip: the unit in which the network sees it. The ONNX graph and the Python programs of the
//! tests compute the same formula.

use super::Strip;

/// What [`zscore()`] adds to the standard deviation at most, in the strip's unit.
pub const EPS: f64 = 1e-8;
/// What [`zscore()`] adds to the standard deviation at most, as a share of it: about the precision of f32.
pub const SHARE: f64 = 1e-7;
/// The least that [`zscore()`] divides by, as a share of the mean: less is no more than rounding in a flat strip.
pub const FLOOR: f64 = 1e-10;

/// Mean and standard deviation (ddof 0), sums in f64; the values are run through twice.
pub(crate) fn mean_and_sd(x: impl ExactSizeIterator<Item = f64> + Clone) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.clone().sum::<f64>() / n;
    (mean, (x.map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// Standardises a strip in place: `(x - mean) / max(sd + min(1e-8, 1e-7 sd), 1e-10 |mean|)`, sd with ddof 0, sums in
/// f64; all 0 for a strip of zeros. The same for a strip in mV, V or a converter's counts, to 1e-7 of each value.
pub fn zscore(signal: &mut [f32]) {
    if signal.is_empty() {
        return;
    }
    let (mean, sd) = mean_and_sd(signal.iter().map(|&x| f64::from(x)));
    let size = (sd + EPS.min(SHARE * sd)).max(FLOOR * mean.abs());
    let scale = if size > 0.0 { 1.0 / size } else { 0.0 };
    for x in signal {
        *x = ((f64::from(*x) - mean) * scale) as f32;
    }
}

impl Strip {
    /// The signal as the network gets it.
    pub fn zscored(&self) -> Vec<f32> {
        let mut x = self.signal.to_vec();
        zscore(&mut x);
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zscore_has_mean_zero_and_sd_one() {
        let mut x: Vec<f32> = (0..1000).map(|i| 3.0 + (i as f32 * 0.1).sin()).collect();
        zscore(&mut x);
        let mean = x.iter().sum::<f32>() / 1000.0;
        let sd = (x.iter().map(|v| v * v).sum::<f32>() / 1000.0).sqrt();
        assert!(mean.abs() < 1e-5 && (sd - 1.0).abs() < 1e-5);
        for value in [2.0, 0.1, 1e-9, 0.0] {
            let mut flat = [value; 5000];
            zscore(&mut flat);
            assert!(flat.iter().all(|v| v.abs() < 1e-5), "{value}: {}", flat[0]);
        }
        zscore(&mut []);
    }

    #[test]
    fn zscore_does_not_depend_on_the_unit() {
        let mv: Vec<f32> = (0..1000).map(|i| 0.3 + 0.2 * (i as f32 * 0.1).sin() + (i % 90) as f32 / 300.0).collect();
        let of = |unit: f32| {
            let mut x: Vec<f32> = mv.iter().map(|v| v * unit).collect();
            zscore(&mut x);
            x
        };
        // as it always was for strips in mV
        let (n, mean) = (1000.0, mv.iter().map(|&v| f64::from(v)).sum::<f64>() / 1000.0);
        let sd = (mv.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt();
        let scale = 1.0 / (sd + 1e-8);
        let before: Vec<f32> = mv.iter().map(|&v| ((f64::from(v) - mean) * scale) as f32).collect();
        assert_eq!(of(1.0), before);
        for unit in [1e-3, 1e-6, 1e-9, 1e-12, 1e3, 1e6, 2.0_f32.powi(-40)] {
            let apart = of(unit).iter().zip(&before).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 2e-6, "{unit}: {apart}");
        }
    }
}
