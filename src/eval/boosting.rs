//! Gradient-boosted trees on the 17 features (Friedman 2001; histograms and leaf-wise growth as LightGBM, Ke et al. 2017): what
//! tabular features usually go to. On the CPU, in f64, the same bits whatever the number of threads; nothing is drawn.
//!
//! Multinomial deviance with second-order steps, 100 rounds of a tree a class, learning rate 0.1, at most 31 leaves of at least
//! 20 records, at most 255 bins a feature, no penalty: scikit-learn's `HistGradientBoostingClassifier` with its defaults and
//! without early stopping. Nothing was tuned. What is not defined goes to the side where it fits better, and to the larger one
//! where training met none.

use super::feature_classifier::INPUTS;
use crate::ecg::features::Features;
use crate::explain::softmax;
use rayon::prelude::*;

const ROUNDS: usize = 100;
const RATE: f64 = 0.1;
const MOST_LEAVES: usize = 31;
const LEAST_RECORDS: usize = 20;
const LEAST_CURVATURE: f64 = 1e-3;
const MOST_BINS: usize = 255;

/// The trained trees.
#[derive(Debug, Clone, PartialEq)]
pub struct Boosting {
    /// Logits before the first tree.
    base: Vec<f64>,
    /// By round and class.
    rounds: Vec<Vec<Tree>>,
}

/// Nodes, the root first.
#[derive(Debug, Clone, PartialEq)]
struct Tree(Vec<Node>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Node {
    Leaf(f64),
    Split { feature: usize, threshold: f64, missing_left: bool, children: [usize; 2] },
}

impl Tree {
    fn value(&self, row: &Features) -> f64 {
        let mut at = 0;
        loop {
            match self.0[at] {
                Node::Leaf(value) => return value,
                Node::Split { feature, threshold, missing_left, children } => {
                    let x = f64::from(row[feature]);
                    let left = if x.is_finite() { x <= threshold } else { missing_left };
                    at = children[usize::from(!left)];
                }
            }
        }
    }
}

/// Rows as bins: bin `b` of a feature holds what is above `b` of its thresholds; the last one what is not defined.
struct Binned {
    thresholds: Vec<Vec<f64>>,
    /// By feature and row.
    bins: Vec<Vec<u8>>,
}

impl Binned {
    fn new(rows: &[Features]) -> Self {
        let thresholds: Vec<Vec<f64>> = (0..INPUTS).map(|j| thresholds(rows, j)).collect();
        let bin = |j: usize, x: f32| match x.is_finite() {
            true => thresholds[j].partition_point(|t| *t < f64::from(x)) as u8,
            false => (thresholds[j].len() + 1) as u8,
        };
        let bins = (0..INPUTS).map(|j| rows.iter().map(|row| bin(j, row[j])).collect()).collect();
        Self { thresholds, bins }
    }
}

/// The values of a feature where it is defined, ascending.
pub(super) fn defined(rows: &[Features], feature: usize) -> Vec<f64> {
    let mut all: Vec<f64> = rows.iter().map(|row| f64::from(row[feature])).filter(|v| v.is_finite()).collect();
    all.sort_unstable_by(f64::total_cmp);
    all
}

/// Midpoints between distinct values, or equally many values apart where there are more than bins.
fn thresholds(rows: &[Features], feature: usize) -> Vec<f64> {
    let all = defined(rows, feature);
    let mut distinct = all.clone();
    distinct.dedup();
    // one bin is of what is not defined
    if distinct.len() < MOST_BINS {
        return distinct.windows(2).map(|w| f64::midpoint(w[0], w[1])).collect();
    }
    let bins = MOST_BINS - 1;
    let cut = |b: usize| {
        let at = b * (all.len() - 1);
        f64::midpoint(all[at / bins], all[at.div_ceil(bins)])
    };
    let mut cuts: Vec<f64> = (1..bins).map(cut).collect();
    cuts.dedup();
    cuts
}

/// Sums over records: gradient, curvature, how many.
#[derive(Clone, Copy, Default)]
struct Sums {
    gradient: f64,
    curvature: f64,
    records: usize,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.gradient += other.gradient;
        self.curvature += other.curvature;
        self.records += other.records;
    }

    fn less(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            curvature: self.curvature - other.curvature,
            records: self.records - other.records,
        }
    }

    fn value(self) -> f64 {
        -self.gradient / (self.curvature + 1e-15)
    }

    /// What a leaf of them takes off the loss, doubled.
    fn gain(self) -> f64 {
        -self.value() * self.gradient
    }

    fn may_be_a_leaf(self) -> bool {
        self.records >= LEAST_RECORDS && self.curvature >= LEAST_CURVATURE
    }
}

