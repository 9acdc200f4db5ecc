//! Statistics and tables: against SciPy (goldens), against enumeration, coverage on simulated patients, properties.

use exgnet::train::stats::*;
use exgnet::train::table::{Best, Cell, Column, Table};
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
        for (key, continuity) in [("asymptotic", false), ("corrected", true)] {
            let found = wilcoxon_with(&d, Method::Normal { continuity });
            assert!(!found.exact);
            close(found.p_value, case[key].as_f64().unwrap(), 1e-12, &what);
        }
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
    // nothing, and rows that lack entries: no panic
    assert_eq!((accuracy(&[]), macro_f1(&[]), macro_f1(&[vec![], vec![1]])), (0.0, 0.0, 0.0));
    assert_eq!((accuracy(&[vec![u64::MAX, u64::MAX]]), macro_specificity(&[vec![3]])), (0.5, 0.0));
}

fn cells(all: &[(usize, u64, f64)]) -> Cells {
    all.iter().map(|&(fold, seed, value)| ((fold, seed), value)).collect()
}

#[test]
fn pairing_takes_what_both_have_and_counts_the_rest() {
    let a = cells(&[(0, 1, 0.5), (0, 2, 0.75), (1, 1, 0.25), (1, 2, f64::NAN), (2, 1, 1.0), (3, 7, 0.0)]);
    let b = cells(&[(0, 1, 0.25), (0, 2, 0.25), (1, 1, 0.5), (1, 2, 0.5), (2, 2, 1.0), (3, 7, 0.0), (4, 1, 0.0)]);
    // left out: (1, 2) NaN, (2, 1), (2, 2), (4, 1)
    assert_eq!(paired_cells(&a, &b), Paired { differences: vec![0.25, 0.5, -0.25, 0.0], dropped: 4 });
    assert_eq!(paired_by_fold(&a, &b), Paired { differences: vec![0.375, -0.25, 0.0], dropped: 4 });
    assert_eq!(paired_cells(&a, &Cells::new()), Paired { differences: vec![], dropped: 6 });
    assert_eq!(fold_means(&b), [0.25, 0.5, 1.0, 0.0, 0.0]);
    assert!(fold_means(&a)[1].is_nan());
}

/// Patients who are easy or hard: record `i` of patient `p` is right with the patient's own probability.
fn simulated(patients: usize, windows: usize, rng: &mut ChaCha8Rng) -> Vec<Case> {
    let mut cases = Vec::new();
    for patient in 0..patients {
        // mean of the square root of a uniform number: 2/3
        let skill = rng.random_range(0.0_f64..1.0).sqrt();
        for _ in 0..windows {
            let truth = rng.random_range(0..2);
            let predicted = if rng.random_range(0.0..1.0) < skill { truth } else { 1 - truth };
            cases.push(Case { patient, truth, predicted });
        }
    }
    cases
}

#[test]
fn intervals_over_patients_cover_and_those_over_windows_do_not() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut patients, mut windows, mut f1) = (0, 0, 0);
    let runs = 400;
    for run in 0..runs {
        let cases = simulated(40, 20, &mut rng);
        let single: Vec<Case> = cases.iter().enumerate().map(|(patient, c)| Case { patient, ..*c }).collect();
        let covers = |cases: &[Case], metric: Metric| {
            let b = bootstrap_patients(cases, 2, run, 400, metric).unwrap();
            usize::from((b.low..=b.high).contains(&(2.0 / 3.0)))
        };
        patients += covers(&cases, accuracy);
        windows += covers(&single, accuracy);
        // both classes alike: macro-F1 is 2/3 as well, but for a small bias
        f1 += covers(&cases, macro_f1);
    }
    let share = |covered: usize| covered as f64 / runs as f64;
    println!("coverage: patients {}, windows {}, macro-F1 {}", share(patients), share(windows), share(f1));
    assert!((0.90..0.98).contains(&share(patients)), "{}", share(patients));
    assert!((0.90..0.98).contains(&share(f1)), "{}", share(f1));
    assert!(share(windows) < 0.75, "{}", share(windows));
}

/// Percentile of all equally likely values, as the smallest that at least `share` of them do not exceed; with how far
/// the share is from the next value's.
fn quantile(mut all: Vec<f64>, share: f64) -> (f64, f64) {
    all.sort_by(f64::total_cmp);
    let n = all.len() as f64;
    let value = all[(share * n).ceil() as usize - 1];
    let below = all.iter().filter(|v| **v < value).count() as f64 / n;
    let upto = all.iter().filter(|v| **v <= value).count() as f64 / n;
    (value, (share - below).min(upto - share))
}

