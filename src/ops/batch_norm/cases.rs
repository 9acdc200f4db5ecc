//! Oracles and cases of batch normalisation.

use super::{Norm, Plus, batch_norm_eval, batch_norm_relu, batch_norm_train, update_running};
use crate::autograd::grad;
use crate::error::Error;
use crate::ops::case::{Case, Input};
use crate::ops::dropout::cpu_dropout;
use crate::ops::{Array, DropoutAt, DropoutState, concat, scale};
use crate::tensor::{Tensor, numel};

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

/// What is added to the normalised tensor before the ReLU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    Nothing,
    Tensor,
    Norm,
}

/// x, weight and bias of a normalisation of `shape`.
fn one(shape: &[usize], seed: u64) -> Vec<Input> {
    let c = [shape[1]];
    vec![Input::normal(shape, seed), Input::normal(&c, seed + 1), Input::normal(&c, seed + 2)]
}

/// The normalisation of input `i` with weight and bias behind it.
fn norm(x: &[Tensor], i: usize) -> Norm<'_> {
    Norm { x: &x[i], weight: &x[i + 1], bias: &x[i + 2], running: None }
}

fn cpu_train(x: &[Array], i: usize) -> Array {
    cpu_norm(&x[i], &x[i + 1], &x[i + 2], &cpu_stats(&x[i]))
}

/// Normalisation of `shape` by its own statistics.
pub(crate) fn norm_case(shape: &[usize]) -> Case {
    let n = numel(shape) as f64;
    Case::new(
        format!("train {shape:?}"),
        one(shape, 101),
        |x| Ok(batch_norm_train(&x[0], &x[1], &x[2], EPS)?.0),
        |x| cpu_train(x, 0),
    )
    // x twice: for its statistics, and to normalise it
    .cost(8.0 * n, 12.0 * n)
}

/// Normalisation, something added, ReLU and dropout in one.
pub(crate) fn norm_relu_case(shape: &[usize], added: Added, rate: Option<f32>) -> Case {
    let mut inputs = one(shape, 151);
    let plus = match added {
        Added::Nothing => 0,
        Added::Tensor => {
            inputs.push(Input::normal(shape, 154));
            1
        }
        Added::Norm => {
            inputs.extend(one(shape, 154));
            2
        }
    };
    let dropped = rate.map_or(String::new(), |rate| format!(" and dropout {rate}"));
    let label = format!("train, {added:?} added, relu{dropped} {shape:?}");
    inputs.extend(rate.map(|_| Input::index(&[3], vec![0x1234_5678, 0x9abc_def0, 17])));
    let n = numel(shape) as f64;
    Case::new(
        label,
        inputs,
        move |x| {
            let plus = match added {
                Added::Nothing => Plus::Nothing,
                Added::Tensor => Plus::Tensor(&x[3]),
                Added::Norm => Plus::Norm(norm(x, 3)),
            };
            let Some(rate) = rate else { return Ok(batch_norm_relu(&norm(x, 0), &plus, None, EPS)?.0) };
            let state = DropoutState::of(x[x.len() - 1].clone());
            let dropout = DropoutAt { rate, state: &state, site: 4 };
            Ok(batch_norm_relu(&norm(x, 0), &plus, Some(&dropout), EPS)?.0)
        },
        move |x| {
            let y = match added {
                Added::Nothing => cpu_train(x, 0).map(|v| v.max(0.0)),
                Added::Tensor => relu_of(&cpu_train(x, 0), &x[3]),
                Added::Norm => relu_of(&cpu_train(x, 0), &cpu_train(x, 3)),
            };
            rate.map_or(y.clone(), |rate| cpu_dropout(&y, &x[x.len() - 1], rate, 4))
        },
    )
    // each normalised tensor is read twice, the result written once
    .cost(8.0 * n * f64::from(1 + plus / 2), 4.0 * n * (3 + plus) as f64)
}

