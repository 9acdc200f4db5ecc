//! Operations on random input with what they cost and what they should give: what a benchmark runs.

use super::ceilings::Ceilings;
use super::measure::{OPERATIONS, Shape};
use crate::autograd::{grad, no_grad, with_history};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Needs};
use crate::ops::{self, AvgPool, DropoutState, MaxPool, Norm, Pass, Plus};
use crate::tensor::{Tensor, numel};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Values of an operation at one place, in f64.
type Reference = Box<dyn Fn(usize) -> f64>;

/// An operation ready to be run, with what it costs and what it should give.
pub struct Subject {
    /// Its name, one of [`OPERATIONS`].
    pub operation: &'static str,
    /// Floating-point operations, and bytes that must be read and written.
    pub(super) cost: [f64; 2],
    run: Box<dyn Fn() -> Result<Tensor>>,
    reference: Reference,
}

/// Noise in [-1, 1).
pub(super) fn noise(gpu: &Gpu, shape: &[usize], seed: u64) -> Result<(Tensor, Vec<f32>)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..numel(shape)).map(|_| rng.random_range(-1.0..1.0)).collect();
    Ok((Tensor::from_f32(gpu, shape, &values)?, values))
}

/// The gradient with respect to the first of `wrt`; those of the others are computed with it.
pub(super) fn first_gradient(y: &Tensor, wrt: &[&Tensor], g: &Tensor) -> Result<Tensor> {
    let first = grad(y, wrt, Some(g), false)?.into_iter().next().flatten();
    first.ok_or_else(|| Error::gpu("a gradient: found none, expected one", "report this: it is a fault of the engine"))
}

/// Where the values of a channel of `[batch, c_in, len]` are.
fn places(s: Shape, channel: usize) -> impl Iterator<Item = usize> {
    (0..s.batch).flat_map(move |r| (0..s.len).map(move |t| (r * s.c_in + channel) * s.len + t))
}

/// Mean and biased variance of a channel.
fn moments(values: &[f32], s: Shape, channel: usize) -> [f64; 2] {
    let of = |f: &dyn Fn(f64) -> f64| {
        places(s, channel).map(|i| f(f64::from(values[i]))).sum::<f64>() / (s.batch * s.len) as f64
    };
    let mean = of(&|v| v);
    [mean, of(&|v| (v - mean) * (v - mean))]
}

/// What an operation of [`OPERATIONS`] takes: its inputs, which the host keeps too, its output, and what it lays out on the
/// way.
pub(super) fn needs(operation: &str, s: Shape) -> Needs {
    let [batch, c_in, len, out, k, t] = [s.batch, s.c_in, s.len, s.out, s.k, s.out_len()].map(|n| n as f64);
    let (rows, n) = (batch * c_in * len, out * c_in);
    match operation {
        // the padded rows of input and gradient come on top
        "conv1d" | "conv1d_input_grad" | "conv1d_weight_grad" => {
            let g = batch * out * t;
            Needs::of(&[rows, n * k, g, rows, g], 3)
        }
        "matmul" => Needs::of(&[n, c_in * len, out * len], 2),
        "batch_norm" | "batch_norm_relu" => Needs::of(&[rows, rows, rows], 2),
        // with the output, and the gradients of both inputs
        "batch_norm_relu_grad" => Needs::of(&[rows; 6], 3),
        "add" => Needs::of(&[rows; 3], 2),
        "max_pool" => Needs::of(&[rows, rows / 2.0, rows / 2.0], 1),
        "sum" => Needs::of(&[rows], 1),
        _ => Needs::of(&[rows, rows], 1),
    }
}

/// Refuses a subject that cannot fit, with the batch that does.
fn check_room(gpu: &Gpu, operation: &str, s: Shape) -> Result<()> {
    let Err(e) = gpu.room_for(operation, needs(operation, s)) else { return Ok(()) };
    let Error::Memory { what, room, .. } = e else { return Err(e) };
    let refused = |batch: usize| {
        let own = needs(operation, Shape { batch, ..s });
        // the pool rounds up, by a quarter at most
        let own = Needs { tensors: own.tensors.saturating_add(own.tensors / 4), ..own };
        gpu.room_for(operation, own.and(Ceilings::NEEDS)).is_err()
    };
    // of the batches from 0 (which is none) to this one, which does not fit
    let (mut fits, mut not) = (0, s.batch);
    while fits + 1 < not {
        let middle = (fits + not) / 2;
        *(if refused(middle) { &mut not } else { &mut fits }) = middle;
    }
    let hint = match fits {
        0 => "not even a batch of 1 fits: take smaller in, out or len of --shape".to_owned(),
        fits => format!("--shape batch={fits} is the largest batch that fits"),
    };
    Err(Error::memory(what, room, hint))
}

