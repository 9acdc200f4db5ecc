//! Cases of the functions in the tables: all at small sizes, and at lengths around those of the kernels.

use super::table::{BINARY, UNARY};
use super::{binary, broadcast_shape, maximum, minimum, pow, pow_scalar, unary, where_cond};
use crate::ops::Array;
use crate::ops::case::{Case, Input};
use crate::tensor::numel;

/// A function of one tensor, by its name in the table.
pub(crate) fn unary_case(name: &'static str, shape: &[usize]) -> Case {
    let row = UNARY.iter().find(|r| r.name == name).expect("a row of the table");
    let (s, cpu, n) = (row.scalars, row.cpu, numel(shape) as f64);
    let wide = s.map(f64::from);
    Case::new(
        format!("{name} {shape:?}"),
        vec![(row.input)(shape)],
        move |x| unary(name, &x[0], s),
        move |x| x[0].map(|v| cpu(v, wide)),
    )
    .cost(n, 8.0 * n)
}

/// A function of two tensors, by its name in the table.
pub(crate) fn binary_case(name: &'static str, a: &[usize], b: &[usize]) -> Case {
    let i = BINARY.iter().position(|r| r.name == name).expect("a row of the table");
    let (s, cpu) = (BINARY[i].scalars, BINARY[i].cpu);
    let wide = s.map(f64::from);
    let shape = broadcast_shape(name, a, b).expect("shapes of a case");
    let n = numel(&shape);
    Case::new(
        format!("{name} {a:?} {b:?}"),
        (BINARY[i].inputs)(a, b).into(),
        move |x| binary(i, &x[0], &x[1], s),
        move |x| Array::from_index(&shape, |at| cpu(x[0].broadcast_at(at), x[1].broadcast_at(at), wide)),
    )
    .cost(n as f64, 4.0 * (numel(a) + numel(b) + n) as f64)
}

pub(in crate::ops) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for row in UNARY {
        cases.extend([&[37][..], &[2, 3, 5]].map(|shape| unary_case(row.name, shape)));
    }
    cases.extend(BINARY.iter().map(|row| binary_case(row.name, &[3, 7], &[3, 7])));
    // Every function on more than a group, and lengths around a vec4, a group and what one does at most.
    cases.extend(UNARY.iter().map(|row| unary_case(row.name, &[9, 7, 33]).oracle_only()));
    cases.extend(BINARY.iter().map(|row| binary_case(row.name, &[9, 7, 33], &[9, 7, 33]).oracle_only()));
    cases.extend(special_cases());
    for n in [1, 3, 4, 5, 31, 32, 33, 255, 256, 257, 2049, 8191, 70_003] {
        cases.push(unary_case("scale", &[n]).oracle_only());
        cases.push(binary_case("sub", &[n], &[n]).oracle_only());
    }
    cases
}

pub(in crate::ops) fn broadcast_cases() -> Vec<Case> {
    let shapes: [(&[usize], &[usize]); 6] = [
        (&[2, 3, 5], &[1, 3, 1]),
        (&[2, 3, 5], &[5]),
        (&[3, 1], &[1, 7]),
        (&[1], &[2, 9]),
        (&[2, 1, 3, 2], &[4, 1, 2]),
        (&[6, 1], &[6, 1]),
    ];
    let mut cases: Vec<Case> =
        shapes.into_iter().flat_map(|(a, b)| BINARY.iter().map(move |row| binary_case(row.name, a, b))).collect();
    let large: [(&[usize], &[usize]); 6] = [
        (&[9, 7, 33], &[7, 1]),
        (&[9, 7, 33], &[33]),
        (&[9, 1, 1], &[7, 33]),
        (&[9, 5, 3, 17], &[9, 1, 3, 1]),
        (&[1, 1], &[70, 131]),
        (&[65, 1], &[1, 260]),
    ];
    cases.extend(large.map(|(a, b)| binary_case("sub", a, b).along()));
    cases
}

