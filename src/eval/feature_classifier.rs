//! A small classifier on the 17 features alone: what every network that sees the signal must be compared with. On the
//! CPU, in f64, the same bits for the same seed.
//!
//! A multilayer perceptron 17 - 64 - K with ReLU, cross-entropy with class weights (a weighted mean divides by the sum
//! of the weights), Adam (beta 0.9, 0.999) in batches of 64, learning rate 3e-3 with a cosine to 0. Nothing was tuned.

use crate::ecg::Dataset;
use crate::ecg::features::{FeatureScale, Features, NAMES};
use crate::experiment::data::{batches, class_counts};
use crate::explain::softmax;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Number of features.
pub(super) const INPUTS: usize = NAMES.len();
/// Width of the hidden layer.
const HIDDEN: usize = 64;
/// Records per step.
const BATCH: usize = 64;
/// Highest learning rate.
const RATE: f64 = 3e-3;
/// Most epochs, and how many records all epochs may have together: about a second of one core.
const MOST_EPOCHS: usize = 300;
const MOST_RECORDS: usize = 600_000;

/// Probabilities of every class for `records` by the 17 features alone: a classifier fitted on the records `train`, with
/// features standardised by them, and with classes weighed by `N / (K n_c)` where `weighted`.
pub fn by_features(data: &Dataset, train: &[usize], records: &[usize], weighted: bool, seed: u64) -> Vec<Vec<f64>> {
    let scale = FeatureScale::of(train.iter().map(|&r| &data.strips[r].features));
    let rows: Vec<Features> = train.iter().map(|&r| scale.apply(&data.strips[r].features)).collect();
    let labels: Vec<usize> = train.iter().map(|&r| data.strips[r].label).collect();
    let counts = class_counts(data, train);
    let weight = |n: usize| if weighted { train.len() as f64 / (counts.len() * n.max(1)) as f64 } else { 1.0 };
    let weights: Vec<f64> = labels.iter().map(|&c| weight(counts[c])).collect();
    let net = FeatureClassifier::fit(&rows, &labels, &weights, counts.len(), seed);
    records.iter().map(|&r| net.probabilities(&scale.apply(&data.strips[r].features))).collect()
}

/// The trained classifier.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureClassifier {
    classes: usize,
    /// Input weights `[17, 64]`, hidden biases `[64]`, output weights `[K, 64]`, output biases `[K]`.
    values: Vec<f64>,
}

/// The four parts of a flat list of parameters, see [`FeatureClassifier`].
fn parts(values: &[f64], classes: usize) -> [&[f64]; 4] {
    let (w1, rest) = values.split_at(INPUTS * HIDDEN);
    let (b1, rest) = rest.split_at(HIDDEN);
    let (w2, b2) = rest.split_at(classes * HIDDEN);
    [w1, b1, w2, b2]
}

/// `to += scale * from`.
fn add_scaled(to: &mut [f64], from: &[f64], scale: f64) {
    to.iter_mut().zip(from).for_each(|(t, f)| *t += scale * f);
}

impl FeatureClassifier {
    /// Trains on standardised `rows` of the classes `labels`, of `classes`, each with its weight. Without rows the starting
    /// values remain.
    ///
    /// # Panics
    /// If there is not one label below `classes` and one weight for every row.
    pub fn fit(rows: &[Features], labels: &[usize], weights: &[f64], classes: usize, seed: u64) -> Self {
        assert!(rows.len() == labels.len() && rows.len() == weights.len(), "a label and a weight a row");
        let mut net = Self::new(classes, seed);
        let records: Vec<usize> = (0..rows.len()).collect();
        let epochs = (MOST_RECORDS / rows.len().max(1)).clamp(1, MOST_EPOCHS);
        let steps = (epochs * rows.len().div_ceil(BATCH)) as f64;
        let mut moments = vec![[0.0; 2]; net.values.len()];
        let mut step = 0;
        for epoch in 0..epochs {
            for batch in batches(&records, BATCH, seed, epoch) {
                let gradient = net.gradient(&batch, rows, labels, weights);
                let rate = RATE * 0.5 * (1.0 + (std::f64::consts::PI * f64::from(step) / steps).cos());
                step += 1;
                let (c1, c2) = (1.0 - 0.9_f64.powi(step), 1.0 - 0.999_f64.powi(step));
                for ((v, [m, s]), g) in net.values.iter_mut().zip(&mut moments).zip(&gradient) {
                    *m = 0.9 * *m + 0.1 * g;
                    *s = 0.999 * *s + 0.001 * g * g;
                    *v -= rate * (*m / c1) / ((*s / c2).sqrt() + 1e-8);
                }
            }
        }
        net
    }

    /// Starting values: uniform in +-1/sqrt(fan_in).
    fn new(classes: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |n: usize, fan_in: usize| -> Vec<f64> {
            let bound = 1.0 / (fan_in as f64).sqrt();
            (0..n).map(|_| (2.0 * rng.random::<f64>() - 1.0) * bound).collect()
        };
        let mut values = draw((INPUTS + 1) * HIDDEN, INPUTS);
        values.extend(draw(classes * (HIDDEN + 1), HIDDEN));
        Self { classes, values }
    }

    /// Probability of every class.
    pub fn probabilities(&self, row: &Features) -> Vec<f64> {
        softmax(&self.forward(row).1)
    }

