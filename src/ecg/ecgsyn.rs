//! The dynamical ECG model of McSharry, Clifford, Tarassenko and Smith (IEEE Trans Biomed Eng 50(3):289-294,
//! 2003): a point runs round a limit cycle, one turn a beat, and P, Q, R, S and T are Gaussians at fixed
//! angles of it.
//!
//! Here the angle is not integrated but written down: it grows evenly within a beat, so a wave at angle
//! `theta` comes `theta RR / 2 pi` seconds after the R peak. With the model's own corrections for the heart
//! rate (angles of P and T by `RR^(-1/4)`, of Q and S and all widths by `RR^(-1/2)`, RR in s) the waves move
//! and narrow as they do in a fast heart.

use std::f64::consts::{PI, TAU};

/// One Gaussian of the cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wave {
    /// Angle from the R peak in radians at 60 beats per minute.
    pub angle: f64,
    /// Standard deviation in radians at 60 beats per minute.
    pub width: f64,
    /// Height in mV.
    pub height: f64,
}

impl Wave {
    /// A wave at an angle given in degrees.
    pub const fn at(degrees: f64, width: f64, height: f64) -> Self {
        Self { angle: degrees * PI / 180.0, width, height }
    }
}

/// The waves of one beat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Morphology {
    /// Atrial depolarisation.
    pub p: Wave,
    /// Septal depolarisation.
    pub q: Wave,
    /// Main ventricular depolarisation.
    pub r: Wave,
    /// Late ventricular depolarisation.
    pub s: Wave,
    /// Repolarisation.
    pub t: Wave,
}

impl Default for Morphology {
    /// The angles and widths of the published model, with heights as in a textbook lead II.
    fn default() -> Self {
        Self {
            p: Wave::at(-70.0, 0.25, 0.15),
            q: Wave::at(-15.0, 0.1, -0.1),
            r: Wave::at(0.0, 0.1, 1.0),
            s: Wave::at(15.0, 0.1, -0.2),
            t: Wave::at(100.0, 0.4, 0.28),
        }
    }
}

/// One beat of a recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beat {
    /// Time of the R peak in s from the start of the recording; may lie outside it.
    pub time: f64,
    /// The RR interval in s that sets the timing and width of the waves.
    pub rr: f64,
    /// The waves.
    pub shape: Morphology,
}

/// Adds the beats to a signal in mV at `fs` Hz.
pub fn draw(beats: &[Beat], fs: f64, signal: &mut [f64]) {
    for beat in beats {
        let rr = beat.rr.clamp(0.2, 3.0);
        let (root, slow) = (rr.sqrt(), rr.powf(0.75));
        let m = &beat.shape;
        for (wave, stretch) in [(m.p, slow), (m.q, root), (m.r, root), (m.s, root), (m.t, slow)] {
            let centre = beat.time + wave.angle * stretch / TAU;
            let sd = wave.width * root / TAU;
            add_gaussian(signal, fs, centre, sd, wave.height);
        }
    }
}

fn add_gaussian(signal: &mut [f64], fs: f64, centre: f64, sd: f64, height: f64) {
    if height == 0.0 || sd <= 0.0 {
        return;
    }
    // beyond 6 sd nothing is left in f32
    let from = ((centre - 6.0 * sd) * fs).ceil().max(0.0) as usize;
    let to = ((centre + 6.0 * sd) * fs).floor();
    if to < 0.0 {
        return;
    }
    for (i, v) in signal.iter_mut().enumerate().take((to as usize).saturating_add(1)).skip(from) {
        let d = (i as f64 / fs - centre) / sd;
        *v += height * (-0.5 * d * d).exp();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_stand_where_the_model_puts_them() {
        let beat = Beat { time: 1.0, rr: 1.0, shape: Morphology::default() };
        let mut x = vec![0.0; 1000];
        draw(&[beat], 500.0, &mut x);
        let top = |a: usize, b: usize| (a..b).max_by(|&i, &j| x[i].total_cmp(&x[j])).unwrap();
        assert_eq!(top(0, 1000), 500);
        assert_eq!(top(0, 440), 403); // 70 degrees of 1 s before R
        assert!((top(560, 1000) as i64 - 639).abs() <= 1); // 100 degrees after
        assert!((x[500] - 1.0).abs() < 0.05);
    }

    #[test]
    fn beats_outside_only_leave_their_tails() {
        let shape = Morphology::default();
        let mut x = vec![0.0; 100];
        draw(&[Beat { time: -9.0, rr: 1.0, shape }, Beat { time: 9.0, rr: 1.0, shape }], 500.0, &mut x);
        assert!(x.iter().all(|&v| v == 0.0));
        draw(&[Beat { time: -0.02, rr: 0.0, shape }], 500.0, &mut x);
        assert!(x.iter().any(|&v| v != 0.0));
        draw(&[Beat { time: f64::NAN, rr: f64::NAN, shape }], 500.0, &mut x[..0]);
    }
}
