//! Values before times: all outputs of the very shape that is timed, compared with the case's f64 oracle.

use super::check::{Comparison, Wrong};
use crate::ops::Array;
use serde::Serialize;

/// The worst of the values that are off, and how many are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mismatch {
    /// The worst one.
    #[serde(flatten)]
    pub worst: Wrong,
    /// The largest distance that would still pass there.
    pub tolerance: f64,
    /// Values that are off.
    pub count: usize,
    /// Values there are.
    pub values: usize,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { worst, tolerance, count, values } = self;
        write!(f, "{worst} within {tolerance:.1e} ({count} of {values} values are off)")
    }
}

/// What was found out about values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gate {
    /// Largest distance, relative to the largest value of the oracle.
    pub(super) error: f64,
    /// `None` where all are within the tolerance.
    pub(super) wrong: Option<Mismatch>,
}

/// How much larger the largest of `n` rounding errors is than that of a thousand, which the tolerances of cases are made for:
/// that of normal ones grows as the square root of 2 ln n.
fn extreme(n: usize) -> f64 {
    ((n as f64).ln() / 1000_f64.ln()).max(1.0).sqrt()
}

/// Compares values with those of the oracle: each may be off by `atol + rtol |expected|`, and by a little more where there are
/// very many.
pub(super) fn gate(found: &[f32], expected: &Array, tolerance: [f64; 2]) -> Gate {
    let [atol, rtol] = tolerance.map(|t| t * extreme(expected.data.len()));
    let mut comparison = Comparison::default();
    comparison.add(|| "the value".to_owned(), &expected.shape, found, &expected.data, [atol, rtol]);
    let largest = expected.data.iter().fold(1e-30, |m: f64, v| m.max(v.abs()));
    let error = comparison.worst.error / largest;
    let off = |(&a, b): (&f32, &f64)| {
        let error = (f64::from(a) - b).abs();
        error.is_nan() || error > atol + rtol * b.abs()
    };
    let wrong = comparison.wrong.map(|worst| Mismatch {
        tolerance: atol + rtol * worst.expected.abs(),
        count: found.iter().zip(&expected.data).filter(|&pair| off(pair)).count(),
        values: expected.data.len(),
        worst,
    });
    Gate { error, wrong }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_that_is_off_is_found_where_it_is() {
        let expected = Array::new(&[2, 3, 4], (0..24).map(f64::from).collect());
        let mut found: Vec<f32> = (0..24).map(|v| v as f32).collect();
        assert_eq!(gate(&found, &expected, [1e-5, 1e-5]), Gate { error: 0.0, wrong: None });
        found[23] *= 1.001;
        found[2] += 1e-3;
        let wrong = gate(&found, &expected, [1e-5, 1e-5]).wrong.expect("wrong");
        assert_eq!((wrong.worst.index.as_slice(), wrong.count, wrong.values), (&[1, 2, 3][..], 2, 24));
        assert!(wrong.to_string().contains("at [1, 2, 3]: found 23.023, expected 23.0000000 within"), "{wrong}");
        found[5] = f32::NAN;
        assert_eq!(gate(&found, &expected, [1e-5, 1e-5]).wrong.expect("wrong").worst.index, [0, 1, 1]);
        assert!(gate(&found[1..], &expected, [1.0, 1.0]).wrong.is_some(), "values are missing");
        assert_eq!(extreme(24), 1.0);
        assert!((1.4..1.5).contains(&extreme(1_280_000)));
    }
}
