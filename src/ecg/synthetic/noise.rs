//! What a recording picks up besides the heart: baseline wander, mains hum, muscle, a moved electrode.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::f64::consts::TAU;

/// Adds noise in mV; `level` 1 is an ordinary recording.
pub(super) fn add(x: &mut [f64], fs: f64, level: f64, breathing_hz: f64, rng: &mut ChaCha8Rng) {
    let wander = rng.random_range(0.01..0.15);
    let drift = rng.random_range(0.01..0.2);
    let drift_hz = rng.random_range(0.03..0.12);
    let mains = if rng.random_bool(0.4) { rng.random_range(0.002..0.03) } else { 0.0 };
    let mains_hz = if rng.random_bool(0.5) { 50.0 } else { 60.0 };
    let muscle = rng.random_range(0.003..0.035);
    let bump = if rng.random_bool(0.15) { rng.random_range(-0.6..0.6) } else { 0.0 };
    let bump_at = rng.random_range(0.0..1.0) * x.len() as f64 / fs;
    let [a, b, c] = [(); 3].map(|()| rng.random_range(0.0..TAU));
    // muscle noise: white noise through a one-pole low-pass of 120 Hz, brought to unit variance
    let keep = (-TAU * 120.0 / fs).exp();
    let push = (1.0 - keep * keep).sqrt();
    let mut state: f64 = StandardNormal.sample(rng);
    for (i, v) in x.iter_mut().enumerate() {
        let t = i as f64 / fs;
        let white: f64 = StandardNormal.sample(rng);
        state = keep * state + push * white;
        let slow = wander * (TAU * breathing_hz * t + a).sin() + drift * (TAU * drift_hz * t + b).sin();
        // hum above half the rate would fold down to anywhere
        let hum = if mains_hz < fs / 2.0 { mains * (TAU * mains_hz * t + c).sin() } else { 0.0 };
        let moved = bump * (-0.5 * ((t - bump_at) / 0.25).powi(2)).exp();
        *v += level * (slow + hum + muscle * state + moved);
    }
}
