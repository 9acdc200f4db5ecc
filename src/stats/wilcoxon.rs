//! The signed-rank test for paired values (Wilcoxon 1945).

use std::f64::consts::{PI, SQRT_2};

/// Up to this number of differences the p-value is exact. The counts of 2^50 sign patterns are exact in 64 bits.
const EXACT: usize = 50;

/// What the test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wilcoxon {
    /// The smaller of the rank sums of positive and of negative differences.
    pub statistic: f64,
    /// Two-sided p-value, 0 to 1.
    pub p_value: f64,
    /// Differences that count: those other than zero.
    pub n: usize,
    /// Matched-pairs rank-biserial correlation (Kerby 2014), -1 to 1: rank sum of the positive differences minus that
    /// of the negative ones, over the sum of both. 0 where all differences are zero.
    pub effect_size: f64,
    /// Whether the p-value is exact, and not that of the normal approximation.
    pub exact: bool,
}

/// Two-sided test that differences are symmetric about zero.
///
/// Zeros are dropped (Wilcoxon's way, `zero_method="wilcox"` in SciPy). Equal absolute values share their mean rank;
/// values that differ by rounding alone are not equal. Without a difference other than zero, p is 1 and the effect 0.
/// Where a difference is NaN, everything but `n` is NaN.
///
/// - up to 50 differences: the exact distribution of the rank sum over all 2^n patterns of signs of the ranks found,
///   mean ranks included. That is SciPy's `wilcoxon(method="auto")` without ties and zeros, and with them for up
///   to 13 differences, zeros counted. Beyond those SciPy takes the normal approximation where there are ties or
///   zeros; we stay exact.
/// - more: the normal approximation, its variance corrected for ties, and with continuity correction, SciPy's
///   `wilcoxon(method="asymptotic", correction=True)`.
pub fn wilcoxon_signed_rank(differences: &[f64]) -> Wilcoxon {
    let mut nonzero: Vec<f64> = differences.iter().copied().filter(|&d| d != 0.0).collect();
    let n = nonzero.len();
    let exact = n <= EXACT;
    if nonzero.iter().any(|d| d.is_nan()) {
        return Wilcoxon { statistic: f64::NAN, p_value: f64::NAN, n, effect_size: f64::NAN, exact };
    }
    if n == 0 {
        return Wilcoxon { statistic: 0.0, p_value: 1.0, n, effect_size: 0.0, exact };
    }
    nonzero.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let mut doubled = Vec::with_capacity(n);
    let (mut plus, mut ties) = (0, 0.0);
    for tied in nonzero.chunk_by(|a, b| a.abs() == b.abs()) {
        // twice the mean of ranks before + 1 ..= before + t: always whole
        let rank = 2 * doubled.len() + tied.len() + 1;
        plus += rank * tied.iter().filter(|d| **d > 0.0).count();
        doubled.resize(doubled.len() + tied.len(), rank);
        let t = tied.len() as f64;
        ties += t * t * t - t;
    }
    let total = n * (n + 1);
    let smaller = plus.min(total - plus);
    let p_value = if exact { exact_p(&doubled, smaller) } else { normal_p(smaller, n, ties) };
    let effect_size = (2.0 * plus as f64 - total as f64) / total as f64;
    Wilcoxon { statistic: smaller as f64 / 2.0, p_value, n, effect_size, exact }
}

/// Twice the share of sign patterns whose (doubled) rank sum is at most `smaller`, at most 1.
fn exact_p(doubled: &[usize], smaller: usize) -> f64 {
    // patterns[s]: in how many ways the ranks so far add up to s; larger sums do not matter
    let mut patterns = vec![0_u64; smaller + 1];
    patterns[0] = 1;
    for &rank in doubled {
        for s in (rank..=smaller).rev() {
            patterns[s] += patterns[s - rank];
        }
    }
    let below: u64 = patterns.iter().sum();
    (2.0 * below as f64 / (doubled.len() as f64).exp2()).min(1.0)
}

/// Two-sided p of the normal approximation, the statistic half a rank nearer to its mean; `smaller` is a doubled rank sum,
/// `ties` the sum of t^3 - t.
fn normal_p(smaller: usize, n: usize, ties: f64) -> f64 {
    let n = n as f64;
    let mean = n * (n + 1.0) / 4.0;
    let sd = ((n * (n + 1.0) * (2.0 * n + 1.0) - ties / 2.0) / 24.0).sqrt();
    let distance = mean - smaller as f64 / 2.0;
    let correction = if distance > 0.0 { 0.5 } else { 0.0 };
    erfc((distance - correction) / sd / SQRT_2).min(1.0)
}

/// Complementary error function for `x >= 0`, to about 1e-14 of its value (Abramowitz and Stegun 7.1.6 and 7.1.14).
fn erfc(x: f64) -> f64 {
    let gauss = (-x * x).exp() / PI.sqrt();
    if x < 1.5 {
        // erf = 2 gauss sum of 2^k x^(2k+1) / (1 3 .. (2k+1)): positive terms, nothing cancels
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while term > 1e-17 * sum {
            odd += 2.0;
            term *= 2.0 * x * x / odd;
            sum += term;
        }
        return 1.0 - 2.0 * gauss * sum;
    }
    // gauss / (x + (1/2) / (x + 1 / (x + (3/2) / (x + ..)))), from the inside; 120 terms are plenty from 1.5 on
    gauss / (1..=120).rev().fold(x, |inner, k| x + k as f64 / 2.0 / inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erfc_equals_tables() {
        // scipy.special.erfc
        let golden = [
            (0.0, 1.0),
            (0.1, 0.8875370839817152),
            (1.0, 0.15729920705028513),
            (1.4999, 0.033906748337704726),
            (1.5, 0.033894853524689274),
            (2.0, 0.004677734981047266),
            (5.0, 1.5374597944280351e-12),
            (20.0, 5.395865611607901e-176),
        ];
        for (x, expected) in golden {
            let found = erfc(x);
            assert!((found - expected).abs() <= 3e-14 * expected, "{x}: {found:e}, expected {expected:e}");
        }
        assert_eq!(erfc(1e3), 0.0);
    }

    #[test]
    fn no_differences_and_no_numbers() {
        for nothing in [&[][..], &[0.0, -0.0]] {
            let w = wilcoxon_signed_rank(nothing);
            assert_eq!((w.p_value, w.n, w.effect_size, w.statistic), (1.0, 0, 0.0, 0.0));
        }
        let w = wilcoxon_signed_rank(&[1.0, f64::NAN, 0.0]);
        assert!(w.p_value.is_nan() && w.statistic.is_nan() && w.effect_size.is_nan());
    }
}
