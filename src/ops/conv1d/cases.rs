//! Cases of the convolution family.

use super::oracle::{conv, input_grad as cpu_input_grad, out_len, weight_grad as cpu_weight_grad};
use super::{Branch, ConvInput, ConvSpec, GradRows, Pass, Precision, WeightGrad, apply, branches, conv1d, input_grad};
use crate::ops::case::{Case, Input};
use std::sync::Mutex;

/// Sizes of a convolution of one branch, padded so that stride 1 keeps the length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvShape {
    pub(crate) batch: usize,
    pub(crate) c_in: usize,
    pub(crate) len: usize,
    pub(crate) c_out: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    pub(crate) groups: usize,
    pub(crate) precision: Precision,
}

impl ConvShape {
    fn spec(&self) -> ConvSpec {
        let one = ConvSpec::single(self.stride, self.groups, Branch::same(self.kernel, self.dilation));
        ConvSpec { precision: self.precision, ..one }
    }

    fn weight(&self) -> [usize; 3] {
        [self.c_out, self.c_in / self.groups, self.kernel]
    }

    fn label(&self) -> String {
        let Self { batch, c_in, len, c_out, kernel, stride, dilation, groups, precision } = self;
        let precision = precision.behind();
        format!("{c_in}->{c_out} k{kernel} s{stride} d{dilation} g{groups}{precision}, B {batch} L {len}")
    }
}

/// Largest error of a sum of `n` products of numbers around 1, absolute: what f32 rounds off (in a fast convolution some ten times
/// as much as in a direct one, less than 1e-4 of such a sum's size, and more the longer the running sum), and what is kept in f16.
fn tolerance(precision: Precision, n: usize) -> f64 {
    let n = n as f64;
    match precision {
        Precision::F32 => 1e-5 + 4e-5 * n.sqrt() + 1.5e-6 * n,
        // the inputs are what f16 holds; sums at the points of a fast convolution, or of a few products, are not
        Precision::F16 | Precision::NativeF16 => 1e-2 * n.sqrt(),
    }
}

/// Values around 0, those that f16 holds where they are kept so.
fn input(precision: Precision, shape: &[usize], seed: u64) -> Input {
    let input = Input::normal(shape, seed);
    if precision == Precision::F32 { input } else { input.in_f16() }
}

/// One pass of a convolution.
pub(crate) fn conv_case(pass: Pass, s: ConvShape) -> Case {
    let (spec, weight) = (s.spec(), s.weight());
    let t = out_len(&spec, s.len, &weight);
    let [x, w, g] = [vec![s.batch, s.c_in, s.len], weight.to_vec(), vec![s.batch, s.c_out, t]];
    let own = |shape: &[usize], seed| input(s.precision, shape, seed);
    let cpu_spec = spec.clone();
    let depth = weight[1] * weight[2];
    let case = match pass {
        Pass::Forward => Case::new(
            s.label(),
            vec![own(&x, 71), own(&w, 72)],
            move |x| branches(&x[0], &[&x[1]], &spec),
            move |x| conv(&cpu_spec, &x[0], &x[1..]),
        )
        .within(tolerance(s.precision, depth)),
        Pass::InputGrad => Case::new(
            s.label(),
            vec![own(&g, 75), own(&w, 76)],
            move |x| input_grad(&spec, &x[0], &x[1..], s.len, GradRows::default()),
            move |x| cpu_input_grad(&cpu_spec, &x[0], &x[1..], s.len),
        )
        .within(tolerance(s.precision, s.c_out / s.groups * s.kernel)),
        Pass::WeightGrad => Case::new(
            s.label(),
            vec![own(&x, 77), own(&g, 78)],
            move |x| {
                let weights = vec![weight.to_vec()];
                apply(WeightGrad { spec: spec.clone(), j: 0, weights, rows: Mutex::default() }, &[&x[0], &x[1]])
            },
            move |x| cpu_weight_grad(&cpu_spec, 0, &[weight.to_vec()], &x[0], &x[1]),
        )
        .within(tolerance(s.precision, s.batch * t)),
    };
    let values = [&x, &w, &g].map(|shape| shape.iter().product::<usize>()).iter().sum::<usize>();
    case.cost(2.0 * (s.batch * t * s.c_out * depth) as f64, 4.0 * values as f64)
}

