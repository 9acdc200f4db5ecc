//! Matrix product with batch and transposed operands: small ones as they stand (`shaders/matmul`), large ones as a convolution of one
//! tap, `y[b, m, n] = sum over k of u[m, k, 0] v[b, k, n]`, in the versions of `conv1d`.

use super::family::{Family, Kernel};
use super::{About, Array, Forward, Op, Saved, apply, conv1d, reshape, sum_to, transpose};
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::case::{Case, Input};
use crate::tensor::{DType, Tensor, numel};

const MATMUL: Kernel = Kernel {
    formula: "y[b, r, c] = sum over k of u[b ub + r ur + k ud] v[b vb + k vd + c vc]",
    operands: &[("u", "[batch?, rows, depth]"), ("v", "[batch?, depth, cols]"), ("y", "[batch, rows, cols]")],
    sizes: &[
        ("batch", 2),
        ("rows", 3),
        ("cols", 4),
        ("depth", 5),
        ("ub", 15),
        ("ur", 5),
        ("ud", 1),
        ("vb", 20),
        ("vd", 4),
        ("vc", 1),
    ],
    ..Kernel::of("matmul")
};

pub(super) const FAMILY: Family = Family { name: "matmul", kernels: &[&MATMUL], operations: &["matmul"] };

/// Multiply-adds up to which a product goes as it stands.
const SMALL: usize = 1 << 19;

#[derive(Debug, Clone, Copy)]
struct MatMul {
    transpose_u: bool,
    transpose_v: bool,
}

/// Batch, rows and columns of an operand as it is used (after transposing).
fn dims(shape: &[usize], transposed: bool) -> [usize; 3] {
    let (batch, matrix) = if shape.len() == 3 { (shape[0], &shape[1..]) } else { (1, shape) };
    if transposed { [batch, matrix[1], matrix[0]] } else { [batch, matrix[0], matrix[1]] }
}

impl MatMul {
    /// The product in the tiles of a convolution, for one matrix `u` (or `v`) to all of the batch; `None` where that is not
    /// chosen: for small products, which laying out the operands would not pay for.
    fn by_tiles(self, gpu: &Gpu, u: &Tensor, v: &Tensor, shape: &[usize]) -> Result<Option<Tensor>> {
        let forced = gpu.forced();
        let asked = |family: &str| forced.families.get(family).or(forced.everywhere.as_ref());
        let own = |name: &String| gpu.versions("matmul").iter().any(|v| v.called(name).is_some());
        if asked("matmul").is_some_and(own) || (gpu.report().is_software && gpu.fixed_lanes().is_none()) {
            return Ok(None);
        }
        let ([bu, rows, depth], [bv, _, cols]) = (dims(u.shape(), self.transpose_u), dims(v.shape(), self.transpose_v));
        let (rows, batch) = if bv == 1 { (bu * rows, 1) } else { (rows, bv) };
        let small = rows < 8 || batch * cols < 64 || rows * batch * cols * depth < SMALL;
        if (bu > 1 && bv > 1) || (small && asked("conv1d").is_none()) {
            return Ok(None);
        }
        let straight = |t: &Tensor, transposed: bool, to: &[usize]| {
            let t = if transposed { transpose(t, t.rank() - 2, t.rank() - 1)? } else { t.clone() };
            reshape(&t, to)
        };
        no_grad(|| {
            let w = straight(u, self.transpose_u, &[rows, depth, 1])?;
            let x = straight(v, self.transpose_v, &[batch, depth, cols])?;
            conv1d::one_tap(&x, &w)?.map(|y| reshape(&y, shape)).transpose()
        })
    }

