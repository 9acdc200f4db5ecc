//! Oracles and cases of the convolution family.

use super::{Branch, ConvInput, ConvSpec, GradRows, Numbers, WeightGrad, apply, branches, conv1d, input_grad};
use crate::ops::Array;
use crate::ops::case::{Case, Input};
use std::sync::Mutex;

/// Calls `f(b, o, c, k, t, i)` for every product of the convolution: output channel `o` (of the whole output) at `t`,
/// tap `k` of channel `c` within the group, input position `i` of input channel `channel`.
fn for_each_product(
    spec: &ConvSpec,
    j: usize,
    w: &[usize],
    first: usize,
    [b, len, t_len]: [usize; 3],
    mut f: impl FnMut(Product),
) {
    let branch = spec.branches[j];
    let out_g = w[0] / spec.groups;
    for b in 0..b {
        for o in 0..w[0] {
            for c in 0..w[1] {
                for k in 0..w[2] {
                    for t in 0..t_len {
                        let i = (t * spec.stride + k * branch.dilation) as isize - branch.pad_left as isize;
                        if i >= 0 && (i as usize) < len {
                            let channel = o / out_g * w[1] + c;
                            f(Product { b, o, c, k, t, channel, y: first + o, i: i as usize });
                        }
                    }
                }
            }
        }
    }
}

struct Product {
    b: usize,
    o: usize,
    c: usize,
    k: usize,
    t: usize,
    channel: usize,
    y: usize,
    i: usize,
}

fn out_len(spec: &ConvSpec, len: usize, w: &[usize]) -> usize {
    spec.branches[0].out_len(len, w[2], spec.stride).expect("lengths of a case")
}

fn cpu_conv(spec: &ConvSpec, x: &Array, ws: &[Array]) -> Array {
    let (b, len) = (x.dim(0), x.dim(2));
    let t_len = out_len(spec, len, &ws[0].shape);
    let channels = ws.iter().map(|w| w.dim(0)).sum();
    let mut y = Array::zeros(&[b, channels, t_len]);
    let mut first = 0;
    for (j, w) in ws.iter().enumerate() {
        for_each_product(spec, j, &w.shape, first, [b, len, t_len], |p| {
            y.data[(p.b * channels + p.y) * t_len + p.t] +=
                w.data[(p.o * w.dim(1) + p.c) * w.dim(2) + p.k] * x.data[(p.b * x.dim(1) + p.channel) * len + p.i];
        });
        first += w.dim(0);
    }
    y
}

fn cpu_input_grad(spec: &ConvSpec, g: &Array, ws: &[Array], len: usize) -> Array {
    let (b, channels, t_len) = (g.dim(0), g.dim(1), g.dim(2));
    let c_in = ws[0].dim(1) * spec.groups;
    let mut dx = Array::zeros(&[b, c_in, len]);
    let mut first = 0;
    for (j, w) in ws.iter().enumerate() {
        for_each_product(spec, j, &w.shape, first, [b, len, t_len], |p| {
            dx.data[(p.b * c_in + p.channel) * len + p.i] +=
                w.data[(p.o * w.dim(1) + p.c) * w.dim(2) + p.k] * g.data[(p.b * channels + p.y) * t_len + p.t];
        });
        first += w.dim(0);
    }
    dx
}

fn cpu_weight_grad(spec: &ConvSpec, j: usize, weights: &[Vec<usize>], x: &Array, g: &Array) -> Array {
    let (b, len, channels, t_len) = (x.dim(0), x.dim(2), g.dim(1), g.dim(2));
    let w = &weights[j];
    let mut dw = Array::zeros(w);
    let first = weights[..j].iter().map(|w| w[0]).sum();
    for_each_product(spec, j, w, first, [b, len, t_len], |p| {
        dw.data[(p.o * w[1] + p.c) * w[2] + p.k] +=
            x.data[(p.b * x.dim(1) + p.channel) * len + p.i] * g.data[(p.b * channels + p.y) * t_len + p.t];
    });
    dw
}