/// The gradient with respect to an input of `len` samples, of branches together.
pub(crate) fn branches_input_grad_case(spec: &ConvSpec, weights: &[[usize; 3]], batch: usize, len: usize) -> Case {
    let g = [batch, weights.iter().map(|w| w[0]).sum(), out_len(spec, len, &weights[0])];
    let inputs = std::iter::once(Input::normal(&g, 75)).chain(weights.iter().map(|w| Input::normal(w, 76)));
    let within = tolerance(spec.precision, weights.iter().map(|w| w[0] * w[2]).sum());
    let (spec, cpu_spec) = (spec.clone(), spec.clone());
    Case::new(
        format!("{weights:?}, B {batch} L {len}"),
        inputs.collect(),
        move |x| input_grad(&spec, &x[0], &x[1..], len, GradRows::default()),
        move |x| cpu_input_grad(&cpu_spec, &x[0], &x[1..], len),
    )
    .within(within)
}

/// batch, channels in and out, length, kernel, stride, dilation, groups.
type Setting = [usize; 8];

fn shape(s: &Setting) -> ConvShape {
    let [batch, c_in, c_out, len, kernel, stride, dilation, groups] = *s;
    ConvShape { batch, c_in, len, c_out, kernel, stride, dilation, groups, precision: Precision::F32 }
}

/// To second order: every way that stride, dilation, groups and padding meet.
const SECOND_ORDER: [Setting; 14] = [
    [2, 3, 5, 19, 5, 1, 1, 1],
    [1, 1, 4, 31, 15, 2, 1, 1],
    [2, 2, 3, 17, 11, 1, 1, 1],
    [1, 2, 3, 33, 21, 1, 1, 1],
    [2, 2, 6, 20, 16, 1, 1, 1],
    [1, 2, 3, 21, 16, 2, 1, 1],
    [2, 3, 4, 9, 1, 2, 1, 1],
    [1, 2, 2, 23, 3, 1, 4, 1],
    [1, 2, 3, 25, 4, 2, 3, 1],
    [2, 4, 6, 14, 3, 1, 1, 2],
    [1, 10, 5, 12, 5, 2, 1, 5],
    [1, 2, 3, 41, 2, 3, 1, 1],
    [1, 1, 2, 37, 5, 3, 2, 1],
    [1, 2, 2, 40, 5, 6, 4, 1],
];

