//! From an experiment to the strips of a training and a test fold, and from those to batches.

use crate::ecg::dataset::keeping_small;
use crate::ecg::prepared::{self, through_cache};
use crate::ecg::preprocessing::Difference;
use crate::ecg::sources::{Progress, count};
use crate::ecg::{self, Dataset, Leads, Samples, SavedSplit, Strip, zscore};
use crate::error::{Error, Result};
use crate::experiment::{DataConfig, Experiment, Fold, test_sources};
use crate::gpu::Gpu;
use crate::tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

/// Reads or makes the data set of an experiment: its prepared file, or its sources by way of the cache. `watch` hears
/// how far it is.
///
/// # Errors
/// [`Error::File`], [`Error::Data`], [`Error::Config`] from the sources; [`Error::Config`] where a prepared file is of
/// another rate, length, lead, scheme or cleaning than the experiment; [`Error::Data`] where a source that only tests has a
/// patient, or a strip, of the others.
pub fn load(experiment: &Experiment, watch: &(dyn Fn(Progress) + Sync)) -> Result<Dataset> {
    test_sources::add(experiment, load_pool(experiment, watch)?, watch)
}

/// What folds are made of.
fn load_pool(experiment: &Experiment, watch: &(dyn Fn(Progress) + Sync)) -> Result<Dataset> {
    let Experiment { data: config, guidance, .. } = experiment;
    if config.prepared.is_empty() {
        let dir = crate::files::cache_dir().filter(|_| config.cache);
        return through_cache(&config.sources()?, &config.load_options(), guidance, dir.as_deref(), watch);
    }
    let path = ecg::resolve(config.prepared.as_ref());
    let set = prepared::read(&path)?;
    let mut wrong = set.differences(&config.load_options().preprocessing());
    if set.patient_pattern != config.patient_pattern {
        let (wanted, found) = (config.patient_pattern.clone(), set.patient_pattern.clone());
        wrong.push(Difference { key: "patient_pattern", wanted, found });
    }
    if (config.leads, set.leads) == (Leads::All, Leads::One) {
        let [wanted, found] = [config.leads, set.leads].map(|leads| leads.name().to_string());
        wrong.push(Difference { key: "leads", wanted, found });
    }
    if !wrong.is_empty() {
        let told: Vec<String> =
            wrong.iter().map(|d| format!("data.{} is {}, in the file {}", d.data_key(), d.wanted, d.found)).collect();
        let sets: Vec<String> = wrong.iter().map(|d| format!("--set data.{}={}", d.data_key(), d.found)).collect();
        return Err(Error::config(
            format!("{} was prepared for another experiment: {}", path.display(), told.join("; ")),
            format!("use {}, or prepare it again", sets.join(" ")),
        ));
    }
    let mut set = set.without_small_classes(config.min_class, config.min_patients)?;
    if config.leads == Leads::One {
        set.leads = Leads::One;
        set.strips.iter_mut().for_each(|s| s.others.clear());
    }
    Ok(set)
}

/// Which records train and which test, as indices into the data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// Records that train.
    pub train: Vec<usize>,
    /// Records of the training fold that are only watched.
    pub validation: Vec<usize>,
    /// Records that test: the test fold (none for fold `all`), and those of sources that only test.
    pub test: Vec<usize>,
    /// The fold of every record but those that only test; `None` for fold `all`.
    pub folds: Option<SavedSplit>,
}

