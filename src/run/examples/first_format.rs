//! Files of before: tensors of four-byte values, the map for the true class alone, no patients and no embeddings.

use super::file::{Lists, rows};
use super::{Aligned, Example};
use crate::files::Safetensors;

/// Value of the metadata key `format`.
pub(super) const FORMAT: &str = "exgnet-explanations-1";

pub(super) fn lists(file: &Safetensors<'_>) -> Result<Lists, String> {
    let names = |key: &str| -> Result<Vec<String>, String> {
        serde_json::from_str(file.text(key)?).map_err(|e| format!("'{key}' in the metadata is no list of names: {e}"))
    };
    let whole = |name: &str| -> Result<Vec<usize>, String> {
        let one = |v: i32| usize::try_from(v).map_err(|_| format!("'{name}' holds {v}"));
        file.integers(name)?.1.into_iter().map(one).collect()
    };
    let (classes, records) = (names("classes")?, names("records")?);
    let (n, k) = (records.len(), classes.len());
    let (class, predicted, expert) =
        (whole("strips.class")?, whole("strips.predicted")?, whole("strips.expert_beats")?);
    let (peaks, ends) = (whole("strips.r_peaks")?, whole("strips.r_peak_ends")?);
    if [class.len(), predicted.len(), expert.len(), ends.len()] != [n; 4] || !ends.is_sorted() {
        return Err(format!("lists of strips that do not fit {n} records"));
    }
    let of = |name: &str| rows(file, name, n);
    let (probabilities, signal, target) = (of("strips.probabilities")?, of("strips.signal")?, of("strips.target")?);
    let (map, ncc) = (of("strips.map")?, of("strips.ncc")?.concat());
    if ncc.len() != n || ends.last().is_some_and(|end| *end > peaks.len()) {
        return Err(format!("scores or R peaks that do not fit {n} records"));
    }
    let strip = |(i, record): (usize, String)| Example {
        record,
        class: class[i],
        predicted: predicted[i],
        probabilities: probabilities[i].clone(),
        ncc: ncc[i],
        expert_beats: expert[i] == 1,
        r_peaks: peaks[if i == 0 { 0 } else { ends[i - 1] }..ends[i]].iter().map(|p| *p as u32).collect(),
        signal: signal[i].clone(),
        target: target[i].clone(),
        maps: (0..k).map(|c| if c == class[i] { map[i].clone() } else { Vec::new() }).collect(),
        ..Example::default()
    };
    let means = whole("aligned.records")?.into_iter().zip(whole("aligned.beats")?);
    Ok(Lists {
        fs: file.number("fs")?,
        layer: file.text("layer")?.to_owned(),
        strips: records.into_iter().enumerate().map(strip).collect(),
        aligned: means.map(|(records, beats)| Aligned { records, beats, ..Aligned::default() }).collect(),
        curves: whole("curves.class")?,
        features: whole("features.class")?,
        classes,
    })
}