impl Subject {
    /// One of the three passes of a convolution.
    ///
    /// # Errors
    /// [`Error::Memory`] where it does not fit, before anything is allocated; [`Error::Shape`], [`Error::Gpu`].
    pub fn conv(gpu: &Gpu, pass: Pass, s: Shape) -> Result<Self> {
        check_room(gpu, pass.name(), s)?;
        let (t, spec, weight) = (s.out_len(), s.spec(), [s.out, s.c_in, s.k]);
        let (x, xv) = noise(gpu, &[s.batch, s.c_in, s.len], 1)?;
        let (w, wv) = noise(gpu, &weight, 2)?;
        let (g, gv) = noise(gpu, &[s.batch, s.out, t], 3)?;
        let pad = s.dilation * (s.k - 1) / 2;
        // sum over all (output position, tap, input position) of the first two
        let sample = move |position: usize, tap: usize| {
            (position * s.stride + tap * s.dilation).checked_sub(pad).filter(|&i| i < s.len)
        };
        let run: Box<dyn Fn() -> Result<Tensor>> = match pass {
            Pass::Forward => Box::new(move || ops::branches(&x, &[&w], &spec)),
            Pass::InputGrad => Box::new(move || ops::branches_input_grad(&g, &[&w], &spec, s.len)),
            Pass::WeightGrad => Box::new(move || ops::conv1d_weight_grad(&x, &g, weight, &spec)),
        };
        let product = |a: f32, b: f32| f64::from(a) * f64::from(b);
        let reference: Reference = match pass {
            Pass::Forward => Box::new(move |at| {
                let (b, o, position) = (at / t / s.out, at / t % s.out, at % t);
                let taps = (0..s.c_in).flat_map(|c| (0..s.k).map(move |k| (c, k)));
                taps.filter_map(|(c, k)| {
                    Some(product(xv[(b * s.c_in + c) * s.len + sample(position, k)?], wv[(o * s.c_in + c) * s.k + k]))
                })
                .sum()
            }),
            Pass::InputGrad => Box::new(move |at| {
                let (b, c, i) = (at / s.len / s.c_in, at / s.len % s.c_in, at % s.len);
                let taps = (0..s.out).flat_map(|o| (0..s.k).map(move |k| (o, k)));
                taps.filter_map(|(o, k)| {
                    let from = (i + pad).checked_sub(k * s.dilation).filter(|f| f % s.stride == 0)? / s.stride;
                    (from < t).then(|| product(gv[(b * s.out + o) * t + from], wv[(o * s.c_in + c) * s.k + k]))
                })
                .sum()
            }),
            Pass::WeightGrad => Box::new(move |at| {
                let (o, c, k) = (at / s.k / s.c_in, at / s.k % s.c_in, at % s.k);
                let places = (0..s.batch).flat_map(|b| (0..t).map(move |p| (b, p)));
                places
                    .filter_map(|(b, p)| {
                        Some(product(gv[(b * s.out + o) * t + p], xv[(b * s.c_in + c) * s.len + sample(p, k)?]))
                    })
                    .sum()
            }),
        };
        let flops = 2.0 * (s.batch * t * s.c_in * s.out * s.k) as f64;
        let bytes = 4.0 * (s.batch * (s.c_in * s.len + s.out * t) + s.out * s.c_in * s.k) as f64;
        Ok(Self { operation: pass.name(), cost: [flops, bytes], run, reference })
    }

