//! Cleaning of an ECG, detection of its R peaks by a [`Detector`] of one's choice, and how well it does.

pub mod adaptive;
pub mod evaluate;
pub mod gradient;
pub mod score;

pub use gradient::r_peaks;

use super::filter::{boxcar_filtfilt, butterworth_highpass, sosfiltfilt};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// How R peaks are found in a cleaned signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detector {
    /// NeuroKit2's default method: the published features were computed with it. Misses a beat in the first 0.3 s. See [`gradient`].
    #[default]
    Gradient,
    /// Band-pass, energy and thresholds that follow the record. See [`adaptive`].
    Adaptive,
}

impl Detector {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Gradient, Self::Adaptive];

    /// The name used in experiment files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gradient => "gradient",
            Self::Adaptive => "adaptive",
        }
    }

    /// R peaks of a cleaned signal (see [`clean`]) in samples, ascending. `fs` in Hz.
    pub fn r_peaks(self, clean: &[f64], fs: f64) -> Vec<u32> {
        match self {
            Self::Gradient => gradient::r_peaks(clean, fs),
            Self::Adaptive => adaptive::r_peaks(clean, fs),
        }
    }
}

impl std::str::FromStr for Detector {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|d| d.name() == s).ok_or_else(|| {
            Error::config(
                format!("detector: found `{s}`, expected gradient or adaptive"),
                "choose gradient (the published method) or adaptive (the more accurate one)",
            )
        })
    }
}

/// Removes drift and mains hum: Butterworth high-pass 0.5 Hz of order 5 with zero phase, then a moving
/// average over one period of the `mains` frequency (50 or 60 Hz) forward and back. `fs` in Hz; the
/// result has the units and length of the input.
///
/// # Errors
/// When the rate gives no filter, or the signal is shorter than the filters' run-in (about 0.06 s).
pub fn clean(signal: &[f64], fs: f64, mains: f64) -> Result<Vec<f64>> {
    let highpass = butterworth_highpass(5, 0.5, fs)?;
    let y = sosfiltfilt(&highpass, signal)?;
    let width = if fs >= 100.0 { (fs / mains.max(1.0)) as usize } else { 2 };
    boxcar_filtfilt(&y, width)
}

/// [`clean`] (50 Hz mains) and [`Detector::r_peaks`] of a strip in one step; a strip too short to filter has
/// none. Missing samples are bridged first.
pub fn detect(signal: &[f32], fs: f64, detector: Detector) -> Vec<u32> {
    let x = without_gaps(signal.iter().map(|&v| f64::from(v)).collect());
    clean(&x, fs, 50.0).map(|c| detector.r_peaks(&c, fs)).unwrap_or_default()
}

/// Missing samples take the value before them, those at the start that of the first one present.
fn without_gaps(mut mv: Vec<f64>) -> Vec<f64> {
    let mut held = mv.iter().copied().find(|v| v.is_finite()).unwrap_or(0.0);
    for v in &mut mv {
        if v.is_finite() {
            held = *v;
        } else {
            *v = held;
        }
    }
    mv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detectors_by_name() {
        for d in Detector::ALL {
            assert_eq!(d.name().parse::<Detector>().unwrap(), d);
        }
        let e = "hamilton".parse::<Detector>().unwrap_err().to_string();
        assert!(e.contains("hamilton") && e.contains("HINT"));
        assert_eq!(Detector::default(), Detector::Gradient);
    }

    #[test]
    fn strips_too_short_or_of_a_senseless_rate() {
        for d in Detector::ALL {
            assert!(detect(&[0.0; 7], 500.0, d).is_empty());
            assert!(detect(&[f32::NAN; 700], 500.0, d).is_empty());
            assert!(detect(&[1.0; 700], 0.0, d).is_empty());
        }
    }

    #[test]
    fn gaps_are_bridged() {
        assert_eq!(without_gaps(vec![f64::NAN, 1.0, f64::INFINITY, 3.0]), [1.0, 1.0, 1.0, 3.0]);
        assert_eq!(without_gaps(vec![f64::NAN]), [0.0]);
        assert!(without_gaps(Vec::new()).is_empty());
    }
}