/// The test fold of every record: made as the experiment says, or read from `data.split_file`.
///
/// # Errors
/// [`Error::Data`], [`Error::Config`] where the folds cannot be made or part the strips of a patient; [`Error::File`] for a file that has other
/// records, or another number of folds than `data.folds`.
pub fn folds(config: &DataConfig, data: &Dataset) -> Result<SavedSplit> {
    let pool = data.pool();
    let ids: Vec<String> = pool.iter().map(|s| s.id.clone()).collect();
    if config.split_file.is_empty() {
        let (kind, seed) = (config.split, u64::from(config.split_seed));
        let labels: Vec<usize> = pool.iter().map(|s| s.label).collect();
        let patients: Vec<String> = pool.iter().map(|s| s.patient.clone()).collect();
        let fold = ecg::folds(kind, &labels, &patients, config.folds, seed)?;
        patients_stay_together(pool, &fold)?;
        return SavedSplit::new(kind, config.folds, seed, ids, fold);
    }
    let path = ecg::resolve(config.split_file.as_ref());
    let saved = SavedSplit::read(&path)?;
    if saved.k != config.folds {
        return Err(Error::file(
            path,
            format!("holds {} folds, but data.folds is {}", saved.k, config.folds),
            format!("use --set data.folds={}", saved.k),
        ));
    }
    let fold = saved.apply(&ids)?;
    patients_stay_together(pool, &fold)?;
    SavedSplit::new(saved.kind, saved.k, saved.seed, ids, fold)
}

/// Strips of one patient on both sides of a split would be learned by heart.
fn patients_stay_together(pool: &[Strip], fold: &[usize]) -> Result<()> {
    let mut folds: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (strip, &fold) in pool.iter().zip(fold) {
        folds.entry(&strip.patient).or_default().insert(fold);
    }
    let mut apart = folds.iter().filter(|(_, folds)| folds.len() > 1);
    let Some((patient, of)) = apart.next() else { return Ok(()) };
    let of: Vec<String> = of.iter().map(ToString::to_string).collect();
    let others = match apart.count() {
        0 => String::new(),
        n => format!(", and so have {n} others"),
    };
    Err(Error::data(
        "the folds",
        format!("patient {patient} has strips in the folds {}{others}: expected one fold a patient", of.join(", ")),
        "set data.split=grouped; or data.patient_pattern, if record names were taken for patients that they are not",
    ))
}

/// Divides a data set as the experiment says.
///
/// # Errors
/// [`Error::Data`] where the folds cannot be made, or leave a class without a training record.
pub fn divide(experiment: &Experiment, data: &Dataset) -> Result<Division> {
    let d = &experiment.data;
    check_weights(d, data)?;
    let pool = data.pool().len();
    let all = 0..pool;
    let (folds, (mut test, mut train)): (_, (Vec<usize>, Vec<usize>)) = match experiment.train.fold {
        Fold::All => (None, (Vec::new(), all.collect())),
        Fold::Index(fold) => {
            let split = folds(d, data)?;
            let parts = all.partition(|&i| split.fold[i] == fold);
            (Some(split), parts)
        }
    };
    test.extend(pool..data.strips.len());
    let trains = |i: &usize| d.weights.get(&data.strips[*i].source).is_none_or(|w| *w > 0.0);
    let share = experiment.train.validation;
    if share == 0.0 {
        train.retain(trains);
        return check_division(d, data, Division { train, validation: Vec::new(), test, folds });
    }
    let labels: Vec<usize> = train.iter().map(|&i| data.strips[i].label).collect();
    let patients: Vec<String> = train.iter().map(|&i| data.strips[i].patient.clone()).collect();
    let held = ecg::hold_out(d.split, &labels, &patients, share, u64::from(d.split_seed))?;
    let (inner, rest): (Vec<usize>, Vec<usize>) = (0..train.len()).partition(|&i| held[i]);
    let pick = |places: Vec<usize>| places.into_iter().map(|i| train[i]);
    let (validation, train) = (pick(inner).collect(), pick(rest).filter(trains).collect());
    check_division(d, data, Division { train, validation, test, folds })
}

/// Weights are of sources that there are.
fn check_weights(config: &DataConfig, data: &Dataset) -> Result<()> {
    let sources: BTreeSet<&str> = data.pool().iter().map(|s| s.source.as_str()).collect();
    match config.weights.keys().find(|name| !sources.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::config(
            format!("data.weights.{name}: found no such source in the data set"),
            format!("name one of {}", Vec::from_iter(sources).join(", ")),
        )),
    }
}

