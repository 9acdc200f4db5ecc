//! Taking and putting one element along a dimension (`pick` and `place` of
//! `shaders/shaping`): each is the other's derivative.

use super::family::Kernel;
use super::{Array, check_types, first_floats, linear, reshape};
use crate::error::{Error, Result};
use crate::ops::case::{Case, Input};
use crate::tensor::{DType, Tensor};

pub(super) const PICK: Kernel = Kernel {
    name: "pick",
    formula: "y[o, m, i] = x[o, index[o, m, i], i]",
    operands: &[("x", "[outer, extent, inner]"), ("index", "[outer, picks, inner]"), ("y", "[outer, picks, inner]")],
    sizes: &[("outer", 2), ("extent", 5), ("picks", 1), ("inner", 3)],
    ..Kernel::of("shaping")
};

pub(super) const PLACE: Kernel = Kernel {
    name: "place",
    formula: "y[o, r, i] = x[o, i] if r = index[o, i] else 0",
    operands: &[("x", "[outer, inner]"), ("index", "[outer, inner]"), ("y", "[outer, extent, inner]")],
    sizes: &[("outer", 2), ("extent", 5), ("inner", 3)],
    ..Kernel::of("shaping")
};

/// Picks from x at the positions of an index, both seen as [`PICK`] says: outer, extent, picks and inner.
pub(super) fn launch_pick(x: &Tensor, index: &Tensor, dims: [usize; 4]) -> Result<Tensor> {
    let [outer, extent, picks, inner] = dims;
    let y = Tensor::empty(x.gpu(), index.shape(), DType::F32)?;
    PICK.at(x.gpu(), x.shape())
        .ints(&[("outer", outer), ("extent", extent), ("picks", picks), ("inner", inner)])
        .bind("x", x)
        .bind("index", index)
        .bind("y", &y)
        .cost(0.0, 12.0 * y.numel() as f64)
        .run()?;
    Ok(y)
}

/// `y[o, i] = x[o, index[o, i], i]` for `x` `[O, R, I]` and an integer `index` `[O, I]` below `R`;
/// for `x` `[B, K]` and `index` `[B]` the logit of each record's class.
///
/// # Errors
/// [`Error::Shape`] if the shapes do not fit, and for a position that `x` does not have: at once, or, in a recording, when
/// it is replayed. Positions that the host did not write are read back for that.
pub fn pick(x: &Tensor, index: &Tensor) -> Result<Tensor> {
    check_types("pick", &[x, index], first_floats)?;
    if !(2..=3).contains(&x.rank()) || index.numel() != x.dim(0) * x.dim(2) {
        return Err(Error::shape(
            "pick",
            format!("x {:?}, index {:?}", x.shape(), index.shape()),
            "x [O, R, I] (or [B, K]) and an integer index [O, I] (or [B])",
            "the index is made with Tensor::from_u32",
        ));
    }
    require_index("pick", index, x.dim(1))?;
    linear(
        "pick",
        &[x, index],
        |x| launch_pick(x[0], x[1], [x[0].dim(0), x[0].dim(1), 1, x[0].dim(2)]),
        |g, x| reshape(&place(g, &x[1], x[0].dim(1))?, x[0].shape()),
    )
}

/// Positions of `op` must be below `extent`.
pub(super) fn require_index(op: &'static str, index: &Tensor, extent: usize) -> Result<()> {
    index.gpu().require_below(index.storage(), extent, move |largest| {
        Error::shape(op, format!("position {largest}"), format!("0 to {}", extent - 1), "positions count from 0")
    })
}

fn launch_place(x: &Tensor, index: &Tensor, extent: usize) -> Result<Tensor> {
    let (outer, inner) = (x.dim(0), x.dim(1));
    let y = Tensor::empty(x.gpu(), &[outer, extent, inner], DType::F32)?;
    PLACE
        .at(x.gpu(), y.shape())
        .ints(&[("outer", outer), ("extent", extent), ("inner", inner)])
        .bind("x", x)
        .bind("index", index)
        .bind("y", &y)
        .cost(0.0, 4.0 * (2 * x.numel() + y.numel()) as f64)
        .run()?;
    Ok(y)
}

/// `y[o, r, i] = x[o, i]` where `r = index[o, i]`, else 0; `y` is `[O, extent, I]`.
///
/// # Errors
/// [`Error::Shape`] if `x` and `index` differ in size, and for a position past `extent`, as [`pick`].
pub fn place(x: &Tensor, index: &Tensor, extent: usize) -> Result<Tensor> {
    check_types("place", &[x, index], first_floats)?;
    if x.numel() != index.numel() || x.rank() > 2 {
        return Err(Error::shape(
            "place",
            format!("x {:?}, index {:?}", x.shape(), index.shape()),
            "x [O, I] and an integer index of the same size",
            "the index is made with Tensor::from_u32",
        ));
    }
    require_index("place", index, extent)?;
    linear(
        "place",
        &[x, index],
        move |x| launch_place(x[0], x[1], extent),
        |g, x| reshape(&pick(g, &x[1])?, x[0].shape()),
    )
}

fn pick_case(label: &str, shape: &[usize], seed: u64, index: Input) -> Case {
    Case::new(
        label,
        vec![Input::normal(shape, seed), index],
        |x| pick(&x[0], &x[1]),
        |x| {
            let (r, inner) = (x[0].dim(1), x[0].dim(2));
            let at = |j: usize| x[0].data[((j / inner) * r + x[1].data[j] as usize) * inner + j % inner];
            Array::new(&x[1].shape, (0..x[1].data.len()).map(at).collect())
        },
    )
}

fn place_case([outer, extent, inner]: [usize; 3], seed: u64, index: Input) -> Case {
    Case::new(
        format!("place [{outer}, {inner}] in [{outer}, {extent}, {inner}]"),
        vec![Input::normal(&[outer, inner], seed), index],
        move |x| place(&x[0], &x[1], extent),
        move |x| {
            Array::from_index(&[outer, extent, inner], |at| {
                let j = at[0] * inner + at[2];
                if x[1].data[j] as usize == at[1] { x[0].data[j] } else { 0.0 }
            })
        },
    )
}

pub(super) fn cases() -> Vec<Case> {
    let index = || Input::index(&[2, 4], vec![0, 2, 1, 2, 1, 0, 0, 2]);
    let labels = Input::index(&[5], vec![3, 0, 2, 2, 1]);
    // More than a group.
    let many = || Input::index(&[9, 13], (0..9 * 13).map(|i| (i * 7 + i / 5) % 11).collect());
    vec![
        pick_case("pick [9, 11, 13]", &[9, 11, 13], 54, many()).along(),
        place_case([9, 11, 13], 55, many()).along(),
        pick_case("pick [2, 3, 4]", &[2, 3, 4], 51, index()),
        pick_case("pick logits [5, 4]", &[5, 4], 52, labels),
        place_case([2, 3, 4], 53, index()),
    ]
}
