//! Batches of arrays: shuffled by a seed, and resumed to the same bits.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::tensor::{Tensor, numel};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Rows of arrays as batches. Arrays stay where they are: a batch is what goes to the device.
///
/// ```
/// use exgnet::prelude::*;
///
/// let gpu = Gpu::from_env()?;
/// let x: Vec<f32> = (0..20).map(|i| i as f32).collect(); // ten rows of shape [2]
/// let labels = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1];
/// let mut loader = Loader::new(&x, &[2], 4)?.labels(&labels)?.shuffled(7);
/// for _ in 0..2 {
///     while let Some(batch) = loader.next_of_epoch(&gpu)? {
///         assert_eq!(batch.x.dim(0), batch.labels()?.dim(0));
///     }
/// }
/// assert_eq!((loader.epoch(), loader.batches()), (2, 6)); // of 4, 4 and 2 rows
///
/// // what a checkpoint keeps; the rest follows from the seed
/// let saved = loader.state();
/// let next = loader.next_batch(&gpu)?.rows;
/// loader.resume(&saved)?;
/// assert_eq!(loader.next_batch(&gpu)?.rows, next);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Loader<'a> {
    x: Rows<'a>,
    labels: Option<&'a [u32]>,
    targets: Option<Rows<'a>>,
    /// Rows that are taken, in the order of the arrays.
    chosen: Vec<usize>,
    batch: usize,
    seed: Option<u64>,
    whole: bool,
    epoch: u32,
    /// Rows of the epoch that are done.
    done: usize,
    /// Batches of all epochs.
    batches: u32,
    /// Rows of the epoch in order.
    order: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Rows<'a> {
    shape: Vec<usize>,
    values: &'a [f32],
}

impl Rows<'_> {
    fn count(&self) -> usize {
        self.values.len() / numel(&self.shape)
    }

    fn batch(&self, gpu: &Gpu, rows: &[usize]) -> Result<Tensor> {
        let width = numel(&self.shape);
        let values: Vec<f32> = rows.iter().flat_map(|&r| &self.values[r * width..(r + 1) * width]).copied().collect();
        Tensor::from_f32(gpu, &[&[rows.len()], &self.shape[..]].concat(), &values)
    }
}

/// Some rows on the device.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[B, shape of a row]`.
    pub x: Tensor,
    /// Which rows of the arrays they are.
    pub rows: Vec<usize>,
    labels: Option<Tensor>,
    targets: Option<Tensor>,
}

impl Batch {
    /// Labels `[B]`, integers.
    ///
    /// # Errors
    /// [`Error::Shape`] where the loader has none.
    pub fn labels(&self) -> Result<&Tensor> {
        self.labels.as_ref().ok_or_else(|| missing("labels", "Loader::labels"))
    }

    /// Targets `[B, shape of a target]`.
    ///
    /// # Errors
    /// [`Error::Shape`] where the loader has none.
    pub fn targets(&self) -> Result<&Tensor> {
        self.targets.as_ref().ok_or_else(|| missing("targets", "Loader::targets"))
    }
}

fn missing(what: &str, from: &str) -> Error {
    bad(format!("a batch without {what}"), format!("one with {what}"), format!("give them to the loader with {from}"))
}

fn bad(found: String, expected: String, hint: impl Into<String>) -> Error {
    Error::shape("loader", found, expected, hint)
}

/// Where a [`Loader`] is: what has to be saved for it to resume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoaderState {
    /// Seed of the order; none where rows are not shuffled.
    pub seed: Option<u64>,
    /// Rows of an epoch.
    pub rows: usize,
    /// Rows of a batch.
    pub batch: usize,
    /// Epochs that are done.
    pub epoch: u32,
    /// Rows of the epoch that are done.
    pub done: usize,
    /// Batches of all epochs so far.
    pub batches: u32,
}

impl<'a> Loader<'a> {
    /// Batches of `batch` rows of `x`, each of the shape `row`, in their order. The last batch of an epoch may be smaller.
    pub fn new(x: &'a [f32], row: &[usize], batch: usize) -> Result<Self> {
        if batch == 0 {
            return Err(bad("batches of 0 rows".into(), "1 or more".into(), "32 is usual"));
        }
        let x = rows("x", x, row)?;
        let chosen: Vec<usize> = (0..x.count()).collect();
        let (labels, targets, order) = (None, None, chosen.clone());
        Ok(Self { x, labels, targets, chosen, batch, seed: None, whole: false, epoch: 0, done: 0, batches: 0, order })
    }

    /// With a label for each row: the number of its class.
    pub fn labels(mut self, labels: &'a [u32]) -> Result<Self> {
        self.same_count("labels", labels.len())?;
        self.labels = Some(labels);
        Ok(self)
    }

    /// With a target of the shape `row` for each row; `[]` for a number.
    pub fn targets(mut self, targets: &'a [f32], row: &[usize]) -> Result<Self> {
        let targets = rows("targets", targets, row)?;
        self.same_count("targets", targets.count())?;
        self.targets = Some(targets);
        Ok(self)
    }

