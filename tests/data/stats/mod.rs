//! Statistics and tables: against SciPy (goldens), against enumeration, coverage on simulated patients, properties.

mod bootstrap;
mod tables;

use exgnet::run::metrics::Metrics;
use exgnet::stats::*;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::path::Path;

type Metric = fn(&[Vec<u64>]) -> f64;

fn golden(key: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/stats/stats.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    all[key].as_array().unwrap().clone()
}

fn numbers(v: &Value) -> Vec<f64> {
    v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn close(found: f64, expected: f64, rtol: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-15 + rtol * expected.abs(), "{what}: found {found}, expected {expected}");
}

#[test]
fn wilcoxon_equals_scipy() {
    let (mut exact, mut tied, mut auto) = (0, 0, 0);
    let mut worst = 0.0_f64;
    let mut close = |found: f64, expected: f64, rtol: f64, what: &str| {
        worst = worst.max((found - expected).abs() / expected.abs().max(1e-300));
        close(found, expected, rtol, what);
    };
    for case in golden("wilcoxon") {
        let d = numbers(&case["d"]);
        let what = format!("{d:?}");
        let w = wilcoxon_signed_rank(&d);
        assert_eq!((w.n as u64, w.statistic), (case["n"].as_u64().unwrap(), case["statistic"].as_f64().unwrap()));
        close(w.effect_size, case["effect"].as_f64().unwrap(), 1e-14, &what);
        assert_eq!(w.exact, w.n <= 50);
        let main = if w.exact { "exact" } else { "corrected" };
        close(w.p_value, case[main].as_f64().unwrap(), 1e-12, &what);
        if let Some(p) = case["scipy"].as_f64() {
            close(w.p_value, p, 1e-12, &what);
            exact += 1;
            tied += usize::from(case["tied"].as_bool().unwrap());
        }
        // SciPy's own choice, where it is not the normal approximation
        if let Some(p) = case["auto"].as_f64().filter(|_| w.exact) {
            close(w.p_value, p, 1e-12, &what);
            auto += 1;
        }
    }
    println!(
        "worst relative error {worst:e}; {exact} exact by SciPy, {tied} of them with ties, {auto} by its own choice"
    );
    assert!(exact > 30 && tied > 10 && auto > 30, "{exact} {tied} {auto}");
}

#[test]
fn means_equal_numpy() {
    for case in golden("mean_sd") {
        let (mean, sd) = mean_sd(&numbers(&case["x"]));
        close(mean, case["mean"].as_f64().unwrap(), 1e-15, "mean");
        close(sd, case["sd"].as_f64().unwrap(), 1e-12, "sd");
    }
    let (mean, sd) = mean_sd(&[0.25]);
    assert!(mean == 0.25 && sd.is_nan());
    assert!(mean_sd(&[]).0.is_nan() && mean_sd(&[1.0, f64::NAN]).0.is_nan() && mean_sd(&[1.0, f64::NAN]).1.is_nan());
}

