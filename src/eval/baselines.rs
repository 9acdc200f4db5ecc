//! What a network that sees the signal must be compared with, fitted on the same training strips and tested on the same test
//! strips, on the CPU: the share of each class, a rule of rate and irregularity, and two classifiers on the 17 features. Their
//! beats are those that the experiment's detector finds, as a strip alone gives no others; one is also fitted to the strips'
//! own features, those of the annotated beats where there are some.

use super::boosting::{Boosting, defined};
use super::feature_classifier::FeatureClassifier;
use crate::ecg::features::{FeatureScale, Features, hrv};
use crate::ecg::{Dataset, Strip, rpeaks};
use crate::experiment::Experiment;
use crate::experiment::data::{Division, class_counts};
use crate::stats::macro_f1_of_true;
use rayon::prelude::*;
use std::collections::HashMap;

/// A baseline: its name, and how it is fitted and what it then says of the test records.
pub struct Baseline {
    /// Its name.
    pub name: &'static str,
    fit: fn(&Fit<'_>) -> Vec<Vec<f64>>,
}

/// The baselines in their order.
pub const BASELINES: [Baseline; 5] = [
    Baseline { name: "prior", fit: |fit| fit.prior() },
    Baseline { name: "rule", fit: |fit| fit.rule() },
    Baseline { name: "mlp", fit: |fit| fit.mlp(&fit.rows, &fit.unseen) },
    Baseline { name: "boosting", fit: |fit| fit.boosting() },
    Baseline { name: "mlp-annotated", fit: |fit| fit.mlp_annotated() },
];

/// Places of irregularity and mean RR in the features, see [`crate::ecg::features::NAMES`].
const MEAN_NN: usize = 1;
const IRREGULARITY: [usize; 2] = [5, 6];
/// Thresholds that the rule tries: quantiles of the training strips.
const QUANTILES: usize = 24;

/// What baselines are fitted on and tested on.
struct Fit<'a> {
    experiment: &'a Experiment,
    data: &'a Dataset,
    division: &'a Division,
    /// Class and weight of every training record.
    labels: Vec<usize>,
    weights: Vec<f64>,
    /// Features of detected beats of the training records, and of the test records.
    rows: Vec<Features>,
    unseen: Vec<Features>,
}

impl Fit<'_> {
    fn classes(&self) -> usize {
        self.data.classes.len()
    }

    fn prior(&self) -> Vec<Vec<f64>> {
        let train = &self.division.train;
        let shares = class_counts(self.data, train).into_iter().map(|n| n as f64 / train.len() as f64).collect();
        vec![shares; self.division.test.len()]
    }

    fn rule(&self) -> Vec<Vec<f64>> {
        let rule = Rule::fit(&self.rows, &self.labels, &self.weights, self.classes());
        self.unseen.iter().map(|row| rule.probabilities(row).to_vec()).collect()
    }

    fn boosting(&self) -> Vec<Vec<f64>> {
        let trees = Boosting::fit(&self.rows, &self.labels, &self.weights, self.classes());
        self.unseen.iter().map(|row| trees.probabilities(row)).collect()
    }

    fn mlp(&self, rows: &[Features], unseen: &[Features]) -> Vec<Vec<f64>> {
        let scale = FeatureScale::of(rows.iter());
        let rows: Vec<Features> = rows.iter().map(|row| scale.apply(row)).collect();
        let seed = self.experiment.train.seed;
        let net = FeatureClassifier::fit(&rows, &self.labels, &self.weights, self.classes(), seed);
        unseen.iter().map(|row| net.probabilities(&scale.apply(row))).collect()
    }

    fn mlp_annotated(&self) -> Vec<Vec<f64>> {
        let of = |records: &[usize]| records.iter().map(|&r| self.data.strips[r].features).collect::<Vec<_>>();
        self.mlp(&of(&self.division.train), &of(&self.division.test))
    }
}

/// Name and probability of every class for every test record of each of the [`BASELINES`]. Training records weigh alike, or, with
/// `losses.class_weights`, first all patients of a class alike and then all classes.
pub fn baselines(experiment: &Experiment, data: &Dataset, division: &Division) -> Vec<(&'static str, Vec<Vec<f64>>)> {
    let detected = |records: &[usize]| -> Vec<Features> {
        records.par_iter().map(|&r| detected(&data.strips[r], data, experiment)).collect()
    };
    let fit = Fit {
        experiment,
        data,
        division,
        labels: division.train.iter().map(|&r| data.strips[r].label).collect(),
        weights: weights(data, &division.train, experiment.losses.class_weights),
        rows: detected(&division.train),
        unseen: detected(&division.test),
    };
    BASELINES.par_iter().map(|baseline| (baseline.name, (baseline.fit)(&fit))).collect()
}