    fn shape(self, u: &[usize], v: &[usize]) -> Result<Vec<usize>> {
        let ranks = (2..=3).contains(&u.len()) && (2..=3).contains(&v.len());
        if ranks {
            let ([bu, rows, ku], [bv, kv, cols]) = (dims(u, self.transpose_u), dims(v, self.transpose_v));
            if ku == kv && (bu == bv || bu == 1 || bv == 1) {
                let batch = bu.max(bv);
                return Ok(if u.len() == 3 || v.len() == 3 { vec![batch, rows, cols] } else { vec![rows, cols] });
            }
        }
        Err(Error::shape(
            "matmul",
            format!("{u:?}{} x {v:?}{}", mark(self.transpose_u), mark(self.transpose_v)),
            "[B, M, K] x [B, K, N] (or without B), the inner dimensions equal",
            "pass transpose_u or transpose_v where an operand lies the other way",
        ))
    }
}

fn mark(transposed: bool) -> &'static str {
    if transposed { "^T" } else { "" }
}

impl Op for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn about(&self) -> About<'_> {
        About::Product([self.transpose_u, self.transpose_v])
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let (u, v) = (inputs[0], inputs[1]);
        let shape = self.shape(u.shape(), v.shape())?;
        if let Some(y) = self.by_tiles(gpu, u, v, &shape)? {
            return Ok(y.into());
        }
        let y = Tensor::empty(gpu, &shape, DType::F32)?;
        let ([bu, rows, depth], [bv, _, cols]) = (dims(u.shape(), self.transpose_u), dims(v.shape(), self.transpose_v));
        let (ur, ud) = if self.transpose_u { (1, rows) } else { (depth, 1) };
        let (vd, vc) = if self.transpose_v { (1, depth) } else { (cols, 1) };
        let ub = if bu == 1 { 0 } else { rows * depth };
        let vb = if bv == 1 { 0 } else { depth * cols };
        let batch = y.numel() / (rows * cols);
        MATMUL
            .at(gpu, &[batch, rows, depth, cols])
            .ints(&[("batch", batch), ("rows", rows), ("cols", cols), ("depth", depth)])
            .ints(&[("ub", ub), ("ur", ur), ("ud", ud), ("vb", vb), ("vd", vd), ("vc", vc)])
            .bind("u", u)
            .bind("v", v)
            .bind("y", &y)
            .cost((2 * y.numel() * depth) as f64, 4.0 * (u.numel() + v.numel() + y.numel()) as f64)
            .run()?;
        Ok(y.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let (u, v) = (&s.inputs[0], &s.inputs[1]);
        let fit = |g: Tensor, t: &Tensor| -> Result<Option<Tensor>> {
            // A matrix shared by the batch collects the gradients of all its uses.
            let g = if g.rank() == 3 && t.rank() == 2 { sum_to(&g, &[1, g.dim(1), g.dim(2)])? } else { g };
            let g = if g.rank() == 3 && t.rank() == 3 && t.dim(0) == 1 { sum_to(&g, t.shape())? } else { g };
            Ok(Some(reshape(&g, t.shape())?))
        };
        let gu = match (s.needs[0], self.transpose_u) {
            (false, _) => None,
            (true, false) => fit(matmul(grad, v, false, !self.transpose_v)?, u)?,
            (true, true) => fit(matmul(v, grad, self.transpose_v, true)?, u)?,
        };
        let gv = match (s.needs[1], self.transpose_v) {
            (false, _) => None,
            (true, false) => fit(matmul(u, grad, !self.transpose_u, false)?, v)?,
            (true, true) => fit(matmul(grad, u, true, self.transpose_u)?, v)?,
        };
        Ok(vec![gu, gv])
    }
}

/// Matrix product of the last two dimensions, `[B, M, K] x [B, K, N] -> [B, M, N]`. Either operand may come without
/// the batch dimension and is then shared; `transpose_u` / `transpose_v` take the operand's transpose.
pub fn matmul(u: &Tensor, v: &Tensor, transpose_u: bool, transpose_v: bool) -> Result<Tensor> {
    let op = MatMul { transpose_u, transpose_v };
    op.shape(u.shape(), v.shape())?;
    apply(op, &[u, v])
}

