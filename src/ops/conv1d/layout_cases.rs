//! Oracles and cases of the layouts, each by its formula; in f16 they are checked by way of the convolutions.

use super::family::{GRADS, POINTS as POINTS_KERNEL, ROWS, WEIGHTS};
use super::fast::{PIECE, POINTS};
use crate::ops::case::{Case, Input};
use crate::ops::{Array, check_floats};
use crate::tensor::{DType, Tensor};

/// Points of the transform beside infinity.
const FINITE: [f64; POINTS - 1] = [0.0, 1.0, -1.0, 2.0, -2.0, 2.0 / 3.0, -2.0 / 3.0, 1.25, -1.25, 0.25];

/// Coefficients of the product of x - b over the points b other than each one, the highest last; for infinity of the
/// product over all.
fn points() -> [[f64; POINTS]; POINTS] {
    std::array::from_fn(|t| {
        let mut product = [0.0; POINTS];
        product[0] = 1.0;
        for (_, b) in FINITE.iter().enumerate().filter(|(i, _)| *i != t) {
            for at in (0..POINTS).rev() {
                product[at] = if at > 0 { product[at - 1] } else { 0.0 } - b * product[at];
            }
        }
        product
    })
}

/// Of a piece of taps, at point `t`: its value there over the product of the distances to the other points.
fn piece(taps: [f64; PIECE], t: usize) -> f64 {
    let Some(&a) = FINITE.get(t) else { return taps[PIECE - 1] };
    let value = taps.iter().rev().fold(0.0, |sum, tap| sum * a + tap);
    let others = FINITE.iter().enumerate().filter(|(i, _)| *i != t);
    value / others.map(|(_, b)| a - b).product::<f64>()
}

/// How a signal is laid out: records, channels, samples, phases, folds, every n-th of them; pitch and lead in vec4s.
type Layout = [usize; 8];

fn rows_case(layout: Layout) -> Case {
    let [batch, channels, len, phases, folds, every, pitch, lead] = layout;
    let (records, step) = (batch * folds, every * phases * folds);
    let quads = lead + records * pitch + 3;
    let shape = [channels * phases, 4 * quads];
    let ints = [
        ("records", records),
        ("channels", channels),
        ("len", len),
        ("step", step),
        ("every", every),
        ("phases", phases),
        ("folds", folds),
        ("quads", quads),
        ("pitch", pitch),
        ("lead", lead),
    ];
    Case::new(
        format!("rows of [{batch}, {channels}, {len}], phases {phases}, folds {folds}, every {every}"),
        vec![Input::normal(&[batch, channels, len], 161)],
        move |x| {
            check_floats("layouts", &[&x[0]])?;
            let y = Tensor::empty(x[0].gpu(), &shape, DType::F32)?;
            let call = ROWS.on(x[0].gpu(), "layouts.rows".into()).ints(&ints).flag("half", false);
            call.bind("x", &x[0]).bind("y", &y).run()?;
            Ok(y)
        },
        move |x| {
            Array::from_index(&shape, |at| {
                let Some(place) = at[1].checked_sub(4 * lead) else { return 0.0 };
                let (record, m) = (place / (4 * pitch), place % (4 * pitch));
                let i = step * m + (at[0] % phases + record % folds) * every;
                let inside = record < records && i < len;
                if inside { x[0].broadcast_at(&[record / folds, at[0] / phases, i]) } else { 0.0 }
            })
        },
    )
    .oracle_only()
}