/// A way of dividing a leaf.
#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    feature: usize,
    /// Bins up to this one go left.
    bin: usize,
    missing_left: bool,
}

/// A leaf that may still be divided.
struct Leaf {
    node: usize,
    records: Vec<u32>,
    split: Option<Split>,
}

/// What a tree grows on: gradient and curvature of every record.
struct Grower<'a> {
    binned: &'a Binned,
    steps: &'a [(f64, f64)],
}

impl Grower<'_> {
    fn sums(&self, records: &[u32]) -> Sums {
        let mut all = Sums::default();
        records.iter().for_each(|&r| all.add(self.of(r)));
        all
    }

    fn of(&self, record: u32) -> Sums {
        let (gradient, curvature) = self.steps[record as usize];
        Sums { gradient, curvature, records: 1 }
    }

    /// The best split of these records, the first of equals.
    fn split(&self, records: &[u32]) -> Option<Split> {
        let all = self.sums(records);
        let mut best: Option<Split> = None;
        for feature in 0..INPUTS {
            let cuts = self.binned.thresholds[feature].len();
            let mut bins = vec![Sums::default(); cuts + 2];
            for &r in records {
                bins[self.binned.bins[feature][r as usize] as usize].add(self.of(r));
            }
            let missing = bins[cuts + 1];
            for missing_left in [false, true] {
                if missing_left && missing.records == 0 {
                    continue;
                }
                let mut left = if missing_left { missing } else { Sums::default() };
                // above the last threshold is only what is not defined
                for (bin, sums) in bins[..=cuts].iter().enumerate() {
                    left.add(*sums);
                    let right = all.less(left);
                    let gain = left.gain() + right.gain() - all.gain();
                    let fits = left.may_be_a_leaf() && right.may_be_a_leaf() && gain > 0.0;
                    if fits && best.is_none_or(|b| gain > b.gain) {
                        let missing_left = match missing.records {
                            0 => left.records > right.records,
                            _ => missing_left,
                        };
                        best = Some(Split { gain, feature, bin, missing_left });
                    }
                }
            }
        }
        best
    }

    fn goes_left(&self, split: &Split, record: u32) -> bool {
        let bin = self.binned.bins[split.feature][record as usize] as usize;
        let missing = self.binned.thresholds[split.feature].len() + 1;
        if bin == missing { split.missing_left } else { bin <= split.bin }
    }

    /// A tree, the leaf that gains most divided first.
    fn grow(&self) -> Tree {
        let records: Vec<u32> = (0..self.steps.len() as u32).collect();
        let leaf = |node: usize, records: Vec<u32>| Leaf { node, split: self.split(&records), records };
        let mut nodes = vec![Node::Leaf(RATE * self.sums(&records).value())];
        let mut leaves = vec![leaf(0, records)];
        for _ in 1..MOST_LEAVES {
            let gain = |l: &Leaf| l.split.map_or(f64::NEG_INFINITY, |s| s.gain);
            // the first of equals
            let best = (0..leaves.len()).reduce(|a, b| if gain(&leaves[b]) > gain(&leaves[a]) { b } else { a });
            let Some((place, split)) = best.and_then(|place| Some((place, leaves[place].split?))) else { break };
            let Leaf { node, records, .. } = leaves.swap_remove(place);
            let (left, right): (Vec<u32>, Vec<u32>) = records.into_iter().partition(|&r| self.goes_left(&split, r));
            let cuts = &self.binned.thresholds[split.feature];
            nodes[node] = Node::Split {
                feature: split.feature,
                threshold: cuts.get(split.bin).copied().unwrap_or(f64::INFINITY),
                missing_left: split.missing_left,
                children: [nodes.len(), nodes.len() + 1],
            };
            for part in [left, right] {
                nodes.push(Node::Leaf(RATE * self.sums(&part).value()));
                leaves.push(leaf(nodes.len() - 1, part));
            }
        }
        Tree(nodes)
    }
}

