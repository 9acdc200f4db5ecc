//! Short WFDB records, each one strip with its diagnosis in the header: PhysioNet's ecg-arrhythmia
//! (Chapman-Shaoxing, Ningbo), Challenge 2020 and 2021, LUDB.

use super::notes::Note;
use super::{Context, Draft, Outcome, one_line, scaled_beats, scaled_span};
use crate::ecg::labels::{HeaderLabel, header_label};
use crate::ecg::rpeaks::evaluate::judged_span;
use crate::ecg::wfdb::{Header, Signal, annotation, read_signal};
use std::path::Path;

pub(super) fn read_record(context: &Context, path: &Path) -> Result<Outcome, String> {
    let options = context.options;
    let header = Header::read(path).map_err(|e| one_line(&e))?;
    let record = context.record_id(path);
    let mut out = Outcome::default();
    let rhythm = match header_label(&header.comments) {
        HeaderLabel::Rhythm { rhythm, conflict, named } => {
            if context.scheme.class_of(rhythm).is_none() {
                return Err(format!("rhythm {named} is in no class of {}", context.scheme.name));
            }
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
    let Signal { mv, fs, warnings } = read_signal(&header, index, options.strict).map_err(|e| one_line(&e))?;
    out.notes.extend(warnings.into_iter().map(|what| Note::Integrity { record: record.clone(), what }));

    let x = context.first_strip(mv, fs)?;
    let expert = annotation::beats_of_lead(&header, index).unwrap_or_else(|e| {
        out.notes.push(Note::Record {
            record: format!("{record} ({})", one_line(&e)),
            what: "beats detected, for the annotations cannot be read".into(),
        });
        None
    });
    let (ratio, n) = (options.fs / fs, options.samples());
    let judged = expert.as_ref().zip(annotation::annotation_file(&header, index));
    let marked = judged.and_then(|(beats, path)| scaled_span(judged_span(&path, beats, fs)?, ratio, n));
    let beats = expert.map(|beats| scaled_beats(&beats, ratio, 0, n));
    let (patient, note) = context.patient(&record, &header.comments);
    out.strips.push(context.strip(Draft { id: record, patient, rhythm, x, beats, marked, features: None })?);
    out.notes.push(note);
    Ok(out)
}