/// How many of `records` each class has.
pub fn class_counts(data: &Dataset, records: &[usize]) -> Vec<usize> {
    let mut counts = vec![0; data.classes.len()];
    records.iter().for_each(|&r| counts[data.strips[r].label] += 1);
    counts
}

fn check_division(config: &DataConfig, data: &Dataset, division: Division) -> Result<Division> {
    let classes = &data.classes;
    if division.train.len() < 2 || classes.len() < 2 {
        let found = count(division.train.len(), "strip", "strips");
        let of = format!("{} ({})", count(classes.len(), "class", "classes"), classes.join(", "));
        let hint = match config.weights.values().any(|weight| *weight == 0.0) {
            true => "give its sources a weight above 0 in data.weights".into(),
            false => keeping_small(config.min_class, config.min_patients),
        };
        let what = format!("found {found} of {of}, expected at least 2 strips of 2 classes");
        return Err(Error::data("the training fold", what, hint));
    }
    let empty = class_counts(data, &division.train).iter().position(|&n| n == 0);
    match empty {
        None => Ok(division),
        Some(class) => Err(no_strip_of(class, data, &division)),
    }
}

/// The error for a class of which no strip trains: where its strips are instead.
fn no_strip_of(class: usize, data: &Dataset, division: &Division) -> Error {
    let of_class: Vec<usize> = (0..data.pool().len()).filter(|&r| data.strips[r].label == class).collect();
    let patients = of_class.iter().map(|&r| &data.strips[r].patient).collect::<BTreeSet<_>>().len();
    let within = |part: &[usize]| part.iter().filter(|r| of_class.contains(r)).count();
    let [tested, watched] = [&division.test, &division.validation].map(|part| within(part));
    let left_out = of_class.len() - tested - watched;
    let places = [
        (tested, "in the test fold"),
        (watched, "in the validation part"),
        (left_out, "of sources with data.weights of 0"),
    ];
    let places = places.into_iter().filter(|(n, _)| *n > 0);
    let places: Vec<String> = places.map(|(n, place)| format!("{n} {place}")).collect();
    let what = format!(
        "found no strip of class {} (its {} of {}: {}), expected one of every class",
        data.classes[class],
        count(of_class.len(), "strip", "strips"),
        count(patients, "patient", "patients"),
        places.join(", ")
    );
    let way = match (left_out, watched, patients) {
        (1.., _, _) => "give its sources a weight above 0 in data.weights",
        (0, 1.., _) => "--set train.validation=0 trains on those of the validation part",
        (0, 0, 0..2) => "use recordings of more patients of this class",
        _ => "another train.fold or data.split_seed tests on others",
    };
    Error::data(
        "the training fold",
        what,
        format!("{way}; --set data.min_class={} drops the class", of_class.len() + 1),
    )
}

/// The strips of a data set with their classes; a batch is z-scored when it is made, so that the samples of a mapped
/// file need not all be in memory.
#[derive(Debug)]
pub struct Strips {
    signals: Vec<Samples>,
    len: usize,
    labels: Vec<u32>,
}

impl Strips {
    /// All strips of a data set.
    pub fn new(data: &Dataset) -> Self {
        Self {
            signals: data.strips.iter().map(|s| s.signal.clone()).collect(),
            len: data.samples(),
            labels: data.strips.iter().map(|s| s.label as u32).collect(),
        }
    }

    /// Samples of a strip.
    pub fn len_of_strip(&self) -> usize {
        self.len
    }

    /// Class of a record.
    pub fn label(&self, record: usize) -> usize {
        self.labels[record] as usize
    }

    /// The strips of `records`, z-scored, as `[B, 1, L]`.
    pub fn batch(&self, gpu: &Gpu, records: &[usize]) -> Result<Tensor> {
        self.batch_with(gpu, records, |_, _| ())
    }

