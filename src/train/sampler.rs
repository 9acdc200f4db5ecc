//! Which strips an epoch of a training sees, and in what order: a function of the seed and the epoch alone, so that a resumed
//! training continues as it would have.

use crate::ecg::Dataset;
use crate::experiment::data::{cut, shuffled};
use crate::experiment::{Experiment, SamplerKind};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::ops::Range;

/// Uses of the generator: each has streams of its own for every epoch, those of [`shuffled`] are the first.
#[derive(Clone, Copy)]
enum Use {
    PerPatient = 1,
    Windows = 2,
    Leads = 3,
}

fn generator(seed: u64, epoch: usize, of: Use) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((of as u64) << 48 | (epoch as u64 + 1));
    rng
}

/// A training window and what it is drawn by.
#[derive(Debug, Clone)]
struct Window {
    record: usize,
    class: usize,
    source: String,
    patient: String,
}

/// Deals the windows of a training to its epochs.
#[derive(Debug)]
pub struct Sampler {
    kind: SamplerKind,
    seed: u64,
    batch: usize,
    /// Most windows of a patient and class in an epoch; 0: all.
    per_patient: usize,
    weights: BTreeMap<String, f64>,
    windows: Vec<Window>,
    /// Records that are other leads of a window, by the window's record; windows without any are left out.
    others: BTreeMap<usize, Range<usize>>,
}

impl Sampler {
    /// Of the records `windows` of `data`, whose other leads are the records `others`, see [`Dataset::with_leads`].
    pub fn new(
        experiment: &Experiment,
        data: &Dataset,
        windows: &[usize],
        others: BTreeMap<usize, Range<usize>>,
    ) -> Self {
        let (d, t) = (&experiment.data, &experiment.train);
        let window = |&record: &usize| {
            let strip = &data.strips[record];
            Window { record, class: strip.label, source: strip.source.clone(), patient: strip.patient.clone() }
        };
        Self {
            kind: t.sampler,
            seed: t.seed,
            batch: t.batch,
            per_patient: d.per_patient,
            weights: d.weights.clone(),
            windows: windows.iter().map(window).collect(),
            others,
        }
    }

    /// What an epoch sees, in words, where that is not every window once.
    pub fn line(&self) -> Option<String> {
        let (epoch, all) = (self.epoch(0).len(), self.windows.len());
        let others: usize = self.others.values().map(ExactSizeIterator::len).sum();
        let leads = if others > 0 { format!("; {others} other leads to choose from") } else { String::new() };
        let drawn = match self.kind {
            SamplerKind::All => "",
            SamplerKind::Patients => ", drawn by class, source and patient",
        };
        let plain = (epoch, others) == (all, 0) && self.kind == SamplerKind::All;
        (!plain).then(|| format!("{epoch} strips an epoch of {all}{drawn}{leads}"))
    }

    /// The batches of an epoch, from 0. Every epoch has the same number of them.
    pub fn batches(&self, epoch: usize) -> Vec<Vec<usize>> {
        cut(&self.epoch(epoch), self.batch)
    }

    /// The records of an epoch, from 0, in their order.
    pub fn epoch(&self, epoch: usize) -> Vec<usize> {
        let left = self.left(epoch);
        let order = match self.kind {
            SamplerKind::All => left,
            SamplerKind::Patients => self.drawn(&left, epoch),
        };
        let records: Vec<usize> = order.iter().map(|&w| self.lead(self.windows[w].record, epoch)).collect();
        // what was drawn is in the order of the draws
        if self.kind == SamplerKind::All { shuffled(&records, self.seed, epoch) } else { records }
    }

    /// The windows, ascending, that `per_patient` leaves an epoch.
    fn left(&self, epoch: usize) -> Vec<usize> {
        if self.per_patient == 0 {
            return (0..self.windows.len()).collect();
        }
        let mut groups: BTreeMap<(usize, &str), Vec<usize>> = BTreeMap::new();
        for (i, window) in self.windows.iter().enumerate() {
            groups.entry((window.class, &window.patient)).or_default().push(i);
        }
        let mut rng = generator(self.seed, epoch, Use::PerPatient);
        let mut left: Vec<usize> = Vec::new();
        for mut own in groups.into_values() {
            for i in 0..self.per_patient.min(own.len()) {
                let chosen = rng.random_range(i..own.len());
                own.swap(i, chosen);
                left.push(own[i]);
            }
        }
        left.sort_unstable();
        left
    }

