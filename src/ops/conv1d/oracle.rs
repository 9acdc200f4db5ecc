//! Convolutions in f64: rows times weights, one output row (or one weight's taps) at a time. Independent of the kernels.

use super::ConvSpec;
use crate::ops::Array;
use rayon::prelude::*;
use std::ops::Range;

/// Multiply-adds from which the rows are divided among threads.
const WORTH_THREADS: usize = 1 << 18;

/// Samples of the output.
pub(super) fn out_len(spec: &ConvSpec, len: usize, w: &[usize]) -> usize {
    spec.branches[0].out_len(len, w[2], spec.stride).expect("lengths of a case")
}

/// The outputs `t` that tap `k` of branch `j` finds a sample for, and the sample of the first of them: `t S + k D - pad` is
/// in `0..len`.
fn reach(spec: &ConvSpec, j: usize, k: usize, len: usize, t_len: usize) -> (Range<usize>, usize) {
    let (branch, stride) = (spec.branches[j], spec.stride);
    let (tap, pad) = (k * branch.dilation, branch.pad_left);
    let first = pad.saturating_sub(tap).div_ceil(stride);
    let end = if len + pad > tap { (len + pad - tap).div_ceil(stride).min(t_len) } else { 0 };
    if first >= end { (0..0, 0) } else { (first..end, first * stride + tap - pad) }
}

/// Runs `f` on every row of `data`, of `len` values each, with its number; in parallel where there is much to do.
fn rows(data: &mut [f64], len: usize, work: usize, f: impl Fn(usize, &mut [f64]) + Sync) {
    if work < WORTH_THREADS {
        data.chunks_mut(len).enumerate().for_each(|(i, row)| f(i, row));
    } else {
        data.par_chunks_mut(len).enumerate().for_each(|(i, row)| f(i, row));
    }
}

/// Every branch with the first of its channels in the output.
fn branches<'a>(shapes: impl Iterator<Item = &'a [usize]>) -> Vec<Range<usize>> {
    let mut first = 0;
    shapes
        .map(|w| {
            first += w[0];
            first - w[0]..first
        })
        .collect()
}

/// `y[b, o, t] = sum over c, k of w[o, c, k] x[b, g(o) C/G + c, t S + k D - pad]`.
pub(super) fn conv(spec: &ConvSpec, x: &Array, ws: &[Array]) -> Array {
    let (b, len, stride) = (x.dim(0), x.dim(2), spec.stride);
    let t_len = out_len(spec, len, &ws[0].shape);
    let of = branches(ws.iter().map(|w| &w.shape[..]));
    let channels = of.last().map_or(0, |r| r.end);
    let mut y = Array::zeros(&[b, channels, t_len]);
    let work = t_len * ws.iter().map(|w| w.data.len()).sum::<usize>() * b;
    rows(&mut y.data, t_len, work, |row, y| {
        let (b, channel) = (row / channels, row % channels);
        let j = of.iter().position(|r| r.contains(&channel)).expect("a branch has it");
        let (w, o) = (&ws[j], channel - of[j].start);
        let (in_g, taps, group) = (w.dim(1), w.dim(2), o / (w.dim(0) / spec.groups));
        for c in 0..in_g {
            let x = &x.data[(b * x.dim(1) + group * in_g + c) * len..][..len];
            for k in 0..taps {
                let weight = w.data[(o * in_g + c) * taps + k];
                let (outputs, sample) = reach(spec, j, k, len, t_len);
                let y = &mut y[outputs];
                match stride {
                    // the same; contiguous, which vectorises
                    1 => y.iter_mut().zip(&x[sample..]).for_each(|(y, x)| *y += weight * x),
                    _ => y.iter_mut().zip(x[sample..].iter().step_by(stride)).for_each(|(y, x)| *y += weight * x),
                }
            }
        }
    });
    y
}

/// Its gradient with respect to x of `len` samples.
pub(super) fn input_grad(spec: &ConvSpec, g: &Array, ws: &[Array], len: usize) -> Array {
    let (b, channels, t_len, stride) = (g.dim(0), g.dim(1), g.dim(2), spec.stride);
    let c_in = ws[0].dim(1) * spec.groups;
    let of = branches(ws.iter().map(|w| &w.shape[..]));
    let mut dx = Array::zeros(&[b, c_in, len]);
    let work = t_len * ws.iter().map(|w| w.data.len()).sum::<usize>() * b;
    rows(&mut dx.data, len, work, |row, dx| {
        let (b, channel) = (row / c_in, row % c_in);
        for (j, w) in ws.iter().enumerate() {
            let (in_g, taps, out_g) = (w.dim(1), w.dim(2), w.dim(0) / spec.groups);
            let (group, c) = (channel / in_g, channel % in_g);
            for o in group * out_g..(group + 1) * out_g {
                let g = &g.data[(b * channels + of[j].start + o) * t_len..][..t_len];
                for k in 0..taps {
                    let weight = w.data[(o * in_g + c) * taps + k];
                    let (outputs, sample) = reach(spec, j, k, len, t_len);
                    let g = &g[outputs];
                    match stride {
                        _ if g.is_empty() => {}
                        1 => dx[sample..].iter_mut().zip(g).for_each(|(x, g)| *x += weight * g),
                        _ => dx[sample..].iter_mut().step_by(stride).zip(g).for_each(|(x, g)| *x += weight * g),
                    }
                }
            }
        }
    });
    dx
}