/// Values only: what tiles get wrong. Lengths around a tile come with one kernel, which is compiled once for all of them.
const VALUES: [Setting; 41] = [
    // counts of taps that leave 0 to 3 of four, strides with phases of unequal taps
    [1, 2, 5, 15, 6, 1, 1, 1],
    [1, 1, 3, 16, 7, 1, 1, 1],
    [2, 2, 3, 17, 8, 1, 1, 1],
    [1, 2, 3, 33, 9, 2, 1, 1],
    [1, 2, 2, 65, 25, 2, 1, 1],
    [2, 2, 3, 35, 7, 3, 1, 1],
    [1, 2, 2, 26, 5, 4, 2, 1],
    [1, 6, 10, 34, 5, 2, 1, 2],
    // many records, in tiles that run over several of them
    [9, 3, 5, 33, 5, 1, 1, 1],
    [9, 4, 7, 20, 11, 2, 1, 1],
    [33, 1, 2, 9, 3, 1, 1, 1],
    [12, 2, 3, 50, 3, 1, 2, 1],
    // and enough weights that a slice of their gradient takes several, the last one fewer
    [10, 64, 40, 30, 3, 1, 1, 1],
    // lengths around a tile of 192, 128 and 64 positions
    [1, 4, 8, 191, 5, 1, 1, 1],
    [1, 4, 8, 192, 5, 1, 1, 1],
    [1, 4, 8, 193, 5, 1, 1, 1],
    [3, 4, 8, 95, 5, 1, 1, 1],
    [2, 4, 8, 97, 5, 1, 1, 1],
    [1, 7, 17, 127, 3, 1, 1, 1],
    [1, 7, 17, 128, 3, 1, 1, 1],
    [1, 7, 17, 129, 3, 1, 1, 1],
    [1, 5, 33, 63, 1, 1, 1, 1],
    [1, 5, 33, 64, 1, 1, 1, 1],
    [2, 5, 33, 65, 1, 1, 1, 1],
    // channels around the blocks of 4, 5, 8, 16 and 32
    [2, 9, 16, 40, 3, 1, 1, 1],
    [2, 16, 9, 40, 3, 1, 1, 1],
    [1, 33, 32, 20, 1, 1, 1, 1],
    [2, 17, 5, 24, 21, 1, 1, 1],
    [2, 5, 17, 24, 21, 1, 1, 1],
    [2, 8, 4, 40, 15, 1, 1, 1],
    [3, 8, 12, 40, 5, 1, 1, 2],
    // windows of several loads; longer than the tiles take
    [3, 2, 9, 70, 33, 1, 1, 1],
    [2, 9, 2, 130, 64, 1, 1, 1],
    [2, 2, 3, 140, 65, 1, 1, 1],
    [1, 2, 3, 150, 64, 2, 1, 1],
    // pieces of several taps, all of them used, and windows that begin in one
    [2, 3, 4, 130, 12, 1, 1, 1],
    [2, 3, 4, 66, 13, 1, 1, 1],
    [2, 3, 4, 67, 14, 1, 1, 1],
    [2, 3, 4, 33, 17, 1, 1, 1],
    [3, 3, 8, 260, 24, 1, 1, 1],
    [2, 2, 3, 90, 32, 2, 1, 1],
];

/// What is kept in f16.
const HALF: [(Setting, Precision); 3] = [
    ([9, 3, 5, 33, 5, 1, 1, 1], Precision::F16),
    ([2, 3, 8, 70, 13, 1, 1, 1], Precision::F16),
    ([9, 3, 5, 33, 5, 1, 1, 1], Precision::NativeF16),
];

fn all(pass: Pass) -> Vec<Case> {
    let half = HALF.iter().map(|(s, precision)| ConvShape { precision: *precision, ..shape(s) });
    let values = VALUES.iter().map(shape).chain(half).map(|s| conv_case(pass, s).oracle_only());
    SECOND_ORDER.iter().map(|s| conv_case(pass, shape(s))).chain(values).collect()
}

pub(in crate::ops) fn cases() -> Vec<Case> {
    let mut all = all(Pass::Forward);
    // Padding that is not symmetric, and none.
    for (pad_left, pad_right) in [(0, 0), (3, 0), (1, 6)] {
        let branch = Branch { dilation: 1, pad_left, pad_right };
        let case = Case::new(
            format!("2->3 k5 s2, padding {pad_left} + {pad_right}"),
            vec![Input::normal(&[1, 2, 13], 73), Input::normal(&[3, 2, 5], 74)],
            move |x| conv1d(&x[0], &x[1], 2, 1, branch),
            move |x| conv(&ConvSpec::single(2, 1, branch), &x[0], &x[1..]),
        );
        all.push(case.within(tolerance(Precision::F32, 10)));
    }
    all
}

pub(in crate::ops) fn input_grad_cases() -> Vec<Case> {
    all(Pass::InputGrad)
}

pub(in crate::ops) fn weight_grad_cases() -> Vec<Case> {
    all(Pass::WeightGrad)
}