fn points_case([rows, from_quads, quads, shift, first]: [usize; 5]) -> Case {
    let point = rows + 2 * first;
    Case::new(
        format!("points of [{rows}, {}] from {shift} in row {first}", 4 * from_quads),
        vec![Input::normal(&[rows, 4 * from_quads], 162)],
        move |x| {
            check_floats("layouts", &[&x[0]])?;
            let v = Tensor::zeros(x[0].gpu(), &[POINTS, point, 4 * quads])?;
            let call = POINTS_KERNEL.on(x[0].gpu(), "layouts.points".into()).flag("half", false);
            let call = call.ints(&[("rows", rows), ("from_quads", from_quads), ("quads", quads), ("shift", shift)]);
            let call = call.ints(&[("first", first), ("point", point)]);
            call.bind("src", &x[0]).bind("v", &v).run()?;
            Ok(v)
        },
        move |x| {
            let b = points();
            Array::from_index(&[POINTS, point, 4 * quads], |at| {
                let Some(u) = at[1].checked_sub(first).filter(|u| *u < rows) else { return 0.0 };
                // four places are one vec4 of the output: all of them or none, of whole vec4s
                if at[2] / 4 * PIECE + 9 > from_quads {
                    return 0.0;
                }
                (0..POINTS).map(|j| b[at[0]][j] * x[0].broadcast_at(&[u, PIECE * at[2] + shift + j])).sum()
            })
        },
    )
    .tolerance(2e-5, 1e-5)
    .oracle_only()
}

fn grads_case([rows, from_quads, quads, from, lead]: [usize; 5]) -> Case {
    Case::new(
        format!("grads of [{rows}, {}] from {from} behind {lead}", 4 * from_quads),
        vec![Input::normal(&[rows, 4 * from_quads], 164)],
        move |x| {
            check_floats("layouts", &[&x[0]])?;
            let h = Tensor::empty(x[0].gpu(), &[POINTS, rows, 4 * quads], DType::F32)?;
            let call = GRADS.on(x[0].gpu(), "layouts.grads".into()).flag("half", false);
            let call = call.ints(&[("rows", rows), ("from_quads", from_quads), ("quads", quads)]);
            call.ints(&[("start", from), ("lead", lead)]).bind("src", &x[0]).bind("h", &h).run()?;
            Ok(h)
        },
        move |x| {
            Array::from_index(&[POINTS, rows, 4 * quads], |at| {
                let tile = at[2].checked_sub(lead).map(|m| from + m).filter(|m| m / 4 * PIECE + PIECE <= from_quads);
                let Some(m) = tile else { return 0.0 };
                let value = |e: usize| x[0].broadcast_at(&[at[1], PIECE * m + e]);
                match FINITE.get(at[0]) {
                    Some(a) => (0..PIECE).map(|e| a.powi(e as i32) * value(e)).sum(),
                    None => value(PIECE - 1),
                }
            })
        },
    )
    .oracle_only()
}

/// A kernel's weights: channels out and in, taps, stride and phases, padding, taps (or pieces) of the window, place of its
/// first tap; channels and rows of a block.
type Laid = [usize; 9];