impl Boosting {
    /// Trains on `rows` (NaN where a feature is not defined) of the classes `labels`, of `classes`, each with its weight.
    ///
    /// # Panics
    /// If there is not one label below `classes` and one weight for every row.
    pub fn fit(rows: &[Features], labels: &[usize], weights: &[f64], classes: usize) -> Self {
        assert!(rows.len() == labels.len() && rows.len() == weights.len(), "a label and a weight a row");
        let binned = Binned::new(rows);
        let mut shares = vec![0.0; classes];
        labels.iter().zip(weights).for_each(|(&c, w)| shares[c] += w);
        let total: f64 = shares.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        // a class that is not there is not impossible
        let base: Vec<f64> = shares.iter().map(|s| (s / total).max(1e-15).ln()).collect();
        let mut logits = vec![base.clone(); rows.len()];
        let mut rounds = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let p: Vec<Vec<f64>> = logits.iter().map(|row| softmax(row)).collect();
            let tree = |class: usize| {
                let step = |(p, (&label, &w)): (&Vec<f64>, (&usize, &f64))| {
                    let p = p[class];
                    (w * (p - f64::from(u8::from(label == class))), w * p * (1.0 - p))
                };
                let steps: Vec<(f64, f64)> = p.iter().zip(labels.iter().zip(weights)).map(step).collect();
                Grower { binned: &binned, steps: &steps }.grow()
            };
            let trees: Vec<Tree> = (0..classes).into_par_iter().map(tree).collect();
            let add = |(row, logits): (&Features, &mut Vec<f64>)| {
                logits.iter_mut().zip(&trees).for_each(|(l, tree)| *l += tree.value(row));
            };
            rows.iter().zip(&mut logits).for_each(add);
            rounds.push(trees);
        }
        Self { base, rounds }
    }

    /// Probability of every class.
    pub fn probabilities(&self, row: &Features) -> Vec<f64> {
        let mut logits = self.base.clone();
        for trees in &self.rounds {
            logits.iter_mut().zip(trees).for_each(|(l, tree)| *l += tree.value(row));
        }
        softmax(&logits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::argmax;
    use serde::Deserialize;

    /// `tests/goldens/stats/boosting.json`, written by `boosting.py` beside it.
    #[derive(Deserialize)]
    struct Golden {
        train: Vec<Vec<Option<f32>>>,
        labels: Vec<usize>,
        weights: Vec<f64>,
        test: Vec<Vec<Option<f32>>>,
        truth: Vec<usize>,
        probabilities: Vec<Vec<f64>>,
        accuracy: f64,
        log_loss: f64,
    }

    fn rows(of: &[Vec<Option<f32>>]) -> Vec<Features> {
        of.iter().map(|row| std::array::from_fn(|j| row[j].unwrap_or(f32::NAN))).collect()
    }

    #[test]
    fn as_good_as_scikit_learns() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/stats/boosting.json");
        let golden: Golden = serde_json::from_str(&std::fs::read_to_string(path).expect("the golden")).expect("JSON");
        let (train, test) = (rows(&golden.train), rows(&golden.test));
        let net = Boosting::fit(&train, &golden.labels, &golden.weights, 3);
        let found: Vec<Vec<f64>> = test.iter().map(|row| net.probabilities(row)).collect();
        let n = test.len() as f64;
        let hits = found.iter().zip(&golden.truth).filter(|(p, t)| argmax(p) == **t).count() as f64;
        let loss = found.iter().zip(&golden.truth).map(|(p, &t)| -p[t].ln()).sum::<f64>() / n;
        let apart = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let mut distances: Vec<f64> = found.iter().zip(&golden.probabilities).map(apart).collect();
        distances.sort_by(f64::total_cmp);
        println!("accuracy {} {}, log-loss {loss} {}", hits / n, golden.accuracy, golden.log_loss);
        println!("probabilities apart: median {}, most {}", distances[test.len() / 2], distances[test.len() - 1]);
        // its gradients are in f32: ties may break the other way
        assert!((hits / n - golden.accuracy).abs() <= 0.02, "{} {}", hits / n, golden.accuracy);
        assert!((loss - golden.log_loss).abs() < 0.02, "{loss} {}", golden.log_loss);
        assert!(distances[test.len() / 2] < 0.01, "{}", distances[test.len() / 2]);
        assert_eq!(net, Boosting::fit(&train, &golden.labels, &golden.weights, 3));
    }

    #[test]
    fn many_values_are_binned_and_unknown_classes_stay_unlikely() {
        let row = |i: usize| std::array::from_fn(|j| if j == 3 { i as f32 } else { f32::NAN });
        let train: Vec<Features> = (0..1000).map(row).collect();
        assert!(thresholds(&train, 3).len() < MOST_BINS && thresholds(&train, 0).is_empty());
        let labels: Vec<usize> = (0..1000).map(|i| usize::from((300..600).contains(&i))).collect();
        let net = Boosting::fit(&train, &labels, &[1.0; 1000], 3);
        for (i, class) in [(10, 0), (290, 0), (310, 1), (590, 1), (610, 0), (5000, 0)] {
            let p = net.probabilities(&row(i));
            assert!(p[class] > 0.95 && p[2] < 1e-6, "{i}: {p:?}");
        }
        let nothing = Boosting::fit(&[], &[], &[], 2).probabilities(&row(1));
        assert_eq!(nothing, [0.5, 0.5]);
    }
}
