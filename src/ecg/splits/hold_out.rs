//! A share of the records, held out as the folds are made.

use super::{SplitKind, folds};
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};

/// Folds that are tried for an exact share, such as 2 of 5 for 0.4.
const EXACT: usize = 50;
/// Most folds.
const MOST: usize = 1000;

/// Which records are held out: about `share` of them, between 0 and 1, as a number of [`folds`] of this kind: 0.1 is the first
/// of ten, 0.4 two of five. Where records (of the largest class, if stratified; patients, if grouped) are too few for those
/// folds, the nearest share that they allow is taken; at least one fold is held out and one is not.
pub fn hold_out(kind: SplitKind, labels: &[usize], groups: &[String], share: f64, seed: u64) -> Result<Vec<bool>> {
    let n = labels.len();
    let most = match kind {
        SplitKind::KFold => n,
        SplitKind::Grouped => groups.iter().collect::<HashSet<_>>().len(),
        SplitKind::Stratified => {
            let mut counts: HashMap<usize, usize> = HashMap::new();
            labels.iter().for_each(|&label| *counts.entry(label).or_default() += 1);
            counts.into_values().max().unwrap_or(0)
        }
    };
    if most < 2 {
        let what = match kind {
            SplitKind::KFold => format!("{n} records"),
            SplitKind::Stratified => format!("{n} records, none two of one class"),
            SplitKind::Grouped => format!("the records of {most} patient"),
        };
        let what = format!("a share of {share} cannot be held out of {what}: expected two at least");
        return Err(Error::data("the training fold", what, "use more records, or --set train.validation=0"));
    }
    let (held, of) = as_folds(share, n, most);
    let fold = folds(kind, labels, groups, of, seed)?;
    let mut sizes = vec![0_usize; of];
    fold.iter().for_each(|&f| sizes[f] += 1);
    // sizes differ: after the first fold those are taken that come nearest to the share
    let mut taken = vec![0];
    let mut total = sizes[0] as f64;
    for i in 1..held {
        let wanted = share * n as f64 * (i + 1) as f64 / held as f64;
        let off = |f: usize| (total + sizes[f] as f64 - wanted).abs();
        let Some(next) = (0..of).filter(|f| !taken.contains(f)).min_by(|&a, &b| off(a).total_cmp(&off(b))) else {
            break;
        };
        taken.push(next);
        total += sizes[next] as f64;
    }
    Ok(fold.iter().map(|f| taken.contains(f)).collect())
}

/// A share as some of a number of folds, `most` at most: exact with few folds, else to half a record, else the nearest.
fn as_folds(share: f64, records: usize, most: usize) -> (usize, usize) {
    let parts = |of: usize| (((share * of as f64).round() as usize).clamp(1, of - 1), of);
    let off = |of: usize| (parts(of).0 as f64 / of as f64 - share).abs();
    let within = |most: usize, limit: f64| (2..=most).find(|&of| off(of) <= limit);
    let most = most.min(MOST);
    let found = within(most.min(EXACT), 1e-9).or_else(|| within(most, 0.5 / records as f64));
    let nearest = || (2..=most).min_by(|&a, &b| off(a).total_cmp(&off(b)));
    parts(found.or_else(nearest).unwrap_or(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(kind: SplitKind, labels: &[usize], groups: &[String], share: f64) -> Vec<bool> {
        let held = hold_out(kind, labels, groups, share, 42).unwrap();
        assert_eq!(held, hold_out(kind, labels, groups, share, 42).unwrap());
        held
    }

    fn count(held: &[bool]) -> usize {
        held.iter().filter(|h| **h).count()
    }

    #[test]
    fn a_share_is_held_out() {
        for n in [32, 40, 97, 480] {
            let labels: Vec<usize> = (0..n).map(|i| i % 4).collect();
            let groups: Vec<String> = (0..n).map(|i| format!("p{i}")).collect();
            for kind in [SplitKind::KFold, SplitKind::Stratified, SplitKind::Grouped] {
                for share in [0.1, 0.15, 0.2, 0.25, 0.3, 0.37, 0.4, 0.45, 0.5] {
                    let held = held(kind, &labels, &groups, share);
                    let (found, wanted) = (count(&held) as f64, share * n as f64);
                    // a fold of a few records may be the least
                    let slack = if kind == SplitKind::Grouped { 3.0 } else { 2.0_f64.max(0.01 * n as f64) };
                    assert!((found - wanted).abs() <= slack, "{kind:?} {n} {share}: {found}, expected {wanted}");
                    if kind == SplitKind::Stratified && share >= 0.2 {
                        for class in 0..4 {
                            let own: Vec<bool> = (0..n).filter(|i| labels[*i] == class).map(|i| held[i]).collect();
                            let (all, out) = (own.len() as f64, count(&own) as f64);
                            let what = format!("{n} {share} class {class}: {out} of {all}");
                            assert!((out - share * all).abs() <= 2.0 + 0.04 * all, "{what}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn one_part_of_k_is_the_first_of_k_folds() {
        let labels: Vec<usize> = (0..480).map(|i| i % 4).collect();
        let groups: Vec<String> = (0..480).map(|i| format!("p{}", i / 3)).collect();
        for kind in [SplitKind::KFold, SplitKind::Stratified, SplitKind::Grouped] {
            for k in [2, 3, 4, 5, 10, 20] {
                let first: Vec<bool> = folds(kind, &labels, &groups, k, 42).unwrap().iter().map(|f| *f == 0).collect();
                assert_eq!(held(kind, &labels, &groups, 1.0 / k as f64), first, "{kind:?} {k}");
            }
        }
    }

    #[test]
    fn patients_stay_together() {
        let groups: Vec<String> = (0..200).map(|i| format!("p{}", i / 13)).collect();
        let labels: Vec<usize> = (0..200).map(|i| i / 13 % 3).collect();
        for share in [0.1, 0.33, 0.4] {
            let held = held(SplitKind::Grouped, &labels, &groups, share);
            assert!((0..200).all(|i| held[i] == held[i / 13 * 13]));
            assert!((count(&held) as f64 - share * 200.0).abs() <= 13.0, "{share}: {}", count(&held));
        }
        // three patients allow a third at least
        let three: Vec<String> = (0..30).map(|i| format!("p{}", i / 10)).collect();
        assert_eq!(count(&held(SplitKind::Grouped, &[0; 30], &three, 0.1)), 10);
        let one = vec!["p".to_string(); 30];
        let e = hold_out(SplitKind::Grouped, &[0; 30], &one, 0.1, 1).unwrap_err().to_string();
        assert!(e.contains("1 patient") && e.contains("HINT"), "{e}");
    }
}
