//! What the numbers of a network must be compared with, on the same test fold: `sanity.json`.

use crate::explain::scores::Summary;
use crate::run::metrics::Metrics;
use serde::{Deserialize, Serialize};

/// Added to the run's seed for the network with random weights.
pub const RANDOM_SEED: u64 = 1000;

/// The content of `sanity.json`. Maps are scored for the true class, as those of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sanity {
    /// The map that is 1 everywhere. Its maximum is the first bin: see `pointing_chance` for its pointing game.
    pub uniform: Summary,
    /// What the pointing game gives a map whose maximum falls on any bin with equal chance.
    pub pointing_chance: Chance,
    /// The map `|dx/dt|` of the z-scored strip: a beat detector that learned nothing.
    pub slope: Summary,
    /// Grad-CAM of a network of the same sizes with random weights, in evaluation mode.
    pub random_network: Summary,
    /// Seed of those weights: the run's and [`RANDOM_SEED`].
    pub random_seed: u64,
    /// Metrics of a classifier on the 17 features alone, see [`crate::eval::feature_classifier`], fitted on the training fold; `None`
    /// where that is not known.
    pub features: Option<Metrics>,
}

/// Means of the pointing game's chance over the strips with a valid target; `None` without any.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chance {
    /// Over all strips.
    pub overall: Option<f64>,
    /// Per true class, in the order of the classes.
    pub per_class: Vec<Option<f64>>,
}

impl Chance {
    /// Means of `rows` of class and chance.
    pub fn of(rows: &[(usize, Option<f64>)], classes: usize) -> Self {
        let mean = |class: Option<usize>| {
            let own = rows.iter().filter(|(c, _)| class.is_none_or(|wanted| wanted == *c));
            let values: Vec<f64> = own.filter_map(|(_, v)| *v).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        Self { overall: mean(None), per_class: (0..classes).map(|c| mean(Some(c))).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_per_class() {
        let rows = [(0, Some(0.25)), (2, Some(0.5)), (0, None), (0, Some(0.75)), (1, None)];
        let found = Chance::of(&rows, 3);
        assert_eq!((found.overall, found.per_class), (Some(0.5), vec![Some(0.5), None, Some(0.5)]));
        assert_eq!(Chance::of(&[], 1), Chance { overall: None, per_class: vec![None] });
    }
}
