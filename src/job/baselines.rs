//! Baselines as runs: folders that tables and figures read beside those of networks.

use crate::ecg::features::FeatureScale;
use crate::ecg::fingerprint::Fingerprint;
use crate::ecg::sources::count;
use crate::error::{Error, Result};
use crate::eval::baselines::{BASELINES, Baseline, baselines};
use crate::experiment::Experiment;
use crate::experiment::data::{self, class_counts};
use crate::files::write_json;
use crate::job::Host;
use crate::run::folder::{METRICS, PREDICTIONS};
use crate::run::origin::{Of, Origin, Part};
use crate::run::predictions::{self, Prediction, short_share};
use crate::run::record::{RunRecord, SplitRecord};
use crate::run::{Metrics, RunFolder};
use std::path::Path;
use std::time::Instant;

/// Fits the baselines of an experiment on its training strips and tests them on its test strips, each into the folder
/// `DIR/NAME/fold-K-seed-S`, as a sweep has it: config, record, split, predictions, metrics. Gives the metrics by name.
///
/// # Errors
/// [`Error::Config`] for an experiment that tests nothing; [`Error::File`] for a folder that holds a run and is not to be
/// replaced; whatever keeps the data from being read.
pub fn run_baselines(
    host: &dyn Host,
    experiment: &Experiment,
    dir: &Path,
    replace: bool,
) -> Result<Vec<(&'static str, Metrics)>> {
    let (start, begun) = (Instant::now(), RunRecord::start(experiment));
    if RunFolder::is_begun(dir) {
        let hint = "baselines are variants beside others: give the folder of a sweep, or a new one";
        return Err(Error::file(dir, "is a run folder, expected the folder of a sweep", hint));
    }
    let dataset = host.reading(&mut |watch| data::load(experiment, watch))?;
    host.data(&dataset);
    let division = data::divide(experiment, &dataset)?;
    if division.test.is_empty() {
        let what = "train.fold = \"all\" without test.sources: found nothing to test on, expected some records";
        return Err(Error::config(what, "baselines are tested: give a fold, e.g. --fold 0"));
    }
    let fingerprint = Fingerprint::of(&dataset, &experiment.guidance);
    let counts = class_counts(&dataset, &division.train);
    host.say(format!(
        "fitting on {}, testing on {}",
        count(division.train.len(), "strip", "strips"),
        division.test.len()
    ));
    let features = division.train.iter().map(|&r| &dataset.strips[r].features);
    FeatureScale::warning(features).into_iter().for_each(|line| host.say(line));
    let place = format!("fold-{}-seed-{}", experiment.train.fold, experiment.train.seed);
    // folders first: none is found taken after the work
    let folder = |baseline: &Baseline| {
        let at = dir.join(baseline.name).join(&place);
        Ok((RunFolder::lock(&at)?, RunFolder::create(&at, replace)?))
    };
    let folders = BASELINES.iter().map(folder).collect::<Result<Vec<_>>>()?;
    let fitted = baselines(experiment, &dataset, &division);
    let mut all = Vec::with_capacity(fitted.len());
    for ((name, probabilities), (_lock, folder)) in fitted.into_iter().zip(&folders) {
        let row = |(&r, p): (&usize, Vec<f64>)| Prediction {
            record: dataset.strips[r].id.clone(),
            patient: dataset.strips[r].patient.clone(),
            truth: dataset.strips[r].label,
            probabilities: p.into_iter().map(short_share).collect(),
            explanation: None,
            areas: None,
            by_features: None,
        };
        let rows: Vec<Prediction> = division.test.iter().zip(probabilities).map(row).collect();
        let metrics = Metrics::of(&dataset.classes, &rows, Some(&counts))?;
        let origin = Origin { part: Part::Test, data: fingerprint.id(), model: None, trained_on: None };
        let mut record = RunRecord {
            train_records: division.train.len(),
            test_records: division.test.len(),
            data: Some(fingerprint.clone()),
            baseline: true,
            ..begun.clone()
        };
        folder.write_config(&experiment.clone().into_folder(folder.dir()))?;
        folder.write_split(&SplitRecord::new(&dataset, &division))?;
        predictions::write(&folder.dir().join(PREDICTIONS), &dataset.classes, &rows, Some(&origin))?;
        write_json(&folder.dir().join(METRICS), &Of { content: &metrics, origin: &origin })?;
        record.finish(start.elapsed().as_secs_f64());
        folder.write_run(&record)?;
        all.push((name, metrics));
    }
    Ok(all)
}
