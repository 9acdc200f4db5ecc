//! How well predictions fit: `metrics.json` and the table on the terminal.

use crate::error::{Error, Result};
use crate::explain::argmax;
use crate::run::databases::{self, Calibration, Database, by_database};
use crate::run::predictions::Prediction;
use crate::stats::{OneClass, absent, accuracy, macro_f1, macro_mean, macro_sensitivity, macro_specificity};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The content of `metrics.json`, keys in this order. What was not computed is `None`, written as `null`.
///
/// Macro means are over the classes that occur among the true or the predicted ones, as scikit-learn's: see
/// [`macro_mean`]. A file is read with the means of its confusion matrix, whatever program wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Metrics {
    /// Names of the K classes.
    pub classes: Vec<String>,
    /// Number of records.
    pub records: usize,
    /// Records by true class (row) and predicted class (column).
    pub confusion: Vec<Vec<usize>>,
    /// Share of records that are predicted right.
    pub accuracy: f64,
    /// Macro mean of F1.
    pub macro_f1: f64,
    /// Macro mean of sensitivity.
    pub macro_sensitivity: f64,
    /// Macro mean of specificity.
    pub macro_specificity: f64,
    /// Mean area under the ROC curve, one class against the rest, over the classes that have one.
    pub macro_auroc: Option<f64>,
    /// Classes that no record is of, true or predicted: those that the macro means leave out.
    #[serde(default)]
    pub absent_classes: Vec<String>,
    /// Every class by its name, in the order of `classes`.
    #[serde(serialize_with = "as_map", deserialize_with = "from_map")]
    pub per_class: Vec<(String, ClassMetrics)>,
    /// What always predicting the most frequent class of the training fold reaches on the same records.
    pub baseline: Baseline,
    /// Scores of the Grad-CAM maps.
    pub explanation: Explanation,
    /// How far probabilities are what they say; `None` where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Results by database, and of all together; empty where all records are of one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<Database>,
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
    /// Its records in the training fold; `None` where that is not known.
    #[serde(default)]
    pub training: Option<usize>,
}

/// The class-prior baseline; `None` where the training fold is not known.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Baseline {
    /// Share of records of that class.
    pub accuracy: Option<f64>,
    /// Macro mean of F1.
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
        let counted = counts(&confusion);
        let per_class: Vec<ClassMetrics> = (0..k)
            .map(|c| {
                let scores: Vec<f64> = probabilities.iter().map(|row| row[c]).collect();
                let positive: Vec<bool> = truth.iter().map(|&t| t == c).collect();
                let auroc = auroc(&scores, &positive);
                ClassMetrics::new(&OneClass::of(&counted, c), auroc, training.map(|t| t[c]))
            })
            .collect();
        let areas: Vec<f64> = per_class.iter().filter_map(|c| c.auroc).collect();
        let most = |counts: &[usize]| (1..k).fold(0, |best, c| if counts[c] > counts[best] { c } else { best });
        Ok(Self {
            classes: classes.to_vec(),
            records: n,
            accuracy: accuracy(&counted),
            macro_f1: macro_f1(&counted),
            macro_sensitivity: macro_sensitivity(&counted),
            macro_specificity: macro_specificity(&counted),
            macro_auroc: (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64),
            absent_classes: absent(&counted).into_iter().map(|c| classes[c].clone()).collect(),
            baseline: training.map_or_else(Baseline::default, |counts| Baseline::always(most(counts), &counted)),
            explanation: Explanation::default(),
            calibration: None,
            databases: Vec::new(),
            per_class: classes.iter().cloned().zip(per_class).collect(),
            confusion,
        })
    }

    /// The same with the macro means as this program takes them: earlier ones averaged over every class.
    fn recounted(mut self) -> Self {
        let k = self.classes.len();
        if self.confusion.len() != k || self.confusion.iter().any(|row| row.len() != k) {
            return self;
        }
        let counted = counts(&self.confusion);
        self.macro_f1 = macro_f1(&counted);
        self.macro_sensitivity = macro_sensitivity(&counted);
        self.macro_specificity = macro_specificity(&counted);
        self.absent_classes = absent(&counted).into_iter().map(|c| self.classes[c].clone()).collect();
        if let Some(share) = self.baseline.accuracy {
            // classes of equal support have equal baselines
            let hits = (share * self.records as f64).round();
            let prior = (0..k).find(|&c| OneClass::of(&counted, c).support == hits);
            self.baseline.macro_f1 = prior.map_or(self.baseline.macro_f1, |c| Baseline::always(c, &counted).macro_f1);
        }
        self
    }

    /// Classes without a record, whether they are predicted or not.
    pub fn lacking(&self) -> Vec<&str> {
        self.per_class.iter().filter(|(_, c)| c.support == 0).map(|(name, _)| name.as_str()).collect()
    }

    /// Metrics of predictions, see [`Metrics::compute`].
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
        metrics.calibration = Calibration::of(&predictions.iter().collect::<Vec<_>>());
        metrics.databases = by_database(classes.len(), predictions);
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

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer).map(Self::recounted)
    }
}

