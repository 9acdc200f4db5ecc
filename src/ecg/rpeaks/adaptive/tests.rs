//! Drawn ECGs of known beats, and what is none.

use super::*;
use proptest::prelude::*;

/// P, Q, R, S and T waves as Gaussians: offset from R in s, width in s, height.
const WAVES: [(f64, f64, f64); 5] =
    [(-0.16, 0.02, 0.15), (-0.03, 0.008, -0.1), (0.0, 0.01, 1.0), (0.03, 0.01, -0.2), (0.24, 0.05, 0.35)];

fn bump(t: f64, width: f64) -> f64 {
    (-0.5 * (t / width).powi(2)).exp()
}

fn add(x: &mut [f64], fs: f64, at: impl Fn(f64) -> f64) {
    x.iter_mut().enumerate().for_each(|(i, v)| *v += at(i as f64 / fs));
}

fn draw(beats: &[f64], seconds: f64, fs: f64, gain: f64) -> Vec<f64> {
    let squeeze = if beats.len() as f64 / seconds > 2.0 { 0.6 } else { 1.0 };
    let mut x = vec![0.0; (seconds * fs) as usize];
    add(&mut x, fs, |t| {
        let beat = |b: &f64| WAVES.map(|(at, width, height)| height * bump(t - b - squeeze * at, width));
        let heart: f64 = beats.iter().flat_map(beat).sum();
        gain * (heart + 0.1 * (1.3 * t).sin() + 0.01 * (71.0 * t).sin() * (113.0 * t).cos())
    });
    x
}

fn regular(rate: f64, seconds: f64) -> Vec<f64> {
    let interval = 60.0 / rate;
    (0..).map(|k| 0.17 + f64::from(k) * interval).take_while(|t| *t < seconds - 0.1).collect()
}

fn assert_found(x: &[f64], beats: &[f64], fs: f64, what: &str) {
    let found: Vec<f64> = r_peaks(x, fs).into_iter().map(|p| f64::from(p) / fs).collect();
    assert_eq!(found.len(), beats.len(), "{what}: {found:?} {beats:?}");
    for (f, b) in found.iter().zip(beats) {
        assert!((f - b).abs() <= 0.51 / fs + 0.004, "{what}: {f} {b}");
    }
}

#[test]
fn every_beat_at_any_rate_polarity_and_unit() {
    for fs in [50.0, 128.0, 250.0, 500.0, 2000.0] {
        for rate in [25.0, 60.0, 110.0, 180.0, 250.0] {
            for gain in [1.0, -1.0, 1e-9, -3e6] {
                let beats = regular(rate, 10.0);
                let what = format!("{fs} Hz, {rate} per minute, times {gain}");
                assert_found(&draw(&beats, 10.0, fs, gain), &beats, fs, &what);
            }
        }
    }
}

#[test]
fn pauses_and_premature_beats() {
    let mut beats = regular(70.0, 30.0);
    beats.drain(12..17);
    beats.insert(5, beats[4] + 0.38);
    assert_found(&draw(&beats, 30.0, 250.0, 1.0), &beats, 250.0, "pause");
}

#[test]
fn a_weak_beat_is_found_by_searching_back() {
    let beats = regular(70.0, 20.0);
    let (weak, strong): (Vec<f64>, Vec<f64>) = beats.iter().partition(|b| (**b - beats[9]).abs() < 0.01);
    let mix = |share: f64| -> Vec<f64> {
        let (a, b) = (draw(&strong, 20.0, 250.0, 1.0), draw(&weak, 20.0, 250.0, share));
        a.iter().zip(b).map(|(a, b)| a + b).collect()
    };
    assert_found(&mix(0.27), &beats, 250.0, "weak beat");
    assert_found(&mix(0.05), &strong, 250.0, "beat below the noise");
}

#[test]
fn tall_t_waves_and_tall_p_waves_are_no_beats() {
    let beats = regular(60.0, 20.0);
    for (at, width, height, what) in [(0.3, 0.045, 1.2, "T wave taller than R"), (-0.22, 0.017, 0.5, "P wave")] {
        let mut x = draw(&beats, 20.0, 360.0, 1.0);
        add(&mut x, 360.0, |t| beats.iter().map(|b| height * bump(t - b - at, width)).sum());
        assert_found(&x, &beats, 360.0, what);
    }
}

#[test]
fn large_ventricular_beats_do_not_hide_the_others() {
    let mut beats = regular(110.0, 10.0);
    let mut x = draw(&beats, 10.0, 500.0, -0.3);
    for k in [5, 11, 16] {
        add(&mut x, 500.0, |t| 1.5 * bump(t - beats[k], 0.025) - 0.5 * bump(t - beats[k] - 0.16, 0.05));
    }
    let found = r_peaks(&x, 500.0);
    beats.retain(|b| !found.iter().any(|&p| (f64::from(p) / 500.0 - b).abs() < 0.03));
    assert!(beats.is_empty() && found.len() == 18, "not found: {beats:?}, found {found:?}");
}

#[test]
fn one_artefact_does_not_hide_the_beats() {
    let beats = regular(75.0, 10.0);
    let mut x = draw(&beats, 10.0, 500.0, 1.0);
    let at = ((beats[5] + 0.4) * 500.0) as usize;
    x[at..at + 8].fill(40.0);
    let found = r_peaks(&x, 500.0);
    let near = |b: &&f64| found.iter().any(|&p| (f64::from(p) / 500.0 - **b).abs() < 0.01);
    assert_eq!(beats.iter().filter(near).count(), beats.len(), "{found:?}");
}

#[test]
fn nothing_in_a_flat_line_or_a_useless_one() {
    for x in [vec![0.0; 5000], vec![7.5; 5000], vec![], vec![1.0; 9], vec![f64::NAN; 5000]] {
        assert!(r_peaks(&x, 500.0).is_empty());
    }
    let x = draw(&regular(60.0, 10.0), 10.0, 500.0, 1.0);
    for fs in [0.0, -500.0, 3.0, f64::NAN, f64::INFINITY] {
        assert!(r_peaks(&x, fs).is_empty(), "{fs}");
    }
}

proptest! {
    #[test]
    fn never_panics_and_ascends(
        x in proptest::collection::vec(prop_oneof![8 => -1.0..1.0_f64, 1 => Just(0.0), 1 => -1e300..1e300_f64], 0..400),
        fs in prop_oneof![15.0..60.0_f64, 20.0..3000.0_f64],
    ) {
        let peaks = r_peaks(&x, fs);
        prop_assert!(peaks.windows(2).all(|w| w[0] < w[1]) && peaks.iter().all(|&p| (p as usize) < x.len()));
    }
}
