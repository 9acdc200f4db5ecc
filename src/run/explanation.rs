//! How good maps are, by class: `explanation.json`.

use crate::explain::scores::Summary;
use serde::{Deserialize, Serialize};

/// The content of `explanation.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanations {
    /// Maps for the true class, grouped by it.
    pub true_class: Summary,
    /// Maps for the predicted class, grouped by that.
    pub predicted_class: Summary,
    /// Deletion and insertion by the maps for the true class.
    pub perturbation: Perturbation,
}

/// Deletion and insertion of a subset: evenly spaced records of each true class, [`crate::eval::PERTURBED`] at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Perturbation {
    /// Steps of a curve.
    pub steps: usize,
    /// Chosen records, of all classes.
    pub records: usize,
    /// Those with a dead map, which are left out.
    pub dead: usize,
    /// One entry a class, in the order of the classes.
    pub per_class: Vec<ClassAreas>,
}

/// One class of a [`Perturbation`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassAreas {
    /// Name of the class.
    pub class: String,
    /// Its chosen records.
    pub records: usize,
    /// Those with a dead map.
    pub dead: usize,
    /// Mean area under deletion of the others; `None` without any.
    pub deletion_auc: Option<f64>,
    /// Mean area under insertion.
    pub insertion_auc: Option<f64>,
}
