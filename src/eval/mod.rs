//! A network on records it is tested on: predictions, metrics, scores of its maps, and what those must be compared with.
//!
//! May use: `autograd`, `ecg`, `error`, `experiment`, `explain`, `files`, `gpu`, `nn`, `run`, `stats`, `tensor`.

pub mod baselines;
pub mod boosting;
mod cost;
mod examples;
pub mod feature_classifier;
mod randomise;
mod score;

use crate::autograd::no_grad;
use crate::ecg::Dataset;
use crate::ecg::features::FeatureScale;
use crate::error::Result;
use crate::eval::feature_classifier::by_features;
use crate::experiment::Experiment;
use crate::experiment::data::{Strips, class_counts};
use crate::explain::perturbation::{Areas, Curves, Probe, STEPS, curves};
use crate::explain::scores::{MapScores, is_dead, summary};
use crate::explain::{argmax, probabilities, resize_map};
use crate::files::write_json;
use crate::gpu::{Gpu, in_halves};
use crate::nn::{Mode, Model};
use crate::run::cost::Cost;
use crate::run::examples::Examples;
use crate::run::explanation::{ClassAreas, Explanations, Perturbation};
use crate::run::metrics::Metrics;
use crate::run::origin::{Of, Origin};
use crate::run::predictions;
use crate::run::predictions::{Prediction, short, short_share};
use crate::run::sanity::{Chance, RANDOM_SEED, Sanity};
use crate::tensor::Tensor;
use score::{Scored, Scores, score};
use std::path::Path;

pub use randomise::randomise;

/// Most records of a true class whose prediction is taken apart by deletion and insertion: each costs `2 STEPS` forward
/// passes.
pub const PERTURBED: usize = 8;

/// Records of a forward pass.
const BATCH: usize = 32;

/// Logits of each of `records`, in evaluation mode.
pub fn logits(gpu: &Gpu, net: &Model, strips: &Strips, records: &[usize], batch: usize) -> Result<Vec<Vec<f32>>> {
    logits_by(gpu, strips, records, batch, |x| Ok(no_grad(|| net.forward(x, &Mode::EVAL))?.logits))
}

/// [`logits`] by a forward pass of the caller's: from strips `[B, 1, L]` to logits `[B, K]`.
pub(super) fn logits_by(
    gpu: &Gpu,
    strips: &Strips,
    records: &[usize],
    batch: usize,
    mut forward: impl FnMut(&Tensor) -> Result<Tensor>,
) -> Result<Vec<Vec<f32>>> {
    let mut all = Vec::with_capacity(records.len());
    for part in records.chunks(batch) {
        all.extend(in_halves(part, &mut |part| {
            let rows = forward(&strips.batch(gpu, part)?)?;
            Ok(rows.to_vec()?.chunks(rows.dim(1)).map(<[f32]>::to_vec).collect())
        })?);
    }
    Ok(all)
}

/// A network, and what it is tested on.
pub struct Tested<'a> {
    /// The device.
    pub gpu: &'a Gpu,
    /// The network.
    pub net: &'a Model,
    /// The data set.
    pub data: &'a Dataset,
    /// Its strips.
    pub strips: &'a Strips,
    /// Tested records, as indices into the data set.
    pub records: &'a [usize],
    /// Those of the training fold, where it is known: for the baselines.
    pub train: Option<&'a [usize]>,
    /// Scale of the features, for a network that regresses them.
    pub scale: Option<&'a FeatureScale>,
    /// The experiment: target layer, constants of the target, class weights and seed are taken from it.
    pub experiment: &'a Experiment,
}

/// What a test gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// One of each tested record: `predictions.csv`.
    pub predictions: Vec<Prediction>,
    /// `metrics.json`.
    pub metrics: Metrics,
    /// `explanation.json`.
    pub explanation: Explanations,
    /// `sanity.json`, where it was asked for.
    pub sanity: Option<Sanity>,
    /// `explanations.safetensors`, where `sanity.json` was asked for.
    pub examples: Option<Examples>,
    /// `cost.json`, where `sanity.json` was asked for. It is measured: no two are equal.
    pub cost: Option<Cost>,
}