    fn same_count(&self, what: &str, found: usize) -> Result<()> {
        let n = self.x.count();
        if found == n {
            return Ok(());
        }
        Err(bad(format!("{found} {what} for {n} rows"), "one for each row".into(), "give the arrays in the same order"))
    }

    /// With these rows only: the training part of arrays, say.
    pub fn only(mut self, chosen: &[usize]) -> Result<Self> {
        let n = self.x.count();
        if let Some(row) = chosen.iter().find(|&&row| row >= n) {
            return Err(bad(format!("row {row}"), format!("rows from 0 to {}", n - 1), "rows are counted from 0"));
        }
        if chosen.is_empty() {
            return Err(bad("no rows".into(), "one or more".into(), "an epoch needs a row"));
        }
        self.chosen = chosen.to_vec();
        self.begin();
        if self.whole { self.whole_batches() } else { Ok(self) }
    }

    /// In an order that follows from `seed` and the epoch.
    pub fn shuffled(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self.begin();
        self
    }

    /// Without the last batch of an epoch where it is smaller than the others: BatchNorm cannot train on one row.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are fewer rows than a batch has.
    pub fn whole_batches(mut self) -> Result<Self> {
        if self.chosen.len() < self.batch {
            let (found, expected) = (format!("{} rows", self.chosen.len()), format!("{} or more", self.batch));
            return Err(bad(found, expected, "use smaller batches, or let the last one be smaller"));
        }
        self.whole = true;
        Ok(self)
    }

    /// Epochs that are done.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Batches so far, of all epochs: a number for [`Params::train_mode`](super::Params::train_mode).
    pub fn batches(&self) -> u32 {
        self.batches
    }

    /// Batches of an epoch.
    pub fn batches_of_epoch(&self) -> usize {
        self.end().div_ceil(self.batch)
    }

    /// The order of this epoch.
    fn begin(&mut self) {
        self.order.clone_from(&self.chosen);
        let Some(seed) = self.seed else { return };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::from(self.epoch) + 1);
        for i in (1..self.order.len()).rev() {
            self.order.swap(i, rng.random_range(0..=i));
        }
    }

    /// Rows of an epoch that are in a batch.
    fn end(&self) -> usize {
        let n = self.order.len();
        if self.whole { n - n % self.batch } else { n }
    }

    /// The next batch of this epoch; `None` once after its last, where the next epoch begins.
    pub fn next_of_epoch(&mut self, gpu: &Gpu) -> Result<Option<Batch>> {
        let end = self.end();
        if self.done >= end {
            (self.epoch, self.done) = (self.epoch + 1, 0);
            self.begin();
            return Ok(None);
        }
        let rows = self.order[self.done..(self.done + self.batch).min(end)].to_vec();
        let labels = self.labels.map(|labels| {
            let labels: Vec<u32> = rows.iter().map(|&r| labels[r]).collect();
            Tensor::from_u32(gpu, &[rows.len()], &labels)
        });
        let targets = self.targets.as_ref().map(|targets| targets.batch(gpu, &rows)).transpose()?;
        let batch = Batch { x: self.x.batch(gpu, &rows)?, labels: labels.transpose()?, targets, rows };
        self.done += batch.rows.len();
        self.batches = self.batches.wrapping_add(1);
        Ok(Some(batch))
    }

    /// The next batch, of the next epoch where this one is done.
    pub fn next_batch(&mut self, gpu: &Gpu) -> Result<Batch> {
        loop {
            if let Some(batch) = self.next_of_epoch(gpu)? {
                return Ok(batch);
            }
        }
    }

    /// Where it is.
    pub fn state(&self) -> LoaderState {
        let (rows, batch) = (self.order.len(), self.batch);
        LoaderState { seed: self.seed, rows, batch, epoch: self.epoch, done: self.done, batches: self.batches }
    }

    /// Resumes from a state, with the seed of the state.
    ///
    /// # Errors
    /// [`Error::Shape`] for a state of other arrays or batches.
    pub fn resume(&mut self, state: &LoaderState) -> Result<()> {
        let own = LoaderState { rows: self.order.len(), batch: self.batch, ..state.clone() };
        let end = self.end();
        let between = state.done == end || (state.done < end && state.done.is_multiple_of(self.batch));
        if own != *state || !between {
            let found = format!("a state of {} rows in batches of {}, {} done", state.rows, state.batch, state.done);
            let expected = format!("{} rows in batches of {}", own.rows, own.batch);
            return Err(bad(found, expected, "resume with the arrays and the batch size that it was saved with"));
        }
        (self.seed, self.epoch, self.done, self.batches) = (state.seed, state.epoch, state.done, state.batches);
        self.begin();
        Ok(())
    }
}

/// Checks that values are whole rows.
fn rows<'a>(what: &str, values: &'a [f32], row: &[usize]) -> Result<Rows<'a>> {
    let width = row.iter().try_fold(1usize, |a, &d| a.checked_mul(d)).unwrap_or(0);
    if width == 0 || values.is_empty() || !values.len().is_multiple_of(width) {
        return Err(bad(
            format!("{} values of {what}", values.len()),
            format!("one or more rows of shape {row:?}, a multiple of {width} values"),
            "row is the shape of one row, without the batch",
        ));
    }
    Ok(Rows { shape: row.to_vec(), values })
}
