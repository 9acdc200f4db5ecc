//! From an experiment to the strips of a training and a test fold, and from those to batches.

use super::config::{DataConfig, Experiment, Fold};
use crate::ecg::{self, Dataset, zscore};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Reads or makes the data set of an experiment.
///
/// # Errors
/// [`Error::File`], [`Error::Data`], [`Error::Config`] from the sources.
pub fn load(config: &DataConfig) -> Result<Dataset> {
    if config.is_synthetic() {
        return ecg::synthesize(&config.synthetic_options());
    }
    ecg::load_all(&config.files(), &config.load_options())
}

/// Which records train and which test, as indices into the data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// Records that train.
    pub train: Vec<usize>,
    /// Records of the training fold that are only watched.
    pub validation: Vec<usize>,
    /// Records that test; none for fold `all`.
    pub test: Vec<usize>,
}

/// Divides a data set as the experiment says.
///
/// # Errors
/// [`Error::Data`] where the folds cannot be made, or leave a class without a training record.
pub fn divide(experiment: &Experiment, data: &Dataset) -> Result<Division> {
    let all = 0..data.strips.len();
    let d = &experiment.data;
    let (test, train): (Vec<usize>, Vec<usize>) = match experiment.train.fold {
        Fold::All => (Vec::new(), all.collect()),
        Fold::Index(fold) => {
            let of = ecg::folds(d.split.kind(), &data.labels(), &data.patients(), d.folds, u64::from(d.split_seed))?;
            all.partition(|&i| of[i] == fold)
        }
    };
    let share = experiment.train.validation;
    if share == 0.0 {
        return check_division(data, Division { train, validation: Vec::new(), test });
    }
    // The first of 1 / share inner folds of the training fold.
    let labels: Vec<usize> = train.iter().map(|&i| data.strips[i].label).collect();
    let patients: Vec<String> = train.iter().map(|&i| data.strips[i].patient.clone()).collect();
    let of = ecg::folds(d.split.kind(), &labels, &patients, (1.0 / share).round() as usize, u64::from(d.split_seed))?;
    let (inner, rest): (Vec<usize>, Vec<usize>) = (0..train.len()).partition(|&i| of[i] == 0);
    let pick = |places: Vec<usize>| places.into_iter().map(|i| train[i]).collect();
    check_division(data, Division { train: pick(rest), validation: pick(inner), test })
}

fn check_division(data: &Dataset, division: Division) -> Result<Division> {
    let mut counts = vec![0; data.classes.len()];
    division.train.iter().for_each(|&i| counts[data.strips[i].label] += 1);
    if division.train.len() < 2 || data.classes.len() < 2 {
        return Err(Error::data(
            "the training fold",
            format!("{} records of {} classes, expected at least 2 of each", division.train.len(), data.classes.len()),
            "use more records, or lower data.min_class",
        ));
    }
    match counts.iter().position(|&n| n == 0) {
        None => Ok(division),
        Some(c) => Err(Error::data(
            "the training fold",
            format!("no record of class {}", data.classes[c]),
            "use another fold or split, or raise data.min_class so that the class is dropped",
        )),
    }
}

/// Z-scored strips on the host, ready to be uploaded.
#[derive(Debug)]
pub struct Strips {
    samples: Vec<f32>,
    len: usize,
    labels: Vec<u32>,
}

impl Strips {
    /// All strips of a data set.
    pub fn new(data: &Dataset) -> Self {
        let len = data.samples();
        let mut samples = Vec::with_capacity(len * data.strips.len());
        for strip in &data.strips {
            let start = samples.len();
            samples.extend_from_slice(&strip.signal);
            zscore(&mut samples[start..]);
        }
        Self { samples, len, labels: data.strips.iter().map(|s| s.label as u32).collect() }
    }

    /// Samples of a strip.
    pub fn len_of_strip(&self) -> usize {
        self.len
    }

    /// Class of a record.
    pub fn label(&self, record: usize) -> usize {
        self.labels[record] as usize
    }

    /// The strips of `records` as `[B, 1, L]`.
    ///
    /// # Errors
    /// [`Error::Gpu`].
    pub fn batch(&self, gpu: &Gpu, records: &[usize]) -> Result<Tensor> {
        let mut x = Vec::with_capacity(records.len() * self.len);
        records.iter().for_each(|&r| x.extend_from_slice(&self.samples[r * self.len..(r + 1) * self.len]));
        Tensor::from_f32(gpu, &[records.len(), 1, self.len], &x)
    }

    /// Their classes as integers `[B]`.
    ///
    /// # Errors
    /// [`Error::Gpu`].
    pub fn batch_labels(&self, gpu: &Gpu, records: &[usize]) -> Result<Tensor> {
        let labels: Vec<u32> = records.iter().map(|&r| self.labels[r]).collect();
        Tensor::from_u32(gpu, &[records.len()], &labels)
    }
}

/// The batches of an epoch: all records in an order that depends on seed and epoch alone, cut into `size`; a last batch
/// of one record is joined to the one before it (BatchNorm needs two).
pub fn batches(records: &[usize], size: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
    let mut order = records.to_vec();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch as u64 + 1);
    for i in (1..order.len()).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
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