/// The backward pass of `max(0, norm(x) + norm(z))` with respect to x (those of z, the weights and biases are computed
/// with it), from the gradient `g` of the output.
pub(crate) fn norm_relu_grad_case(shape: &[usize]) -> Case {
    let n = numel(shape) as f64;
    Case::new(
        format!("grad of train, Norm added, relu {shape:?}"),
        [one(shape, 161), one(shape, 164), vec![Input::normal(shape, 167)]].concat(),
        |x| {
            let (inputs, y) = (&x[..6], &x[7]);
            let wrt: Vec<&Tensor> = inputs.iter().collect();
            let first = grad(y, &wrt, Some(&x[6].leaf()), false)?.into_iter().next().flatten();
            first.ok_or_else(|| Error::gpu("no gradient of x", "report this: it is a fault of the engine"))
        },
        |x| {
            let (sum, g) = (relu_of(&cpu_train(x, 0), &cpu_train(x, 3)), &x[6]);
            // the gradient that passes the ReLU
            let g = Array::new(
                &g.shape,
                g.data.iter().zip(&sum.data).map(|(&g, &y)| if y > 0.0 { g } else { 0.0 }).collect(),
            );
            let stats = cpu_stats(&x[0]);
            let channels = x[0].dim(1);
            let xhat = Array::from_index(&x[0].shape, |at| {
                let (mean, var) = stats[at[1]];
                (x[0].broadcast_at(at) - mean) / (var + f64::from(EPS)).sqrt()
            });
            let mut sums = vec![[0.0; 2]; channels];
            let t = x[0].dim(2);
            for (i, (g, xhat)) in g.data.iter().zip(&xhat.data).enumerate() {
                let [mass, slope] = &mut sums[i / t % channels];
                *mass += g;
                *slope += g * xhat;
            }
            let n = (g.data.len() / channels) as f64;
            let value = |(i, (g, xhat)): (usize, (&f64, &f64))| {
                let (c, [mass, slope]) = (i / t % channels, sums[i / t % channels]);
                x[1].data[c] / (stats[c].1 + f64::from(EPS)).sqrt() * (g - mass / n - xhat * slope / n)
            };
            Array::new(&g.shape, g.data.iter().zip(&xhat.data).enumerate().map(value).collect())
        },
    )
    .after(|x| Ok(batch_norm_relu(&norm(x, 0), &Plus::Norm(norm(x, 3)), None, EPS)?.0))
    .oracle_only()
    // gradient, output and both inputs twice, two gradients
    .cost(20.0 * n, 40.0 * n)
}

pub(in crate::ops) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in [vec![3, 2, 5], vec![2, 3, 1], vec![1, 2, 9], vec![5, 3]] {
        let c = [shape[1]];
        cases.push(norm_case(&shape));
        cases.push(Case::new(
            format!("eval {shape:?}"),
            [one(&shape, 101), vec![Input::normal(&c, 104), Input::positive(&c, 105)]].concat(),
            |x| batch_norm_eval(&x[0], &x[1], &x[2], [&x[3], &x[4]], EPS),
            |x| {
                let stats: Vec<(f64, f64)> = x[3].data.iter().copied().zip(x[4].data.iter().copied()).collect();
                cpu_norm(&x[0], &x[1], &x[2], &stats)
            },
        ));
    }
    // Two normalised tensors and ReLU, by running estimates.
    for shape in [vec![3, 2, 5], vec![2, 3, 3], vec![1, 2, 9]] {
        let c = [shape[1]];
        let running =
            vec![Input::normal(&c, 131), Input::positive(&c, 132), Input::normal(&c, 133), Input::positive(&c, 134)];
        cases.push(Case::new(
            format!("eval, two and relu {shape:?}"),
            [one(&shape, 121), one(&shape, 124), running].concat(),
            |x| {
                let of = |i: usize, r: usize| Norm { running: Some([&x[r], &x[r + 1]]), ..norm(x, i) };
                Ok(batch_norm_relu(&of(0, 6), &Plus::Norm(of(3, 8)), None, EPS)?.0)
            },
            |x| {
                let [a, b] = [(0, 6), (3, 8)].map(|(i, r)| {
                    let stats: Vec<(f64, f64)> = x[r].data.iter().copied().zip(x[r + 1].data.iter().copied()).collect();
                    cpu_norm(&x[i], &x[i + 1], &x[i + 2], &stats)
                });
                relu_of(&a, &b)
            },
        ));
        cases.push(norm_relu_case(&shape, Added::Norm, None));
        cases.push(norm_relu_case(&shape, Added::Tensor, None));
    }
    // And dropout.
    for (shape, rate) in [(vec![3, 2, 5], 0.3), (vec![2, 3, 9], 0.5), (vec![1, 2, 21], 0.1)] {
        let all = [Added::Nothing, Added::Tensor, Added::Norm];
        cases.extend(all.map(|added| norm_relu_case(&shape, added, Some(rate))));
    }
    cases.push(norm_relu_grad_case(&[3, 2, 5]));
    // Many records and channels, in slices that are not full; rows of several chunks; lengths around what a group takes.
    let large: [&[usize]; 9] = [
        &[9, 4, 33],
        &[12, 3, 130],
        &[2, 5, 1031],
        &[33, 2, 7],
        &[70, 3, 4],
        &[3, 17, 32],
        &[5, 33, 31],
        &[130, 9],
        &[2, 1, 4201],
    ];
    for shape in large {
        cases.push(norm_case(shape).along());
        cases.push(norm_relu_case(shape, Added::Norm, None).along());
    }
    for shape in [&large[0], &large[2], &large[3]] {
        cases.push(norm_relu_case(shape, Added::Tensor, None).along());
        cases.push(norm_relu_case(shape, Added::Norm, Some(0.3)).along());
        cases.push(norm_relu_grad_case(shape));
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
