//! Statistics of cross-validated runs: mean and sd over folds, differences of two methods by fold and seed,
//! [`wilcoxon_signed_rank`], [`bootstrap_patients`]. Plain numbers in, plain numbers out.
//!
//! May use: `error`.
//!
//! A NaN that goes in comes out: nothing is left out silently. Only [`differences`] drops cells.
//!
//! Training sets of different folds overlap and seeds of one fold share their test records, so that cells are not
//! independent and every p-value over them is somewhat too small. Average the seeds first ([`fold_means`]); five
//! folds then cannot give less than p = 1/16. An interval over patients ([`bootstrap_difference`]) says more.

mod bootstrap;
mod confusion;
pub mod projection;
pub mod ranking;
mod spearman;
mod wilcoxon;

pub use bootstrap::{Bootstrap, Case, RESAMPLES, bootstrap_difference, bootstrap_patients, bootstrap_seeds};
pub use confusion::{
    OneClass, absent, accuracy, macro_f1, macro_f1_of_true, macro_mean, macro_sensitivity, macro_specificity,
};
pub use spearman::spearman;
pub use wilcoxon::{Wilcoxon, wilcoxon_signed_rank};

use std::collections::BTreeMap;

/// Results of runs by fold and seed.
pub type Cells = BTreeMap<(usize, u64), f64>;

/// Mean and standard deviation (ddof 1).
///
/// Both are NaN for no values and where a value is NaN; the sd is NaN for a single value, which has none.
pub fn mean_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    // two passes: the sum of squares minus the square of the sum loses the sd of nearly equal values
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (mean, if values.len() < 2 { f64::NAN } else { (squares / (n - 1.0)).sqrt() })
}

/// `a - b` in every cell of fold and seed that has a finite value in both.
pub fn differences(a: &Cells, b: &Cells) -> Cells {
    let value = |cells: &Cells, key| cells.get(key).copied().filter(|v| v.is_finite());
    a.keys().filter_map(|key| Some((*key, value(a, key)? - value(b, key)?))).collect()
}

/// Mean over the seeds of every fold, in the order of folds: what [`mean_sd`] takes for a table, where seeds must not
/// count as folds do. A NaN makes its fold's mean NaN.
pub fn fold_means(cells: &Cells) -> Vec<f64> {
    let cells: Vec<(usize, f64)> = cells.iter().map(|(&(fold, _), &value)| (fold, value)).collect();
    let mean = |fold: &[(usize, f64)]| fold.iter().map(|c| c.1).sum::<f64>() / fold.len() as f64;
    cells.chunk_by(|x, y| x.0 == y.0).map(mean).collect()
}

/// Wilcoxon's signed-rank test of two methods: over the means of the folds where patients are on one side of the split each
/// (`grouped`), over the cells of fold and seed elsewhere. `None` for fewer than two differences, which say nothing.
pub fn paired_test(a: &Cells, b: &Cells, grouped: bool) -> Option<Wilcoxon> {
    let cells = differences(a, b);
    let differences = if grouped { fold_means(&cells) } else { cells.into_values().collect() };
    (differences.len() > 1).then(|| wilcoxon_signed_rank(&differences))
}

/// The 97.5 % quantile of Student's t distribution; NaN for no degree of freedom.
pub fn student(freedom: usize) -> f64 {
    const T: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ];
    match freedom {
        0 => f64::NAN,
        n if n <= 30 => T[n - 1],
        // Cornish and Fisher's expansion, two terms
        n => 1.96 + 2.3723 / n as f64 + 2.8226 / (n * n) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_t() {
        assert_eq!(student(4), 2.776);
        // scipy.stats.t.ppf(0.975, [31, 100])
        assert!((student(31) - 2.0395).abs() < 2e-3 && (student(100) - 1.984).abs() < 1e-3 && student(0).is_nan());
    }
}
