//! Random changes of training strips. What happens to a strip depends on seed, epoch and record alone: neither on the
//! order of the records nor on an interruption.
//!
//! A strip `x`, z-scored already (before that a factor would have no effect), becomes `factor x(t - shift) + wander(t) +
//! noise(t)`. Where nothing was recorded the shifted strip holds its first or last value. The guidance target is shifted
//! with it, see [`crate::train::Targets::batch`]; the 17 features are the record's and stay.

use crate::experiment::{AugmentConfig, Experiment};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::f64::consts::TAU;

/// Frequencies of baseline wander, Hz: breathing and slower.
const WANDER_HZ: [f64; 2] = [0.05, 0.5];
/// Most sinusoids that wander is the sum of.
const MOST_WAVES: usize = 3;

/// The `[augment]` table at work.
#[derive(Debug, Clone)]
pub struct Augment {
    config: AugmentConfig,
    fs: f64,
    seed: u64,
}

impl Augment {
    /// As the experiment says; `None` where nothing is ever changed.
    pub fn new(experiment: &Experiment) -> Option<Self> {
        let Experiment { augment, data, train, .. } = experiment;
        augment.is_on().then(|| Self { config: augment.clone(), fs: data.fs, seed: train.seed })
    }

    /// Changes a z-scored strip; returns by how many samples it was shifted, to the right where positive.
    pub fn apply(&self, x: &mut [f32], epoch: usize, record: usize) -> isize {
        let mut rng = self.stream(epoch, record);
        // all is drawn, whatever is on: switching one change on leaves the others as they were
        let chosen = rng.random::<f64>() < self.config.probability;
        let way = rng.random_range(-1.0..=1.0);
        let size = rng.random_range(-1.0..=1.0);
        let waves = rng.random_range(1..=MOST_WAVES);
        let shapes: [_; MOST_WAVES] =
            std::array::from_fn(|_| (rng.random_range(WANDER_HZ[0]..WANDER_HZ[1]), rng.random_range(0.0..TAU)));
        if !chosen {
            return 0;
        }
        let most = self.config.shift * self.fs;
        let by = (way * most).round() as isize;
        let edges = [x.first().copied().unwrap_or(0.0), x.last().copied().unwrap_or(0.0)];
        shift(x, by, edges);
        let factor = (size * self.config.scale.ln_1p()).exp();
        // a sinusoid of amplitude a has a mean square of a^2 / 2
        let amplitude = self.config.wander * (2.0 / waves as f64).sqrt();
        for (i, v) in x.iter_mut().enumerate() {
            let t = i as f64 / self.fs;
            let mut y = factor * f64::from(*v);
            if amplitude > 0.0 {
                y += amplitude * shapes[..waves].iter().map(|(hz, phase)| (TAU * hz * t + phase).sin()).sum::<f64>();
            }
            if self.config.noise > 0.0 {
                let white: f64 = StandardNormal.sample(&mut rng);
                y += self.config.noise * white;
            }
            *v = y as f32;
        }
        by
    }

    fn stream(&self, epoch: usize, record: usize) -> ChaCha8Rng {
        let mut key = [0; 32];
        let words = [u64::from_le_bytes(*b"augment\0"), self.seed, epoch as u64, record as u64];
        key.chunks_mut(8).zip(words).for_each(|(part, word)| part.copy_from_slice(&word.to_le_bytes()));
        ChaCha8Rng::from_seed(key)
    }
}

