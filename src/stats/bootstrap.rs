//! Percentile intervals over resampled patients (Efron 1979).

use crate::error::{Error, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The customary number of resamples.
pub const RESAMPLES: usize = 2000;

/// More classes or resamples than this are taken for a mistake, before memory is asked for.
const MOST_CLASSES: usize = 1000;
const MOST_RESAMPLES: usize = 10_000_000;

/// What becomes of one record. Patients are distinguished by any numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Case {
    /// Patient.
    pub patient: usize,
    /// True class.
    pub truth: usize,
    /// Predicted class.
    pub predicted: usize,
}

/// A metric and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Its 2.5th percentile over the resamples.
    pub low: f64,
    /// Its 97.5th percentile over the resamples.
    pub high: f64,
    /// The metric of all records as they are.
    pub estimate: f64,
}

/// 95 % interval of a `metric` of confusion matrices (`K x K` records, true class by row), drawing patients.
///
/// Every resample draws the same number of patients, with replacement, and each comes with all of its records:
/// windows of one patient resemble each other, so that drawing windows would give far too narrow an interval. Give
/// records of unknown patients a patient each. The percentiles are NumPy's (linear). The interval is NaN for a single
/// patient, of whom no other patient can be guessed, and where the metric is NaN in a resample. A class whose few
/// patients are not drawn is left out of that resample's macro means, unless it is predicted there.
///
/// Resample `b` takes its numbers from stream `b` of ChaCha8 with `seed`: the result depends on `seed`, not on the
/// number of threads or on the order of `cases`.
///
/// # Errors
/// [`Error::Data`] for no cases, a class that is not below `classes`, more than 1000 classes, and a number of
/// `resamples` that is 0 or above ten million.
pub fn bootstrap_patients(
    cases: &[Case],
    classes: usize,
    seed: u64,
    resamples: usize,
    metric: impl Fn(&[Vec<u64>]) -> f64 + Sync,
) -> Result<Bootstrap> {
    bootstrap_seeds(&[cases], &[], classes, seed, resamples, metric)
}

/// 95 % interval of `metric(a) - metric(b)` of two methods on the same records, both read in the same resamples of
/// patients. As [`bootstrap_patients`] otherwise.
///
/// # Errors
/// As [`bootstrap_patients`]; [`Error::Data`] also where `a` and `b` do not list the same patients and true classes in
/// the same order.
pub fn bootstrap_difference(
    a: &[Case],
    b: &[Case],
    classes: usize,
    seed: u64,
    resamples: usize,
    metric: impl Fn(&[Vec<u64>]) -> f64 + Sync,
) -> Result<Bootstrap> {
    let hint = "give the predictions of both methods for the same test records in the same order";
    if a.len() != b.len() {
        let what = format!("found {} and {} records, expected the same number of both methods", a.len(), b.len());
        return Err(Error::data("paired bootstrap", what, hint));
    }
    let same = |(x, y): (&Case, &Case)| (x.patient, x.truth) == (y.patient, y.truth);
    if let Some(i) = a.iter().zip(b).position(|pair| !same(pair)) {
        let described = |c: &Case| format!("patient {} of class {}", c.patient, c.truth);
        let what = format!("record {i}: found {} and {}, expected the same", described(&a[i]), described(&b[i]));
        return Err(Error::data("paired bootstrap", what, hint));
    }
    bootstrap_seeds(&[a], &[b], classes, seed, resamples, metric)
}

/// 95 % interval of the mean of `metric` over `sets`, less its mean over the sets `less`, where there are some. A set is one
/// seed's predictions; a patient who is drawn comes with all of the records in all sets, as seeds do not make patients. As
/// [`bootstrap_patients`] otherwise.
///
/// # Errors
/// As [`bootstrap_patients`].
pub fn bootstrap_seeds(
    sets: &[&[Case]],
    less: &[&[Case]],
    classes: usize,
    seed: u64,
    resamples: usize,
    metric: impl Fn(&[Vec<u64>]) -> f64 + Sync,
) -> Result<Bootstrap> {
    sets.iter().chain(less).try_for_each(|cases| check_cases(cases, classes))?;
    let index = index_patients(sets.iter().chain(less).flat_map(|set| set.iter().map(|c| c.patient)));
    let cells = |sets: &[&[Case]]| sets.iter().map(|cases| by_patient(cases, &index)).collect::<Vec<_>>();
    let (sets, less) = (cells(sets), cells(less));
    let mean = |sets: &[Vec<Vec<(usize, u64)>>], drawn: &[u32]| {
        sets.iter().map(|cells| metric(&confusion(cells, drawn, classes))).sum::<f64>() / sets.len() as f64
    };
    bootstrap(index.len(), seed, resamples, |drawn| match less.is_empty() {
        true => mean(&sets, drawn),
        false => mean(&sets, drawn) - mean(&less, drawn),
    })
}

