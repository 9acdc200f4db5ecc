//! How well predictions fit: `metrics.json` and the table on the terminal.

use super::predictions::Prediction;
use crate::error::{Error, Result};
use crate::explain::argmax;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Write;

/// The content of `metrics.json`, keys in this order. What was not computed is `None`, written as `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Names of the K classes.
    pub classes: Vec<String>,
    /// Number of records.
    pub records: usize,
    /// Records by true class (row) and predicted class (column).
    pub confusion: Vec<Vec<usize>>,
    /// Share of records that are predicted right.
    pub accuracy: f64,
    /// Mean of F1 over all classes, those without records included (with 0).
    pub macro_f1: f64,
    /// Mean sensitivity over all classes.
    pub macro_sensitivity: f64,
    /// Mean specificity over all classes.
    pub macro_specificity: f64,
    /// Mean area under the ROC curve, one class against the rest, over the classes that have one.
    pub macro_auroc: Option<f64>,
    /// Every class by its name, in the order of `classes`.
    #[serde(serialize_with = "as_map", deserialize_with = "from_map")]
    pub per_class: Vec<(String, ClassMetrics)>,
    /// What always predicting the most frequent class of the training fold reaches on the same records.
    pub baseline: Baseline,
    /// Scores of the Grad-CAM maps.
    pub explanation: Explanation,
}

/// One class against the rest. A ratio 0/0 counts as 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Share of the class's records that are found.
    pub sensitivity: f64,
    /// Share of the other records that are not taken for the class.
    pub specificity: f64,
    /// Positive predictive value: share of right ones among those predicted as the class.
    pub ppv: f64,
    /// Harmonic mean of sensitivity and PPV.
    pub f1: f64,
    /// Area under the ROC curve of the class's probability; `None` where all or no records are of the class.
    pub auroc: Option<f64>,
    /// Records of the class.
    pub support: usize,
}

/// The class-prior baseline; `None` where the training fold is not known.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Baseline {
    /// Share of records of that class.
    pub accuracy: Option<f64>,
    /// Mean F1 over all classes.
    pub macro_f1: Option<f64>,
}

/// Scores of the maps for the true class, means over the records.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Explanation {
    /// Normalised cross-correlation of map and ground truth, -1 to 1.
    pub ncc: Option<f64>,
    /// Share of the map inside the ground truth.
    pub energy: Option<f64>,
    /// Share of maps whose maximum points at a beat or into the ground truth.
    pub pointing: Option<f64>,
    /// Area under the deletion curve, over a few records of each class.
    pub deletion_auc: Option<f64>,
    /// Area under the insertion curve.
    pub insertion_auc: Option<f64>,
}

impl Metrics {
    /// Metrics of `probabilities` (a row of K per record; logits do as well, only their order counts).
    ///
    /// `records` are the ids, `truth` the true classes, `training` the records of each class in the training fold
    /// where that is known. The predicted class is the largest probability, the first of several.
    ///
    /// # Errors
    /// [`Error::Data`] for no records, lists of different lengths, a class out of range, and a probability that is
    /// no finite number (naming the record).
    pub fn compute(
        classes: &[String],
        records: &[String],
        truth: &[usize],
        probabilities: &[Vec<f64>],
        training: Option<&[usize]>,
    ) -> Result<Self> {
        check(classes, records, truth, probabilities, training)?;
        let (n, k) = (truth.len(), classes.len());
        let mut confusion = vec![vec![0; k]; k];
        for (&t, row) in truth.iter().zip(probabilities) {
            confusion[t][argmax(row)] += 1;
        }
        let per_class: Vec<ClassMetrics> = (0..k)
            .map(|c| {
                let scores: Vec<f64> = probabilities.iter().map(|row| row[c]).collect();
                let positive: Vec<bool> = truth.iter().map(|&t| t == c).collect();
                ClassMetrics { auroc: auroc(&scores, &positive), ..one_class(&confusion, c) }
            })
            .collect();
        let mean = |of: fn(&ClassMetrics) -> f64| per_class.iter().map(of).sum::<f64>() / k as f64;
        let areas: Vec<f64> = per_class.iter().filter_map(|c| c.auroc).collect();
        Ok(Self {
            classes: classes.to_vec(),
            records: n,
            accuracy: ratio((0..k).map(|c| confusion[c][c]).sum(), n),
            macro_f1: mean(|c| c.f1),
            macro_sensitivity: mean(|c| c.sensitivity),
            macro_specificity: mean(|c| c.specificity),
            macro_auroc: (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64),
            baseline: training.map_or_else(Baseline::default, |counts| baseline(counts, &per_class)),
            explanation: Explanation::default(),
            per_class: classes.iter().cloned().zip(per_class).collect(),
            confusion,
        })
    }