#[test]
fn the_bootstrap_equals_enumeration() {
    // five patients with 1 to 5 records of three classes: 3125 equally likely resamples
    let table = [(0, 0, 0), (1, 1, 1), (1, 0, 1), (2, 2, 2), (2, 2, 0), (2, 1, 1), (3, 0, 0), (3, 0, 2), (3, 1, 1)];
    let more = [(3, 2, 2), (7, 0, 1), (7, 1, 0), (7, 1, 1), (7, 2, 2), (7, 2, 1)];
    let all = table.iter().chain(&more);
    let cases: Vec<Case> = all.map(|&(patient, truth, predicted)| Case { patient, truth, predicted }).collect();
    let ids = [0, 1, 2, 3, 7];
    let metrics: [Metric; 2] = [accuracy, macro_f1];
    let mut compared = 0;
    for metric in metrics {
        let mut values = Vec::new();
        for code in 0..5_usize.pow(5) {
            let mut confusion = vec![vec![0; 3]; 3];
            for draw in 0..5 {
                let patient = ids[code / 5_usize.pow(draw) % 5];
                for c in cases.iter().filter(|c| c.patient == patient) {
                    confusion[c.truth][c.predicted] += 1;
                }
            }
            values.push(metric(&confusion));
        }
        let found = bootstrap_patients(&cases, 3, 3, 200_000, metric).unwrap();
        for (end, share) in [(found.low, 0.025), (found.high, 0.975)] {
            let (expected, margin) = quantile(values.clone(), share);
            // the share of 200,000 draws has an sd of 0.00035: beyond four of them the value is certain
            if margin > 0.0014 {
                assert_eq!(end, expected, "share {share}, margin {margin}");
                compared += 1;
            } else {
                assert!((end - expected).abs() < 0.02, "share {share}: {end} {expected}");
            }
        }
        let whole = bootstrap_patients(&cases, 3, 4, 1, metric).unwrap();
        assert_eq!(whole.estimate, found.estimate);
    }
    println!("{compared} of 4 ends compared for equality");
    assert!(compared >= 2, "{compared}");
}

#[test]
fn the_bootstrap_does_not_depend_on_threads_or_order() {
    let cases = simulated(30, 5, &mut ChaCha8Rng::seed_from_u64(1));
    let run = |threads: usize, cases: &[Case], seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bootstrap_patients(cases, 2, seed, 500, macro_f1).unwrap())
    };
    let one = run(1, &cases, 9);
    assert_eq!(one, run(3, &cases, 9));
    assert_ne!(one, run(1, &cases, 10));
    let reversed: Vec<Case> = cases.iter().rev().copied().collect();
    assert_eq!(one, run(2, &reversed, 9));
    // numbers of patients are names: only their order counts
    let renamed: Vec<Case> = cases.iter().map(|c| Case { patient: c.patient * 1_000_003 + 5, ..*c }).collect();
    assert_eq!(one, run(2, &renamed, 9));
    assert!(one.low < one.estimate && one.estimate < one.high, "{one:?}");
}

#[test]
fn differences_and_means_over_patients() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let a = simulated(30, 6, &mut rng);
    let same = bootstrap_difference(&a, &a, 2, 1, 200, accuracy).unwrap();
    assert_eq!(same, Bootstrap { low: 0.0, high: 0.0, estimate: 0.0 });
    // b: as a, but one record of every patient wrong; the difference is the same in every resample
    let (mut b, mut a) = (a.clone(), a);
    for i in (0..a.len()).step_by(6) {
        a[i].predicted = a[i].truth;
        b[i].predicted = 1 - a[i].truth;
    }
    let worse = bootstrap_difference(&a, &b, 2, 1, 200, accuracy).unwrap();
    for v in [worse.low, worse.high, worse.estimate] {
        close(v, 1.0 / 6.0, 1e-12, "difference");
    }
    // the mean of hits is the accuracy, in the same resamples
    let hits: Vec<(usize, f64)> = a.iter().map(|c| (c.patient, f64::from(u8::from(c.truth == c.predicted)))).collect();
    let (mean, of) = (bootstrap_mean(&hits, 7, 300).unwrap(), bootstrap_patients(&a, 2, 7, 300, accuracy).unwrap());
    for (found, expected) in [(mean.low, of.low), (mean.high, of.high), (mean.estimate, of.estimate)] {
        close(found, expected, 1e-12, "mean of hits");
    }
    let nan = bootstrap_mean(&[(0, 1.0), (1, f64::NAN), (2, 1.0)], 7, 10).unwrap();
    assert!(nan.low.is_nan() && nan.high.is_nan() && nan.estimate.is_nan());
    let single = bootstrap_mean(&[(4, 1.0), (4, 3.0)], 7, 10).unwrap();
    assert!(single.low.is_nan() && single.high.is_nan() && single.estimate == 2.0);
}

