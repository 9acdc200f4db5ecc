//! When the heart beats and how, for each class: RR series, ectopic beats, shapes, atrial activity.

use super::SyntheticOptions;
use crate::ecg::ecgsyn::{Beat, Morphology, Wave};
use crate::ecg::labels::Rhythm;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::f64::consts::TAU;
use std::ops::Range;

/// A record's heart.
pub(super) struct Plan {
    pub beats: Vec<Beat>,
    pub atria: Atria,
    pub breathing_hz: f64,
}

/// What the atria do besides P waves.
pub(super) enum Atria {
    /// Nothing: P waves belong to the beats.
    Quiet,
    /// A fibrillatory wave: height in mV, mean frequency and its swing in Hz, phase.
    Fibrillation { height: f64, hz: f64, swing: f64, phase: f64 },
    /// A sawtooth: height in mV (negative as in lead II), frequency in Hz.
    Flutter { height: f64, hz: f64 },
}

impl Atria {
    /// What they add to the signal at `t` seconds, mV.
    pub(super) fn at(&self, t: f64) -> f64 {
        match *self {
            Self::Quiet => 0.0,
            Self::Fibrillation { height, hz, swing, phase } => {
                // the phase of a frequency that wanders twice every second and once in three
                let p =
                    phase + TAU * hz * t - swing * ((TAU * 2.0 * t + phase).cos() / 2.0 + 3.0 * (TAU * t / 3.0).cos());
                let size = 1.0 + 0.45 * (TAU * 0.45 * t + 2.0 * phase).sin();
                height * size * (p.sin() + 0.35 * (2.0 * p + phase).sin())
            }
            Self::Flutter { height, hz } => {
                let p = TAU * hz * t;
                height * (1..=4).map(|k| (f64::from(k) * p).sin() / f64::from(k)).sum::<f64>()
            }
        }
    }
}

/// `centre` times a log-normal factor of relative spread `sd`, cut at three of them.
pub(super) fn spread(rng: &mut ChaCha8Rng, centre: f64, sd: f64) -> f64 {
    let z: f64 = StandardNormal.sample(rng);
    centre * (sd * z.clamp(-3.0, 3.0)).exp()
}

/// Beats from 2 s before the record to 2 s after it, so that its ends are like its middle.
pub(super) fn plan(rhythm: Rhythm, options: &SyntheticOptions, rng: &mut ChaCha8Rng) -> Plan {
    let shape = shape(rng);
    // many tachycardias lie where sinus and supraventricular ones meet
    let tachycardia = if rng.random_bool(0.45 * options.overlap) { 140.0..164.0 } else { 101.5..150.0 };
    match rhythm {
        Rhythm::Sinus => sinus(rng, shape, options, 62.0..98.0, 0.004..0.055),
        Rhythm::Bradycardia => sinus(rng, shape, options, 38.0..58.5, 0.006..0.06),
        Rhythm::Tachycardia => sinus(rng, shape, options, tachycardia, 0.001..0.012),
        Rhythm::Irregularity => sinus(rng, shape, options, 48.0..96.0, 0.1..0.26),
        Rhythm::Fibrillation if rng.random_bool(0.6) => fibrillation(rng, shape, options),
        Rhythm::Fibrillation => flutter(rng, shape, options),
        // the generator knows no class for other rhythms
        Rhythm::Supraventricular | Rhythm::Other => supraventricular(rng, shape, options),
    }
}

