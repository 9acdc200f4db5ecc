//! Folds of cross-validation: scikit-learn's `KFold` and `StratifiedKFold` (shuffled, integer seed) bit
//! for bit, and folds that keep all strips of a patient together.

mod hold_out;
mod mt19937;
mod saved;

use crate::ecg::sources::count;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

pub use hold_out::hold_out;
pub use mt19937::Mt19937;
pub use saved::SavedSplit;

/// How records are dealt to folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitKind {
    /// `KFold(k, shuffle=True, random_state=seed)`.
    KFold,
    /// `StratifiedKFold(k, shuffle=True, random_state=seed)`.
    Stratified,
    /// All strips of a patient in one fold, classes balanced over the folds.
    Grouped,
}

impl SplitKind {
    /// The name used in experiment files.
    pub fn name(self) -> &'static str {
        match self {
            Self::KFold => "kfold",
            Self::Stratified => "stratified",
            Self::Grouped => "grouped",
        }
    }
}

/// The test fold, 0 to `k - 1`, of each record. `labels` are class indices, `groups` the patients
/// (only their number counts unless `kind` is grouped). The names of classes and patients make no difference, the
/// order of the records does: keep the split ([`SavedSplit`]) where that may change.
///
/// # Errors
/// [`Error::Config`] for fewer than 2 folds or a seed beyond 32 bits; [`Error::Data`] for lists of
/// different lengths, for fewer records (patients, if grouped) than folds, and for a stratified split in
/// which every class has fewer records than there are folds.
pub fn folds(kind: SplitKind, labels: &[usize], groups: &[String], k: usize, seed: u64) -> Result<Vec<usize>> {
    let n = labels.len();
    if groups.len() != n {
        let what = format!("{n} labels but {} patients, expected one of each a record", groups.len());
        return Err(Error::data("split", what, "give one of each per record"));
    }
    if k < 2 {
        return Err(Error::config(format!("{k} folds, expected at least 2"), "set the number of folds to 5, say"));
    }
    if n < k {
        let what = format!("{n} records for {k} folds, expected at least one a fold");
        return Err(Error::data("split", what, "use fewer folds or more records"));
    }
    let seed = u32::try_from(seed).map_err(|_| {
        Error::config(format!("split seed {seed}, expected 0 to {}", u32::MAX), "choose a smaller seed, e.g. 42")
    })?;
    let mut rng = Mt19937::new(seed);
    match kind {
        SplitKind::KFold => Ok(k_fold(n, k, &mut rng)),
        SplitKind::Stratified => stratified(labels, k, &mut rng),
        SplitKind::Grouped => grouped(labels, groups, k, &mut rng),
    }
}

fn k_fold(n: usize, k: usize, rng: &mut Mt19937) -> Vec<usize> {
    let order = rng.permutation(n);
    let mut fold = vec![0; n];
    let mut next = order.into_iter();
    for f in 0..k {
        let size = n / k + usize::from(f < n % k);
        for i in next.by_ref().take(size) {
            fold[i] = f;
        }
    }
    fold
}

/// Numbers values by first appearance; the numbers and how many there are.
fn encode<T: std::hash::Hash + Eq>(values: &[T]) -> (Vec<usize>, usize) {
    let mut seen: HashMap<&T, usize> = HashMap::new();
    let codes = values
        .iter()
        .map(|v| {
            let next = seen.len();
            *seen.entry(v).or_insert(next)
        })
        .collect();
    (codes, seen.len())
}

fn stratified(labels: &[usize], k: usize, rng: &mut Mt19937) -> Result<Vec<usize>> {
    let (codes, classes) = encode(labels);
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    let mut counts = vec![0; classes];
    // records of each class in each fold: the sorted labels dealt out in turn
    let mut allocation = vec![vec![0; k]; classes];
    for (i, &c) in sorted.iter().enumerate() {
        counts[c] += 1;
        allocation[c][i % k] += 1;
    }
    let largest = counts.iter().copied().max().unwrap_or(0);
    if largest < k {
        let what = format!("the largest class has {largest} records, fewer than the {k} folds");
        return Err(Error::data("stratified split", what, "use fewer folds or more records"));
    }
    let mut fold = vec![0; labels.len()];
    for (class, per_fold) in allocation.iter().enumerate() {
        let mut own: Vec<usize> = per_fold.iter().enumerate().flat_map(|(f, &m)| std::iter::repeat_n(f, m)).collect();
        rng.shuffle(&mut own);
        let members = codes.iter().enumerate().filter(|(_, c)| **c == class);
        for ((i, _), f) in members.zip(own) {
            fold[i] = f;
        }
    }
    Ok(fold)
}