    /// Metrics of predictions, see [`Metrics::compute`].
    ///
    /// # Errors
    /// As [`Metrics::compute`].
    pub fn of(classes: &[String], predictions: &[Prediction], training: Option<&[usize]>) -> Result<Self> {
        let records: Vec<String> = predictions.iter().map(|p| p.record.clone()).collect();
        let truth: Vec<usize> = predictions.iter().map(|p| p.truth).collect();
        let probabilities: Vec<Vec<f64>> = predictions.iter().map(|p| p.probabilities.clone()).collect();
        let mut metrics = Self::compute(classes, &records, &truth, &probabilities, training)?;
        let mean = |of: fn(&Prediction) -> Option<f64>| {
            let values: Vec<f64> = predictions.iter().filter_map(of).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        metrics.explanation = Explanation {
            ncc: mean(|p| Some(p.explanation?.ncc)),
            energy: mean(|p| Some(p.explanation?.energy)),
            pointing: mean(|p| Some(f64::from(u8::from(p.explanation?.pointing)))),
            deletion_auc: mean(|p| Some(p.areas?.deletion)),
            insertion_auc: mean(|p| Some(p.areas?.insertion)),
        };
        Ok(metrics)
    }

    /// The single numbers by name, those that were computed.
    pub fn scalars(&self) -> Vec<(&'static str, f64)> {
        let mut all = vec![
            ("accuracy", self.accuracy),
            ("macro_f1", self.macro_f1),
            ("macro_sensitivity", self.macro_sensitivity),
            ("macro_specificity", self.macro_specificity),
        ];
        all.extend(self.macro_auroc.map(|v| ("macro_auroc", v)));
        all
    }

    /// `metrics.json`, indented.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("names and numbers always serialise")
    }
}

fn check(
    classes: &[String],
    records: &[String],
    truth: &[usize],
    probabilities: &[Vec<f64>],
    training: Option<&[usize]>,
) -> Result<()> {
    let fail = |subject: &str, what: String, hint: &str| Err(Error::data(subject, what, hint));
    let (n, k) = (records.len(), classes.len());
    if n == 0 || k == 0 {
        let what = format!("found {n} records and {k} classes, expected at least one of each");
        return fail("metrics", what, "test on a fold that has records; fold \"all\" tests on none");
    }
    if truth.len() != n || probabilities.len() != n || training.is_some_and(|t| t.len() != k) {
        let what = format!(
            "found {n} records, {} labels, {} rows of probabilities and counts of {} training classes for {k} classes",
            truth.len(),
            probabilities.len(),
            training.map_or(k, <[_]>::len)
        );
        return fail("metrics", what, "predictions and data set must be of the same records and classes");
    }
    for ((record, &t), row) in records.iter().zip(truth).zip(probabilities) {
        if t >= k {
            let what = format!("found the true class {t}, expected 0 to {}", k - 1);
            return fail(record, what, "the model must know every class of the data set");
        }
        if row.len() != k {
            let what = format!("found {} probabilities, expected {k}", row.len());
            return fail(record, what, "the model must have the classes of the data set");
        }
        if let Some((c, p)) = row.iter().enumerate().find(|(_, p)| !p.is_finite()) {
            let what = format!("found {p} as the probability of {}, expected a finite number", classes[c]);
            return fail(record, what, "training has diverged: lower train.lr or switch clipping on (train.clip)");
        }
    }
    Ok(())
}

/// `a / b`, where 0/0 is 0.
fn ratio(a: usize, b: usize) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

/// Class `c` of a confusion matrix, without the area under the curve.
fn one_class(confusion: &[Vec<usize>], c: usize) -> ClassMetrics {
    let n: usize = confusion.iter().flatten().sum();
    let hit = confusion[c][c];
    let support: usize = confusion[c].iter().sum();
    let predicted: usize = confusion.iter().map(|row| row[c]).sum();
    ClassMetrics {
        sensitivity: ratio(hit, support),
        specificity: ratio(n + hit - support - predicted, n - support),
        ppv: ratio(hit, predicted),
        f1: ratio(2 * hit, support + predicted),
        auroc: None,
        support,
    }
}

