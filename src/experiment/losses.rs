//! The `[losses]` table.

use crate::error::Result;
use crate::explain::target_layer;
use crate::nn::NetworkConfig;
use serde::{Deserialize, Serialize};

/// The `[losses]` table: `CE + joint CE_joint + feature SmoothL1 + xai (1 - NCC) + entropy H`. A weight of 0 leaves a term
/// out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// Weight of the joint head's cross-entropy (feature guidance).
    pub joint: f64,
    /// Weight of the feature regression (feature guidance).
    pub feature: f64,
    /// Weight of the XAI guidance: how far the Grad-CAM map is from its target.
    pub xai: f64,
    /// Weight of the entropy of the map as a distribution over time, 0 to 1: a sparser map has less of it.
    pub entropy: f64,
    /// Layer whose map is guided: `last`, `blocks.0` and so on, or `stem` where a network has one.
    pub target_layer: String,
    /// Take the channel weights of the map as constants, for comparison: no gradient of a gradient.
    pub detach_alpha: bool,
    /// What the map is pulled towards: `mixed` (the target of beats and intervals) or `separate` (a term for each); as controls,
    /// `other` (the target of another record) or `slope` (`|dx/dt|`).
    pub xai_goal: XaiGoal,
    /// How much more an irregular record weighs in the XAI guidance: `1 + xai_irregular rho`; 0 = all alike.
    pub xai_irregular: f64,
    /// Weigh class c with `N / (K n_c)` of the training fold.
    pub class_weights: bool,
    /// Share of the target spread over all classes, 0 to below 1.
    pub label_smoothing: f64,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            joint: 0.5,
            feature: 0.1,
            xai: 0.5,
            entropy: 0.0,
            target_layer: "last".into(),
            detach_alpha: false,
            xai_goal: XaiGoal::Mixed,
            xai_irregular: 0.0,
            class_weights: false,
            label_smoothing: 0.0,
        }
    }
}

/// What XAI guidance pulls the map towards; `B`, `I`, `G` and `rho` as in [`mod@crate::ecg::guidance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum XaiGoal {
    /// `1 - NCC(M, G)`: the target of beats and intervals mixed.
    Mixed,
    /// `(1 - rho) (1 - NCC(M, B)) + rho (1 - NCC(M, I))`: beats and intervals each in a term of its own.
    Separate,
    /// A control: `1 - NCC(M, G')` with the `G'` of another training record, of another patient, drawn once by the seed.
    Other,
    /// A control: `1 - NCC(M, |dx/dt|)`, see [`crate::explain::scores::slope_curve`]: steep parts, whatever the rhythm.
    Slope,
}

impl XaiGoal {
    /// Terms of the loss that it makes.
    pub fn terms(self) -> usize {
        match self {
            Self::Separate => 2,
            Self::Mixed | Self::Other | Self::Slope => 1,
        }
    }
}

impl LossConfig {
    /// Place of the target layer among the maps of a network, of which it must be one.
    pub fn layer(&self, network: &NetworkConfig) -> Result<usize> {
        target_layer(Some(&self.target_layer), &network.maps())
    }

    /// The terms beside the cross-entropy, by the names that logs have, with their weights.
    pub fn weights(&self) -> [(&'static str, f64); 4] {
        [("joint", self.joint), ("feature", self.feature), ("xai", self.xai), ("entropy", self.entropy)]
    }

    /// Names of all terms in the order of logs, the sum last.
    pub fn terms() -> Vec<&'static str> {
        let own = Self::default().weights().map(|(name, _)| name);
        ["ce"].into_iter().chain(own).chain(["total"]).collect()
    }

    /// Whether a term is of the Grad-CAM map.
    pub fn guides_map(&self) -> bool {
        self.xai > 0.0 || self.entropy > 0.0
    }

    /// True where the network needs its train-only part.
    pub fn train_only(&self) -> bool {
        self.joint > 0.0 || self.feature > 0.0
    }
}
