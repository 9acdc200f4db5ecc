//! Short WFDB records, each one strip with its diagnosis in the header: PhysioNet's ecg-arrhythmia
//! (Chapman-Shaoxing, Ningbo), Challenge 2020 and 2021, LUDB.

use super::notes::Note;
use super::{Context, Draft, Outcome, one_line, scaled_beats};
use crate::ecg::labels::{HeaderLabel, after_key, header_label};
use crate::ecg::wfdb::{Header, Signal, annotation, read_signal};
use std::path::Path;

pub(super) fn read_record(context: &Context, path: &Path) -> Result<Outcome, String> {
    let options = context.options;
    let header = Header::read(path).map_err(|e| one_line(&e))?;
    let record = context.record_id(path);
    let mut out = Outcome::default();
    let rhythm = match header_label(&header.comments) {
        HeaderLabel::Rhythm { rhythm, conflict } => {
            if conflict {
                out.notes.push(Note::Conflict);
            }
            rhythm
        }
        HeaderLabel::None(reason) => return Err(reason),
    };
    let Some(index) = header.lead(&options.lead) else {
        return Err(format!("no lead {}, found {}", options.lead, header.lead_names()));
    };
    let Signal { mv, warnings } = read_signal(&header, index, options.strict).map_err(|e| one_line(&e))?;
    out.notes.extend(warnings.into_iter().map(|what| Note::Integrity { record: record.clone(), what }));

    let x = context.first_strip(mv, header.fs)?;
    let expert = annotation::beats_of_lead(&header, index).unwrap_or_else(|e| {
        out.notes.push(Note::Line(format!(
            "{record}: beats detected, for its annotations cannot be read: {}",
            one_line(&e)
        )));
        None
    });
    let beats = expert.map(|beats| scaled_beats(&beats, options.fs / header.fs, 0, options.samples()));
    let patient = patient(&header).map_or_else(|| record.clone(), |p| format!("{}/{p}", context.source));
    out.strips.push(context.strip(Draft { id: record, patient, rhythm, x, beats, features: None })?);
    Ok(out)
}

/// The patient where a comment names one (`Patient: 17`).
fn patient(header: &Header) -> Option<&str> {
    let keys = ["patient", "patient id", "patient_id", "subject", "subject id", "subject_id"];
    let value = header.comments.iter().find_map(|c| keys.iter().find_map(|k| after_key(c, k)))?;
    (!value.is_empty() && !value.eq_ignore_ascii_case("unknown")).then_some(value)
}
