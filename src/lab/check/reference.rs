//! What the f64 oracle says of a case: its values, and differences of them.

use super::{Comparison, Deviation, Wrong, index_of};
use crate::ops::Array;
use crate::ops::case::{Case, Input, Kind, normals};
use rayon::prelude::*;
use std::sync::OnceLock;

/// Values, and what the derivatives are taken along.
pub(super) struct Reference {
    arrays: Vec<Array>,
    pub(super) values: Array,
    /// Weights of the output's elements.
    pub(super) r: Vec<f32>,
    /// Which inputs are differentiated.
    pub(super) wrt: Vec<usize>,
    /// A direction for each of those, for the second derivative.
    pub(super) v: Vec<Vec<f32>>,
    first: OnceLock<Vec<Vec<f64>>>,
    second: OnceLock<Vec<Vec<f64>>>,
}

/// A step of one element of an input: input, element, distance.
type Step = (usize, usize, f64);

/// Directions of a check along some.
const DIRECTIONS: u64 = 3;
/// Steps of the differences.
const FIRST_STEP: f64 = 1e-5;
const SECOND_STEP: f64 = 2e-4;

fn inner(a: &Array, r: &[f32]) -> f64 {
    a.data.iter().zip(r).map(|(a, &r)| a * f64::from(r)).sum()
}

impl Reference {
    pub(super) fn new(case: &Case) -> Self {
        let arrays: Vec<Array> = case.inputs.iter().map(Input::array).collect();
        let values = (case.cpu)(&arrays);
        let r = normals(values.data.len(), 7001);
        let wrt: Vec<usize> = (0..arrays.len()).filter(|&i| case.inputs[i].kind == Kind::Float).collect();
        let v = wrt.iter().map(|&i| normals(arrays[i].data.len(), 7100 + i as u64)).collect();
        Self { arrays, values, r, wrt, v, first: OnceLock::new(), second: OnceLock::new() }
    }

    /// `f` at the inputs moved by `step`, and by `along` times `v`.
    fn at(&self, case: &Case, step: Option<Step>, along: f64) -> Array {
        let mut moved = self.arrays.clone();
        if along != 0.0 {
            for (&i, v) in self.wrt.iter().zip(&self.v) {
                moved[i].data.iter_mut().zip(v).for_each(|(x, &d)| *x += along * f64::from(d));
            }
        }
        if let Some((i, e, d)) = step {
            moved[i].data[e] += d;
        }
        (case.cpu)(&moved)
    }

    /// `f` for every element of the inputs that are differentiated.
    fn each(&self, f: impl Fn(usize, usize) -> f64 + Sync) -> Vec<Vec<f64>> {
        let f = &f;
        self.wrt
            .iter()
            .map(|&i| (0..self.arrays[i].data.len()).into_par_iter().map(move |e| f(i, e)).collect())
            .collect()
    }

    /// `d<r, f(x)>/dx`, an entry for each input that is differentiated.
    pub(super) fn first(&self, case: &Case) -> &[Vec<f64>] {
        self.first.get_or_init(|| {
            let h = FIRST_STEP;
            let phi = |i, e, d| inner(&self.at(case, Some((i, e, d)), 0.0), &self.r);
            self.each(|i, e| (phi(i, e, h) - phi(i, e, -h)) / (2.0 * h))
        })
    }

    /// The gradient of `<d<r, f(x)>/dx, v>` with respect to those inputs, and to `r`.
    pub(super) fn second(&self, case: &Case) -> &[Vec<f64>] {
        self.second.get_or_init(|| {
            let h = SECOND_STEP;
            let phi = |i, e, d, a| inner(&self.at(case, Some((i, e, d)), a), &self.r);
            let mixed =
                |i, e| (phi(i, e, h, h) - phi(i, e, h, -h) - phi(i, e, -h, h) + phi(i, e, -h, -h)) / (4.0 * h * h);
            let mut all = self.each(mixed);
            let (up, down) = (self.at(case, None, h), self.at(case, None, -h));
            all.push(up.data.iter().zip(&down.data).map(|(u, d)| (u - d) / (2.0 * h)).collect());
            all
        })
    }

    /// Compares the first derivative along random directions; where it is wrong, one element that is.
    pub(super) fn compare_along(&self, case: &Case, found: &[Vec<f32>], all: &mut Comparison) {
        for (&i, found) in self.wrt.iter().zip(found) {
            for seed in 0..DIRECTIONS {
                let d = direction(found.len(), 7200 + 10 * i as u64 + seed);
                let whole = 0..found.len();
                let deviation = self.deviation(case, i, found, &d, whole.clone());
                all.worst = all.worst.worse(deviation);
                if deviation.ratio <= 1.0 || all.wrong.is_some() {
                    continue;
                }
                // the half that deviates more, down to one element
                let mut part = whole;
                while part.len() > 1 {
                    let middle = part.start + part.len() / 2;
                    let halves = [part.start..middle, middle..part.end];
                    let of = halves.clone().map(|half| self.deviation(case, i, found, &d, half).error);
                    part = if of[0] >= of[1] { halves[0].clone() } else { halves[1].clone() };
                }
                let e = part.start;
                let mut unit = vec![0.0; found.len()];
                unit[e] = 1.0;
                all.wrong = Some(Wrong {
                    of: format!("the first derivative by input {}", i + 1),
                    index: index_of(&case.inputs[i].shape, e),
                    found: found[e],
                    expected: self.along(case, i, &unit),
                });
            }
        }
    }

    /// `d<r, f(x)>` for input `i` along `d`.
    fn along(&self, case: &Case, i: usize, d: &[f64]) -> f64 {
        let phi = |h: f64| {
            let mut moved = self.arrays.clone();
            moved[i].data.iter_mut().zip(d).for_each(|(x, d)| *x += h * d);
            inner(&(case.cpu)(&moved), &self.r)
        };
        (phi(FIRST_STEP) - phi(-FIRST_STEP)) / (2.0 * FIRST_STEP)
    }

    /// How far the gradient's product with the part of `d` is from the difference along it.
    fn deviation(&self, case: &Case, i: usize, found: &[f32], d: &[f64], part: std::ops::Range<usize>) -> Deviation {
        let mut own = vec![0.0; d.len()];
        own[part.clone()].copy_from_slice(&d[part.clone()]);
        let expected = self.along(case, i, &own);
        let got: f64 = found[part.clone()].iter().zip(&d[part.clone()]).map(|(g, d)| f64::from(*g) * d).sum();
        let error = (got - expected).abs();
        let error = if error.is_nan() { f64::INFINITY } else { error };
        // what f32 rounds off of each element adds up as a random walk does
        let largest = found[part.clone()].iter().fold(1.0_f64, |m, g| m.max(f64::from(g.abs())));
        Deviation { error, ratio: error / (2e-5 * largest * (part.len() as f64).sqrt() + 1e-5 * expected.abs()) }
    }
}

/// Random signs, of sizes from 0.5 to 1.5: no element is left out, and hardly any two errors cancel.
fn direction(n: usize, seed: u64) -> Vec<f64> {
    let size = |v: f32| (0.5 + f64::from(v.abs()) % 1.0).copysign(f64::from(v));
    normals(n, seed).into_iter().map(size).collect()
}