/// The bootstrap itself, for anything that can be computed from how often every one of `patients` patients was drawn.
fn bootstrap(
    patients: usize,
    seed: u64,
    resamples: usize,
    statistic: impl Fn(&[u32]) -> f64 + Sync,
) -> Result<Bootstrap> {
    let fail = |what: String, hint: &str| Err(Error::data("bootstrap", what, hint));
    if patients == 0 {
        return fail("found no records, expected at least one".into(), "give the predictions of a test fold");
    }
    let Ok(drawable) = u32::try_from(patients) else {
        return fail(format!("found {patients} patients, expected fewer than 2^32"), "give fewer patients");
    };
    if resamples == 0 || resamples > MOST_RESAMPLES {
        let what = format!("found {resamples} resamples, expected 1 to {MOST_RESAMPLES}");
        return fail(what, "2000 is the customary number");
    }
    let estimate = statistic(&vec![1; patients]);
    if patients == 1 {
        return Ok(Bootstrap { low: f64::NAN, high: f64::NAN, estimate });
    }
    let resample = |b: usize| statistic(&draw(drawable, seed, b));
    let mut found: Vec<f64> = (0..resamples).into_par_iter().map(resample).collect();
    if found.iter().any(|v| v.is_nan()) {
        return Ok(Bootstrap { low: f64::NAN, high: f64::NAN, estimate });
    }
    found.sort_by(f64::total_cmp);
    Ok(Bootstrap { low: percentile(&found, 0.025), high: percentile(&found, 0.975), estimate })
}

/// How often each of `patients` is drawn in resample `b`.
pub(super) fn draw(patients: u32, seed: u64, b: usize) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(b as u64);
    let mut drawn = vec![0_u32; patients as usize];
    for _ in 0..patients {
        drawn[rng.random_range(0..patients) as usize] += 1;
    }
    drawn
}

/// NumPy's linear percentile of sorted values.
pub(super) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (i, fraction) = (at.floor() as usize, at.fract());
    let (below, above) = (sorted[i], sorted[(i + 1).min(sorted.len() - 1)]);
    // equal ends as they are: their difference need not be finite
    if below == above { below } else { below + fraction * (above - below) }
}

/// A dense number for every patient, in the order of their own numbers.
fn index_patients(patients: impl Iterator<Item = usize>) -> BTreeMap<usize, usize> {
    let mut index: BTreeMap<usize, usize> = patients.map(|p| (p, 0)).collect();
    for (dense, value) in index.values_mut().enumerate() {
        *value = dense;
    }
    index
}

/// The confusion matrix of every patient as pairs of cell (true class times `MOST_CLASSES` plus predicted) and records: few differ
/// from 0.
fn by_patient(cases: &[Case], index: &BTreeMap<usize, usize>) -> Vec<Vec<(usize, u64)>> {
    let mut cells = vec![BTreeMap::new(); index.len()];
    for case in cases {
        *cells[index[&case.patient]].entry(case.truth * MOST_CLASSES + case.predicted).or_insert(0) += 1;
    }
    cells.into_iter().map(|patient| patient.into_iter().collect()).collect()
}

fn confusion(patients: &[Vec<(usize, u64)>], drawn: &[u32], classes: usize) -> Vec<Vec<u64>> {
    let mut matrix = vec![vec![0; classes]; classes];
    for (cells, &times) in patients.iter().zip(drawn).filter(|(_, times)| **times > 0) {
        for (cell, records) in cells {
            matrix[cell / MOST_CLASSES][cell % MOST_CLASSES] += u64::from(times) * records;
        }
    }
    matrix
}

fn check_cases(cases: &[Case], classes: usize) -> Result<()> {
    if classes > MOST_CLASSES {
        let what = format!("found {classes} classes, expected at most {MOST_CLASSES}");
        return Err(Error::data("bootstrap", what, "give the number of classes, not a class"));
    }
    match cases.iter().enumerate().find(|(_, c)| c.truth >= classes || c.predicted >= classes) {
        Some((i, c)) => Err(Error::data(
            "bootstrap",
            format!("record {i}: found true class {} and predicted {}, expected below {classes}", c.truth, c.predicted),
            "number the classes from 0",
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::accuracy;

    fn cases(right: &[bool]) -> Vec<Case> {
        let case = |(patient, &right): (usize, &bool)| Case { patient, truth: 0, predicted: usize::from(!right) };
        right.iter().enumerate().map(case).collect()
    }

    #[test]
    fn a_patient_is_drawn_with_all_seeds() {
        // what one seed gets right the other gets wrong: whoever is drawn, the mean over the seeds is a half
        let right: Vec<bool> = (0..9).map(|i| i % 3 == 0).collect();
        let wrong: Vec<bool> = right.iter().map(|r| !r).collect();
        let (a, b) = (cases(&right), cases(&wrong));
        let found = bootstrap_seeds(&[&a, &b], &[], 2, 7, 200, accuracy).unwrap();
        assert_eq!((found.low, found.estimate, found.high), (0.5, 0.5, 0.5));
        let single = bootstrap_patients(&a, 2, 7, 200, accuracy).unwrap();
        assert!(single.low < single.estimate && single.estimate < single.high, "{single:?}");
        // seeds that agree say no more than one
        assert_eq!(bootstrap_seeds(&[&a, &a], &[&b, &b, &b], 2, 7, 200, accuracy).unwrap(), {
            bootstrap_difference(&a, &b, 2, 7, 200, accuracy).unwrap()
        });
        assert!(bootstrap_seeds(&[&a, &[]], &[], 2, 7, 0, accuracy).is_err());
    }
}
