//! Maps as the weights become random: `randomised.json`, the cascading randomisation test of Adebayo et al. 2018, "Sanity checks
//! for saliency maps".

use serde::{Deserialize, Serialize};

/// The content of `randomised.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Randomised {
    /// Records whose maps are compared, evenly over the true classes.
    pub records: usize,
    /// Of those, without a map of the trained network: it is zero everywhere.
    pub dead: usize,
    /// Seed of the random weights.
    pub seed: u64,
    /// Parts of the network from the output backwards: each with those before it at random weights.
    pub layers: Vec<Layer>,
}

/// Maps of a network whose parts down to this one have random weights, against those of the trained network for the same class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// The last part that was randomised.
    pub layer: String,
    /// Mean of Spearman's rank correlation of the maps; `None` where no record has a live map in both.
    pub spearman: Option<f64>,
    /// Mean of their NCC.
    pub ncc: Option<f64>,
    /// Records whose map became zero everywhere (or the same in every bin): left out of the means.
    pub dead: usize,
}

impl Randomised {
    /// Name of its file.
    pub const FILE: &'static str = "randomised.json";

    /// A line a layer, for a terminal.
    pub fn text_table(&self) -> String {
        let width = self.layers.iter().map(|l| l.layer.len()).max().unwrap_or(0).max(11);
        let cell = |v: Option<f64>| v.map_or("-".to_owned(), |v| format!("{v:.3}"));
        let mut text = format!(
            "{:width$}  {:>8}  {:>8}  {:>6}  ({} records; of the maps at random weights with the trained ones)\n",
            "random from", "Spearman", "NCC", "dead", self.records
        );
        for Layer { layer, spearman, ncc, dead } in &self.layers {
            text += &format!("{layer:width$}  {:>8}  {:>8}  {dead:>6}\n", cell(*spearman), cell(*ncc));
        }
        text
    }
}
