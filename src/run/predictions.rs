//! `predictions.csv`: a row for every tested record.

use crate::error::{Error, Result};
use crate::explain::argmax;
use crate::explain::perturbation::Areas;
use crate::explain::scores::MapScores;
use crate::files::write_atomically;
use crate::run::origin::Origin;
use std::path::Path;

/// Scores of the map for the true class, names of columns.
const SCORES: [&str; 7] = ["ncc", "ncc_beats", "ncc_intervals", "energy", "pointing", "deletion_auc", "insertion_auc"];
/// Column of the class that the 17 features alone predict.
const BY_FEATURES: &str = "features_predicted";

/// One row of `predictions.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Id of the record.
    pub record: String,
    /// Id of its patient.
    pub patient: String,
    /// True class, an index.
    pub truth: usize,
    /// Probability of every class.
    pub probabilities: Vec<f64>,
    /// Scores of the Grad-CAM map for the true class; `None` where the record has no valid target.
    pub explanation: Option<MapScores>,
    /// Deletion and insertion by that map; `None` where the record was not chosen for it or the map is dead.
    pub areas: Option<Areas>,
    /// The class that the classifier on the 17 features predicts; `None` where there is none.
    pub by_features: Option<usize>,
}

impl Prediction {
    /// The predicted class: the most probable one, the first of equals.
    pub fn predicted(&self) -> usize {
        argmax(&self.probabilities)
    }
}

/// A number to the seven digits of single precision: what is computed further is computed with these.
pub(crate) fn short(value: f64) -> f64 {
    format!("{value:.6e}").parse().unwrap_or(value)
}

/// A probability so that seven digits of it and of its complement stay: the order of those near 1 is kept.
pub(crate) fn short_share(p: f64) -> f64 {
    let least = p.min(1.0 - p);
    if least <= 0.0 || !p.is_finite() {
        return p;
    }
    let decimals = (6.0 - least.log10().floor()).clamp(0.0, 300.0) as usize;
    format!("{p:.decimals$}").parse().unwrap_or(p)
}

/// Scores in the digits of [`short`].
pub(crate) fn short_scores(s: MapScores) -> MapScores {
    let [ncc, ncc_beats, ncc_intervals, energy] = [s.ncc, s.ncc_beats, s.ncc_intervals, s.energy].map(short);
    MapScores { ncc, ncc_beats, ncc_intervals, energy, ..s }
}

/// A number as it is written; tiny ones would be a row of zeros.
fn cell(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-4 { format!("{value:e}") } else { value.to_string() }
}

/// Writes record, patient, true and predicted class by name, a column `p_CLASS` per class, the scores of the map for the
/// true class, and the class that the features alone predict; empty where there is none. Two more columns say of which part
/// and which data set the rows are, with an origin.
///
/// # Errors
/// [`Error::Data`] for a prediction that does not fit the classes.
pub fn write(path: &Path, classes: &[String], predictions: &[Prediction], origin: Option<&Origin>) -> Result<()> {
    let fail = |e: String| {
        let hint = "choose a folder that can be written to: --out DIR, or output.dir in the experiment";
        Error::file(path, format!("cannot be written: {e}"), hint)
    };
    let mut csv = csv::Writer::from_writer(Vec::new());
    let columns = ["record", "patient", "true", "predicted"].map(String::from).into_iter();
    let columns = columns.chain(classes.iter().map(|c| format!("p_{c}"))).chain(SCORES.map(String::from));
    let of = origin.map_or(Vec::new(), |_| ["part", "data"].map(String::from).to_vec());
    csv.write_record(columns.chain([BY_FEATURES.to_string()]).chain(of)).map_err(|e| fail(e.to_string()))?;
    for p in predictions {
        let known = |c: usize| c < classes.len();
        if p.probabilities.len() != classes.len() || !known(p.truth) || !p.by_features.is_none_or(known) {
            let (found, k) = (p.probabilities.len(), classes.len());
            let what = format!("found {found} probabilities and class {} for {k} classes", p.truth);
            return Err(Error::data(&p.record, what, "model and data set must have the same classes"));
        }
        let cells = [&p.record, &p.patient, &classes[p.truth], &classes[p.predicted()]].map(String::clone).into_iter();
        let scores = p.explanation.map_or([const { None }; 5], |s| {
            [s.ncc, s.ncc_beats, s.ncc_intervals, s.energy, f64::from(u8::from(s.pointing))].map(Some)
        });
        let areas = p.areas.map_or([None; 2], |a| [Some(a.deletion), Some(a.insertion)]);
        let scores = scores.into_iter().chain(areas).map(|v| v.map_or(String::new(), cell));
        let row = cells.chain(p.probabilities.iter().copied().map(cell)).chain(scores);
        let by_features = p.by_features.map_or(String::new(), |c| classes[c].clone());
        let of = origin.map_or(Vec::new(), |o| vec![o.part.name().to_string(), o.data.clone()]);
        csv.write_record(row.chain([by_features]).chain(of)).map_err(|e| fail(e.to_string()))?;
    }
    write_atomically(path, &csv.into_inner().map_err(|e| fail(e.to_string()))?)
}