    /// [`Strips::batch`] after `change` was made to each record's z-scored strip.
    pub fn batch_with(
        &self,
        gpu: &Gpu,
        records: &[usize],
        mut change: impl FnMut(usize, &mut [f32]),
    ) -> Result<Tensor> {
        let mut x = Vec::with_capacity(records.len() * self.len);
        for &r in records {
            let start = x.len();
            x.extend_from_slice(&self.signals[r]);
            zscore(&mut x[start..]);
            change(r, &mut x[start..]);
        }
        Tensor::from_f32(gpu, &[records.len(), 1, self.len], &x)
    }

    /// Their classes as integers `[B]`.
    pub fn batch_labels(&self, gpu: &Gpu, records: &[usize]) -> Result<Tensor> {
        let labels: Vec<u32> = records.iter().map(|&r| self.labels[r]).collect();
        Tensor::from_u32(gpu, &[records.len()], &labels)
    }
}

/// The batches of an epoch: all records in an order that depends on seed and epoch alone, cut into `size`; a last batch
/// of one record is joined to the one before it (BatchNorm needs two).
pub fn batches(records: &[usize], size: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
    cut(&shuffled(records, seed, epoch), size)
}

/// The records in an order that depends on seed and epoch alone.
pub(crate) fn shuffled(records: &[usize], seed: u64, epoch: usize) -> Vec<usize> {
    let mut order = records.to_vec();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch as u64 + 1);
    for i in (1..order.len()).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
    order
}

/// Batches of `size`, a last one of one record joined to the one before it.
pub(crate) fn cut(order: &[usize], size: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = order.chunks(size).map(<[usize]>::to_vec).collect();
    if all.len() > 1
        && all.last().is_some_and(|b| b.len() == 1)
        && let (Some(last), Some(before)) = (all.pop(), all.last_mut())
    {
        before.extend(last);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecg::SyntheticOptions;

    /// Six strips of SR and SB in turn, each of a patient.
    #[test]
    fn a_training_fold_that_lacks_something_says_where_it_is() {
        let classes = ["SR", "SB"].map(String::from).to_vec();
        let options = SyntheticOptions { records: 6, classes, fs: 100.0, seconds: 4.0, ..SyntheticOptions::default() };
        let data = ecg::synthesize(&options).expect("six strips");
        let fails = |train: &[usize], validation: &[usize], test: &[usize], parts: &[&str]| {
            let [train, validation, test] = [train, validation, test].map(<[usize]>::to_vec);
            let division = Division { train, validation, test, folds: None };
            let e = check_division(&DataConfig::default(), &data, division).expect_err("an error").to_string();
            parts.iter().for_each(|part| assert!(e.contains(part), "`{part}` is not in: {e}"));
        };
        let lacks = "found no strip of class SB (its 3 strips of 3 patients: 2 in the test fold, ";
        let dropping = "; --set data.min_class=4 drops the class";
        fails(
            &[0, 2, 4],
            &[1],
            &[3, 5],
            &[lacks, "1 in the validation part)", "HINT: --set train.validation=0", dropping],
        );
        fails(&[0, 2, 4], &[], &[3, 5], &[lacks, "1 of sources with data.weights of 0)", "a weight above 0", dropping]);
        fails(&[0, 2, 4], &[], &[1, 3, 5], &["patients: 3 in the test fold)", "HINT: another train.fold", dropping]);
        let few = "found 1 strip of 2 classes (SR, SB), expected at least 2 strips of 2 classes";
        fails(&[0], &[], &[1], &[few, "HINT: --set data.min_class=1 keeps classes of fewer than 10 strips"]);
    }

    #[test]
    fn every_record_once_and_no_batch_of_one() {
        for (n, size) in [(10, 4), (9, 4), (33, 32), (2, 32), (64, 32)] {
            let records: Vec<usize> = (100..100 + n).collect();
            let all = batches(&records, size, 7, 3);
            assert!(all.iter().all(|b| b.len() >= 2 && b.len() <= size + 1), "{n} {size}: {all:?}");
            let mut seen = all.concat();
            seen.sort_unstable();
            assert_eq!(seen, records);
            assert_eq!(all, batches(&records, size, 7, 3));
            assert!(n < 9 || all != batches(&records, size, 7, 4), "epochs have orders of their own");
        }
    }
}
