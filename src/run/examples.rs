//! `explanations.safetensors`: what the figures of a run need of its maps, its predictions taken apart and its features, so
//! that they are drawn without the model and without the data set.
//!
//! Of every class strips are kept that are predicted right, and such that are not, by their place among the tested records:
//! variants of a sweep keep the same ones as far as they agree, so that their maps can be laid side by side.

mod aligned;
mod file;
mod packed;

use crate::ecg::features::Features;
use serde::{Deserialize, Deserializer, Serialize};

pub use aligned::{AFTER, Aligned, BEFORE, Beats, aligned};

/// The content of `explanations.safetensors`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Examples {
    /// Names of the K classes.
    pub classes: Vec<String>,
    /// Sampling rate of the strips, Hz.
    pub fs: f64,
    /// The block that the maps are of, `blocks.3`.
    pub layer: String,
    /// Kept strips, by true class, those that are predicted right first, then in the order of the tested records.
    pub strips: Vec<Example>,
    /// Means about the R peaks, one a class, in the order of the classes.
    pub aligned: Vec<Aligned>,
    /// Deletion and insertion of the records that were taken apart and whose map is not dead.
    pub curves: Vec<ExampleCurves>,
    /// The 17 features of every tested record.
    pub features: Vec<ExampleFeatures>,
    /// What the classifier is given of every tested record, `[N, D]`, in the order of `predictions.csv`. Empty in files of
    /// before.
    pub embeddings: Vec<Vec<f32>>,
}

/// A strip, and what the network made of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Example {
    /// Id of the record.
    pub record: String,
    /// Id of its patient; empty in files of before.
    pub patient: String,
    /// True class, an index.
    pub class: usize,
    /// Predicted class.
    pub predicted: usize,
    /// Probability of every class, `[K]`.
    pub probabilities: Vec<f32>,
    /// NCC of map and target, -1 to 1; NaN where the target is not valid.
    #[serde(deserialize_with = "or_nan")]
    pub ncc: f32,
    /// The R peaks are an expert's beats, not a detector's.
    pub expert_beats: bool,
    /// R peaks, samples from the start of the strip.
    pub r_peaks: Vec<u32>,
    /// The part of the strip `[from, to)` in which beats are marked, where that is not all of it, see
    /// [`crate::ecg::Strip::marked`]: outside the target says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marked: Option<[u32; 2]>,
    /// The strip, `[L]`; in mV if `in_mv`.
    #[serde(skip)]
    pub signal: Vec<f32>,
    /// See [`crate::ecg::Strip::in_mv`]; files of before do not say it.
    #[serde(default = "yes")]
    pub in_mv: bool,
    /// The guidance target G, 0 to 1, `[L]`; all zero where it is not valid.
    #[serde(skip)]
    pub target: Vec<f32>,
    /// Grad-CAM for every class at the block's resolution, `[K, T]`, not scaled. Files of before know that of the true class
    /// alone; the others are empty.
    #[serde(skip)]
    pub maps: Vec<Vec<f32>>,
}

fn yes() -> bool {
    true
}

/// JSON has no NaN but `null`.
fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f32::NAN))
}

impl Example {
    /// Whether the network is right.
    pub fn is_right(&self) -> bool {
        self.predicted == self.class
    }

    /// The map for the true class.
    pub fn map(&self) -> &[f32] {
        self.maps.get(self.class).map_or(&[], Vec::as_slice)
    }
}

/// Deletion and insertion of one record: the probability of its true class at equally spaced shares, 0 to 1, of its
/// samples.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExampleCurves {
    /// True class, an index.
    pub class: usize,
    /// As the most relevant samples are taken away.
    pub deletion: Vec<f32>,
    /// As only they are left.
    pub insertion: Vec<f32>,
}

/// The features of one record, as [`crate::ecg::features`] defines them.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleFeatures {
    /// True class, an index.
    pub class: usize,
    /// Measured from the R peaks; NaN where a feature is not defined.
    pub measured: Features,
    /// What the regressor made of the strip, in the units of the measured ones; `None` for a network without one.
    pub regressed: Option<Features>,
}
