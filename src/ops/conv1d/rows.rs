//! What the versions in tiles read: signals in padded rows (`shaders/layouts`), and the windows that kernels cut out
//! of them.
//!
//! A convolution with stride S and dilation D becomes one of stride 1 and dilation 1. With `d = gcd(S, D)` only every
//! d-th sample counts (where the padding is a multiple of d). After that either the dilation is 1, and the S phases of
//! the input are channels of their own; or the stride is 1, and the D phases of input and output are records of their own
//! (folds). In both cases a row holds `x[d (step m + r)]` at place m, and a tap `k` reads place `n + j` with
//! - forward: `k = S (j - lead) + r + pad`, from x's rows to the output,
//! - input gradient: `k = pad + r - S (j - lead)`, from the gradient's rows to phase `r` of the input,
//!
//! where `S` and `pad` are those that are left.

use super::family::ROWS;
use super::{ConvSpec, Sizes, gcd};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::tensor::{DType, Tensor};

/// Most positions that a weight's gradient takes at once: rows are padded for it.
pub(super) const MOST_POSITIONS: usize = 32;
/// Most values that one load takes: a row is whole loads.
pub(super) const WIDEST: usize = 8;
/// Zeros before a row's first record are a multiple of this: of loads, and of four tiles of a fast convolution.
const LEAD: usize = 3 * WIDEST;
const _: () = assert!(LEAD.is_multiple_of(4 * super::fast::PIECE));
/// Longest kernel that is unrolled into a tile.
pub(super) const LONGEST: usize = 64;

/// One branch as a convolution of stride 1 over rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reduced {
    /// Only every n-th sample of the input counts.
    pub(super) every: usize,
    /// What is left of the stride: phases of the input.
    pub(super) stride: usize,
    /// What is left of the dilation: folds of input and output.
    pub(super) folds: usize,
    /// What is left of the padding before the input.
    pub(super) pad: usize,
}

impl Reduced {
    /// Branch `j`, of a kernel of `kernel` taps; `None` where stride and dilation do not go together, or the padding with
    /// them.
    pub(super) fn new(spec: &ConvSpec, j: usize, kernel: usize) -> Option<Self> {
        let b = &spec.branches[j];
        // a single tap that meets every S-th sample is dilated as one likes: of the input's phases it needs no other
        let dilation = if kernel == 1 && b.pad_left == 0 { spec.stride } else { b.dilation };
        let every = gcd(spec.stride, dilation);
        let (stride, folds) = (spec.stride / every, dilation / every);
        let fits = (stride == 1 || folds == 1) && b.pad_left.is_multiple_of(every * folds);
        fits.then_some(Self { every, stride, folds, pad: b.pad_left / (every * folds) })
    }

    /// Branches that can read the same rows and be summed in one kernel.
    pub(super) fn same_rows(&self, other: &Self) -> bool {
        (self.every, self.stride, self.folds) == (other.every, other.stride, other.folds)
    }

    /// Places of a row before a position and behind it that the taps of a kernel take.
    fn places(&self, kernel: usize, transposed: bool) -> (isize, isize) {
        let (s, pad) = (self.stride as isize, self.pad as isize);
        let place = |k: isize| {
            // forward: the phase of tap k is (k - pad) mod S; input gradient: every phase r = (k - pad) mod S
            let r = (k - pad).rem_euclid(s);
            if transposed { (pad + r - k) / s } else { (k - pad - r) / s }
        };
        let places = (0..kernel as isize).map(place);
        (places.clone().min().unwrap_or(0), places.max().unwrap_or(0))
    }

    /// The window of a kernel in rows with `lead` zeros before them.
    pub(super) fn window(&self, kernel: usize, lead: usize, transposed: bool) -> Window {
        let (first, last) = self.places(kernel, transposed);
        Window { first: (first + lead as isize) as usize, taps: (last - first + 1) as usize }
    }
}

/// First place and number of the taps of one branch's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) first: usize,
    pub(super) taps: usize,
}

/// How records lie in rows: zeros before the first, a multiple of [`LEAD`], and places from one to the next, a multiple of 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) lead: usize,
    pub(super) pitch: usize,
}

impl Geometry {
    /// Room for the windows of some branches, in both directions: the gradients read the rows of the forward pass.
    pub(super) fn new<'a>(branches: impl Iterator<Item = (&'a Reduced, &'a Sizes)>) -> Self {
        let (mut reach, mut samples) = (0, 0);
        for (r, s) in branches {
            for transposed in [false, true] {
                let (first, last) = r.places(s.kernel, transposed);
                reach = reach.max(last.max(-first).max(0) as usize);
            }
            let fold = s.out_len.div_ceil(r.folds);
            samples = samples.max(fold).max(s.len.div_ceil(r.every).div_ceil(r.stride * r.folds));
        }
        Self { lead: reach.next_multiple_of(LEAD), pitch: (samples + reach).next_multiple_of(4) }
    }

    /// Zeros behind the last record of a row: those that windows at a record's end and the sums of a weight's gradient meet.
    /// Sums over a tile of positions go on from there into the next row, and beyond the last; nobody stores those.
    fn tail(&self) -> usize {
        self.lead + MOST_POSITIONS + 2 * WIDEST
    }

    /// Values of a row with so many records.
    pub(super) fn row(&self, records: usize) -> usize {
        (self.lead + records * self.pitch + self.tail()).next_multiple_of(WIDEST)
    }

    fn holds(&self, other: &Self) -> bool {
        self.lead >= other.lead && self.pitch >= other.pitch
    }
}