/// batch, channels in and out, length, kernel, stride, dilation, groups.
type Setting = [usize; 8];

const SETTINGS: [Setting; 25] = [
    [2, 3, 5, 19, 5, 1, 1, 1],
    [1, 1, 4, 31, 15, 2, 1, 1],
    [2, 2, 3, 17, 11, 1, 1, 1],
    [2, 3, 4, 18, 11, 2, 1, 1],
    [1, 2, 3, 33, 21, 1, 1, 1],
    [2, 2, 6, 20, 16, 1, 1, 1],
    [1, 2, 3, 21, 16, 2, 1, 1],
    [2, 3, 4, 9, 1, 2, 1, 1],
    [1, 2, 2, 23, 3, 1, 4, 1],
    [1, 2, 3, 25, 4, 2, 3, 1],
    [1, 2, 2, 26, 5, 4, 2, 1],
    [2, 4, 6, 14, 3, 1, 1, 2],
    [1, 10, 5, 12, 5, 2, 1, 5],
    // What the tiles of 16 positions, 12 taps and groups of four could break: lengths around a tile, counts of taps that
    // leave 0 to 3, strides with phases of unequal taps, more stride than kernel, groups of channels not in fours.
    [1, 2, 5, 15, 6, 1, 1, 1],
    [1, 1, 3, 16, 7, 1, 1, 1],
    [2, 2, 3, 17, 8, 1, 1, 1],
    [1, 1, 2, 33, 12, 1, 1, 1],
    [1, 2, 2, 49, 13, 1, 1, 1],
    [1, 2, 3, 33, 9, 2, 1, 1],
    [1, 2, 2, 65, 25, 2, 1, 1],
    [2, 2, 3, 35, 7, 3, 1, 1],
    [1, 2, 3, 41, 2, 3, 1, 1],
    [1, 1, 2, 37, 5, 3, 2, 1],
    [1, 2, 2, 40, 5, 6, 4, 1],
    [1, 6, 10, 34, 5, 2, 1, 2],
];

fn spec_of(s: &Setting) -> (ConvSpec, [usize; 3]) {
    let [_, c_in, c_out, _, k, stride, dilation, groups] = *s;
    (ConvSpec::single(stride, groups, Branch::same(k, dilation)), [c_out, c_in / groups, k])
}

fn label(s: &Setting) -> String {
    let [b, ci, co, l, k, stride, d, g] = s;
    format!("{ci}->{co} k{k} s{stride} d{d} g{g}, B {b} L {l}")
}

pub(in crate::ops) fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = SETTINGS
        .iter()
        .map(|s| {
            let (spec, w) = spec_of(s);
            let cpu_spec = spec.clone();
            Case::new(
                label(s),
                vec![Input::normal(&[s[0], s[1], s[3]], 71), Input::normal(&w, 72)],
                move |x| branches(&x[0], &[&x[1]], &spec),
                move |x| cpu_conv(&cpu_spec, &x[0], &x[1..]),
            )
        })
        .collect();
    // Padding that is not symmetric, and none.
    for (pad_left, pad_right) in [(0, 0), (3, 0), (1, 6)] {
        let branch = Branch { dilation: 1, pad_left, pad_right };
        all.push(Case::new(
            format!("2->3 k5 s2, padding {pad_left} + {pad_right}"),
            vec![Input::normal(&[1, 2, 13], 73), Input::normal(&[3, 2, 5], 74)],
            move |x| conv1d(&x[0], &x[1], 2, 1, branch),
            move |x| cpu_conv(&ConvSpec::single(2, 1, branch), &x[0], &x[1..]),
        ));
    }
    all
}

