//! Taking and putting one element along a dimension (`pick` and `place` of
//! `shaders/shaping`): each is the other's derivative.

use super::family::Kernel;
use super::{Array, Forward, Op, Saved, apply, check_types};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::case::{Case, Input};
use crate::tensor::{DType, Tensor};

pub(super) const PICK: Kernel = Kernel {
    family: "shaping",
    name: "pick",
    formula: "y[o, m, i] = x[o, index[o, m, i], i]",
    operands: &[("x", "[outer, extent, inner]"), ("index", "[outer, picks, inner]"), ("y", "[outer, picks, inner]")],
    sizes: &[("outer", 2), ("extent", 5), ("picks", 1), ("inner", 3)],
    floats: &[],
    layouts: &[],
};

pub(super) const PLACE: Kernel = Kernel {
    family: "shaping",
    name: "place",
    formula: "y[o, r, i] = x[o, i] if r = index[o, i] else 0",
    operands: &[("x", "[outer, inner]"), ("index", "[outer, inner]"), ("y", "[outer, extent, inner]")],
    sizes: &[("outer", 2), ("extent", 5), ("inner", 3)],
    floats: &[],
    layouts: &[],
};

#[derive(Debug)]
struct Pick;

impl Op for Pick {
    fn name(&self) -> &'static str {
        "pick"
    }

    fn takes(&self, i: usize) -> Option<DType> {
        Some(if i == 1 { DType::U32 } else { DType::F32 })
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let (x, index) = (inputs[0], inputs[1]);
        let y = Tensor::empty(gpu, index.shape(), DType::F32)?;
        PICK.at(gpu, x.shape())
            .ints(&[("outer", x.dim(0)), ("extent", x.dim(1)), ("picks", 1), ("inner", x.dim(2))])
            .bind("x", x)
            .bind("index", index)
            .bind("y", &y)
            .cost(0.0, 12.0 * y.numel() as f64)
            .run()?;
        Ok(y.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let x = &s.inputs[0];
        let g = place(grad, &s.inputs[1], x.dim(1))?;
        Ok(vec![Some(super::reshape(&g, x.shape())?), None])
    }
}

/// `y[o, i] = x[o, index[o, i], i]` for `x` `[O, R, I]` and an integer `index` `[O, I]` below `R`;
/// for `x` `[B, K]` and `index` `[B]` the logit of each record's class.
///
/// # Errors
/// [`Error::Shape`] if the shapes do not fit, and for a position that `x` does not have: at once, or, in a recording, when
/// it is replayed. Positions that the host did not write are read back for that.
pub fn pick(x: &Tensor, index: &Tensor) -> Result<Tensor> {
    let op = Pick;
    check_types(op.name(), &[x, index], |i| op.takes(i))?;
    if !(2..=3).contains(&x.rank()) || index.numel() != x.dim(0) * x.dim(2) {
        return Err(Error::shape(
            "pick",
            format!("x {:?}, index {:?}", x.shape(), index.shape()),
            "x [O, R, I] (or [B, K]) and an integer index [O, I] (or [B])",
            "the index is made with Tensor::from_u32",
        ));
    }
    require_index(op.name(), index, x.dim(1))?;
    apply(op, &[x, index])
}

/// Positions of `op` must be below `extent`.
fn require_index(op: &'static str, index: &Tensor, extent: usize) -> Result<()> {
    index.gpu().require_below(index.storage(), extent, move |largest| {
        Error::shape(op, format!("position {largest}"), format!("0 to {}", extent - 1), "positions count from 0")
    })
}

#[derive(Debug)]
struct Place {
    extent: usize,
}