impl Evaluation {
    /// Writes `predictions.csv`, `metrics.json`, `explanation.json` and, where there are some, `sanity.json`,
    /// `explanations.safetensors` and `cost.json`; each says of what it is.
    pub fn write(&self, dir: &Path, origin: &Origin) -> Result<()> {
        let path = dir.join("predictions.csv");
        predictions::write(&path, &self.metrics.classes, &self.predictions, Some(origin))?;
        write_json(&dir.join("explanation.json"), &Of { content: &self.explanation, origin })?;
        if let Some(sanity) = &self.sanity {
            write_json(&dir.join("sanity.json"), &Of { content: sanity, origin })?;
        }
        if let Some(examples) = &self.examples {
            examples.write(&dir.join(Examples::FILE), Some(origin))?;
        }
        if let Some(cost) = &self.cost {
            write_json(&dir.join(Cost::FILE), &Of { content: cost, origin })?;
        }
        write_json(&dir.join("metrics.json"), &Of { content: &self.metrics, origin })
    }
}

/// Tests a network in evaluation mode. `sanity` also scores the maps of no use, fits the classifier on the features and
/// keeps what figures need, among it the time of a prediction: nearly twice the time.
///
/// # Errors
/// [`crate::Error::Data`] for no records, classes that the network does not have and non-finite predictions.
pub fn evaluate(tested: &Tested<'_>, sanity: bool) -> Result<Evaluation> {
    let Tested { gpu, net, data, records, train, experiment, .. } = *tested;
    let layer = experiment.losses.layer(net.config())?;
    let seed = experiment.train.seed;
    let random_seed = seed.wrapping_add(RANDOM_SEED);
    let random = || Model::new(gpu, net.config(), net.classes(), false, random_seed)?.folded();
    let random = if sanity { Some(random()?) } else { None };
    let mut scored = Vec::with_capacity(records.len());
    for part in records.chunks(BATCH) {
        scored.extend(in_halves(part, &mut |part| score(tested, part, layer, random.as_ref()))?);
    }
    if scored.iter().any(|s| s.map.len() < 2) {
        let name = &net.config().maps()[layer];
        log::warn!(
            "maps of {name} are 1 sample long: their scores say nothing; losses.target_layer names an earlier layer"
        );
    }
    let truth: Vec<usize> = records.iter().map(|&r| data.strips[r].label).collect();
    let (chosen, found) = perturb(tested, &truth, &scored)?;
    let fitted = train.filter(|t| sanity && !t.is_empty());
    let by_features = fitted.map(|train| by_features(data, train, records, experiment.losses.class_weights, seed));
    let predictions: Vec<Prediction> = (0..records.len())
        .map(|i| Prediction {
            record: data.strips[records[i]].id.clone(),
            patient: data.strips[records[i]].patient.clone(),
            truth: truth[i],
            probabilities: probabilities(&scored[i].logits).into_iter().map(short_share).collect(),
            explanation: scored[i].scores.truth,
            areas: found[i].as_ref().map(areas),
            by_features: by_features.as_ref().map(|rows| argmax(&rows[i])),
        })
        .collect();
    let counts = train.map(|records| class_counts(data, records));
    let metrics = Metrics::of(&data.classes, &predictions, counts.as_deref())?;
    // means of one kind of map, grouped by the true class
    let by_truth = |of: fn(&Scores) -> Option<MapScores>| {
        let rows: Vec<_> = truth.iter().zip(&scored).map(|(&c, s)| (c, of(&s.scores))).collect();
        summary(&rows, &data.classes)
    };
    let by_prediction: Vec<_> = scored.iter().map(|s| (s.predicted, s.scores.predicted)).collect();
    let explanation = Explanations {
        true_class: by_truth(|s| s.truth)?,
        predicted_class: summary(&by_prediction, &data.classes)?,
        perturbation: perturbation(&data.classes, &truth, &chosen, &found),
    };
    let mut all = Evaluation { predictions, metrics, explanation, sanity: None, examples: None, cost: None };
    if sanity {
        let ids: Vec<String> = all.predictions.iter().map(|p| p.record.clone()).collect();
        let features = by_features.map(|rows| Metrics::compute(&data.classes, &ids, &truth, &rows, None));
        let chances: Vec<_> = truth.iter().zip(&scored).map(|(&c, s)| (c, s.scores.chance)).collect();
        all.sanity = Some(Sanity {
            uniform: by_truth(|s| s.uniform)?,
            pointing_chance: Chance::of(&chances, data.classes.len()),
            slope: by_truth(|s| s.slope)?,
            random_network: by_truth(|s| s.random)?,
            random_seed,
            features: features.transpose()?,
        });
        all.examples = Some(examples::examples(tested, layer, &scored, &found)?);
        all.cost = Some(cost::cost(tested)?);
    }
    Ok(all)
}

