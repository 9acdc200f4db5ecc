//! What a prediction costs: `cost.json`.

use serde::{Deserialize, Serialize};

/// The content of `cost.json`: the network that predicts, without the parts that only training has. Its times are measured,
/// so that this file alone differs between two runs of one experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Parameters.
    pub parameters: usize,
    /// Multiply-adds of convolutions and linear layers for one strip, BatchNorm folded where the program folds it.
    pub multiply_adds: u64,
    /// Samples of a strip.
    pub samples: usize,
    /// Adapter and driver, with the CPU that plays it, where they are known.
    pub adapter: Option<String>,
    /// Measured times of a forward pass, by batch: a single strip, and the batch of a test.
    pub inference: Vec<Inference>,
}

/// Time of the forward pass of a batch, from the strips in memory to the logits in memory.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Inference {
    /// Strips of a pass.
    pub batch: usize,
    /// Median time of a strip, ms.
    pub ms_per_strip: f64,
    /// Passes that it is the median of.
    pub passes: usize,
}

impl Cost {
    /// Name of the file in a run folder.
    pub const FILE: &'static str = "cost.json";

    /// Time of a strip by itself, ms.
    pub fn single_ms(&self) -> Option<f64> {
        self.inference.iter().find(|i| i.batch == 1).map(|i| i.ms_per_strip)
    }

    /// The time in the largest batch.
    pub fn batched(&self) -> Option<&Inference> {
        self.inference.iter().max_by_key(|i| i.batch)
    }
}
