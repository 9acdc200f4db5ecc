//! Oracles and cases of the layouts, each by its formula; in f16 they are checked by way of the convolutions.

use super::family::{GRADS, POINTS, ROWS, WEIGHTS};
use crate::ops::case::{Case, Input};
use crate::ops::{Array, check_floats};
use crate::tensor::{DType, Tensor};

/// Points of the transform beside infinity.
const FINITE: [f64; 6] = [0.0, 1.0, -1.0, 2.0, -2.0, 0.5];

/// Coefficients of the product of x - b over the points b other than each of 0, 1, -1, 2, -2, 1/2 and infinity, the highest
/// last; for infinity of the product over all.
fn points() -> [[f64; 7]; 7] {
    std::array::from_fn(|t| {
        let mut product = [0.0; 7];
        product[0] = 1.0;
        for (_, b) in FINITE.iter().enumerate().filter(|(i, _)| *i != t) {
            for at in (0..7).rev() {
                product[at] = if at > 0 { product[at - 1] } else { 0.0 } - b * product[at];
            }
        }
        product
    })
}

/// Of a piece of four taps, at point `t`: its value there over the product of the distances to the other points.
fn piece(taps: [f64; 4], t: usize) -> f64 {
    let Some(&a) = FINITE.get(t) else { return taps[3] };
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

fn points_case([rows, from_quads, quads, shift]: [usize; 4]) -> Case {
    Case::new(
        format!("points of [{rows}, {}] from {shift}", 4 * from_quads),
        vec![Input::normal(&[rows, 4 * from_quads], 162)],
        move |x| {
            check_floats("layouts", &[&x[0]])?;
            let v = Tensor::empty(x[0].gpu(), &[7, rows, 4 * quads], DType::F32)?;
            let call = POINTS.on(x[0].gpu(), "layouts.points".into()).flag("half", false);
            let call = call.ints(&[("rows", rows), ("from_quads", from_quads), ("quads", quads), ("shift", shift)]);
            call.bind("src", &x[0]).bind("v", &v).run()?;
            Ok(v)
        },
        move |x| {
            let b = points();
            Array::from_index(&[7, rows, 4 * quads], |at| {
                // four places are one vec4 of the output: all of them or none
                if at[2] / 4 * 4 + 5 >= from_quads {
                    return 0.0;
                }
                (0..7).map(|j| b[at[0]][j] * x[0].broadcast_at(&[at[1], 4 * at[2] + shift + j])).sum()
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
            let h = Tensor::empty(x[0].gpu(), &[7, rows, 4 * quads], DType::F32)?;
            let call = GRADS.on(x[0].gpu(), "layouts.grads".into()).flag("half", false);
            let call = call.ints(&[("rows", rows), ("from_quads", from_quads), ("quads", quads)]);
            call.ints(&[("start", from), ("lead", lead)]).bind("src", &x[0]).bind("h", &h).run()?;
            Ok(h)
        },
        move |x| {
            Array::from_index(&[7, rows, 4 * quads], |at| {
                let tile = at[2].checked_sub(lead).map(|m| from + m).filter(|m| *m < from_quads);
                let Some(m) = tile else { return 0.0 };
                let value = |e: usize| x[0].broadcast_at(&[at[1], 4 * m + e]);
                match FINITE.get(at[0]) {
                    Some(a) => (0..4).map(|e| a.powi(e as i32) * value(e)).sum(),
                    None => value(3),
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
    let (point, first, points) = (blocks * trips * row, -(lead as i64), if fast { 7 } else { 1 });
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
                    (true, true) => piece(std::array::from_fn(|e| tap(v, u, 4 * j + e)), t),
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
    all.extend((0..4).map(|shift| points_case([3, 23, 6, shift])));
    // the last place has its input to the end
    all.push(points_case([2, 22, 6, 1]));
    all.extend([[3, 23, 9, 1, 8], [2, 6, 4, 0, 4], [2, 22, 3, 3, 0]].map(grads_case));
    for transposed in [false, true] {
        for fast in [false, true] {
            all.push(weights_case([7, 3, 21, 1, 10, if fast { 6 } else { 21 }, 10, 4, 2], transposed, fast));
            all.push(weights_case([5, 2, 16, 2, 7, if fast { 3 } else { 9 }, 4, 5, 1], transposed, fast));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transforms are a convolution: A sum of (G w) (B x) gives four outputs of four taps.
    #[test]
    fn seven_products_are_four_outputs() {
        let (x, w) = ([0.3, -1.2, 0.7, 2.0, -0.4, 1.1, 0.9], [0.5, -2.0, 1.5, 0.25]);
        let b = points();
        let products: Vec<f64> =
            (0..7).map(|t| piece(w, t) * b[t].iter().zip(&x).map(|(b, x)| b * x).sum::<f64>()).collect();
        for e in 0..4 {
            let powers = FINITE.map(|a| a.powi(e as i32));
            let infinity = if e == 3 { products[6] } else { 0.0 };
            let y: f64 = powers.iter().zip(&products).map(|(a, p)| a * p).sum::<f64>() + infinity;
            let direct: f64 = (0..4).map(|k| w[k] * x[e + k]).sum();
            assert!((y - direct).abs() < 1e-12, "{e}: {y} and {direct}");
        }
    }
}
