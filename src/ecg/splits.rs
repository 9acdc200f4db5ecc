//! Folds of cross-validation: scikit-learn's `KFold` and `StratifiedKFold` (shuffled, integer seed) bit
//! for bit, and folds that keep all strips of a patient together.

use crate::error::{Error, Result};
use std::collections::HashMap;

/// How records are dealt to folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl std::str::FromStr for SplitKind {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        [Self::KFold, Self::Stratified, Self::Grouped].into_iter().find(|k| k.name() == s).ok_or_else(|| {
            Error::config(format!("unknown split `{s}`"), "choose kfold, stratified or grouped (by patient)")
        })
    }
}

/// The test fold, 0 to `k - 1`, of each record. `labels` are class indices, `groups` the patients
/// (only their number counts unless `kind` is grouped).
///
/// # Errors
/// [`Error::Config`] for fewer than 2 folds or a seed beyond 32 bits; [`Error::Data`] for lists of
/// different lengths, for fewer records (patients, if grouped) than folds, and for a stratified split in
/// which no class has as many records as there are folds.
pub fn folds(kind: SplitKind, labels: &[usize], groups: &[String], k: usize, seed: u64) -> Result<Vec<usize>> {
    let n = labels.len();
    if groups.len() != n {
        return Err(Error::data(
            "split",
            format!("{n} labels but {} patients", groups.len()),
            "give one of each per record",
        ));
    }
    if k < 2 {
        return Err(Error::config(format!("{k} folds, expected at least 2"), "set the number of folds to 5, say"));
    }
    if n < k {
        return Err(Error::data("split", format!("{n} records for {k} folds"), "use fewer folds or more records"));
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
        return Err(Error::data(
            "stratified split",
            format!("the largest class has {largest} records, fewer than the {k} folds"),
            "use fewer folds or more records",
        ));
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
fn grouped(labels: &[usize], groups: &[String], k: usize, rng: &mut Mt19937) -> Result<Vec<usize>> {
    let (patient, patients) = encode(groups);
    if patients < k {
        return Err(Error::data(
            "grouped split",
            format!("{patients} patients for {k} folds"),
            "use fewer folds or recordings of more patients",
        ));
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

/// The Mersenne Twister of Matsumoto and Nishimura 1998, seeded by `init_genrand`: NumPy's `RandomState(seed)`.
#[derive(Clone)]
pub struct Mt19937 {
    state: [u32; 624],
    next: usize,
}

impl Mt19937 {
    /// The generator for an integer seed.
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; 624];
        for i in 1..624 {
            let before: u32 = state[i - 1];
            state[i] = 1_812_433_253_u32.wrapping_mul(before ^ before >> 30).wrapping_add(i as u32);
        }
        Self { state, next: 624 }
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == 624 {
            for i in 0..624 {
                let y = self.state[i] & 0x8000_0000 | self.state[(i + 1) % 624] & 0x7fff_ffff;
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % 624] ^ y >> 1 ^ odd;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    /// A uniform number in `0..=max` by masked rejection.
    fn interval(&mut self, max: usize) -> usize {
        let mask = max.checked_next_power_of_two().map_or(usize::MAX, |p| if p == max { 2 * p - 1 } else { p - 1 });
        loop {
            let mut draw = self.next_u32() as usize;
            if max > u32::MAX as usize {
                draw = draw << 32 | self.next_u32() as usize;
            }
            if draw & mask <= max {
                return draw & mask;
            }
        }
    }

    /// NumPy's legacy shuffle, in place.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.interval(i);
            items.swap(i, j);
        }
    }

    /// NumPy's `RandomState.permutation(n)`.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unique(n: usize) -> Vec<String> {
        (0..n).map(|i| i.to_string()).collect()
    }

    #[test]
    fn generator_and_permutation_of_seed_42() {
        let mut rng = Mt19937::new(42);
        assert_eq!([rng.next_u32(), rng.next_u32(), rng.next_u32()], [1_608_637_542, 3_421_126_067, 4_083_286_876]);
        assert_eq!(Mt19937::new(42).permutation(10), [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
    }

    #[test]
    fn stratified_golden() {
        let y = [2, 0, 1, 0, 3, 1, 2, 2, 0, 1, 3, 0, 2, 1, 0, 3, 2, 2, 1, 0, 3, 0];
        let f = folds(SplitKind::Stratified, &y, &unique(22), 5, 42).unwrap();
        assert_eq!(f, [0, 3, 4, 0, 0, 1, 0, 4, 2, 0, 1, 1, 1, 3, 1, 3, 3, 2, 2, 4, 4, 2]);
    }

    #[test]
    fn grouped_keeps_patients_together_and_balances() {
        // 40 patients with 1 to 12 strips, mostly of one class
        let (mut labels, mut groups) = (Vec::new(), Vec::new());
        for p in 0..40_usize {
            for s in 0..1 + p * 7 % 12 {
                labels.push(if s % 5 == 4 { (p + 1) % 4 } else { p % 4 });
                groups.push(format!("p{p}"));
            }
        }
        let f = folds(SplitKind::Grouped, &labels, &groups, 5, 7).unwrap();
        let mut of: HashMap<&str, usize> = HashMap::new();
        for (g, &fold) in groups.iter().zip(&f) {
            assert_eq!(*of.entry(g).or_insert(fold), fold);
        }
        for class in 0..4 {
            let total = labels.iter().filter(|&&l| l == class).count() as f64;
            for fold in 0..5 {
                let here = labels.iter().zip(&f).filter(|&(&l, &x)| l == class && x == fold).count() as f64;
                assert!((here / total - 0.2).abs() < 0.12, "class {class} fold {fold}: {here} of {total}");
            }
        }
        assert_eq!(f, folds(SplitKind::Grouped, &labels, &groups, 5, 7).unwrap());
        assert_ne!(f, folds(SplitKind::Grouped, &labels, &groups, 5, 8).unwrap());
    }

    #[test]
    fn no_fold_is_empty() {
        for n in 5..12 {
            for kind in [SplitKind::KFold, SplitKind::Grouped] {
                let f = folds(kind, &vec![0; n], &unique(n), 5, 1).unwrap();
                assert!((0..5).all(|k| f.contains(&k)), "{kind:?} {n}");
            }
        }
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
        assert!(folds(SplitKind::Grouped, &y, &one, 2, 0).unwrap_err().to_string().contains("1 patients"));
        assert!("loocv".parse::<SplitKind>().is_err());
        assert_eq!("grouped".parse::<SplitKind>().unwrap(), SplitKind::Grouped);
    }
}