impl ClassMetrics {
    fn new(class: &OneClass, auroc: Option<f64>, training: Option<usize>) -> Self {
        Self {
            sensitivity: class.sensitivity(),
            specificity: class.specificity(),
            ppv: class.ppv(),
            f1: class.f1(),
            auroc,
            support: class.support as usize,
            training,
        }
    }
}

impl Baseline {
    /// Always `class`, for the records of a confusion matrix.
    fn always(class: usize, confusion: &[Vec<u64>]) -> Self {
        let all_of = |row: &Vec<u64>| (0..row.len()).map(|c| if c == class { row.iter().sum() } else { 0 }).collect();
        let predicted: Vec<Vec<u64>> = confusion.iter().map(all_of).collect();
        Self { accuracy: Some(accuracy(&predicted)), macro_f1: Some(macro_f1(&predicted)) }
    }
}

/// A confusion matrix for [`crate::stats`].
pub(crate) fn counts(confusion: &[Vec<usize>]) -> Vec<Vec<u64>> {
    confusion.iter().map(|row| row.iter().map(|&n| n as u64).collect()).collect()
}

/// What the macro means are over, for the notes of tables.
pub const MACRO: &str = "Macro means are over the classes that occur in a fold, true or predicted, as scikit-learn's.";

/// Which folds lack records of which classes: `fold 0 of AFIB/AFL`; `None` where every fold has all.
pub fn lacking_by_fold<'a>(tested: impl IntoIterator<Item = (usize, &'a Metrics)>) -> Option<String> {
    let by_fold: BTreeMap<usize, Vec<&str>> = tested.into_iter().map(|(fold, m)| (fold, m.lacking())).collect();
    let lacking: Vec<String> = by_fold
        .into_iter()
        .filter(|(_, classes)| !classes.is_empty())
        .map(|(fold, classes)| format!("fold {fold} of {}", classes.join(", ")))
        .collect();
    (!lacking.is_empty()).then(|| lacking.join("; "))
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

fn as_map<S: Serializer>(per_class: &[(String, ClassMetrics)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(per_class.iter().map(|(name, metrics)| (name, metrics)))
}

fn from_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, ClassMetrics)>, D::Error> {
    // serde_json's map keeps the order of the file
    let map = serde_json::Map::<String, serde_json::Value>::deserialize(deserializer)?;
    let one = |(name, value)| Ok((name, serde_json::from_value(value).map_err(serde::de::Error::custom)?));
    map.into_iter().map(one).collect()
}

/// The metrics for a terminal: a row per class, the totals, the baseline and, where it was tested, a classifier on the features.
/// `-` where a value was not computed.
pub fn text_table(metrics: &Metrics, features: Option<&Metrics>) -> String {
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
    let ppv = macro_mean(&counts(&metrics.confusion), OneClass::ppv);
    let [se, sp, ppv, f1] = [metrics.macro_sensitivity, metrics.macro_specificity, ppv, metrics.macro_f1].map(Some);
    row("mean", [metrics.records.to_string(), cell(se), cell(sp), cell(ppv), cell(f1), cell(metrics.macro_auroc)]);
    let line = |name: &str, accuracy: Option<f64>, f1: Option<f64>| {
        format!("{name:width$}  accuracy {}  macro-F1 {}\n", cell(accuracy), cell(f1))
    };
    let model = line("model", Some(metrics.accuracy), Some(metrics.macro_f1));
    let baseline = line("baseline", metrics.baseline.accuracy, metrics.baseline.macro_f1);
    let features = features.map_or(String::new(), |found| {
        let line = line("features", Some(found.accuracy), Some(found.macro_f1));
        format!("{}  (a perceptron on the 17 features alone, fitted on the training fold)\n", line.trim_end())
    });
    let e = &metrics.explanation;
    let maps = e.ncc.map_or(String::new(), |ncc| {
        let [ncc, energy, pointing, deletion, insertion] =
            [Some(ncc), e.energy, e.pointing, e.deletion_auc, e.insertion_auc].map(cell);
        let what = "(Grad-CAM for the true class against the guidance target)";
        let areas = format!("deletion {deletion}  insertion {insertion}");
        format!("{:width$}  NCC {ncc}  energy {energy}  pointing {pointing}  {areas}  {what}\n", "maps")
    });
    let absent = metrics.lacking().into_iter().map(|class| {
        let left_out = metrics.absent_classes.iter().any(|c| c == class);
        let means = if left_out { "nor a prediction: not in the means" } else { "but predictions: 0 in the means" };
        format!("{:width$}  no record of {class}, {means}\n", "lacking")
    });
    let absent: String = absent.collect();
    let calibration = metrics.calibration.map_or(String::new(), |Calibration { ece, brier }| {
        let what = "(expected calibration error in 15 bins, and Brier score)";
        format!("{:width$}  ECE {ece:.3}  Brier {brier:.3}  {what}\n", "probs")
    });
    let by_database = databases::text_table(&metrics.classes, &metrics.databases);
    format!(
        "{text}{absent}\n{model}{}  (always the most frequent class of the training fold)\n{features}{maps}{calibration}{by_database}",
        baseline.trim_end()
    )
}

#[cfg(test)]
mod tests;
