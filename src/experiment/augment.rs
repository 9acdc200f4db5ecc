//! The `[augment]` table.

use serde::{Deserialize, Serialize};

/// The `[augment]` table: how training strips are changed at random, see [`crate::train::augment`]. What is 0 is off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Share of the strips of a batch that are changed.
    pub probability: f64,
    /// Largest shift in time, either way, s.
    pub shift: f64,
    /// Amplitudes are multiplied by a factor from `1 / (1 + scale)` to `1 + scale`.
    pub scale: f64,
    /// Root mean square of the baseline wander that is added, in sd of the strip.
    pub wander: f64,
    /// sd of the white noise that is added, in sd of the strip.
    pub noise: f64,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self { probability: 1.0, shift: 0.0, scale: 0.0, wander: 0.0, noise: 0.0 }
    }
}

impl AugmentConfig {
    /// Whether any strip is ever changed.
    pub fn is_on(&self) -> bool {
        self.probability > 0.0 && [self.shift, self.scale, self.wander, self.noise].iter().any(|v| *v > 0.0)
    }
}
