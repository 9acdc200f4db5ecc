//! The `[train]` table.

use crate::ops::Precision;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The `[train]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training fold.
    pub epochs: usize,
    /// Records per step; a last batch of one record is joined to the one before it.
    pub batch: usize,
    /// Highest learning rate.
    pub lr: f64,
    /// Update rule.
    pub optimizer: Optimizer,
    /// Added to the gradient (Adam) or taken from the weights directly (AdamW), as PyTorch does.
    pub weight_decay: f64,
    /// How what convolutions read is kept and multiplied while training; in 16 bits the loss is scaled. A trained network is
    /// stored and used in f32.
    pub precision: Precision,
    /// Decay of the first and second moment.
    pub betas: [f64; 2],
    /// Learning rate after the warm-up.
    pub schedule: Schedule,
    /// Share of all steps in which the learning rate rises linearly, 0 to below 1.
    pub warmup: f64,
    /// Largest global norm of the gradient; 0 = no clipping.
    pub clip: f64,
    /// Seed of initial weights, order of records, dropout.
    pub seed: u64,
    /// How an epoch's windows are chosen.
    pub sampler: SamplerKind,
    /// Which fold is the test fold.
    pub fold: Fold,
    /// Share of the training fold that is held out to follow the metrics over the epochs, and for `select`; 0 = none.
    /// Split like the folds (by patient where those are), see [`crate::ecg::hold_out`].
    pub validation: f64,
    /// Which network the run gives.
    pub select: Select,
    /// Steps between two read-backs of the losses.
    pub log_every: usize,
    /// Steps between two checkpoints; 0 = none by steps.
    pub checkpoint_steps: usize,
    /// Minutes between two checkpoints; 0 = none by time.
    pub checkpoint_minutes: f64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 60,
            batch: 32,
            lr: 1e-3,
            optimizer: Optimizer::Adam,
            weight_decay: 0.0,
            precision: Precision::F32,
            betas: [0.9, 0.999],
            schedule: Schedule::Cosine,
            warmup: 0.03,
            clip: 5.0,
            seed: 1,
            sampler: SamplerKind::All,
            fold: Fold::Index(0),
            validation: 0.0,
            select: Select::Final,
            log_every: 10,
            checkpoint_steps: 0,
            checkpoint_minutes: 5.0,
        }
    }
}

/// Update rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Kingma and Ba 2015.
    Adam,
    /// Loshchilov and Hutter 2019.
    AdamW,
}

/// Learning rate after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Half a cosine down to 0.
    Cosine,
    /// Stays.
    Constant,
}

/// How an epoch's windows are chosen, see [`crate::train::Sampler`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SamplerKind {
    /// Each once (as far as `data.per_patient` leaves it), in random order.
    All,
    /// The same number, each drawn: a class, a source that has it by its weight, a patient, a window, the last without
    /// repetition until all of the patient were drawn.
    Patients,
}

/// Which network a run gives. The test fold has no say in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Select {
    /// The last one's.
    Final,
    /// That of the highest macro-F1 on the validation part of the training fold, the first of equals.
    Best,
    /// The mean of those at the ends of the epochs of the second half, parameters and running estimates
    /// (stochastic weight averaging, Izmailov et al. 2018).
    Average,
}

/// Which fold is tested on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", expecting = "expected the number of a fold from 0 or \"all\"")]
pub enum Fold {
    /// None: every record trains. Written `"all"`.
    All,
    /// This fold, from 0; the others train. Written as its number.
    #[serde(untagged)]
    Index(usize),
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(k) => write!(f, "{k}"),
            Self::All => f.write_str("all"),
        }
    }
}