    /// n windows for the n in `left`: of a class, a source by its weight, a patient, each drawn alone.
    fn drawn(&self, left: &[usize], epoch: usize) -> Vec<usize> {
        let mut rng = generator(self.seed, epoch, Use::Windows);
        let mut classes: BTreeMap<usize, BTreeMap<&str, BTreeMap<&str, Deck>>> = BTreeMap::new();
        for &i in left {
            let window = &self.windows[i];
            let sources = classes.entry(window.class).or_default();
            sources.entry(&window.source).or_default().entry(&window.patient).or_default().windows.push(i);
        }
        let mut classes: Vec<Vec<(f64, Vec<Deck>)>> = classes
            .into_values()
            .map(|sources| {
                let weight = |source: &str| self.weights.get(source).copied().unwrap_or(1.0);
                sources.into_iter().map(|(s, patients)| (weight(s), patients.into_values().collect())).collect()
            })
            .collect();
        let mut order = Vec::with_capacity(left.len());
        while order.len() < left.len() {
            let class = rng.random_range(0..classes.len());
            let sources = &mut classes[class];
            let total: f64 = sources.iter().map(|(weight, _)| weight).sum();
            let mut at = rng.random_range(0.0..1.0) * total;
            let place = sources.iter().position(|(weight, _)| {
                at -= weight;
                at < 0.0
            });
            let last = sources.len() - 1;
            let patients = &mut sources[place.unwrap_or(last)].1;
            let patient = rng.random_range(0..patients.len());
            order.push(patients[patient].draw(&mut rng));
        }
        order
    }

    /// The lead of a window that an epoch sees.
    fn lead(&self, record: usize, epoch: usize) -> usize {
        let Some(others) = self.others.get(&record) else { return record };
        let mut rng = generator(self.seed, epoch, Use::Leads);
        // a block of the generator for each window: whatever the order, and whatever other windows there are
        rng.set_word_pos(16 * record as u128);
        match rng.random_range(0..=others.len()) {
            0 => record,
            k => others.start + k - 1,
        }
    }
}

/// Windows that are drawn without repetition, and shuffled again when none is left.
#[derive(Debug, Default)]
struct Deck {
    windows: Vec<usize>,
    /// How many were drawn since they were shuffled.
    drawn: usize,
}

impl Deck {
    fn draw(&mut self, rng: &mut ChaCha8Rng) -> usize {
        if self.drawn == self.windows.len() {
            self.drawn = 0;
        }
        let i = self.drawn;
        let chosen = rng.random_range(i..self.windows.len());
        self.windows.swap(i, chosen);
        self.drawn += 1;
        self.windows[i]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Window, class, source, patient.
    fn sampler(kind: SamplerKind, per_patient: usize, windows: &[(usize, &str, &str)]) -> Sampler {
        let window = |(record, &(class, source, patient)): (usize, &(usize, &str, &str))| Window {
            record,
            class,
            source: source.into(),
            patient: patient.into(),
        };
        let windows = windows.iter().enumerate().map(window).collect();
        let (weights, others) = (BTreeMap::new(), BTreeMap::new());
        Sampler { kind, seed: 7, batch: 8, per_patient, weights, windows, others }
    }

    fn counts<'a, K: Ord>(epoch: &[usize], key: impl Fn(usize) -> K + 'a) -> BTreeMap<K, usize> {
        let mut counts = BTreeMap::new();
        epoch.iter().for_each(|&r| *counts.entry(key(r)).or_insert(0) += 1);
        counts
    }

    /// Two classes, 300 windows of two patients of `a` and 20 of ten patients of `b`.
    fn pool() -> Vec<(usize, &'static str, &'static str)> {
        let many = (0..300).map(|i| (0, "a", if i % 3 == 0 { "a1" } else { "a2" }));
        let patients = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"];
        let few = (0..20).map(|i| (1, "b", patients[i / 2]));
        many.chain(few).collect()
    }

    #[test]
    fn all_is_the_shuffle_of_every_window() {
        let s = sampler(SamplerKind::All, 0, &pool());
        let records: Vec<usize> = (0..320).collect();
        for epoch in 0..3 {
            assert_eq!(s.batches(epoch), crate::experiment::data::batches(&records, 8, 7, epoch));
        }
    }

