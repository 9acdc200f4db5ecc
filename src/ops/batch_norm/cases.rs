//! Oracles and cases of batch normalisation.

use super::{Norm, Plus, batch_norm_eval, batch_norm_relu, batch_norm_train, update_running};
use crate::error::Result;
use crate::ops::case::{Case, Input};
use crate::ops::dropout::cpu_dropout;
use crate::ops::{Array, DropoutAt, DropoutState, concat, scale};
use crate::tensor::Tensor;

const EPS: f32 = 1e-5;

/// Mean and variance (biased) of each channel.
fn cpu_stats(x: &Array) -> Vec<(f64, f64)> {
    let (b, c, t) = (x.dim(0), x.dim(1), x.dim(2));
    let n = (b * t) as f64;
    let channel = |ch: usize| (0..b * t).map(move |i| x.data[(i / t * c + ch) * t + i % t]);
    (0..c)
        .map(|ch| {
            let mean = channel(ch).sum::<f64>() / n;
            (mean, channel(ch).map(|v| (v - mean) * (v - mean)).sum::<f64>() / n)
        })
        .collect()
}

fn cpu_norm(x: &Array, w: &Array, b: &Array, stats: &[(f64, f64)]) -> Array {
    Array::from_index(&x.shape, |at| {
        let (mean, var) = stats[at[1]];
        (x.broadcast_at(at) - mean) / (var + f64::from(EPS)).sqrt() * w.data[at[1]] + b.data[at[1]]
    })
}

fn relu_of(a: &Array, b: &Array) -> Array {
    Array::from_index(&a.shape, |at| (a.broadcast_at(at) + b.broadcast_at(at)).max(0.0))
}

#[derive(Debug, Clone, Copy)]
enum Added {
    Nothing,
    Tensor,
    Norm,
}