/// Which signal of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Input,
    Output,
}

/// A signal in padded rows.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) data: Tensor,
    pub(super) geometry: Geometry,
    /// Vec4s of a row; from one row to the next that counts.
    pub(super) quads: usize,
    /// Rows that count, and phases of a channel among them.
    pub(super) rows: usize,
    pub(super) phases: usize,
    /// Records with their folds.
    pub(super) records: usize,
    /// Whether it is kept in f16.
    pub(super) half: bool,
    layout: (usize, usize, usize),
}

impl Rows {
    /// Lays `x` `[B, C, L]` out: a convolution's input in the phases of its stride, its output in one.
    pub(super) fn pack(
        gpu: &Gpu,
        (x, half): (&Tensor, bool),
        r: &Reduced,
        side: Side,
        geometry: Geometry,
    ) -> Result<Self> {
        let [b, c, len] = [x.dim(0), x.dim(1), x.dim(2)];
        let (every, step, phases) = match side {
            Side::Input => (r.every, r.stride * r.folds, r.stride),
            Side::Output => (1, r.folds, 1),
        };
        let records = b * r.folds;
        let quads = geometry.row(records) / 4;
        let data = match half {
            true => Tensor::empty(gpu, &[c * phases, 2 * quads], DType::U32)?,
            false => Tensor::empty(gpu, &[c * phases, 4 * quads], DType::F32)?,
        };
        ROWS.on(gpu, format!("layouts.rows {b} x {c} x {len} s{step}"))
            .ints(&[("records", records), ("channels", c), ("len", len), ("step", every * step), ("every", every)])
            .ints(&[("phases", phases), ("folds", r.folds), ("quads", quads), ("pitch", geometry.pitch / 4)])
            .ints(&[("lead", geometry.lead / 4)])
            .flag("half", half)
            .bind("x", x)
            .bind("y", &data)
            .cost(0.0, (4 * x.numel() + data.numel() * 4) as f64)
            .run()?;
        Ok(Self { data, geometry, quads, rows: c * phases, phases, records, half, layout: (every, step, r.folds) })
    }

    /// These rows for the input side of a branch that wants this much room; `None` if they do not serve.
    pub(super) fn serve(&self, r: &Reduced, geometry: &Geometry, half: bool) -> Option<Self> {
        if self.half != half || !self.geometry.holds(geometry) {
            return None;
        }
        let ((every, step, folds), wanted) = (self.layout, (r.every, r.stride * r.folds, r.folds));
        if self.layout == wanted {
            return (self.phases == r.stride).then(|| self.clone());
        }
        // the first phase of every channel holds every (every step)-th sample
        let first = folds == 1 && self.phases == step && wanted == (every * step, 1, 1);
        first.then(|| Self {
            quads: self.quads * step,
            rows: self.rows / step,
            phases: 1,
            layout: wanted,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Branch;

    #[test]
    fn windows_hold_every_tap_once() {
        for transposed in [false, true] {
            for (kernel, stride, pad) in
                [(1_usize, 1_usize, 0), (5, 1, 2), (21, 2, 10), (16, 2, 7), (7, 3, 0), (4, 4, 3), (1, 2, 0)]
            {
                let r = Reduced { every: 1, stride, folds: 1, pad };
                let lead = pad.max(kernel - 1 - pad).div_ceil(stride).next_multiple_of(4);
                let w = r.window(kernel, lead, transposed);
                let mut seen = vec![0; kernel];
                for j in w.first..w.first + w.taps {
                    for r in 0..stride as isize {
                        let at = stride as isize * (j as isize - lead as isize);
                        let k = pad as isize + r + if transposed { -at } else { at };
                        if (0..kernel as isize).contains(&k) {
                            seen[k as usize] += 1;
                        }
                    }
                }
                assert_eq!(seen, vec![1; kernel], "{kernel} {stride} {pad} {transposed}");
            }
        }
    }

    #[test]
    fn strides_and_dilations_reduce() {
        let of = |stride, kernel, dilation| {
            Reduced::new(&ConvSpec::single(stride, 1, Branch::same(kernel, dilation)), 0, kernel)
                .map(|r| (r.every, r.stride, r.folds, r.pad))
        };
        assert_eq!(of(1, 21, 1), Some((1, 1, 1, 10)));
        assert_eq!(of(2, 21, 1), Some((1, 2, 1, 10)));
        assert_eq!(of(1, 5, 4), Some((1, 1, 4, 2)));
        assert_eq!(of(2, 5, 4), Some((2, 1, 2, 2)));
        assert_eq!(of(4, 5, 2), Some((2, 2, 1, 2)));
        assert_eq!(of(2, 1, 1), Some((2, 1, 1, 0)), "a single tap");
        assert_eq!(of(2, 5, 3), None, "neither is left");
        assert_eq!(of(1, 4, 2), None, "padding of 3 and dilation 2");
    }
}