#[test]
fn what_cannot_be_resampled_is_an_error() {
    let c = |patient, truth, predicted| Case { patient, truth, predicted };
    let message = |cases: &[Case], classes, resamples| {
        bootstrap_patients(cases, classes, 0, resamples, accuracy).unwrap_err().to_string()
    };
    assert!(message(&[], 2, 10).contains("no records"));
    assert!(message(&[c(0, 0, 0), c(0, 1, 2)], 2, 10).contains("record 1: found true class 1 and predicted 2"));
    assert!(message(&[c(0, 0, 0)], usize::MAX, 10).contains("at most 1000"));
    assert!(message(&[c(0, 0, 0)], 2, 0).contains("found 0 resamples"));
    assert!(message(&[c(0, 0, 0)], 2, usize::MAX).contains("HINT"));
    let difference = |a: &[Case], b: &[Case]| bootstrap_difference(a, b, 2, 0, 10, accuracy).unwrap_err().to_string();
    assert!(difference(&[c(0, 0, 0)], &[]).contains("1 and 0 records"));
    assert!(difference(&[c(0, 0, 0)], &[c(1, 0, 0)]).contains("record 0: found patient 0"));
    assert!(difference(&[c(0, 0, 0)], &[c(0, 0, 3)]).contains("predicted 3"));
    assert!(bootstrap(0, 0, 10, |_| 0.0).is_err() && bootstrap_mean(&[], 0, 10).is_err());
}

fn example() -> Table {
    let columns = vec![
        Column::new("F1", 1).unit("%").best(Best::Largest),
        Column::new("error", 2).best(Best::Smallest),
        Column::new("p", 3),
        Column::new("note", 0),
    ];
    let mut t = Table::new("A & B_1", "method", columns);
    let text = |s: &str| Cell::Text(s.into());
    let interval = Cell::Interval { value: 0.123456, low: -0.0001, high: 0.25 };
    let mean = |mean, sd| Cell::MeanSd { mean, sd };
    t.push("plain", vec![mean(95.52, 0.61), Cell::Value(0.2), Cell::Missing, text("100 % a|b")]).unwrap();
    t.push("guided, 50%", vec![mean(96.04, f64::NAN), interval, Cell::PValue(0.0004), text("")]).unwrap();
    t.push("[prior]", vec![Cell::Value(96.01), Cell::Value(f64::NAN), Cell::PValue(0.0625), text("x_1 \"q\"")])
        .unwrap();
    t
}

#[test]
fn a_table_in_three_forms() {
    let t = example();
    let markdown = r#"**A &amp; B\_1**

| method      |       F1 (%) |                 error |      p | note       |
| ----------- | -----------: | --------------------: | -----: | ---------- |
| plain       |   95.5 ± 0.6 |                  0.20 |      - | 100 % a\|b |
| guided, 50% | **96.0 ± -** | **0.12 [0.00, 0.25]** | <0.001 | -          |
| \[prior\]   |     **96.0** |                     - |  0.062 | x\_1 "q"   |
"#;
    assert_eq!(t.markdown(), markdown);
    assert_eq!(
        t.csv(),
        "method,F1_mean (%),F1_sd (%),error,error_low,error_high,p,note\n\
         plain,95.52,0.61,0.2,,,,100 % a|b\n\
         \"guided, 50%\",96.04,,0.123456,-0.0001,0.25,0.0004,\n\
         [prior],96.01,,,,,0.0625,\"x_1 \"\"q\"\"\"\n"
    );
    let latex = t.latex();
    for line in [
        r"\caption{A \& B\_1}",
        r"\begin{tabular}{lrrrl}",
        r"method & F1 (\%) & error & p & note \\",
        r"plain & $95.5 \pm 0.6$ & $0.20$ & - & 100 \% a\textbar{}b \\",
        r"guided, 50\% & $\mathbf{96.0 \pm \mbox{-}}$ & $\mathbf{0.12 [0.00, 0.25]}$ & $<0.001$ & - \\",
        r"{[}prior{]} & $\mathbf{96.0}$ & - & $0.062$ & x\_1 {\char34}q{\char34} \\",
    ] {
        assert!(latex.lines().any(|l| l == line), "{line}\n{latex}");
    }
}

