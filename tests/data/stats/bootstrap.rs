//! Intervals by drawing patients.

use super::{Metric, close};
use exgnet::stats::*;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

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
    // a metric that is NaN in a resample, and a single patient
    let nan = bootstrap_patients(&a, 2, 7, 10, |_| f64::NAN).unwrap();
    assert!(nan.low.is_nan() && nan.high.is_nan() && nan.estimate.is_nan());
    let single = bootstrap_patients(&a[..6], 2, 7, 10, accuracy).unwrap();
    assert!(single.low.is_nan() && single.high.is_nan() && single.estimate > 0.0);
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
}

proptest! {
    #[test]
    fn intervals_are_ordered_and_within_the_range_of_patients(
        values in prop::collection::vec((0..6_usize, -5.0..5.0_f64), 2..40), seed: u64
    ) {
        let lone = values.iter().all(|v| v.0 == values[0].0);
        let cases: Vec<Case> = values.iter()
            .map(|&(patient, v)| Case { patient, truth: usize::from(v > 0.0), predicted: patient % 2 }).collect();
        for metric in [accuracy, macro_f1, macro_sensitivity, macro_specificity] {
            let b = bootstrap_patients(&cases, 2, seed, 60, metric).unwrap();
            prop_assert!((0.0..=1.0).contains(&b.estimate));
            prop_assert_eq!(lone, b.low.is_nan());
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
}