/// Reads `predictions.csv` of a run of `classes`; scores that the run did not compute are `None`. Whether a map was dead is
/// not in the file and given as false.
///
/// # Errors
/// [`Error::File`] for a file that is none, or of other classes, and for a cell that is not a number.
pub fn read(path: &Path, classes: &[String]) -> Result<Vec<Prediction>> {
    let bad = |e: String| {
        let hint = "write it again: exgnet evaluate --model RUN --out RUN";
        Error::file(path, format!("cannot be used: {e}"), hint)
    };
    let mut csv = csv::Reader::from_path(path).map_err(|e| bad(e.to_string()))?;
    let head = csv.headers().map_err(|e| bad(e.to_string()))?.clone();
    let place = |name: &str| head.iter().position(|h| h == name);
    let column = |name: &str| place(name).ok_or_else(|| bad(format!("no column {name}")));
    let [record, patient, truth] = [column("record")?, column("patient")?, column("true")?];
    let of_class = classes.iter().map(|c| column(&format!("p_{c}"))).collect::<Result<Vec<_>>>()?;
    let (scores, by_features) = (SCORES.map(place), place(BY_FEATURES));
    let one = |row: csv::StringRecord| {
        let class = |name: &str| {
            let known = classes.iter().position(|c| c == name);
            known.ok_or_else(|| bad(format!("record {}: class {name} is not in metrics.json", &row[record])))
        };
        let cell = |column: Option<usize>| column.map(|c| &row[c]).filter(|text| !text.is_empty());
        let number = |text: &str| match text.parse::<f64>() {
            Ok(v) if v.is_finite() => Ok(v),
            _ => Err(bad(format!("record {}: '{text}' in a column of numbers", &row[record]))),
        };
        let mut found = [None; SCORES.len()];
        for (value, column) in found.iter_mut().zip(scores) {
            *value = cell(column).map(number).transpose()?;
        }
        let [ncc, beats, intervals, energy, pointing, deletion, insertion] = found;
        Ok(Prediction {
            record: row[record].to_string(),
            patient: row[patient].to_string(),
            truth: class(&row[truth])?,
            probabilities: of_class.iter().map(|&c| number(&row[c])).collect::<Result<_>>()?,
            explanation: ncc.map(|ncc| MapScores {
                ncc,
                ncc_beats: beats.unwrap_or(f64::NAN),
                ncc_intervals: intervals.unwrap_or(f64::NAN),
                energy: energy.unwrap_or(f64::NAN),
                pointing: pointing == Some(1.0),
                dead: false,
            }),
            areas: deletion.zip(insertion).map(|(deletion, insertion)| Areas { deletion, insertion }),
            by_features: cell(by_features).map(class).transpose()?,
        })
    };
    csv.records().map(|row| one(row.map_err(|e| bad(e.to_string()))?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(record: &str, truth: usize, p: &[f64]) -> Prediction {
        Prediction {
            record: record.into(),
            patient: "p,1".into(),
            truth,
            probabilities: p.to_vec(),
            explanation: None,
            areas: None,
            by_features: None,
        }
    }

    #[test]
    fn rows_are_written_and_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("predictions.csv");
        let classes = ["SR".to_string(), "AFIB/AFL".to_string()];
        let scores =
            MapScores { ncc: 0.5, ncc_beats: 0.25, ncc_intervals: -0.5, energy: 0.75, pointing: true, dead: false };
        let scored = Prediction {
            explanation: Some(scores),
            areas: Some(Areas { deletion: 0.125, insertion: 0.875 }),
            by_features: Some(1),
            ..prediction("b", 1, &[0.5, 0.5])
        };
        let written = [prediction("a", 0, &[0.25, 0.75]), scored];
        write(&path, &classes, &written, None).unwrap();
        let expected = "record,patient,true,predicted,p_SR,p_AFIB/AFL,ncc,ncc_beats,ncc_intervals,energy,pointing,\
                        deletion_auc,insertion_auc,features_predicted\n\
                        a,\"p,1\",SR,AFIB/AFL,0.25,0.75,,,,,,,,\n\
                        b,\"p,1\",AFIB/AFL,SR,0.5,0.5,0.5,0.25,-0.5,0.75,1,0.125,0.875,AFIB/AFL\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(read(&path, &classes).unwrap(), written);
    }

    #[test]
    fn what_does_not_fit_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("predictions.csv");
        let classes = ["SR".to_string(), "AFIB/AFL".to_string()];
        let message = write(&path, &classes, &[prediction("c", 2, &[0.5, 0.5])], None).unwrap_err().to_string();
        assert!(message.starts_with("c: "), "{message}");
        assert!(write(&path, &classes, &[prediction("d", 0, &[0.5])], None).is_err());
        let odd = Prediction { by_features: Some(2), ..prediction("e", 0, &[0.5, 0.5]) };
        assert!(write(&path, &classes, &[odd], None).is_err() && !path.exists());
        for (text, part) in [
            ("record,patient\n", "no column true"),
            ("record,patient,true,p_SR\n", "no column p_AFIB/AFL"),
            ("record,patient,true,p_SR,p_AFIB/AFL\na,b,ST,0,1\n", "record a: class ST is not in"),
            ("record,patient,true,p_SR,p_AFIB/AFL\na,b,SR,,1\n", "record a: '' in a column of numbers"),
            ("record,patient,true,p_SR,p_AFIB/AFL\na,b\n", "cannot be used"),
        ] {
            std::fs::write(&path, text).unwrap();
            let message = read(&path, &classes).unwrap_err().to_string();
            assert!(message.contains(part) && message.contains("HINT"), "{message}");
        }
        // a run from before the features were asked
        std::fs::write(&path, "record,patient,true,predicted,p_SR,p_AFIB/AFL\na,b,SR,SR,1,0\n").unwrap();
        assert_eq!(read(&path, &classes).unwrap()[0].by_features, None);
    }
}