/// Areas in the digits of `predictions.csv`.
fn areas(curves: &Curves) -> Areas {
    let Areas { deletion, insertion } = curves.areas();
    Areas { deletion: short(deletion), insertion: short(insertion) }
}

/// Places of the records to take apart, and for every tested record its curves: those chosen with a live map have some.
fn perturb(tested: &Tested<'_>, truth: &[usize], scored: &[Scored]) -> Result<(Vec<usize>, Vec<Option<Curves>>)> {
    let chosen = chosen(truth, tested.data.classes.len(), PERTURBED);
    let live: Vec<usize> = chosen.iter().copied().filter(|&i| !is_dead(&scored[i].map)).collect();
    let probe = |&i: &usize| {
        let signal = tested.data.strips[tested.records[i]].zscored();
        Probe { map: resize_map(&scored[i].map, signal.len()), signal, class: truth[i] }
    };
    let probes: Vec<Probe> = live.iter().map(probe).collect();
    let mut found = vec![None; truth.len()];
    for (i, one) in live.into_iter().zip(curves(tested.gpu, tested.net, &probes, STEPS)?) {
        found[i] = Some(one);
    }
    Ok((chosen, found))
}

/// Places of at most `most` records of each class, evenly spaced among those of the class, in order.
fn chosen(truth: &[usize], classes: usize, most: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..classes)
        .flat_map(|class| {
            let own: Vec<usize> = (0..truth.len()).filter(|&i| truth[i] == class).collect();
            let n = own.len().min(most);
            (0..n).map(|i| own[i * own.len() / n]).collect::<Vec<_>>()
        })
        .collect();
    all.sort_unstable();
    all
}

fn perturbation(classes: &[String], truth: &[usize], chosen: &[usize], found: &[Option<Curves>]) -> Perturbation {
    let class = |(c, name): (usize, &String)| {
        let own: Vec<usize> = chosen.iter().copied().filter(|&i| truth[i] == c).collect();
        let live: Vec<Areas> = own.iter().filter_map(|&i| Some(areas(found[i].as_ref()?))).collect();
        let mean =
            |of: fn(&Areas) -> f64| (!live.is_empty()).then(|| live.iter().map(of).sum::<f64>() / live.len() as f64);
        ClassAreas {
            class: name.clone(),
            records: own.len(),
            dead: own.len() - live.len(),
            deletion_auc: mean(|a| a.deletion),
            insertion_auc: mean(|a| a.insertion),
        }
    };
    let per_class: Vec<ClassAreas> = classes.iter().enumerate().map(class).collect();
    let dead = per_class.iter().map(|c| c.dead).sum();
    Perturbation { steps: STEPS, records: chosen.len(), dead, per_class }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_of_each_class_evenly_spaced() {
        let truth = [0, 0, 1, 0, 0, 0, 0, 2, 0, 2];
        assert_eq!(chosen(&truth, 4, 3), [0, 2, 3, 5, 7, 9]);
        assert_eq!(chosen(&truth, 4, 100).len(), 10);
        assert_eq!((chosen(&truth, 4, 0), chosen(&[], 2, 3)), (vec![], vec![]));
    }

    #[test]
    fn dead_maps_are_counted_and_left_out() {
        let names = ["SR", "AF", "SB"].map(String::from);
        let some = |deletion, insertion| Some(Curves { deletion: vec![deletion], insertion: vec![insertion] });
        let found = [some(0.25, 0.5), None, some(0.75, 1.0), None, None];
        let p = perturbation(&names, &[0, 0, 0, 1, 2], &[0, 1, 2, 3], &found);
        assert_eq!((p.steps, p.records, p.dead), (STEPS, 4, 2));
        let class = |c: usize| (p.per_class[c].records, p.per_class[c].dead, p.per_class[c].deletion_auc);
        assert_eq!((class(0), class(1), class(2)), ((3, 1, Some(0.5)), (1, 1, None), (0, 0, None)));
        assert_eq!(p.per_class[0].insertion_auc, Some(0.75));
    }
}