/// The features of the beats that the experiment's detector finds in the strip's signal.
fn detected(strip: &Strip, data: &Dataset, experiment: &Experiment) -> Features {
    let fs = data.preprocessing.fs;
    let detect = || {
        let x: Vec<f64> = strip.signal.iter().map(|&v| f64::from(v)).collect();
        let clean = if data.preprocessing.clean { Ok(x) } else { rpeaks::clean(&x, fs, data.preprocessing.mains) };
        clean.map(|x| experiment.data.detector.r_peaks(&x, fs)).unwrap_or_default()
    };
    let peaks = if strip.expert_beats { detect() } else { strip.r_peaks.clone() };
    hrv(&peaks, fs).map(|v| v as f32)
}

/// Weight of every training record, 1 in the mean.
fn weights(data: &Dataset, train: &[usize], balanced: bool) -> Vec<f64> {
    let mut weights = vec![1.0; train.len()];
    if !balanced {
        return weights;
    }
    let key = |r: usize| (data.strips[r].patient.as_str(), data.strips[r].label);
    let mut strips: HashMap<(&str, usize), usize> = HashMap::new();
    train.iter().for_each(|&r| *strips.entry(key(r)).or_default() += 1);
    weights.iter_mut().zip(train).for_each(|(w, &r)| *w = 1.0 / strips[&key(r)] as f64);
    let mut shares = vec![0.0; data.classes.len()];
    weights.iter().zip(train).for_each(|(w, &r)| shares[data.strips[r].label] += w);
    let there = shares.iter().filter(|s| **s > 0.0).count() as f64;
    let of_class = train.len() as f64 / there;
    weights.iter_mut().zip(train).for_each(|(w, &r)| *w *= of_class / shares[data.strips[r].label]);
    weights
}

/// A rule of two thresholds of the mean RR interval and one of its irregularity: every one of the six cells has a class.
#[derive(Debug, Clone, PartialEq)]
struct Rule {
    /// Feature that measures irregularity: CVNN or CVSD, which is RMSSD over MeanNN.
    irregularity: usize,
    threshold: f64,
    /// Of the mean RR interval, ms, ascending.
    rates: [f64; 2],
    /// Shares of the classes in each cell, regular ones first; the last of strips without intervals.
    cells: Vec<Vec<f64>>,
}

impl Rule {
    /// The rule of best macro-F1 on the training rows, its thresholds among quantiles of theirs; the first of equals.
    fn fit(rows: &[Features], labels: &[usize], weights: &[f64], classes: usize) -> Self {
        let rates = quantiles(rows, MEAN_NN);
        let mut best: Option<(f64, Self)> = None;
        for irregularity in IRREGULARITY {
            for &threshold in &quantiles(rows, irregularity) {
                for (i, &low) in rates.iter().enumerate() {
                    for &high in &rates[i..] {
                        let mut rule = Self { irregularity, threshold, rates: [low, high], cells: Vec::new() };
                        let score = rule.fill(rows, labels, weights, classes);
                        if best.as_ref().is_none_or(|(most, _)| score > *most) {
                            best = Some((score, rule));
                        }
                    }
                }
            }
        }
        best.map_or_else(|| Self::without_rows(classes), |(_, rule)| rule)
    }

    fn without_rows(classes: usize) -> Self {
        let cells = vec![vec![1.0 / classes as f64; classes]; CELLS];
        Self { irregularity: IRREGULARITY[0], threshold: 0.0, rates: [0.0; 2], cells }
    }

    /// Fills the cells and gives the macro-F1 of their most frequent classes, records counted by weight.
    fn fill(&mut self, rows: &[Features], labels: &[usize], weights: &[f64], classes: usize) -> f64 {
        let mut counts = vec![vec![0.0; classes]; CELLS];
        let mut whole = vec![0.0; classes];
        for ((row, &label), w) in rows.iter().zip(labels).zip(weights) {
            counts[self.cell(row)][label] += w;
            whole[label] += w;
        }
        let shares = |counts: &Vec<f64>| {
            let sum: f64 = counts.iter().sum();
            // of a cell without a record those of all
            let (counts, sum) = if sum > 0.0 { (counts, sum) } else { (&whole, whole.iter().sum()) };
            counts.iter().map(|n| n / sum).collect::<Vec<f64>>()
        };
        self.cells = counts.iter().map(shares).collect();
        let mut confusion = vec![vec![0_u64; classes]; classes];
        for (cell, counts) in self.cells.iter().zip(&counts) {
            let predicted = crate::explain::argmax(cell);
            // in millionths of a record
            counts.iter().enumerate().for_each(|(c, n)| confusion[c][predicted] += (n * 1e6).round() as u64);
        }
        macro_f1_of_true(&confusion)
    }

    fn cell(&self, row: &Features) -> usize {
        let [mean, irregular] = [row[MEAN_NN], row[self.irregularity]].map(f64::from);
        if !mean.is_finite() || !irregular.is_finite() {
            return CELLS - 1;
        }
        self.rates.iter().filter(|rate| mean > **rate).count() + 3 * usize::from(irregular > self.threshold)
    }