    /// Hidden values and logits.
    fn forward(&self, row: &Features) -> ([f64; HIDDEN], Vec<f64>) {
        let [w1, b1, w2, b2] = parts(&self.values, self.classes);
        let mut hidden = [0.0; HIDDEN];
        hidden.copy_from_slice(b1);
        for (&x, w) in row.iter().zip(w1.chunks_exact(HIDDEN)) {
            add_scaled(&mut hidden, w, f64::from(x));
        }
        hidden.iter_mut().for_each(|h| *h = h.max(0.0));
        let one = |(w, b): (&[f64], &f64)| b + w.iter().zip(&hidden).map(|(w, h)| w * h).sum::<f64>();
        let logits = w2.chunks_exact(HIDDEN).zip(b2).map(one).collect();
        (hidden, logits)
    }

    /// Gradient of the batch's loss, laid out as the values.
    fn gradient(&self, batch: &[usize], rows: &[Features], labels: &[usize], weights: &[f64]) -> Vec<f64> {
        let [.., w2, _] = parts(&self.values, self.classes);
        let total: f64 = batch.iter().map(|&r| weights[r]).sum();
        let mut gradient = vec![0.0; self.values.len()];
        let (g1, rest) = gradient.split_at_mut(INPUTS * HIDDEN);
        let (gb1, rest) = rest.split_at_mut(HIDDEN);
        let (g2, gb2) = rest.split_at_mut(self.classes * HIDDEN);
        for &r in batch {
            let (hidden, logits) = self.forward(&rows[r]);
            let mut error = softmax(&logits);
            error[labels[r]] -= 1.0;
            let mut back = [0.0; HIDDEN];
            for (c, e) in error.iter().enumerate() {
                let e = e * weights[r] / total;
                let of = c * HIDDEN..(c + 1) * HIDDEN;
                add_scaled(&mut g2[of.clone()], &hidden, e);
                add_scaled(&mut back, &w2[of], e);
                gb2[c] += e;
            }
            back.iter_mut().zip(&hidden).for_each(|(b, h)| *b = if *h > 0.0 { *b } else { 0.0 });
            add_scaled(gb1, &back, 1.0);
            for (&x, g) in rows[r].iter().zip(g1.chunks_exact_mut(HIDDEN)) {
                add_scaled(g, &back, f64::from(x));
            }
        }
        gradient
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::argmax;

    /// Two features in `+-2`, three classes: inside a circle, and outside it left or right. No line divides them.
    fn rings(n: usize, seed: u64) -> (Vec<Features>, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let one = |_| {
            let row: Features =
                std::array::from_fn(|j| if j < 2 { 4.0 * rng.random::<f32>() - 2.0 } else { rng.random::<f32>() });
            let outside = row[0].hypot(row[1]) > 1.2;
            (row, if !outside { 0 } else { 1 + usize::from(row[0] > 0.0) })
        };
        (0..n).map(one).unzip()
    }

    fn right(net: &FeatureClassifier, rows: &[Features], labels: &[usize]) -> f64 {
        let hits = rows.iter().zip(labels).filter(|(row, label)| argmax(&net.probabilities(row)) == **label).count();
        hits as f64 / rows.len() as f64
    }

    #[test]
    fn learns_what_no_line_divides_and_does_it_again() {
        let (rows, labels) = rings(600, 1);
        let net = FeatureClassifier::fit(&rows, &labels, &[1.0; 600], 3, 5);
        let (unseen, truth) = rings(400, 2);
        let share = right(&net, &unseen, &truth);
        assert!(share > 0.93, "{share}");
        let p = net.probabilities(&unseen[0]);
        assert!(p.len() == 3 && (p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(net, FeatureClassifier::fit(&rows, &labels, &[1.0; 600], 3, 5));
        assert_ne!(net, FeatureClassifier::fit(&rows, &labels, &[1.0; 600], 3, 6));
    }

    #[test]
    fn weights_move_the_boundary() {
        // both classes at the same place: the prior decides, unless the weights undo it
        let rows = [[0.0; INPUTS]; 40];
        let labels: Vec<usize> = (0..40).map(|i| usize::from(i % 4 == 0)).collect();
        let rare = |weights: &[f64]| {
            let weights: Vec<f64> = labels.iter().map(|&c| weights[c]).collect();
            FeatureClassifier::fit(&rows, &labels, &weights, 2, 1).probabilities(&rows[0])[1]
        };
        assert!((rare(&[1.0, 1.0]) - 0.25).abs() < 0.05, "{}", rare(&[1.0, 1.0]));
        assert!((rare(&[1.0, 3.0]) - 0.5).abs() < 0.05, "{}", rare(&[1.0, 3.0]));
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let (rows, labels) = rings(9, 3);
        let weights: Vec<f64> = labels.iter().map(|&c| [1.0, 0.5, 2.0][c]).collect();
        let net = FeatureClassifier::new(3, 4);
        let batch: Vec<usize> = (0..9).collect();
        let loss = |net: &FeatureClassifier| {
            let total: f64 = weights.iter().sum();
            let one = |((row, &c), w): ((_, &usize), &f64)| -w * net.probabilities(row)[c].ln() / total;
            rows.iter().zip(&labels).zip(&weights).map(one).sum::<f64>()
        };
        let gradient = net.gradient(&batch, &rows, &labels, &weights);
        for i in (0..net.values.len()).step_by(37) {
            let moved = |by: f64| {
                let mut other = net.clone();
                other.values[i] += by;
                loss(&other)
            };
            let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((gradient[i] - expected).abs() < 1e-7, "{i}: {} {expected}", gradient[i]);
        }
        assert_eq!(FeatureClassifier::fit(&[], &[], &[], 3, 4), net);
    }
}