#[test]
fn notes_stand_below_a_table() {
    let (plain, mut t) = (example(), example());
    t.note("A & B");
    t.note("second_");
    assert_eq!(t.markdown(), plain.markdown() + "\nA &amp; B\n\nsecond\\_\n");
    assert_eq!(t.csv(), plain.csv());
    let notes =
        "\\end{tabular}\n\\par\\smallskip{\\footnotesize A \\& B}\n\\par\\smallskip{\\footnotesize second\\_}\n";
    assert_eq!(t.latex(), plain.latex().replace("\\end{tabular}\n", notes));
}

#[test]
fn a_row_has_a_cell_for_every_column_and_bold_needs_a_rival() {
    let mut t = Table::new("", "", vec![Column::new("a", 1).best(Best::Largest)]);
    assert!(t.push("r", vec![]).unwrap_err().to_string().contains("found 0 cells, expected 1"));
    assert!(t.push("r", vec![Cell::Missing; 2]).is_err());
    assert!(t.markdown().starts_with("| "));
    t.push("r", vec![Cell::Value(1.01)]).unwrap();
    t.push("s", vec![Cell::Value(1.04)]).unwrap();
    assert!(!t.markdown().contains('*') && !t.latex().contains("mathbf") && !t.latex().contains("caption"));
    t.push("t", vec![Cell::Value(0.0)]).unwrap();
    assert_eq!(t.markdown().matches("**1.0**").count(), 2);
    assert_eq!(Table::new("x", "", vec![]).csv(), "\"\"\n");
}

#[test]
fn what_is_missing_is_never_a_number() {
    let mut t = Table::new("", "row", vec![Column::new("v", 2)]);
    let nothing = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    for v in nothing {
        t.push("r", vec![Cell::Value(v)]).unwrap();
        t.push("r", vec![Cell::PValue(v)]).unwrap();
        t.push("r", vec![Cell::MeanSd { mean: v, sd: 0.0 }]).unwrap();
        t.push("r", vec![Cell::Interval { value: v, low: v, high: v }]).unwrap();
    }
    t.push("r", vec![Cell::Missing]).unwrap();
    t.push("r", vec![Cell::Text(" ".into())]).unwrap();
    assert!(t.markdown().lines().skip(2).all(|l| l.replace(' ', "") == "|r|-|"), "{}", t.markdown());
    assert_eq!(t.latex().lines().filter(|l| *l == r"r & - \\").count(), 14);
    let mut t = Table::new("", "row", vec![Column::new("v", 2)]);
    t.push("r", vec![Cell::Interval { value: -0.001, low: f64::NAN, high: f64::INFINITY }]).unwrap();
    assert!(t.markdown().contains("| 0.00 [-, -] |"), "{}", t.markdown());
    assert!(t.latex().contains(r"$0.00 [\mbox{-}, \mbox{-}]$"));
    assert!(t.csv().ends_with("r,-0.001,,\n"));
}

/// Text between unescaped `|`.
fn markdown_cells(line: &str) -> usize {
    let mut escaped = false;
    let mut bars = 0_usize;
    for c in line.chars() {
        bars += usize::from(c == '|' && !escaped);
        escaped = c == '\\' && !escaped;
    }
    bars.saturating_sub(1)
}

fn any_cell() -> impl Strategy<Value = Cell> {
    let v = || prop_oneof![any::<f64>(), -2.0..2.0_f64, Just(-0.0), Just(f64::NAN)];
    prop_oneof![
        Just(Cell::Missing),
        v().prop_map(Cell::Value),
        (v(), v()).prop_map(|(mean, sd)| Cell::MeanSd { mean, sd }),
        (v(), v(), v()).prop_map(|(value, low, high)| Cell::Interval { value, low, high }),
        v().prop_map(Cell::PValue),
        any::<String>().prop_map(Cell::Text),
    ]
}