/// Stride, dilations and groups of the branches 5, 11, 21.
type Setting3 = (usize, [usize; 3], usize);

const BRANCHES: [Setting3; 5] =
    [(1, [1, 1, 1], 1), (2, [1, 1, 1], 1), (1, [1, 2, 3], 1), (2, [2, 1, 4], 1), (1, [1, 1, 1], 2)];

/// A case of three branches: the specification, the inputs (x of `[b, c_in, len]` and the weights), the label and the tolerance.
type Three = (ConvSpec, Vec<Input>, String, f64);

/// One of them.
fn three(
    (stride, dilations, groups): (usize, [usize; 3], usize),
    [b, c_in, len]: [usize; 3],
    widths: [usize; 3],
    precision: Precision,
) -> Three {
    let kernels = [5, 11, 21];
    let branches = kernels.iter().zip(dilations).map(|(&k, d)| Branch::same(k, d)).collect();
    let spec = ConvSpec { precision, stride, groups, branches };
    let mut inputs = vec![input(precision, &[b, c_in, len], 81)];
    for (i, (&k, width)) in kernels.iter().zip(widths).enumerate() {
        inputs.push(input(precision, &[width, c_in / groups, k], 82 + i as u64));
    }
    let kept = precision.behind();
    let label =
        format!("{c_in}->{widths:?} k 5, 11, 21, s{stride}, dilations {dilations:?}, g{groups}{kept}, B {b} L {len}");
    (spec, inputs, label, tolerance(precision, c_in / groups * 21))
}

fn branches_case((spec, inputs, label, within): Three) -> Case {
    let cpu_spec = spec.clone();
    Case::new(
        label,
        inputs,
        move |x| branches(&x[0], &[&x[1], &x[2], &x[3]], &spec),
        move |x| conv(&cpu_spec, &x[0], &x[1..]),
    )
    .within(within)
}

fn branches_relu_case((spec, mut inputs, label, within): Three) -> Case {
    let cpu_spec = spec.clone();
    let channels = inputs[1..].iter().map(|w| w.shape[0]).sum();
    inputs.push(Input::normal(&[channels], 85));
    Case::new(
        label,
        inputs,
        move |x| ConvInput::new(&x[0]).branches_relu(&[&x[1], &x[2], &x[3]], &x[4], &spec),
        move |x| {
            let mut y = conv(&cpu_spec, &x[0], &x[1..4]);
            let (channels, len) = (y.dim(1), y.dim(2));
            for (i, v) in y.data.iter_mut().enumerate() {
                *v = (*v + x[4].data[i / len % channels]).max(0.0);
            }
            y
        },
    )
    .within(within)
}

/// Small ones, to second order.
fn small(setting: Setting3) -> Three {
    three(setting, [2, 2, 15], [2, 2, 4], Precision::F32)
}

/// Many records; more channels than a block takes.
const LARGE: (Setting3, [usize; 3], [usize; 3]) = ((1, [1, 1, 1], 1), [9, 5, 67], [9, 3, 6]);

pub(in crate::ops) fn branches_cases() -> Vec<Case> {
    let (setting, x, widths) = LARGE;
    let large = [Precision::F32, Precision::F16].map(|precision| {
        let case = branches_case(three(setting, x, widths, precision));
        if precision == Precision::F32 { case.along() } else { case.oracle_only() }
    });
    // so wide that a fast convolution transforms the input at two places
    let wide = branches_case(three((2, [1, 1, 1], 1), [2, 16, 41], [31, 31, 32], Precision::F32)).along();
    BRANCHES.map(small).map(branches_case).into_iter().chain(large).chain([wide]).collect()
}

pub(in crate::ops) fn branches_relu_cases() -> Vec<Case> {
    let (setting, x, widths) = LARGE;
    let large = branches_relu_case(three(setting, x, widths, Precision::F32)).along();
    BRANCHES.map(small).map(branches_relu_case).into_iter().chain([large]).collect()
}
