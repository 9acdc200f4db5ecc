//! Values before times: all outputs of the very shape that is timed, compared with the case's f64 oracle.

use crate::ops::Array;
use serde::Serialize;

/// The worst of the values that are off.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mismatch {
    /// Where it is in the output.
    pub index: Vec<usize>,
    /// What the kernel gave; `null` in JSON for one that is not finite.
    pub found: f32,
    /// What the oracle gives.
    pub expected: f64,
    /// What would still pass: the largest distance.
    pub tolerance: f64,
    /// Values that are off.
    pub count: usize,
    /// Values there are.
    pub of: usize,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { index, found, expected, tolerance, count, of } = self;
        write!(
            f,
            "at {index:?}: found {found}, expected {expected:.7} within {tolerance:.1e} ({count} of {of} values are off)"
        )
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
    let largest = expected.data.iter().fold(1e-30, |m: f64, v| m.max(v.abs()));
    let (mut error, mut worst, mut count) = (0.0_f64, (0.0_f64, None), 0);
    for (i, (&a, &b)) in found.iter().zip(&expected.data).enumerate() {
        let distance = (f64::from(a) - b).abs();
        // NaN is farther off than anything
        let distance = if distance.is_nan() { f64::INFINITY } else { distance };
        let ratio = distance / (atol + rtol * b.abs());
        error = error.max(distance / largest);
        if ratio > 1.0 {
            count += 1;
            if worst.1.is_none() || ratio > worst.0 {
                worst = (ratio, Some(i));
            }
        }
    }
    let of = expected.data.len();
    let at = |i: usize| {
        let mut rest = i;
        let mut index = expected.shape.clone();
        for at in index.iter_mut().rev() {
            (*at, rest) = (rest % *at, rest / *at);
        }
        let expected = expected.data[i];
        Mismatch { index, found: found[i], expected, tolerance: atol + rtol * expected.abs(), count, of }
    };
    if found.len() != of {
        let all =
            Mismatch { index: vec![found.len()], found: f32::NAN, expected: f64::NAN, tolerance: 0.0, count: of, of };
        return Gate { error: f64::INFINITY, wrong: Some(all) };
    }
    Gate { error, wrong: worst.1.map(at) }
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
        assert_eq!((wrong.index.as_slice(), wrong.count, wrong.of), (&[1, 2, 3][..], 2, 24));
        assert!(wrong.to_string().contains("at [1, 2, 3]: found 23.023, expected 23.0000000"), "{wrong}");
        found[5] = f32::NAN;
        assert_eq!(gate(&found, &expected, [1e-5, 1e-5]).wrong.expect("wrong").index, [0, 1, 1]);
        assert!(gate(&found[1..], &expected, [1.0, 1.0]).wrong.is_some(), "values are missing");
        assert_eq!(extreme(24), 1.0);
        assert!((1.4..1.5).contains(&extreme(1_280_000)));
    }
}