fn weights_case(laid: Laid, transposed: bool, fast: bool) -> Case {
    let [c_out, c_in, kernel, stride, pad, taps, lead, oc, du] = laid;
    let phased = c_in * stride;
    let (width, depth) = if transposed { (phased, c_out) } else { (c_out, phased) };
    let (blocks, trips) = (width.div_ceil(oc), depth.div_ceil(du));
    let row = (du * taps * oc).next_multiple_of(32);
    let (point, first, points) = (blocks * trips * row, -(lead as i64), if fast { POINTS } else { 1 });
    let base = 8;
    let n = base + points * point;
    let ints = [
        ("base", base),
        ("row", row),
        ("depth", depth),
        ("blocks", blocks),
        ("trips", trips),
        ("du", du),
        ("oc", oc),
        ("taps", taps),
        ("stride", stride),
        ("phases", stride),
        ("pad", pad),
        ("c_out", c_out),
        ("c_in", c_in),
        ("kernel", kernel),
        ("point", point),
        ("half", 0),
    ];
    let way = ["", ", transposed"][usize::from(transposed)];
    Case::new(
        format!(
            "weights {c_in}->{c_out} k{kernel} s{stride} in blocks of {oc} x {du}{way}{}",
            ["", ", fast"][usize::from(fast)]
        ),
        vec![Input::normal(&[c_out, c_in, kernel], 163)],
        move |x| {
            check_floats("layouts", &[&x[0]])?;
            let laid = Tensor::zeros(x[0].gpu(), &[n])?;
            let call = WEIGHTS.on(x[0].gpu(), "layouts.weights".into()).ints(&ints).int("first", first);
            let call = call.flag("transposed", transposed).flag("fast", fast);
            call.bind("w", &x[0]).bind("laid", &laid).run()?;
            Ok(laid)
        },
        move |x| {
            let tap = |v: usize, u: usize, j: usize| {
                let (o, p) = if transposed { (u, v) } else { (v, u) };
                let at = stride as i64 * (j as i64 + first);
                let k = pad as i64 + (p % stride) as i64 + if transposed { -at } else { at };
                let inside = u < depth && o < c_out && p < phased && (0..kernel as i64).contains(&k);
                if inside { x[0].broadcast_at(&[o, p / stride, k as usize]) } else { 0.0 }
            };
            let value = |i: usize| {
                let (t, group, f) = (i / point, i % point / row, i % row);
                let (v, u) = (group / trips * oc + f % oc, group % trips * du + f / oc / taps);
                let j = f / oc % taps;
                match (f < du * taps * oc, fast) {
                    (false, _) => 0.0,
                    (true, false) => tap(v, u, j),
                    (true, true) => piece(std::array::from_fn(|e| tap(v, u, PIECE * j + e)), t),
                }
            };
            Array::new(&[n], (0..n).map(|i| i.checked_sub(base).map_or(0.0, value)).collect())
        },
    )
    .oracle_only()
}

/// Cases of the family `layouts`.
pub(in crate::ops) fn layout_cases() -> Vec<Case> {
    let mut all: Vec<Case> = [
        // records, channels, len, phases, folds, every, pitch, lead
        [9, 3, 19, 1, 1, 1, 6, 1],
        [2, 2, 37, 2, 1, 1, 6, 2],
        [2, 2, 1030, 1, 1, 1, 260, 3],
        [3, 2, 41, 3, 1, 1, 5, 1],
        [2, 1, 40, 1, 4, 1, 4, 1],
        [2, 2, 50, 2, 1, 2, 5, 1],
        [2, 2, 50, 1, 3, 2, 4, 2],
    ]
    .map(rows_case)
    .into();
    all.extend((0..PIECE).map(|shift| points_case([3, 28, 6, shift, shift % 2])));
    // the last place has its input to the end
    all.push(points_case([2, 16, 6, 1, 0]));
    all.extend([[3, 28, 9, 4, 8], [2, 12, 4, 0, 4], [2, 22, 3, 8, 0]].map(grads_case));
    for transposed in [false, true] {
        for fast in [false, true] {
            all.push(weights_case([7, 3, 21, 1, 10, if fast { 4 } else { 21 }, 10, 4, 2], transposed, fast));
            all.push(weights_case([5, 2, 16, 2, 7, if fast { 2 } else { 9 }, 4, 5, 1], transposed, fast));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transforms are a convolution: A sum of (G w) (B x) gives the outputs of a tile.
    #[test]
    fn eleven_products_are_six_outputs() {
        let x = [0.3, -1.2, 0.7, 2.0, -0.4, 1.1, 0.9, -0.6, 0.2, 1.3, -0.8];
        let w = [0.5, -2.0, 1.5, 0.25, -0.75, 1.0];
        let b = points();
        let products: Vec<f64> =
            (0..POINTS).map(|t| piece(w, t) * b[t].iter().zip(&x).map(|(b, x)| b * x).sum::<f64>()).collect();
        for e in 0..PIECE {
            let powers = FINITE.map(|a| a.powi(e as i32));
            let infinity = if e == PIECE - 1 { products[POINTS - 1] } else { 0.0 };
            let y: f64 = powers.iter().zip(&products).map(|(a, p)| a * p).sum::<f64>() + infinity;
            let direct: f64 = (0..PIECE).map(|k| w[k] * x[e + k]).sum();
            assert!((y - direct).abs() < 1e-12, "{e}: {y} and {direct}");
        }
    }
}