pub(in crate::ops) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in [vec![3, 2, 5], vec![2, 3, 1], vec![1, 2, 9], vec![5, 3]] {
        let c = [shape[1]];
        let inputs = vec![Input::normal(&shape, 101), Input::normal(&c, 102), Input::normal(&c, 103)];
        cases.push(Case::new(
            format!("train {shape:?}"),
            inputs.clone(),
            |x| Ok(batch_norm_train(&x[0], &x[1], &x[2], EPS)?.0),
            |x| cpu_norm(&x[0], &x[1], &x[2], &cpu_stats(&x[0])),
        ));
        cases.push(Case::new(
            format!("eval {shape:?}"),
            [inputs, vec![Input::normal(&c, 104), Input::positive(&c, 105)]].concat(),
            |x| batch_norm_eval(&x[0], &x[1], &x[2], [&x[3], &x[4]], EPS),
            |x| {
                let stats: Vec<(f64, f64)> = x[3].data.iter().copied().zip(x[4].data.iter().copied()).collect();
                cpu_norm(&x[0], &x[1], &x[2], &stats)
            },
        ));
    }
    // Two normalised tensors, or one and another, and ReLU.
    for shape in [vec![3, 2, 5], vec![2, 3, 3], vec![1, 2, 9]] {
        let c = [shape[1]];
        let one = |seed| vec![Input::normal(&shape, seed), Input::normal(&c, seed + 1), Input::normal(&c, seed + 2)];
        let norm = |x: &'_ [Tensor], running: bool| -> Result<Tensor> {
            let of = |i: usize, r: usize| Norm {
                x: &x[i],
                weight: &x[i + 1],
                bias: &x[i + 2],
                running: running.then(|| [&x[r], &x[r + 1]]),
            };
            Ok(batch_norm_relu(&of(0, 6), &Plus::Norm(of(3, 8)), None, EPS)?.0)
        };
        cases.push(Case::new(
            format!("train, two and relu {shape:?}"),
            [one(121), one(124)].concat(),
            move |x| norm(x, false),
            move |x| {
                let [a, b] = [0, 3].map(|i| cpu_norm(&x[i], &x[i + 1], &x[i + 2], &cpu_stats(&x[i])));
                relu_of(&a, &b)
            },
        ));
        let running =
            vec![Input::normal(&c, 131), Input::positive(&c, 132), Input::normal(&c, 133), Input::positive(&c, 134)];
        cases.push(Case::new(
            format!("eval, two and relu {shape:?}"),
            [one(121), one(124), running].concat(),
            move |x| norm(x, true),
            move |x| {
                let [a, b] = [(0, 6), (3, 8)].map(|(i, r)| {
                    let stats: Vec<(f64, f64)> = x[r].data.iter().copied().zip(x[r + 1].data.iter().copied()).collect();
                    cpu_norm(&x[i], &x[i + 1], &x[i + 2], &stats)
                });
                relu_of(&a, &b)
            },
        ));
        cases.push(Case::new(
            format!("train, plus a tensor and relu {shape:?}"),
            [one(127), vec![Input::normal(&shape, 130)]].concat(),
            |x| {
                let norm = Norm { x: &x[0], weight: &x[1], bias: &x[2], running: None };
                Ok(batch_norm_relu(&norm, &Plus::Tensor(&x[3]), None, EPS)?.0)
            },
            move |x| relu_of(&cpu_norm(&x[0], &x[1], &x[2], &cpu_stats(&x[0])), &x[3]),
        ));
    }
    // And dropout.
    for (shape, rate) in [(vec![3, 2, 5], 0.3), (vec![2, 3, 9], 0.5), (vec![1, 2, 21], 0.1)] {
        let c = [shape[1]];
        let one = |seed| vec![Input::normal(&shape, seed), Input::normal(&c, seed + 1), Input::normal(&c, seed + 2)];
        let state = Input::index(&[3], vec![0x1234_5678, 0x9abc_def0, 17]);
        for with in [Added::Nothing, Added::Tensor, Added::Norm] {
            let more = match with {
                Added::Nothing => Vec::new(),
                Added::Tensor => vec![Input::normal(&shape, 154)],
                Added::Norm => one(154),
            };
            cases.push(Case::new(
                format!("train, {with:?} added, relu and dropout {rate} {shape:?}"),
                [one(151), more, vec![state.clone()]].concat(),
                move |x| {
                    let of = |i: usize| Norm { x: &x[i], weight: &x[i + 1], bias: &x[i + 2], running: None };
                    let plus = match with {
                        Added::Nothing => Plus::Nothing,
                        Added::Tensor => Plus::Tensor(&x[3]),
                        Added::Norm => Plus::Norm(of(3)),
                    };
                    let state = DropoutState::of(x[x.len() - 1].clone());
                    let dropout = DropoutAt { rate, state: &state, site: 4 };
                    Ok(batch_norm_relu(&of(0), &plus, Some(&dropout), EPS)?.0)
                },
                move |x| {
                    let norm = |i: usize| cpu_norm(&x[i], &x[i + 1], &x[i + 2], &cpu_stats(&x[i]));
                    let y = match with {
                        Added::Nothing => norm(0).map(|v| v.max(0.0)),
                        Added::Tensor => relu_of(&norm(0), &x[3]),
                        Added::Norm => relu_of(&norm(0), &norm(3)),
                    };
                    cpu_dropout(&y, &x[x.len() - 1], rate, 4)
                },
            ));
        }
    }
    // Running estimates: in place, so only the values are tested.
    cases.push(
        Case::new(
            "running estimates [3, 2, 5]",
            vec![Input::normal(&[3, 2, 5], 106), Input::normal(&[2], 107), Input::positive(&[2], 108)],
            |x| {
                let norm = Norm { x: &x[0], weight: &x[1], bias: &x[1], running: None };
                let stats = norm.stats(EPS)?;
                let (mean, var) = (scale(&x[1], 1.0)?, scale(&x[2], 1.0)?);
                update_running(&stats, &mean, &var, 0.1)?;
                concat(&[&mean, &var], 0)
            },
            |x| {
                let stats = cpu_stats(&x[0]);
                let n = 15.0;
                let mean = stats.iter().zip(&x[1].data).map(|(s, r)| 0.9 * r + 0.1 * s.0);
                let var = stats.iter().zip(&x[2].data).map(|(s, r)| 0.9 * r + 0.1 * s.1 * n / (n - 1.0));
                Array::new(&[4], mean.chain(var).collect())
            },
        )
        .oracle_only(),
    );
    // A large mean must not eat the variance.
    cases.push(
        Case::new(
            "train, mean 1000 times the spread",
            vec![
                Input::normal(&[2, 2, 64], 109).map(|v| 1000.0 + v),
                Input::normal(&[2], 110),
                Input::normal(&[2], 111),
            ],
            |x| Ok(batch_norm_train(&x[0], &x[1], &x[2], EPS)?.0),
            |x| cpu_norm(&x[0], &x[1], &x[2], &cpu_stats(&x[0])),
        )
        .oracle_only()
        .tolerance(3e-4, 3e-4),
    );
    cases
}