    /// An operation of [`OPERATIONS`].
    ///
    /// # Errors
    /// [`Error::Config`] for another name; those of [`Subject::conv`].
    pub fn new(gpu: &Gpu, operation: &str, s: Shape) -> Result<Self> {
        if let Some(pass) = Pass::ALL.into_iter().find(|p| p.name() == operation) {
            return Self::conv(gpu, pass, s);
        }
        if !OPERATIONS.contains(&operation) {
            let known = format!("known are {}", OPERATIONS.join(", "));
            return Err(Error::config(format!("no benchmark of '{operation}'"), known));
        }
        check_room(gpu, operation, s)?;
        let rows = [s.batch, s.c_in, s.len];
        let n = numel(&rows) as f64;
        let (x, xv) = noise(gpu, if operation == "matmul" { &[1] } else { &rows }, 1)?;
        let channel = move |at: usize| at / s.len % s.c_in;
        match operation {
            "matmul" => {
                let (a, av) = noise(gpu, &[s.out, s.c_in], 1)?;
                let (b, bv) = noise(gpu, &[s.c_in, s.len], 2)?;
                let cost = [
                    2.0 * (s.out * s.c_in * s.len) as f64,
                    4.0 * (s.out * s.c_in + s.c_in * s.len + s.out * s.len) as f64,
                ];
                let run = Box::new(move || ops::matmul(&a, &b, false, false));
                let reference = Box::new(move |at: usize| {
                    let (r, c) = (at / s.len, at % s.len);
                    (0..s.c_in).map(|i| f64::from(av[r * s.c_in + i]) * f64::from(bv[i * s.len + c])).sum()
                });
                Ok(Self { operation: "matmul", cost, run, reference })
            }
            "batch_norm" | "batch_norm_relu" => {
                let fused = operation == "batch_norm_relu";
                let (w, wv) = noise(gpu, &[s.c_in], 2)?;
                let (b, bv) = noise(gpu, &[s.c_in], 3)?;
                let (z, zv) = noise(gpu, &rows, 4)?;
                let run = Box::new(move || {
                    if fused {
                        let norm = Norm { x: &x, weight: &w, bias: &b, running: None };
                        return Ok(ops::batch_norm_relu(&norm, &Plus::Tensor(&z), None, 1e-5)?.0);
                    }
                    Ok(ops::batch_norm_train(&x, &w, &b, 1e-5)?.0)
                });
                let moments: Vec<[f64; 2]> = (0..s.c_in).map(|c| moments(&xv, s, c)).collect();
                let reference = Box::new(move |at: usize| {
                    let (c, [mean, variance]) = (channel(at), moments[channel(at)]);
                    let y = (f64::from(xv[at]) - mean) / (variance + 1e-5).sqrt() * f64::from(wv[c]) + f64::from(bv[c]);
                    if fused { (y + f64::from(zv[at])).max(0.0) } else { y }
                });
                let name = if fused { "batch_norm_relu" } else { "batch_norm" };
                Ok(Self { operation: name, cost: [8.0 * n, if fused { 16.0 * n } else { 12.0 * n }], run, reference })
            }
            "batch_norm_relu_grad" => Self::norm_gradient(gpu, s),
            "sum" => {
                let run = Box::new(move || ops::sum(&x, &[2]));
                let reference =
                    Box::new(move |at: usize| xv[at * s.len..(at + 1) * s.len].iter().map(|v| f64::from(*v)).sum());
                Ok(Self { operation: "sum", cost: [n, 4.0 * n], run, reference })
            }
            "avg_pool" => {
                let pool = AvgPool { kernel: 2, stride: 2, pad: 0, count_pad: false };
                let run = Box::new(move || ops::avg_pool(&x, pool));
                let t = s.len / 2;
                let reference = Box::new(move |at: usize| {
                    let first = at / t * s.len + at % t * 2;
                    (f64::from(xv[first]) + f64::from(xv[first + 1])) / 2.0
                });
                Ok(Self { operation: "avg_pool", cost: [n, 6.0 * n], run, reference })
            }
            "max_pool" => {
                let run = Box::new(move || ops::max_pool(&x, MaxPool { kernel: 2, stride: 2, pad: 0 }));
                let t = s.len / 2;
                let reference = Box::new(move |at: usize| {
                    f64::from(xv[at / t * s.len + at % t * 2].max(xv[at / t * s.len + at % t * 2 + 1]))
                });
                // one value and one position for two values
                Ok(Self { operation: "max_pool", cost: [0.5 * n, 8.0 * n], run, reference })
            }
            "dropout" => {
                let state = DropoutState::new(gpu, 1)?;
                let run = Box::new(move || ops::dropout(&x, 0.5, &state, 0));
                let reference = Box::new(move |at: usize| {
                    let word = ops::philox([(at / 8) as u32, 0, 0, 0], [1, 0])[at % 8 / 2] >> (16 * (at % 2)) & 0xffff;
                    if word >= 32768 { 2.0 * f64::from(xv[at]) } else { 0.0 }
                });
                Ok(Self { operation: "dropout", cost: [n, 8.0 * n], run, reference })
            }
            "add" => {
                let (z, zv) = noise(gpu, &rows, 2)?;
                let run = Box::new(move || ops::add(&x, &z));
                let reference = Box::new(move |at: usize| f64::from(xv[at]) + f64::from(zv[at]));
                Ok(Self { operation: "add", cost: [n, 12.0 * n], run, reference })
            }
            _ => unreachable!("one of OPERATIONS"),
        }
    }