proptest! {
    #[test]
    fn wilcoxon_properties(d in prop::collection::vec(prop_oneof![-3..=3_i32, -1000..=1000_i32], 0..70), seed: u64) {
        let d: Vec<f64> = d.into_iter().map(f64::from).collect();
        for method in [Method::Auto, Method::Normal { continuity: true }, Method::Normal { continuity: false }] {
            let w = wilcoxon_with(&d, method);
            prop_assert!((0.0..=1.0).contains(&w.p_value) && w.p_value > 0.0, "{w:?}");
            prop_assert!((-1.0..=1.0).contains(&w.effect_size) && w.n <= d.len());
            let negated: Vec<f64> = d.iter().map(|v| -v).collect();
            let opposite = wilcoxon_with(&negated, method);
            prop_assert_eq!(Wilcoxon { effect_size: -opposite.effect_size, ..opposite }, w);
            let mut shuffled = d.clone();
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            for i in (1..d.len()).rev() {
                shuffled.swap(i, rng.random_range(0..=i));
            }
            prop_assert_eq!(wilcoxon_with(&shuffled, method), w);
            // only ranks count: a power of two changes none, and neither do more zeros
            let mut scaled: Vec<f64> = d.iter().map(|v| v * 0.125).collect();
            scaled.extend([0.0, -0.0]);
            prop_assert_eq!(wilcoxon_with(&scaled, method), w);
        }
    }

    #[test]
    fn wilcoxon_takes_any_numbers(d in prop::collection::vec(any::<f64>(), 0..60)) {
        let w = wilcoxon_signed_rank(&d);
        prop_assert_eq!(w.p_value.is_nan(), d.iter().any(|v| v.is_nan()));
    }

    #[test]
    fn intervals_are_ordered_and_within_the_range_of_patients(
        values in prop::collection::vec((0..6_usize, -5.0..5.0_f64), 2..40), seed: u64
    ) {
        let b = bootstrap_mean(&values, seed, 60).unwrap();
        let lone = values.iter().all(|v| v.0 == values[0].0);
        prop_assert_eq!(lone, b.low.is_nan());
        if !lone {
            let (least, most) = values.iter().fold((5.0_f64, -5.0_f64), |(a, z), v| (a.min(v.1), z.max(v.1)));
            prop_assert!(b.low <= b.high && b.low >= least - 1e-12 && b.high <= most + 1e-12, "{b:?}");
        }
        let cases: Vec<Case> = values.iter()
            .map(|&(patient, v)| Case { patient, truth: usize::from(v > 0.0), predicted: patient % 2 }).collect();
        for metric in [accuracy, macro_f1, macro_sensitivity, macro_specificity] {
            let b = bootstrap_patients(&cases, 2, seed, 60, metric).unwrap();
            prop_assert!((0.0..=1.0).contains(&b.estimate));
            prop_assert!(lone || (0.0 <= b.low && b.low <= b.high && b.high <= 1.0), "{b:?}");
        }
    }

    #[test]
    fn patients_who_are_all_alike_leave_no_doubt(n in 2..20_usize, right in 0..5_u64, wrong in 1..5_u64) {
        let mut cases = Vec::new();
        for patient in 0..n {
            cases.extend((0..right).map(|_| Case { patient, truth: 0, predicted: 0 }));
            cases.extend((0..wrong).map(|_| Case { patient, truth: 1, predicted: 0 }));
        }
        for metric in [accuracy, macro_f1] {
            let b = bootstrap_patients(&cases, 2, 0, 50, metric).unwrap();
            prop_assert!((b.low - b.estimate).abs() < 1e-12 && (b.high - b.estimate).abs() < 1e-12, "{b:?}");
        }
    }

    #[test]
    fn tables_take_anything(
        title: String, labels: String, names in prop::collection::vec(any::<String>(), 2), decimals: usize,
        rows in prop::collection::vec((any::<String>(), any_cell(), any_cell()), 0..6),
    ) {
        let columns = names.iter().zip([Best::Largest, Best::Smallest])
            .map(|(name, best)| Column::new(name, decimals).unit("a|b").best(best)).collect();
        let mut t = Table::new(title, labels, columns);
        for (label, a, b) in &rows {
            t.push(label, vec![a.clone(), b.clone()]).unwrap();
        }
        let markdown = t.markdown();
        let lines: Vec<&str> = markdown.lines().skip_while(|l| !l.starts_with('|')).collect();
        prop_assert_eq!(lines.len(), rows.len() + 2);
        prop_assert!(lines.iter().all(|l| markdown_cells(l) == 3), "{}", markdown);
        // every line of the body ends its row, with three cells
        let latex = t.latex();
        let body = latex.lines().skip_while(|l| *l != r"\toprule").filter(|l| l.ends_with(r" \\"));
        let ampersands = |l: &str| l.matches('&').count() - l.matches(r"\&").count();
        prop_assert_eq!(body.clone().count(), rows.len() + 1);
        prop_assert!(body.clone().all(|l| ampersands(l) == 2), "{}", latex);
        let csv = t.csv();
        prop_assert!(!csv.is_empty() && csv.ends_with('\n'));
        prop_assert_eq!(csv_rows(&csv), rows.len() + 1);
    }
}

/// Line breaks outside quotes.
fn csv_rows(text: &str) -> usize {
    let mut quoted = false;
    text.chars()
        .filter(|&c| {
            quoted ^= c == '"';
            c == '\n' && !quoted
        })
        .count()
}
