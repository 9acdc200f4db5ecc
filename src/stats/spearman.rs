//! Rank correlation (Spearman 1904).

/// Ranks from 1, equal values sharing their mean rank.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    // `==` and not the order of `total_cmp`: -0 and 0 are a tie
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = before as f64 + (tied.len() + 1) as f64 / 2.0;
        tied.iter().for_each(|&i| ranks[i] = rank);
        before += tied.len();
    }
    ranks
}

/// Spearman's rank correlation of two lists of equal length, -1 to 1: SciPy's `spearmanr`. `None` for lists of different
/// lengths, a value that is not finite, and where all values of a list are equal.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() || a.iter().chain(b).any(|v| v.is_nan()) {
        return None;
    }
    let mean = (a.len() + 1) as f64 / 2.0;
    let (a, b) = (ranks(a), ranks(b));
    let sum = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>();
    let size = (sum(&a, &a) * sum(&b, &b)).sqrt();
    (size > 0.0).then(|| sum(&a, &b) / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_scipy_has_it() {
        // scipy.stats.spearmanr
        let found = spearman(&[3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0], &[2.0, 7.0, 1.0, 8.0, 2.0, 8.0, 1.0, 8.0]);
        assert!((found.unwrap() - 0.19885368120992467).abs() < 1e-12, "{found:?}");
        assert_eq!(spearman(&[1.0, 2.0, 30.0], &[0.0, 0.1, 0.2]), Some(1.0));
        assert_eq!(spearman(&[1.0, 2.0, 30.0], &[0.3, 0.1, -0.2]), Some(-1.0));
        assert_eq!(spearman(&[0.0, -0.0], &[1.0, 2.0]), None, "all equal");
        assert_eq!((spearman(&[1.0], &[1.0]), spearman(&[], &[])), (None, None));
        assert_eq!(spearman(&[1.0, f64::NAN], &[1.0, 2.0]), None);
    }
}