/// Moves values by `by` places, to the right where positive; what gets free takes `edges`: the first at the left end,
/// the second at the right.
pub fn shift(values: &mut [f32], by: isize, edges: [f32; 2]) {
    let n = values.len();
    let k = by.unsigned_abs().min(n);
    if by > 0 {
        values.copy_within(..n - k, k);
        values[..k].fill(edges[0]);
    } else {
        values.copy_within(k.., 0);
        values[n - k..].fill(edges[1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecg::zscore;

    fn augment(sets: &[&str]) -> Option<Augment> {
        let sets: Vec<String> = sets.iter().map(|s| format!("augment.{s}")).collect();
        Augment::new(&Experiment::quickstart(&sets).expect("an experiment"))
    }

    /// 10 s at 250 Hz.
    fn strip() -> Vec<f32> {
        let mut x: Vec<f32> =
            (0..2500).map(|i| (i as f32 * 0.05).sin() + (i % 200 == 100) as u8 as f32 * 8.0).collect();
        zscore(&mut x);
        x
    }

    fn changed(a: &Augment, epoch: usize, record: usize) -> (Vec<f32>, isize) {
        let mut x = strip();
        let by = a.apply(&mut x, epoch, record);
        (x, by)
    }

    #[test]
    fn off_is_off() {
        assert!(augment(&[]).is_none() && augment(&["noise=0.1", "probability=0"]).is_none());
        let rare = augment(&["noise=0.1", "shift=1", "probability=0.25"]).expect("on");
        let kept = (0..1000).filter(|&r| changed(&rare, 0, r) == (strip(), 0)).count();
        assert!((700..800).contains(&kept), "{kept}");
    }

    #[test]
    fn a_strip_depends_on_seed_epoch_and_record_alone() {
        let a = augment(&["shift=0.5", "scale=0.2", "wander=0.1", "noise=0.05"]).expect("on");
        assert_eq!(changed(&a, 3, 17), changed(&a, 3, 17));
        for (epoch, record) in [(3, 18), (4, 17), (17, 3)] {
            assert!(changed(&a, 3, 17).0 != changed(&a, epoch, record).0);
        }
        assert!(changed(&Augment { seed: 2, ..a.clone() }, 3, 17).0 != changed(&a, 3, 17).0);
        // the shift is the same whatever else is on
        assert_eq!(changed(&augment(&["shift=0.5"]).expect("on"), 3, 17).1, changed(&a, 3, 17).1);
    }

    #[test]
    fn shifts_hold_the_edges() {
        let a = augment(&["shift=0.5"]).expect("on");
        let shifts: Vec<isize> = (0..400)
            .map(|r| {
                let (x, by) = changed(&a, 0, r);
                let s = strip();
                let expected = |i: usize| s[(i as isize - by).clamp(0, 2499) as usize];
                assert!((0..2500).all(|i| x[i] == expected(i)), "{by}");
                by
            })
            .collect();
        assert!(shifts.iter().all(|s| s.abs() <= 125));
        assert!(shifts.iter().any(|s| *s > 100) && shifts.iter().any(|s| *s < -100), "both ways");
        let mut far = vec![1.0, 2.0];
        shift(&mut far, 5, [7.0, 8.0]);
        assert_eq!(far, [7.0, 7.0]);
        shift(&mut far, -9, [7.0, 8.0]);
        assert_eq!(far, [8.0, 8.0]);
    }

    #[test]
    fn sizes_are_those_promised() {
        let s = strip();
        let rms = |a: &Augment| {
            let sum: f64 = (0..400)
                .flat_map(|r| {
                    changed(a, 1, r).0.into_iter().zip(&s).map(|(x, s)| f64::from(x - s).powi(2)).collect::<Vec<_>>()
                })
                .sum();
            (sum / (400.0 * 2500.0)).sqrt()
        };
        let noise = rms(&augment(&["noise=0.1"]).expect("on"));
        assert!((noise - 0.1).abs() < 0.001, "{noise}");
        let wander = rms(&augment(&["wander=0.3"]).expect("on"));
        assert!((wander - 0.3).abs() < 0.02, "{wander}");
        let a = augment(&["scale=0.25"]).expect("on");
        let factors: Vec<f32> = (0..400).map(|r| changed(&a, 0, r).0[0] / s[0]).collect();
        assert!(factors.iter().all(|f| (0.7999..1.2501).contains(f)));
        assert!(factors.iter().any(|f| *f < 0.82) && factors.iter().any(|f| *f > 1.22));
        let mean_log = factors.iter().map(|f| f.ln()).sum::<f32>() / 400.0;
        assert!(mean_log.abs() < 0.02, "as often smaller as larger: {mean_log}");
    }
}