pub(in crate::ops) fn input_grad_cases() -> Vec<Case> {
    SETTINGS
        .iter()
        .map(|s| {
            let (spec, w) = spec_of(s);
            let (cpu_spec, len) = (spec.clone(), s[3]);
            let t = out_len(&spec, len, &w);
            Case::new(
                label(s),
                vec![Input::normal(&[s[0], s[2], t], 75), Input::normal(&w, 76)],
                move |x| input_grad(&spec, &x[0], &x[1..], len, GradRows::new()),
                move |x| cpu_input_grad(&cpu_spec, &x[0], &x[1..], len),
            )
        })
        .collect()
}

pub(in crate::ops) fn weight_grad_cases() -> Vec<Case> {
    SETTINGS
        .iter()
        .map(|s| {
            let (spec, w) = spec_of(s);
            let (cpu_spec, weights) = (spec.clone(), vec![w.to_vec()]);
            let cpu_weights = weights.clone();
            let t = out_len(&spec, s[3], &w);
            Case::new(
                label(s),
                vec![Input::normal(&[s[0], s[1], s[3]], 77), Input::normal(&[s[0], s[2], t], 78)],
                move |x| {
                    let op = WeightGrad { spec: spec.clone(), j: 0, weights: weights.clone(), rows: Mutex::default() };
                    apply(op, &[&x[0], &x[1]])
                },
                move |x| cpu_weight_grad(&cpu_spec, 0, &cpu_weights, &x[0], &x[1]),
            )
        })
        .collect()
}

/// Stride, dilations and groups of the branches 5, 11, 21.
const BRANCHES: [(usize, [usize; 3], usize); 5] =
    [(1, [1, 1, 1], 1), (2, [1, 1, 1], 1), (1, [1, 2, 3], 1), (2, [2, 1, 4], 1), (1, [1, 1, 1], 2)];

/// The specification and the inputs (x and the weights) of one of them.
fn three((stride, dilations, groups): (usize, [usize; 3], usize)) -> (ConvSpec, Vec<Input>, String) {
    let kernels = [5, 11, 21];
    let branches = kernels.iter().zip(dilations).map(|(&k, d)| Branch::same(k, d)).collect();
    let spec = ConvSpec { numbers: Numbers::F32, stride, groups, branches };
    let mut inputs = vec![Input::normal(&[2, 2, 15], 81)];
    for (i, (&k, width)) in kernels.iter().zip([2, 2, 4]).enumerate() {
        inputs.push(Input::normal(&[width, 2 / groups, k], 82 + i as u64));
    }
    (spec, inputs, format!("k 5, 11, 21, s{stride}, dilations {dilations:?}, g{groups}"))
}

pub(in crate::ops) fn branches_cases() -> Vec<Case> {
    let case = |(spec, inputs, label): (ConvSpec, Vec<Input>, String)| {
        let cpu_spec = spec.clone();
        Case::new(
            label,
            inputs,
            move |x| branches(&x[0], &[&x[1], &x[2], &x[3]], &spec),
            move |x| cpu_conv(&cpu_spec, &x[0], &x[1..]),
        )
    };
    BRANCHES.map(three).map(case).into()
}

pub(in crate::ops) fn branches_relu_cases() -> Vec<Case> {
    let case = |(spec, mut inputs, label): (ConvSpec, Vec<Input>, String)| {
        let cpu_spec = spec.clone();
        inputs.push(Input::normal(&[8], 85));
        Case::new(
            label,
            inputs,
            move |x| ConvInput::new(&x[0]).branches_relu(&[&x[1], &x[2], &x[3]], &x[4], &spec),
            move |x| {
                let mut y = cpu_conv(&cpu_spec, &x[0], &x[1..4]);
                let (channels, len) = (y.dim(1), y.dim(2));
                for (i, v) in y.data.iter_mut().enumerate() {
                    *v = (*v + x[4].data[i / len % channels]).max(0.0);
                }
                y
            },
        )
    };
    BRANCHES.map(three).map(case).into()
}
