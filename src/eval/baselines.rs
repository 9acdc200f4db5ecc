//! What a network is compared with on the same records: a classifier on the 17 features alone.

use super::feature_classifier::FeatureClassifier;
use crate::ecg::Dataset;
use crate::ecg::features::FeatureScale;

/// Probabilities of every class for `records` by the 17 features alone: a classifier fitted on the records `train`, with
/// features standardised by them, and with classes weighed by `N / (K n_c)` where `weighted`.
pub fn by_features(data: &Dataset, train: &[usize], records: &[usize], weighted: bool, seed: u64) -> Vec<Vec<f64>> {
    let scale = FeatureScale::of(train.iter().map(|&r| &data.strips[r].features));
    let rows: Vec<[f32; 17]> = train.iter().map(|&r| scale.apply(&data.strips[r].features)).collect();
    let labels: Vec<usize> = train.iter().map(|&r| data.strips[r].label).collect();
    let counts = class_counts(data, train);
    let weight = |&n: &usize| if weighted { train.len() as f64 / (counts.len() * n.max(1)) as f64 } else { 1.0 };
    let net = FeatureClassifier::fit(&rows, &labels, &counts.iter().map(weight).collect::<Vec<_>>(), seed);
    records.iter().map(|&r| net.probabilities(&scale.apply(&data.strips[r].features))).collect()
}

/// How many of `records` each class has.
pub fn class_counts(data: &Dataset, records: &[usize]) -> Vec<usize> {
    let mut counts = vec![0; data.classes.len()];
    records.iter().for_each(|&r| counts[data.strips[r].label] += 1);
    counts
}
