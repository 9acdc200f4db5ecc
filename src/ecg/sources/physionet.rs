//! Short WFDB records, each one strip with its diagnosis in the header: PhysioNet's ecg-arrhythmia
//! (Chapman-Shaoxing, Ningbo), Challenge 2020 and 2021, LUDB.

use super::leads::{self, Place};
use super::notes::Note;
use super::{Context, Draft, Outcome, one_line, scaled_beats, scaled_span};
use crate::ecg::dataset::Strip;
use crate::ecg::labels::{HeaderRhythm, Rhythm, header_label};
use crate::ecg::rpeaks::evaluate::judged_span;
use crate::ecg::wfdb::{Header, Signal, annotation, read_signal};
use std::path::Path;

pub(super) fn read_record(context: &Context, path: &Path) -> Result<Outcome, String> {
    let header = Header::read(path).map_err(|e| one_line(&e))?;
    let HeaderRhythm { rhythm, conflict, named } = header_label(&header.comments)?;
    if context.scheme.class_of(rhythm).is_none() {
        return Err(format!("rhythm {named} is in no class of {}", context.scheme.name));
    }
    let index = header.lead(&context.options.lead).ok_or_else(|| header.no_lead(&context.options.lead))?;
    let mut out = strip(context, &header, context.record_id(path), index, rhythm, true)?;
    out.notes.extend(conflict.then_some(Note::Conflict));
    Ok(out)
}

/// The strip of signal `index` of a short record, with its expert beats if they are to be looked for.
pub(super) fn strip(
    context: &Context,
    header: &Header,
    record: String,
    index: usize,
    rhythm: Rhythm,
    experts: bool,
) -> Result<Outcome, String> {
    let options = context.options;
    let mut out = Outcome::default();
    let Signal { mv, fs, warnings } = read_signal(header, index, options.strict).map_err(|e| one_line(&e))?;
    out.notes.extend(warnings.into_iter().map(|what| Note::Integrity { record: record.clone(), what }));
    let x = context.preprocessing.first_strip(mv, fs)?;
    let expert = if experts { annotation::beats_of_lead(header, index) } else { Ok(None) };
    let expert = expert.unwrap_or_else(|e| {
        out.notes.push(Note::Record {
            record: format!("{record} ({})", one_line(&e)),
            what: "beats detected, for the annotations cannot be read".into(),
        });
        None
    });
    let (ratio, n) = (options.fs / fs, context.preprocessing.samples());
    let judged = expert.as_ref().zip(annotation::annotation_file(header, index));
    let marked = judged.and_then(|(beats, path)| scaled_span(judged_span(&path, beats, fs)?, ratio, n));
    let beats = expert.map(|beats| scaled_beats(&beats, ratio, 0, n));
    let (patient, note) = context.patient(&record, &header.comments);
    let strip = context.strip(Draft { id: record, patient, rhythm, x, in_mv: true, beats })?;
    let record = strip.id.clone();
    out.strips.push(Strip { marked, ..strip });
    out.notes.push(note);
    leads::add(context, header, index, &record, &Place::First, &mut out);
    Ok(out)
}
