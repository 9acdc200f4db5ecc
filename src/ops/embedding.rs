//! Rows of a table by their numbers, and what is collected for each row (`shaders/embedding`): each is the other's derivative.
//! A row's gradient is summed in the order of the positions that took it, without atomics: the same bits in every run.

use super::family::{Family, Kernel};
use super::index::require_index;
use super::{Array, check_types, first_floats, linear};
use crate::error::{Error, Result};
use crate::ops::case::{Case, Input};
use crate::tensor::{DType, Tensor, numel};

const SIZES: &[(&str, i64)] = &[("rows", 5), ("positions", 7), ("width", 3)];

const EMBEDDING: Kernel = Kernel {
    name: "embedding",
    formula: "y[n, d] = table[index[n], d]",
    operands: &[("table", "[rows, width]"), ("index", "[positions]"), ("y", "[positions, width]")],
    sizes: SIZES,
    ..Kernel::of("embedding")
};

const EMBEDDING_GRAD: Kernel = Kernel {
    name: "embedding_grad",
    formula: "dt[v, d] = sum of g[n, d] over the n with index[n] = v",
    operands: &[("g", "[positions, width]"), ("index", "[positions]"), ("dt", "[rows, width]")],
    sizes: SIZES,
    ..Kernel::of("embedding")
};

pub(super) const FAMILY: Family =
    Family { name: "embedding", kernels: &[&EMBEDDING, &EMBEDDING_GRAD], operations: &["embedding"] };

fn launch(table: &Tensor, index: &Tensor) -> Result<Tensor> {
    let (positions, width) = (index.numel(), table.dim(1));
    let mut shape = index.shape().to_vec();
    shape.push(width);
    let y = Tensor::empty(table.gpu(), &shape, DType::F32)?;
    EMBEDDING
        .at(table.gpu(), &[table.dim(0), positions, width])
        .ints(&[("rows", table.dim(0)), ("positions", positions), ("width", width)])
        .bind("table", table)
        .bind("index", index)
        .bind("y", &y)
        .cost(0.0, 4.0 * (2 * y.numel() + positions) as f64)
        .run()?;
    Ok(y)
}

fn launch_grad(g: &Tensor, index: &Tensor, rows: usize) -> Result<Tensor> {
    let (positions, width) = (index.numel(), g.numel() / index.numel());
    let dt = Tensor::empty(g.gpu(), &[rows, width], DType::F32)?;
    EMBEDDING_GRAD
        .at(g.gpu(), &[rows, positions, width])
        .ints(&[("rows", rows), ("positions", positions), ("width", width)])
        .bind("g", g)
        .bind("index", index)
        .bind("dt", &dt)
        .cost(g.numel() as f64, 4.0 * (g.numel() + positions + dt.numel()) as f64)
        .run()?;
    Ok(dt)
}

/// Row `index[...]` of `table` `[V, D]` for every number of the integer `index` `[...]` (at most three dimensions): `[..., D]`.
/// A row that is taken more than once collects the gradients of all its uses, always in the same order.
///
/// ```
/// use exgnet::prelude::*;
///
/// let gpu = Gpu::from_env()?;
/// let table = Tensor::from_f32(&gpu, &[3, 2], &[0., 1., 10., 11., 20., 21.])?.leaf();
/// let y = ops::embedding(&table, &Tensor::from_u32(&gpu, &[3], &[2, 0, 2])?)?;
/// assert_eq!(y.to_vec()?, [20., 21., 0., 1., 20., 21.]);
/// let gradient = grad(&y, &[&table], None, false)?.remove(0).expect("y depends on the table");
/// assert_eq!(gradient.to_vec()?, [1., 1., 0., 0., 2., 2.]);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] if the shapes do not fit, and for a row that the table does not have: at once, or, in a recording, when
/// it is replayed. Numbers that the host did not write are read back for that.
pub fn embedding(table: &Tensor, index: &Tensor) -> Result<Tensor> {
    check_types("embedding", &[table, index], first_floats)?;
    if table.rank() != 2 || index.rank() > 3 {
        return Err(Error::shape(
            "embedding",
            format!("table {:?}, index {:?}", table.shape(), index.shape()),
            "a table [V, D] and an integer index of at most 3 dimensions",
            "a row of the table is what stands for one number",
        ));
    }
    require_index("embedding", index, table.dim(0))?;
    linear("embedding", &[table, index], |x| launch(x[0], x[1]), |g, x| collect(g, &x[1], x[0].dim(0)))
}

/// The gradients `g` `[..., D]` at rows `index` `[...]` of a table of `rows` rows: `[rows, D]`.
fn collect(g: &Tensor, index: &Tensor, rows: usize) -> Result<Tensor> {
    linear("embedding_grad", &[g, index], move |x| launch_grad(x[0], x[1], rows), |g, x| embedding(g, &x[1]))
}

/// Numbers of rows: repeated ones, one of them often, and some that are never taken.
fn numbers(rows: usize, n: usize) -> Vec<u32> {
    (0..n).map(|i| if i % 4 == 3 { rows as u32 / 2 } else { (i * 7 + i / 5) as u32 % rows as u32 }).collect()
}

/// Rows of a table `[rows, width]` by an index of a shape.
pub(crate) fn embedding_case(rows: usize, width: usize, index: &[usize]) -> Case {
    let mut shape = index.to_vec();
    shape.push(width);
    Case::new(
        format!("[{rows}, {width}] by {index:?}"),
        vec![Input::normal(&[rows, width], 151), Input::index(index, numbers(rows, numel(index)))],
        |x| embedding(&x[0], &x[1]),
        move |x| {
            let row = |&v: &f64| x[0].data[v as usize * width..][..width].to_vec();
            Array::new(&shape, x[1].data.iter().flat_map(row).collect())
        },
    )
    .cost(0.0, 4.0 * (numel(index) * (2 * width + 1)) as f64)
}

/// The gradient of `rows` rows of `width`, collected from n positions.
pub(crate) fn embedding_grad_case(rows: usize, width: usize, positions: usize) -> Case {
    let inputs = vec![Input::normal(&[positions, width], 152), Input::index(&[positions], numbers(rows, positions))];
    Case::new(
        format!("embedding_grad [{rows}, {width}] at {positions} positions"),
        inputs,
        move |x| collect(&x[0], &x[1], rows),
        move |x| {
            let mut y = Array::zeros(&[rows, width]);
            for (g, &v) in x[0].data.chunks(width).zip(&x[1].data) {
                y.data[v as usize * width..][..width].iter_mut().zip(g).for_each(|(y, g)| *y += g);
            }
            y
        },
    )
    .within(1e-4)
    .cost((positions * width) as f64, 4.0 * (positions * (width + 1) + rows * width) as f64)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        embedding_case(5, 3, &[7]),
        embedding_case(4, 1, &[2, 3]),
        embedding_case(1, 6, &[4]),
        embedding_case(6, 2, &[2, 1, 5]),
        embedding_case(70, 33, &[9, 13]).along(),
        embedding_grad_case(5, 4, 11),
        embedding_grad_case(3, 2, 1),
        embedding_grad_case(19, 5, 700).along(),
        embedding_grad_case(300, 17, 65).along(),
    ]
}