    #[test]
    fn per_patient_is_kept_and_drawn_again_each_epoch() {
        let windows = pool();
        let s = sampler(SamplerKind::All, 5, &windows);
        let key = |r: usize| (windows[r].0, windows[r].2);
        for epoch in 0..4 {
            let mut own = s.epoch(epoch);
            let of = counts(&own, key);
            assert_eq!(own.len(), 2 * 5 + 20);
            assert!(of.iter().all(|((class, _), n)| *n == if *class == 0 { 5 } else { 2 }), "{of:?}");
            assert_eq!(own, s.epoch(epoch));
            own.sort_unstable();
            own.dedup();
            assert_eq!(own.len(), 30, "no window twice");
        }
        let set = |epoch| s.epoch(epoch).into_iter().collect::<std::collections::BTreeSet<_>>();
        assert_ne!(set(0), set(1));
    }

    #[test]
    fn classes_sources_and_patients_have_their_shares() {
        let mut windows = pool();
        windows.extend((0..40).map(|_| (1, "c", "c1")));
        let mut s = sampler(SamplerKind::Patients, 0, &windows);
        s.weights = BTreeMap::from([("c".to_string(), 3.0)]);
        let all: Vec<usize> = (0..50).flat_map(|epoch| s.epoch(epoch)).collect();
        assert_eq!(all.len(), 50 * 360);
        let n = all.len() as f64;
        // five standard deviations of a share
        let near = |found: usize, share: f64, what: &str| {
            let sd = (share * (1.0 - share) / n).sqrt();
            assert!((found as f64 / n - share).abs() < 5.0 * sd, "{what}: {found} of {n}, expected a share of {share}");
        };
        for (class, found) in counts(&all, |r| windows[r].0) {
            near(found, 0.5, &class.to_string());
        }
        for (patient, found) in counts(&all, |r| windows[r].2) {
            let share = match patient {
                "a1" | "a2" => 0.25,
                "c1" => 0.5 * 0.75,
                _ => 0.5 * 0.25 / 10.0,
            };
            near(found, share, patient);
        }
    }

    #[test]
    fn leads_are_drawn_for_each_window_and_epoch() {
        let mut s = sampler(SamplerKind::All, 0, &pool());
        s.others = (0..320).map(|r| (r, 1000 + 2 * r..1002 + 2 * r)).collect();
        let window = |r: usize| if r < 320 { r } else { (r - 1000) / 2 };
        let all: Vec<usize> = (0..30).flat_map(|epoch| s.epoch(epoch)).collect();
        assert!(counts(&all, window).values().all(|n| *n == 30), "every window once an epoch");
        let first = all.iter().filter(|r| **r < 320).count() as f64 / all.len() as f64;
        assert!((first - 1.0 / 3.0).abs() < 0.03, "{first}");
        // a window's lead does not depend on the other windows
        let lead = |s: &Sampler| s.epoch(4).into_iter().find(|&r| window(r) == 9);
        let mut fewer = sampler(SamplerKind::All, 0, &pool());
        fewer.windows.truncate(20);
        fewer.others.clone_from(&s.others);
        assert_eq!(lead(&s), lead(&fewer));
    }

    proptest! {
        /// Whatever the pool: n windows for its n, none of a patient and class twice before all were drawn.
        #[test]
        fn no_window_comes_again_before_all_were_drawn(
            windows in proptest::collection::vec((0..3_usize, 0..2_usize, 0..4_usize), 2..60),
            per_patient in 0..4_usize,
            epoch in 0..5_usize,
        ) {
            let names = ["a", "b", "c", "d"];
            let windows: Vec<_> = windows.into_iter().map(|(c, s, p)| (c, names[s], names[p])).collect();
            let s = sampler(SamplerKind::Patients, per_patient, &windows);
            let epoch = s.epoch(epoch);
            let left = sampler(SamplerKind::All, per_patient, &windows).epoch(0);
            prop_assert_eq!(epoch.len(), left.len());
            let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
            epoch.iter().for_each(|&r| groups.entry(windows[r]).or_default().push(r));
            for own in groups.values() {
                let times = counts(own, |r| r);
                let most = times.values().max().unwrap();
                let least = if times.len() < own.len() { times.values().min().unwrap() } else { &1 };
                prop_assert!(most - least <= 1, "{own:?}");
                let all = windows.iter().filter(|w| **w == windows[own[0]]).count();
                prop_assert!(per_patient > 0 || *most == 1 || times.len() == all, "{own:?} of {all}");
            }
        }
    }
}