    fn probabilities(&self, row: &Features) -> &[f64] {
        &self.cells[self.cell(row)]
    }
}

/// Cells of the rule: regular and irregular ones of three rates, and strips without intervals.
const CELLS: usize = 7;

/// Values that divide those of a feature into parts of equal size.
fn quantiles(rows: &[Features], feature: usize) -> Vec<f64> {
    let all = defined(rows, feature);
    let mut cuts: Vec<f64> =
        (1..QUANTILES).filter_map(|q| all.get(q * all.len().saturating_sub(1) / QUANTILES)).copied().collect();
    cuts.dedup();
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecg::synthesize;
    use crate::experiment::data;

    fn row(mean: f32, irregular: f32) -> Features {
        std::array::from_fn(|j| match j {
            MEAN_NN => mean,
            5 => irregular,
            6 => 0.5,
            _ => f32::NAN,
        })
    }

    #[test]
    fn the_rule_finds_rate_and_irregularity() {
        // slow, normal and fast regular rhythms, and one that is irregular at any rate
        let class = |i: usize| i % 4;
        let rows: Vec<Features> = (0..400)
            .map(|i| {
                let by = (i / 4) as f32;
                match class(i) {
                    0 => row(1100.0 + by, 0.02),
                    1 => row(700.0 + by, 0.02),
                    2 => row(400.0 + by, 0.03),
                    _ => row(450.0 + 6.0 * by, 0.2),
                }
            })
            .collect();
        let labels: Vec<usize> = (0..400).map(class).collect();
        let rule = Rule::fit(&rows, &labels, &[1.0; 400], 4);
        let predicted = |row: &Features| crate::explain::argmax(rule.probabilities(row));
        let hits = rows.iter().zip(&labels).filter(|(row, label)| predicted(row) == **label).count();
        assert!(hits > 390, "{hits} {rule:?}");
        assert_eq!((rule.irregularity, predicted(&row(f32::NAN, 0.1))), (5, 0));
        assert_eq!(Rule::fit(&[], &[], &[], 2).probabilities(&row(1.0, 1.0)), [0.5, 0.5]);
    }

    #[test]
    fn patients_and_classes_weigh_alike_where_balanced() {
        let sets = ["data.synthetic.records=12", "data.fs=100"].map(String::from);
        let experiment = Experiment::quickstart(&sets).unwrap();
        let mut data = synthesize(&experiment.data.synthetic_options()).unwrap();
        data.strips.iter_mut().enumerate().for_each(|(i, s)| {
            // patient a has four strips of class 0, b one; c has three of class 1
            (s.patient, s.label) = match i {
                0..4 => ("a".into(), 0),
                4 => ("b".into(), 0),
                _ => ("c".into(), 1),
            }
        });
        let train: Vec<usize> = (0..8).collect();
        let found = weights(&data, &train, true);
        assert!((found.iter().sum::<f64>() - 8.0).abs() < 1e-12);
        assert!((found[..4].iter().sum::<f64>() - found[4]).abs() < 1e-12 && (found[4] - 2.0).abs() < 1e-12);
        assert!((found[5..].iter().sum::<f64>() - 4.0).abs() < 1e-12);
        assert_eq!(weights(&data, &train, false), [1.0; 8]);
    }

    #[test]
    fn beats_are_found_and_not_looked_up() {
        let sets = ["data.synthetic.records=80", "data.fs=100"].map(String::from);
        let experiment = Experiment::quickstart(&sets).unwrap();
        let mut set = synthesize(&experiment.data.synthetic_options()).unwrap();
        let division = data::divide(&experiment, &set).unwrap();
        set.strips.iter_mut().for_each(|s| s.expert_beats = true);
        let all = |set: &Dataset| baselines(&experiment, set, &division);
        let before = all(&set);
        let names: Vec<&str> = before.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, BASELINES.map(|baseline| baseline.name));
        assert!(before.iter().all(|(_, rows)| rows.len() == division.test.len()));
        assert_eq!(before, all(&set), "nothing is drawn twice");
        // annotations that say nothing change what is fitted to them alone
        set.strips.iter_mut().for_each(|s| (s.r_peaks, s.features) = (vec![5, 90, 300], [1.0; 17]));
        let after = all(&set);
        let same: Vec<bool> = before.iter().zip(&after).map(|(a, b)| a == b).collect();
        assert_eq!(same, [true, true, true, true, false]);
        let right = |rows: &[Vec<f64>]| {
            let hit = |(p, &r): (&Vec<f64>, &usize)| crate::explain::argmax(p) == set.strips[r].label;
            rows.iter().zip(&division.test).filter(|pair| hit(*pair)).count() as f64 / rows.len() as f64
        };
        assert!(right(&before[1].1) > right(&before[0].1) + 0.3, "rule {}", right(&before[1].1));
    }
}