/// One person's waves: heights and widths vary, now and then the axis or the conduction is unusual.
fn shape(rng: &mut ChaCha8Rng) -> Morphology {
    let mut m = Morphology::default();
    m.p.height = spread(rng, 0.13, 0.35);
    m.q.height = -spread(rng, 0.08, 0.6);
    m.r.height = spread(rng, 0.95, 0.3);
    m.s.height = -spread(rng, 0.2, 0.6);
    m.t.height = spread(rng, 0.26, 0.4);
    m.p.angle *= rng.random_range(0.9..1.2);
    m.t.angle *= rng.random_range(0.9..1.1);
    m.t.width *= rng.random_range(0.8..1.2);
    match rng.random_range(0..20) {
        0 => m.t.height *= -0.6,
        1 => m.t.height *= 0.25,
        2 => {
            // bundle branch block: wide R and S
            m.r.width *= 1.5;
            m.s = Wave::at(28.0, 0.18, 1.6 * m.s.height);
        }
        3 => {
            // left axis: small R, deep S
            m.r.height *= 0.6;
            m.s.height = -0.45 * m.r.height;
        }
        _ => {}
    }
    m
}

const LEAD_IN: f64 = 2.0;

/// R peak times with intervals from `next(time)`.
fn times(rng: &mut ChaCha8Rng, seconds: f64, mut next: impl FnMut(&mut ChaCha8Rng, f64) -> f64) -> Vec<f64> {
    let mut t = -LEAD_IN - next(rng, -LEAD_IN) * rng.random_range(0.0..1.0);
    let mut list = Vec::new();
    while t < seconds + LEAD_IN {
        list.push(t);
        t += next(rng, t).max(0.24);
    }
    list.push(t);
    list
}

/// Beats of one shape at these times; the waves follow the mean of the last interval and the usual one. Then some of
/// them become ectopic, see [`ectopic`].
fn beats(
    rng: &mut ChaCha8Rng,
    times: &[f64],
    shape: Morphology,
    options: &SyntheticOptions,
    atrial: bool,
) -> Vec<Beat> {
    let usual = (times[times.len() - 1] - times[0]) / (times.len() - 1).max(1) as f64;
    let beat = |(i, &time): (usize, &f64)| {
        let last = if i == 0 { usual } else { time - times[i - 1] };
        Beat { time, rr: 0.5 * (usual + last), shape }
    };
    let mut beats: Vec<Beat> = times.iter().enumerate().map(beat).collect();
    ectopic(rng, &mut beats, options, atrial);
    beats
}

fn sinus(
    rng: &mut ChaCha8Rng,
    shape: Morphology,
    options: &SyntheticOptions,
    bpm: Range<f64>,
    depth: Range<f64>,
) -> Plan {
    let mean = 60.0 / rng.random_range(bpm);
    // the two peaks of the spectrum of RR intervals: breathing, and the Mayer waves of blood pressure at 0.1 Hz; with
    // their depths relative to the mean interval and their phases
    let ranges = [depth, 0.14..0.34, 0.0..TAU, 0.0..0.02, 0.0..TAU];
    let [breathing, breathing_hz, breathing_phase, mayer, mayer_phase] = ranges.map(|range| rng.random_range(range));
    let modulation = |t: f64| {
        1.0 + breathing * (TAU * breathing_hz * t + breathing_phase).sin() + mayer * (TAU * 0.1 * t + mayer_phase).sin()
    };
    let jitter = rng.random_range(0.002..0.008);
    let t = times(rng, options.seconds, |rng, t| {
        let z: f64 = StandardNormal.sample(rng);
        mean * (modulation(t) + jitter * z)
    });
    let beats = beats(rng, &t, shape, options, true);
    Plan { beats, atria: Atria::Quiet, breathing_hz }
}

fn without_p(mut shape: Morphology) -> Morphology {
    shape.p.height = 0.0;
    shape
}

fn fibrillation(rng: &mut ChaCha8Rng, shape: Morphology, options: &SyntheticOptions) -> Plan {
    let mean = 60.0 / rng.random_range(60.0..165.0);
    let cv = rng.random_range(0.07..0.28);
    let t = times(rng, options.seconds, |rng, _| spread(rng, mean, cv) * (-0.5 * cv * cv).exp());
    let beats = beats(rng, &t, without_p(shape), options, false);
    let atria = Atria::Fibrillation {
        height: rng.random_range(0.02..0.1),
        hz: rng.random_range(4.5..8.5),
        swing: rng.random_range(0.2..0.6),
        phase: rng.random_range(0.0..TAU),
    };
    Plan { beats, atria, breathing_hz: rng.random_range(0.14..0.34) }
}