/// Values far from 0, equal values, powers of numbers below 0 and at 0.
fn special_cases() -> Vec<Case> {
    let far = [-1e30, -300.0, -41.0, -9.5, -5.25, -3.0, -1.0, -0.0, 0.0, 1e-20, 1.0, 3.0, 5.25, 9.5, 41.0, 300.0, 1e30];
    let mut cases: Vec<Case> = Vec::new();
    for name in ["gelu", "gelu_slope", "gelu_tanh", "gelu_tanh_slope", "silu"] {
        let cpu = UNARY.iter().find(|row| row.name == name).expect("a row of the table").cpu;
        let case = Case::new(
            format!("{name} far from 0"),
            vec![Input::fixed(&[far.len()], far.to_vec())],
            move |x| unary(name, &x[0], [0.0; 2]),
            move |x| x[0].map(|v| cpu(v, [0.0; 2])),
        );
        cases.push(case.oracle_only());
    }
    // -1, 0 and 1 beside each of them
    let [u, v] = [1, 3].map(|step| (0..35).map(|i| (i / step % 3) as f32 - 1.0).collect::<Vec<_>>());
    for (i, row) in BINARY.iter().enumerate().filter(|(_, row)| row.name != "div" && row.name != "pow") {
        let (cpu, s) = (row.cpu, row.scalars);
        let inputs = vec![Input::fixed(&[5, 7], u.clone()), Input::fixed(&[5, 7], v.clone())];
        let case = Case::new(format!("{} of equal values", row.name), inputs, move |x| binary(i, &x[0], &x[1], s), {
            let wide = s.map(f64::from);
            // Rust's signum is never 0
            let signed = row.name == "sign";
            move |x| {
                let f = |(&a, &b): (&f64, &f64)| if signed && b == 0.0 { 0.0 } else { cpu(a, b, wide) };
                Array::new(&x[0].shape, x[0].data.iter().zip(&x[1].data).map(f).collect())
            }
        });
        cases.push(case.oracle_only());
    }
    for exponent in [-3.0, -1.0, 0.0, 1.0, 2.0, 3.0, 16.0, 19.0, 0.5, -0.5] {
        let whole = exponent == f32::trunc(exponent);
        let base = Input::positive(&[3, 7], 23).map(|v| if whole && v < 1.0 { -v } else { v });
        let case = Case::new(
            format!("pow by {exponent}"),
            vec![base],
            move |x| pow_scalar(&x[0], exponent),
            move |x| x[0].map(|v| v.powf(f64::from(exponent))),
        );
        cases.push(if exponent > 3.0 { case.tolerance(1e-4, 1e-4).oracle_only() } else { case });
    }
    // 0 to a power, and powers of numbers below 0
    let bases = Input::fixed(&[8], vec![0.0, 0.0, -2.0, -2.0, -2.0, -0.5, 3.0, 1.0]);
    let exponents = Input::fixed(&[8], vec![0.0, 1.5, 3.0, -2.0, 0.0, 5.0, 0.0, -7.5]);
    let case = Case::new(
        "pow of 0 and below",
        vec![bases, exponents],
        |x| pow(&x[0], &x[1]),
        |x| Array::new(&[8], x[0].data.iter().zip(&x[1].data).map(|(a, b)| a.powf(*b)).collect()),
    );
    cases.push(case.oracle_only());
    cases
}

/// `where` and what is made of it.
pub(in crate::ops) fn where_cases() -> Vec<Case> {
    let case = |c: &[usize], a: &[usize], b: &[usize]| {
        let both = broadcast_shape("where_cond", a, b).expect("shapes of a case");
        let shape = broadcast_shape("where_cond", c, &both).expect("shapes of a case");
        let condition = (0..numel(c)).map(|i| [0.0, 1.0, 0.0, -3.0, 0.5][(i + i / 5) % 5]).collect();
        Case::new(
            format!("where_cond {c:?} {a:?} {b:?}"),
            vec![Input::fixed(c, condition), Input::normal(a, 24), Input::normal(b, 25)],
            |x| where_cond(&x[0], &x[1], &x[2]),
            move |x| {
                let at = |at: &[usize]| x[if x[0].broadcast_at(at) != 0.0 { 1 } else { 2 }].broadcast_at(at);
                Array::from_index(&shape, at)
            },
        )
    };
    // a function in two pieces, with a step where no value is near
    let pieces = Case::new(
        "where_cond, maximum and minimum of [37]",
        vec![Input::spaced(&[37], 26), Input::spaced(&[37], 27).map(|v| v + 0.02)],
        |x| where_cond(&maximum(&x[0], &x[1])?.gt(0.01)?, &x[0].mul(&x[1])?, &minimum(&x[0], &x[1])?),
        |x| {
            let f = |(&a, &b): (&f64, &f64)| if a.max(b) > 0.01 { a * b } else { a.min(b) };
            Array::new(&[37], x[0].data.iter().zip(&x[1].data).map(f).collect())
        },
    );
    vec![
        case(&[3, 7], &[3, 7], &[3, 7]),
        case(&[3, 1], &[1, 7], &[1]),
        case(&[5], &[2, 3, 5], &[2, 1, 1]),
        case(&[9, 7, 33], &[9, 1, 33], &[33]).along(),
        pieces,
    ]
}