impl Op for Place {
    fn name(&self) -> &'static str {
        "place"
    }

    fn takes(&self, i: usize) -> Option<DType> {
        Some(if i == 1 { DType::U32 } else { DType::F32 })
    }

    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward> {
        let (x, index) = (inputs[0], inputs[1]);
        let (outer, inner) = (x.dim(0), x.dim(1));
        let y = Tensor::empty(gpu, &[outer, self.extent, inner], DType::F32)?;
        PLACE
            .at(gpu, y.shape())
            .ints(&[("outer", outer), ("extent", self.extent), ("inner", inner)])
            .bind("x", x)
            .bind("index", index)
            .bind("y", &y)
            .cost(0.0, 4.0 * (2 * x.numel() + y.numel()) as f64)
            .run()?;
        Ok(y.into())
    }

    fn backward(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let picked = pick(grad, &s.inputs[1])?;
        Ok(vec![Some(super::reshape(&picked, s.inputs[0].shape())?), None])
    }
}

/// `y[o, r, i] = x[o, i]` where `r = index[o, i]`, else 0; `y` is `[O, extent, I]`.
///
/// # Errors
/// [`Error::Shape`] if `x` and `index` differ in size, and for a position past `extent`, as [`pick`].
pub fn place(x: &Tensor, index: &Tensor, extent: usize) -> Result<Tensor> {
    let op = Place { extent };
    check_types(op.name(), &[x, index], |i| op.takes(i))?;
    if x.numel() != index.numel() || x.rank() > 2 {
        return Err(Error::shape(
            "place",
            format!("x {:?}, index {:?}", x.shape(), index.shape()),
            "x [O, I] and an integer index of the same size",
            "the index is made with Tensor::from_u32",
        ));
    }
    require_index(op.name(), index, extent)?;
    apply(op, &[x, index])
}

pub(super) fn cases() -> Vec<Case> {
    let index3 = Input::index(&[2, 4], vec![0, 2, 1, 2, 1, 0, 0, 2]);
    let labels = Input::index(&[5], vec![3, 0, 2, 2, 1]);
    let cpu_pick = |x: &[Array]| {
        let (r, inner) = (x[0].dim(1), x[0].dim(2));
        let at = |j: usize| x[0].data[((j / inner) * r + x[1].data[j] as usize) * inner + j % inner];
        Array::new(&x[1].shape, (0..x[1].data.len()).map(at).collect())
    };
    // More than a group.
    let many = |shape: &[usize], below: u32| {
        let n = shape.iter().product::<usize>() as u32;
        Input::index(shape, (0..n).map(|i| (i * 7 + i / 5) % below).collect())
    };
    vec![
        Case::new(
            "pick [9, 11, 13]",
            vec![Input::normal(&[9, 11, 13], 54), many(&[9, 13], 11)],
            |x| pick(&x[0], &x[1]),
            cpu_pick,
        )
        .along(),
        Case::new(
            "place [9, 13] in [9, 11, 13]",
            vec![Input::normal(&[9, 13], 55), many(&[9, 13], 11)],
            |x| place(&x[0], &x[1], 11),
            |x| {
                Array::from_index(&[9, 11, 13], |at| {
                    let j = at[0] * 13 + at[2];
                    if x[1].data[j] as usize == at[1] { x[0].data[j] } else { 0.0 }
                })
            },
        )
        .along(),
        Case::new(
            "pick [2, 3, 4]",
            vec![Input::normal(&[2, 3, 4], 51), index3.clone()],
            |x| pick(&x[0], &x[1]),
            cpu_pick,
        ),
        Case::new("pick logits [5, 4]", vec![Input::normal(&[5, 4], 52), labels], |x| pick(&x[0], &x[1]), cpu_pick),
        Case::new(
            "place [2, 4] in [2, 3, 4]",
            vec![Input::normal(&[2, 4], 53), index3],
            |x| place(&x[0], &x[1], 3),
            |x| {
                Array::from_index(&[2, 3, 4], |at| {
                    let j = at[0] * 4 + at[2];
                    if x[1].data[j] as usize == at[1] { x[0].data[j] } else { 0.0 }
                })
            },
        ),
    ]
}