    /// The backward pass of `max(0, norm(x) + norm(z))` with respect to x.
    fn norm_gradient(gpu: &Gpu, s: Shape) -> Result<Self> {
        let rows = [s.batch, s.c_in, s.len];
        let of = |shape: &[usize], seed| noise(gpu, shape, seed).map(|(t, v)| (t.leaf(), v));
        let ((x, xv), (z, zv), (g, gv)) = (of(&rows, 1)?, of(&rows, 4)?, of(&rows, 5)?);
        let ((w, wv), (b, bv)) = (of(&[s.c_in], 2)?, of(&[s.c_in], 3)?);
        let norm = |x| Norm { x, weight: &w, bias: &b, running: None };
        let (y, _) = with_history(|| ops::batch_norm_relu(&norm(&x), &Plus::Norm(norm(&z)), None, 1e-5))?;
        let run = Box::new(move || first_gradient(&y, &[&x, &z, &w, &b], &g));
        let channels = (0..s.c_in).map(|c| {
            let n = (s.batch * s.len) as f64;
            let of = |v: &[f32]| {
                let [mean, variance] = moments(v, s, c);
                [mean, 1.0 / (variance + 1e-5).sqrt()]
            };
            let ([mean, rstd], [mean2, rstd2]) = (of(&xv), of(&zv));
            let (w, b) = (f64::from(wv[c]), f64::from(bv[c]));
            // the gradient that passes the ReLU, and the normalised x
            let at = move |x: f32, z: f32, g: f32| {
                let xhat = (f64::from(x) - mean) * rstd;
                let y = xhat * w + (f64::from(z) - mean2) * rstd2 * w + 2.0 * b;
                (if y > 0.0 { f64::from(g) } else { 0.0 }, xhat)
            };
            let sums =
                places(s, c).map(|i| at(xv[i], zv[i], gv[i])).fold([0.0; 2], |[s, p], (g, xhat)| [s + g, p + g * xhat]);
            (at, w * rstd, sums.map(|v| v / n))
        });
        let channels: Vec<_> = channels.collect();
        let reference = Box::new(move |i: usize| {
            let (at, gain, [mass, slope]) = &channels[i / s.len % s.c_in];
            let (g, xhat) = at(xv[i], zv[i], gv[i]);
            gain * (g - mass - xhat * slope)
        });
        let n = numel(&rows) as f64;
        // gradient, output and both inputs twice, two gradients
        Ok(Self { operation: "batch_norm_relu_grad", cost: [20.0 * n, 4.0 * 10.0 * n], run, reference })
    }

    /// Runs it without keeping a history.
    ///
    /// # Errors
    /// Those of the operation.
    pub fn run(&self) -> Result<Tensor> {
        no_grad(|| (self.run)())
    }

    /// Largest difference from the f64 reference at places spread over the output, relative to its largest value there.
    pub(super) fn error(&self, found: &[f32]) -> f64 {
        let places: Vec<usize> = (0..64).map(|i| (i * 7919 * (found.len() / 64 + 1)) % found.len()).collect();
        let truth: Vec<f64> = places.iter().map(|&at| (self.reference)(at)).collect();
        let largest = truth.iter().fold(1e-30, |m: f64, v| m.max(v.abs()));
        let error = |(&at, v): (&usize, &f64)| (f64::from(found[at]) - v).abs() / largest;
        places.iter().zip(&truth).map(error).fold(0.0, f64::max)
    }
}