/// Area under the ROC curve by the rank sum (Mann and Whitney 1947), equal scores sharing their mean rank.
fn auroc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let yes = positive.iter().filter(|p| **p).count();
    let no = positive.len() - yes;
    if yes == 0 || no == 0 {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let mut rank_sum = 0.0;
    let mut before = 0;
    // `==` and not the order of `total_cmp`: -0 and 0 are a tie
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let rank = before as f64 + (tied.len() + 1) as f64 / 2.0;
        rank_sum += rank * tied.iter().filter(|&&i| positive[i]).count() as f64;
        before += tied.len();
    }
    let (yes, no) = (yes as f64, no as f64);
    Some((rank_sum - yes * (yes + 1.0) / 2.0) / (yes * no))
}

/// Always the most frequent training class (the first of several).
fn baseline(training: &[usize], per_class: &[ClassMetrics]) -> Baseline {
    let prior = (1..training.len()).fold(0, |best, c| if training[c] > training[best] { c } else { best });
    let n: usize = per_class.iter().map(|c| c.support).sum();
    let hit = per_class[prior].support;
    let accuracy = ratio(hit, n);
    Baseline { accuracy: Some(accuracy), macro_f1: Some(ratio(2 * hit, n + hit) / per_class.len() as f64) }
}

fn as_map<S: Serializer>(per_class: &[(String, ClassMetrics)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(per_class.iter().map(|(name, metrics)| (name, metrics)))
}

fn from_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, ClassMetrics)>, D::Error> {
    // serde_json's map keeps the order of the file
    let map = serde_json::Map::<String, serde_json::Value>::deserialize(deserializer)?;
    let one = |(name, value)| Ok((name, serde_json::from_value(value).map_err(serde::de::Error::custom)?));
    map.into_iter().map(one).collect()
}

/// The metrics for a terminal: a row per class, the totals, the baseline. `-` where a value was not computed.
pub fn text_table(metrics: &Metrics) -> String {
    let width = metrics.classes.iter().map(|c| c.chars().count()).max().unwrap_or(0).max("baseline".len());
    let cell = |value: Option<f64>| value.map_or("-".to_string(), |v| format!("{v:.3}"));
    let mut text = String::new();
    let mut row = |name: &str, cells: [String; 6]| {
        let _ = write!(text, "{name:width$}");
        for c in &cells {
            let _ = write!(text, "  {c:>11}");
        }
        text.push('\n');
    };
    row("class", ["support", "sensitivity", "specificity", "PPV", "F1", "AUROC"].map(String::from));
    for (name, c) in &metrics.per_class {
        let [se, sp, ppv, f1] = [c.sensitivity, c.specificity, c.ppv, c.f1].map(|v| cell(Some(v)));
        row(name, [c.support.to_string(), se, sp, ppv, f1, cell(c.auroc)]);
    }
    let ppv = metrics.per_class.iter().map(|(_, c)| c.ppv).sum::<f64>() / metrics.per_class.len().max(1) as f64;
    let [se, sp, ppv, f1] = [metrics.macro_sensitivity, metrics.macro_specificity, ppv, metrics.macro_f1].map(Some);
    row("mean", [metrics.records.to_string(), cell(se), cell(sp), cell(ppv), cell(f1), cell(metrics.macro_auroc)]);
    let line = |name: &str, accuracy: Option<f64>, f1: Option<f64>| {
        format!("{name:width$}  accuracy {}  macro-F1 {}\n", cell(accuracy), cell(f1))
    };
    let model = line("model", Some(metrics.accuracy), Some(metrics.macro_f1));
    let baseline = line("baseline", metrics.baseline.accuracy, metrics.baseline.macro_f1);
    let e = &metrics.explanation;
    let maps = e.ncc.map_or(String::new(), |ncc| {
        let [ncc, energy, pointing, deletion, insertion] =
            [Some(ncc), e.energy, e.pointing, e.deletion_auc, e.insertion_auc].map(cell);
        let what = "(Grad-CAM for the true class against the guidance target)";
        let areas = format!("deletion {deletion}  insertion {insertion}");
        format!("{:width$}  NCC {ncc}  energy {energy}  pointing {pointing}  {areas}  {what}\n", "maps")
    });
    format!("{text}\n{model}{}  (always the most frequent class of the training fold)\n{maps}", baseline.trim_end())
}

#[cfg(test)]
mod tests;