/// Product of `u` and `v`, which lie transposed where `transposed` says so.
pub(crate) fn matmul_case(u: &[usize], v: &[usize], [tu, tv]: [bool; 2]) -> Case {
    let op = MatMul { transpose_u: tu, transpose_v: tv };
    let shape = op.shape(u, v).expect("shapes of a case");
    let ([_, rows, depth], [_, _, cols], n) = (dims(u, tu), dims(v, tv), numel(&shape));
    let cost = [2 * n * depth, 4 * (numel(u) + numel(v) + n)].map(|c| c as f64);
    Case::new(
        format!("{u:?}{} x {v:?}{}", mark(tu), mark(tv)),
        vec![Input::normal(u, 61), Input::normal(v, 62)],
        move |x| matmul(&x[0], &x[1], tu, tv),
        move |x| {
            // a matrix of the batch, its rows and columns as they are used; one shared by the batch is repeated
            let matrix = |a: &Array, b: usize, t: bool| -> Vec<f64> {
                let [of, r, c] = dims(&a.shape, t);
                let a = &a.data[b % of * r * c..][..r * c];
                if t { (0..r * c).map(|i| a[i % c * r + i / c]).collect() } else { a.to_vec() }
            };
            let mut y = Array::zeros(&shape);
            for (b, y) in y.data.chunks_mut(rows * cols).enumerate() {
                let (u, v) = (matrix(&x[0], b, tu), matrix(&x[1], b, tv));
                for (y, u) in y.chunks_mut(cols).zip(u.chunks(depth)) {
                    for (u, v) in u.iter().zip(v.chunks(cols)) {
                        y.iter_mut().zip(v).for_each(|(y, v)| *y += u * v);
                    }
                }
            }
            y
        },
    )
    .within(1e-5 + 2e-6 * (depth as f64).sqrt() + 2e-7 * depth as f64)
    .cost(cost[0], cost[1])
}

pub(super) fn cases() -> Vec<Case> {
    let shapes: [(&[usize], bool, &[usize], bool); 10] = [
        (&[3, 5], false, &[5, 4], false),
        (&[5, 3], true, &[5, 4], false),
        (&[3, 5], false, &[4, 5], true),
        (&[5, 3], true, &[4, 5], true),
        (&[2, 3, 5], false, &[2, 5, 4], false),
        (&[2, 5, 3], true, &[4, 5], true),
        (&[3, 5], false, &[2, 5, 1], false),
        (&[1, 1], false, &[1, 1], false),
        // more than a tile, one matrix to a batch and a batch to one matrix
        (&[9, 10], true, &[2, 9, 35], false),
        (&[2, 5, 9], false, &[70, 9], true),
    ];
    // Around the tiles and the loads of every version: rows, depth, columns.
    let sizes = [
        [1, 1, 63],
        [4, 3, 64],
        [7, 4, 65],
        [8, 5, 129],
        [9, 33, 96],
        [16, 17, 31],
        [17, 64, 191],
        [32, 65, 8],
        [33, 129, 257],
        [65, 7, 1],
    ];
    let values = sizes.map(|[m, k, n]| matmul_case(&[m, k], &[k, n], [false; 2]).oracle_only());
    let batches: [(&[usize], bool, &[usize], bool); 4] = [
        (&[9, 5, 17], false, &[17, 33], false),
        (&[17, 5], true, &[9, 17, 33], false),
        (&[9, 5, 17], false, &[9, 33, 17], true),
        (&[9, 4, 8], false, &[9, 8, 12], false),
    ];
    let batches = batches.map(|(u, tu, v, tv)| matmul_case(u, v, [tu, tv]).oracle_only());
    let small = shapes.into_iter().map(|(u, tu, v, tv)| matmul_case(u, v, [tu, tv]));
    small.chain(values).chain(batches).collect()
}