#[test]
fn metrics_equal_scikit_learn() {
    for case in golden("metrics") {
        let k = case["classes"].as_u64().unwrap() as usize;
        let mut confusion = vec![vec![0; k]; k];
        for (t, p) in numbers(&case["truth"]).into_iter().zip(numbers(&case["predicted"])) {
            confusion[t as usize][p as usize] += 1;
        }
        let pairs: [(&str, Metric); 4] = [
            ("accuracy", accuracy),
            ("macro_f1", macro_f1),
            ("macro_sensitivity", macro_sensitivity),
            ("macro_specificity", macro_specificity),
        ];
        for (key, metric) in pairs {
            close(metric(&confusion), case[key].as_f64().unwrap(), 1e-14, key);
        }
    }
    let ppv: Metric = |confusion| macro_mean(confusion, OneClass::ppv);
    for case in golden("absent_classes") {
        let k = case["classes"].as_u64().unwrap() as usize;
        let truth: Vec<usize> = numbers(&case["truth"]).into_iter().map(|t| t as usize).collect();
        let points: Vec<Vec<f64>> = case["points"].as_array().unwrap().iter().map(numbers).collect();
        let classes: Vec<String> = (0..k).map(|c| c.to_string()).collect();
        let ids: Vec<String> = (0..truth.len()).map(|i| i.to_string()).collect();
        let prior = case["prior"].as_u64().unwrap() as usize;
        let training: Vec<usize> = (0..k).map(|c| usize::from(c == prior)).collect();
        let m = Metrics::compute(&classes, &ids, &truth, &points, Some(&training)).unwrap();
        let confusion: Vec<Vec<u64>> = m.confusion.iter().map(|row| row.iter().map(|&n| n as u64).collect()).collect();
        let found = [
            ("accuracy", m.accuracy),
            ("macro_f1", m.macro_f1),
            ("macro_sensitivity", m.macro_sensitivity),
            ("macro_specificity", m.macro_specificity),
            ("macro_ppv", ppv(&confusion)),
            ("baseline_f1", m.baseline.macro_f1.unwrap()),
            ("baseline_accuracy", m.baseline.accuracy.unwrap()),
        ];
        for (key, found) in found {
            close(found, case[key].as_f64().unwrap(), 1e-14, key);
        }
        let area = case["macro_auroc"].as_f64();
        assert_eq!(m.macro_auroc.is_some(), area.is_some());
        close(m.macro_auroc.unwrap_or(0.0), area.unwrap_or(0.0), 1e-14, "macro_auroc");
        let absent: Vec<String> = numbers(&case["absent"]).into_iter().map(|c| c.to_string()).collect();
        assert_eq!(m.absent_classes, absent);
        // a file of an earlier program, whose means were over every class, is read with these
        let mut old: Value = serde_json::to_value(&m).unwrap();
        let every = |of: fn(&OneClass) -> f64| (0..k).map(|c| of(&OneClass::of(&confusion, c))).sum::<f64>() / k as f64;
        old["macro_f1"] = every(OneClass::f1).into();
        old["baseline"]["macro_f1"] = 0.125.into();
        old.as_object_mut().unwrap().remove("absent_classes");
        assert_eq!(serde_json::from_value::<Metrics>(old).unwrap(), m);
    }
    // nothing, and rows that lack entries: no panic
    assert_eq!((accuracy(&[]), macro_f1(&[]), macro_f1(&[vec![], vec![1]])), (0.0, 0.0, 0.0));
    assert_eq!((accuracy(&[vec![u64::MAX, u64::MAX]]), macro_specificity(&[vec![3]])), (0.5, 0.0));
}

fn cells(all: &[(usize, u64, f64)]) -> Cells {
    all.iter().map(|&(fold, seed, value)| ((fold, seed), value)).collect()
}

#[test]
fn pairing_takes_what_both_have() {
    let a = cells(&[(0, 1, 0.5), (0, 2, 0.75), (1, 1, 0.25), (1, 2, f64::NAN), (2, 1, 1.0), (3, 7, 0.0)]);
    let b = cells(&[(0, 1, 0.25), (0, 2, 0.25), (1, 1, 0.5), (1, 2, 0.5), (2, 2, 1.0), (3, 7, 0.0), (4, 1, 0.0)]);
    // left out: (1, 2) NaN, (2, 1), (2, 2), (4, 1)
    let found = differences(&a, &b);
    assert_eq!(found, cells(&[(0, 1, 0.25), (0, 2, 0.5), (1, 1, -0.25), (3, 7, 0.0)]));
    assert_eq!(fold_means(&found), [0.375, -0.25, 0.0]);
    assert!(differences(&a, &Cells::new()).is_empty());
    assert_eq!(fold_means(&b), [0.25, 0.5, 1.0, 0.0, 0.0]);
    assert!(fold_means(&a)[1].is_nan());
}

proptest! {
    #[test]
    fn wilcoxon_properties(d in prop::collection::vec(prop_oneof![-3..=3_i32, -1000..=1000_i32], 0..140), seed: u64) {
        let d: Vec<f64> = d.into_iter().map(f64::from).collect();
        let w = wilcoxon_signed_rank(&d);
        prop_assert!((0.0..=1.0).contains(&w.p_value) && w.p_value > 0.0, "{w:?}");
        prop_assert!((-1.0..=1.0).contains(&w.effect_size) && w.n <= d.len());
        let negated: Vec<f64> = d.iter().map(|v| -v).collect();
        let opposite = wilcoxon_signed_rank(&negated);
        prop_assert_eq!(Wilcoxon { effect_size: -opposite.effect_size, ..opposite }, w);
        let mut shuffled = d.clone();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for i in (1..d.len()).rev() {
            shuffled.swap(i, rng.random_range(0..=i));
        }
        prop_assert_eq!(wilcoxon_signed_rank(&shuffled), w);
        // only ranks count: a power of two changes none, and neither do more zeros
        let mut scaled: Vec<f64> = d.iter().map(|v| v * 0.125).collect();
        scaled.extend([0.0, -0.0]);
        prop_assert_eq!(wilcoxon_signed_rank(&scaled), w);
    }

    #[test]
    fn wilcoxon_takes_any_numbers(d in prop::collection::vec(any::<f64>(), 0..60)) {
        let w = wilcoxon_signed_rank(&d);
        prop_assert_eq!(w.p_value.is_nan(), d.iter().any(|v| v.is_nan()));
    }
}