/// Greedy: patients with the largest share of some class first (shuffled among equals), each to the fold
/// where the sum over classes of squared shares grows least, then to the smaller, then to the first.
///
/// An empty fold grows least, so none stays empty. And as the best fold is no worse than the mean one, the
/// squared distances of the folds' shares from `1 / k`, over classes and folds, come to at most `1 - 1 / k` of the
/// patients' squared shares: no worse than patients dealt at random are on average (in practice, far better).
fn grouped(labels: &[usize], groups: &[String], k: usize, rng: &mut Mt19937) -> Result<Vec<usize>> {
    let (patient, patients) = encode(groups);
    if patients < k {
        let found = count(patients, "patient", "patients");
        let what = format!("found {found} for {k} folds, expected at least one a fold");
        let fewer = if patients < 2 { String::new() } else { format!("--set data.folds={patients}, or ") };
        return Err(Error::data("grouped split", what, format!("{fewer}use recordings of more patients")));
    }
    let (class, classes) = encode(labels);
    let mut total = vec![0.0_f64; classes];
    let mut held = vec![vec![0.0_f64; classes]; patients];
    for (&p, &c) in patient.iter().zip(&class) {
        total[c] += 1.0;
        held[p][c] += 1.0;
    }
    for row in &mut held {
        for (v, t) in row.iter_mut().zip(&total) {
            *v /= t;
        }
    }
    let weight = |p: usize| held[p].iter().map(|v| v * v).sum::<f64>();
    let mut order = rng.permutation(patients);
    order.sort_by(|&a, &b| weight(b).total_cmp(&weight(a)));
    let mut share = vec![vec![0.0_f64; classes]; k];
    let mut of_patient = vec![0; patients];
    for p in order {
        let growth = |f: usize| held[p].iter().zip(&share[f]).map(|(h, s)| h * (h + 2.0 * s)).sum::<f64>();
        let size = |f: usize| share[f].iter().sum::<f64>();
        let best =
            (0..k).min_by(|&a, &b| growth(a).total_cmp(&growth(b)).then(size(a).total_cmp(&size(b)))).unwrap_or(0);
        of_patient[p] = best;
        for (s, h) in share[best].iter_mut().zip(&held[p]) {
            *s += h;
        }
    }
    Ok(patient.iter().map(|&p| of_patient[p]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unique(n: usize) -> Vec<String> {
        (0..n).map(|i| i.to_string()).collect()
    }

    #[test]
    fn grouped_balances_classes() {
        // 40 patients with 1 to 12 strips, mostly of one class
        let (mut labels, mut groups) = (Vec::new(), Vec::new());
        for p in 0..40_usize {
            for s in 0..1 + p * 7 % 12 {
                labels.push(if s % 5 == 4 { (p + 1) % 4 } else { p % 4 });
                groups.push(format!("p{p}"));
            }
        }
        let f = folds(SplitKind::Grouped, &labels, &groups, 5, 7).unwrap();
        for class in 0..4 {
            let total = labels.iter().filter(|&&l| l == class).count() as f64;
            for fold in 0..5 {
                let here = labels.iter().zip(&f).filter(|&(&l, &x)| l == class && x == fold).count() as f64;
                assert!((here / total - 0.2).abs() < 0.12, "class {class} fold {fold}: {here} of {total}");
            }
        }
        assert_ne!(f, folds(SplitKind::Grouped, &labels, &groups, 5, 8).unwrap());
    }

    #[test]
    fn impossible_splits_are_errors() {
        let g = unique(6);
        let y = [0, 0, 0, 1, 1, 1];
        for (kind, k, seed) in [
            (SplitKind::KFold, 1, 0),
            (SplitKind::KFold, 7, 0),
            (SplitKind::KFold, 2, 1 << 32),
            (SplitKind::Stratified, 4, 0),
        ] {
            assert!(folds(kind, &y, &g, k, seed).unwrap_err().to_string().contains("HINT"));
        }
        assert!(folds(SplitKind::KFold, &y, &g[..5], 2, 0).is_err());
        let one = vec!["a".to_string(); 6];
        assert!(
            folds(SplitKind::Grouped, &y, &one, 2, 0).unwrap_err().to_string().contains("found 1 patient for 2 folds")
        );
    }

    /// Sum over classes and folds of the squared distance of a fold's share of a class from `1 / k`, and the bound
    /// promised for it.
    fn imbalance(labels: &[usize], groups: &[String], fold: &[usize], k: usize) -> (f64, f64) {
        let share = |class: usize, belongs: &dyn Fn(usize) -> bool| {
            let of_class: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == class).collect();
            of_class.iter().filter(|&&i| belongs(i)).count() as f64 / of_class.len() as f64
        };
        let classes: std::collections::BTreeSet<usize> = labels.iter().copied().collect();
        let patients: std::collections::BTreeSet<&String> = groups.iter().collect();
        let (mut distance, mut held) = (0.0, 0.0);
        for &class in &classes {
            distance += (0..k).map(|f| (share(class, &|i| fold[i] == f) - 1.0 / k as f64).powi(2)).sum::<f64>();
            held += patients.iter().map(|p| share(class, &|i| groups[i] == **p).powi(2)).sum::<f64>();
        }
        (distance, held * (1.0 - 1.0 / k as f64))
    }

    proptest! {
        #[test]
        fn grouped_keeps_its_promises(
            strips in proptest::collection::vec((0..25_usize, 0..4_usize), 30..150),
            k in 2..6_usize,
            seed in any::<u32>(),
        ) {
            let labels: Vec<usize> = strips.iter().map(|s| s.1).collect();
            let groups: Vec<String> = strips.iter().map(|s| format!("p{}", s.0)).collect();
            let (_, patients) = encode(&groups);
            let made = folds(SplitKind::Grouped, &labels, &groups, k, seed.into());
            if patients < k {
                prop_assert!(made.is_err());
                return Ok(());
            }
            let fold = made.unwrap();
            prop_assert!((0..k).all(|f| fold.contains(&f)));
            let mut of: HashMap<&str, usize> = HashMap::new();
            for (g, &f) in groups.iter().zip(&fold) {
                prop_assert_eq!(*of.entry(g).or_insert(f), f, "patient {} in two folds", g);
            }
            let (distance, bound) = imbalance(&labels, &groups, &fold, k);
            prop_assert!(distance <= bound + 1e-9, "{} {}", distance, bound);
            let renamed: Vec<String> = groups.iter().map(|g| format!("{}x", 99 - g[1..].parse::<i32>().unwrap())).collect();
            let other: Vec<usize> = labels.iter().map(|l| 7 - l).collect();
            prop_assert_eq!(folds(SplitKind::Grouped, &other, &renamed, k, seed.into()).unwrap(), fold);
        }

        /// Patients of one strip each: every class within one record of equal parts.
        #[test]
        fn any_kind_deals_single_strips_evenly(labels in proptest::collection::vec(0..3_usize, 20..80), seed in any::<u32>()) {
            for kind in [SplitKind::Stratified, SplitKind::Grouped, SplitKind::KFold] {
                let fold = folds(kind, &labels, &unique(labels.len()), 4, seed.into()).unwrap();
                let sizes: Vec<usize> = (0..4).map(|f| fold.iter().filter(|&&x| x == f).count()).collect();
                let spread = sizes.iter().max().unwrap() - sizes.iter().min().unwrap();
                prop_assert!(spread <= if kind == SplitKind::Grouped { 3 } else { 1 }, "{:?} {:?}", kind, sizes);
                for class in 0..3 {
                    let counts: Vec<usize> =
                        (0..4).map(|f| labels.iter().zip(&fold).filter(|&(&l, &x)| (l, x) == (class, f)).count()).collect();
                    let spread = counts.iter().max().unwrap() - counts.iter().min().unwrap();
                    prop_assert!(kind == SplitKind::KFold || spread <= 1, "{:?} class {} {:?}", kind, class, counts);
                }
            }
        }
    }
}