/// A dot product whose eight partial sums may go in parallel.
fn dot<'a>(a: &[f64], b: impl Iterator<Item = &'a f64>) -> f64 {
    let mut sums = [0.0; 8];
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        sums[i % 8] += a * b;
    }
    sums.iter().sum()
}

/// The same of neighbouring values.
fn dot_rows(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a8.zip(b8) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    rest + sums.iter().sum::<f64>()
}

/// Its gradient with respect to the weight of branch `j`; `weights`: the shapes of all.
pub(super) fn weight_grad(spec: &ConvSpec, j: usize, weights: &[Vec<usize>], x: &Array, g: &Array) -> Array {
    let (b, c_in, len, channels, t_len) = (x.dim(0), x.dim(1), x.dim(2), g.dim(1), g.dim(2));
    let (w, first) = (&weights[j], branches(weights.iter().map(Vec::as_slice))[j].start);
    let (in_g, taps, out_g) = (w[1], w[2], w[0] / spec.groups);
    let mut dw = Array::zeros(w);
    let work = dw.data.len() * b * t_len;
    rows(&mut dw.data, taps, work, |row, dw| {
        let (o, c) = (row / in_g, row % in_g);
        for b in 0..b {
            let x = &x.data[(b * c_in + o / out_g * in_g + c) * len..][..len];
            let g = &g.data[(b * channels + first + o) * t_len..][..t_len];
            for (k, dw) in dw.iter_mut().enumerate() {
                let (outputs, sample) = reach(spec, j, k, len, t_len);
                let g = &g[outputs];
                *dw += match spec.stride {
                    1 => dot_rows(g, &x[sample..sample + g.len()]),
                    stride => dot(g, x[sample..].iter().step_by(stride)),
                };
            }
        }
    });
    dw
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::case::normals;
    use crate::ops::{Branch, Precision};

    fn random(shape: &[usize], seed: u64) -> Array {
        let n = shape.iter().product();
        Array::new(shape, normals(n, seed).into_iter().map(f64::from).collect())
    }

    /// Calls `f(dst, weight, src)` for the places of every product, as the definition has them.
    fn products(spec: &ConvSpec, x: &Array, ws: &[Array], mut f: impl FnMut(usize, usize, usize, usize)) {
        let t_len = out_len(spec, x.dim(2), &ws[0].shape);
        let channels: usize = ws.iter().map(|w| w.dim(0)).sum();
        let mut first = 0;
        for (j, w) in ws.iter().enumerate() {
            let branch = spec.branches[j];
            for i in 0..x.dim(0) * w.data.len() * t_len {
                let (t, at) = (i % t_len, i / t_len);
                let (weight, b) = (at % w.data.len(), at / w.data.len());
                let (k, c, o) = (weight % w.dim(2), weight / w.dim(2) % w.dim(1), weight / w.dim(2) / w.dim(1));
                let channel = o / (w.dim(0) / spec.groups) * w.dim(1) + c;
                let sample = (t * spec.stride + k * branch.dilation).checked_sub(branch.pad_left);
                if let Some(s) = sample.filter(|&s| s < x.dim(2)) {
                    f(j, (b * channels + first + o) * t_len + t, weight, (b * x.dim(1) + channel) * x.dim(2) + s);
                }
            }
            first += w.dim(0);
        }
    }

    #[test]
    fn rows_give_what_the_definition_gives() {
        for (stride, dilations, groups, kernels, len) in [
            (1, [1, 3], 1, [5, 11], 30),
            (2, [1, 2], 2, [4, 21], 9),
            (3, [4, 1], 1, [7, 2], 41),
            (2, [3, 3], 1, [9, 1], 3),
            (1, [1, 1], 2, [33, 3], 5),
        ] {
            let branches = kernels.iter().zip(dilations).map(|(&k, d)| Branch::same(k, d)).collect();
            let spec = ConvSpec { precision: Precision::F32, stride, groups, branches };
            let x = random(&[3, 4, len], 1);
            let ws = [random(&[2, 4 / groups, kernels[0]], 2), random(&[6, 4 / groups, kernels[1]], 3)];
            let shapes: Vec<Vec<usize>> = ws.iter().map(|w| w.shape.clone()).collect();
            let y = conv(&spec, &x, &ws);
            let g = random(&y.shape, 4);
            let (mut y2, mut dx) = (Array::zeros(&y.shape), Array::zeros(&x.shape));
            let mut dw = shapes.iter().map(|s| Array::zeros(s)).collect::<Vec<_>>();
            products(&spec, &x, &ws, |j, to, weight, from| {
                y2.data[to] += ws[j].data[weight] * x.data[from];
                dx.data[from] += ws[j].data[weight] * g.data[to];
                dw[j].data[weight] += g.data[to] * x.data[from];
            });
            let near = |a: &Array, b: &Array| {
                a.shape == b.shape && a.data.iter().zip(&b.data).all(|(a, b)| (a - b).abs() < 1e-10)
            };
            assert!(near(&y, &y2), "forward, stride {stride}");
            assert!(near(&input_grad(&spec, &g, &ws, len), &dx), "input gradient, stride {stride}");
            for (j, dw) in dw.iter().enumerate() {
                assert!(near(&weight_grad(&spec, j, &shapes, &x, &g), dw), "weight gradient, stride {stride}");
            }
        }
    }
}