fn flutter(rng: &mut ChaCha8Rng, shape: Morphology, options: &SyntheticOptions) -> Plan {
    let hz = rng.random_range(250.0..350.0) / 60.0;
    let block = [2, 2, 3, 3, 4, 4, 4, 0][rng.random_range(0..8_usize)];
    let unrest = rng.random_range(0.003..0.014);
    // the ventricles answer every second to fourth wave, so intervals are whole numbers of waves
    let t = times(rng, options.seconds, |rng, _| {
        let waves = if block == 0 { rng.random_range(2..=4) } else { block };
        let z: f64 = StandardNormal.sample(rng);
        f64::from(waves) / hz + unrest * z
    });
    let beats = beats(rng, &t, without_p(shape), options, false);
    let atria = Atria::Flutter { height: -rng.random_range(0.06..0.18), hz };
    Plan { beats, atria, breathing_hz: rng.random_range(0.14..0.34) }
}

fn supraventricular(rng: &mut ChaCha8Rng, mut shape: Morphology, options: &SyntheticOptions) -> Plan {
    let bpm = if rng.random_bool(0.55 * options.overlap) { 144.0..168.0 } else { 160.0..218.0 };
    let mean = 60.0 / rng.random_range(bpm);
    let jitter = rng.random_range(0.002..0.01);
    match rng.random_range(0..4) {
        // hidden in the QRS complex
        0 | 1 => shape.p.height = 0.0,
        // retrograde: inverted, after the QRS complex
        2 => shape.p = Wave::at(rng.random_range(45.0..65.0), 0.18, -0.8 * shape.p.height),
        // atrial: inverted and close before it
        _ => shape.p = Wave::at(-rng.random_range(45.0..60.0), 0.2, -0.9 * shape.p.height),
    }
    let t = times(rng, options.seconds, |rng, _| {
        let z: f64 = StandardNormal.sample(rng);
        mean * (1.0 + jitter * z)
    });
    let beats = beats(rng, &t, shape, options, false);
    Plan { beats, atria: Atria::Quiet, breathing_hz: rng.random_range(0.14..0.34) }
}

/// In some records (one of four by default), one or two early beats: ventricular ones (wide, no P wave, a full pause) or, where the
/// sinus node leads, atrial ones (an early P wave of another shape).
fn ectopic(rng: &mut ChaCha8Rng, beats: &mut [Beat], options: &SyntheticOptions, atrial: bool) {
    if !rng.random_bool(options.ectopic) {
        return;
    }
    for _ in 0..rng.random_range(1..=2) {
        let inside: Vec<usize> = (1..beats.len().saturating_sub(1))
            .filter(|&i| (0.5..options.seconds - 0.5).contains(&beats[i].time))
            .collect();
        let early = rng.random_range(0.62..0.82);
        let is_atrial = atrial && rng.random_bool(0.5);
        let pick = rng.random_range(0.0..1.0);
        let Some(&i) = inside.get((pick * inside.len() as f64) as usize) else { return };
        let before = beats[i - 1].time;
        let time = before + early * (beats[i].time - before);
        if time - before < 0.26 {
            continue;
        }
        let beat = &mut beats[i];
        beat.time = time;
        let m = &mut beat.shape;
        if is_atrial {
            m.p.height *= -0.7;
            m.p.angle *= 0.8;
        } else {
            m.p.height = 0.0;
            m.q.height = 0.0;
            m.r.width *= 2.2;
            m.r.height *= 1.3;
            m.s = Wave::at(40.0, 0.25, -0.35 * m.r.height);
            m.t = Wave::at(115.0, 0.45, -0.3 * m.r.height);
        }
    }
}
