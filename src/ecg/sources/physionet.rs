//! Short WFDB records, each one strip with its diagnosis in the header: PhysioNet's ecg-arrhythmia
//! (Chapman-Shaoxing, Ningbo), Challenge 2020 and 2021, LUDB.

use super::{Context, Note, Outcome, one_line};
use crate::ecg::dataset::Strip;
use crate::ecg::labels::{HeaderLabel, after_key, header_label};
use crate::ecg::rpeaks;
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
    let Signal { mut mv, warnings } = read_signal(&header, index, options.strict).map_err(|e| one_line(&e))?;
    out.notes.extend(warnings.into_iter().map(|what| Note::Integrity { record: record.clone(), what }));

    // only the first part counts; half a second more keeps the resampling filter's edge out of it
    let needed = ((options.seconds + 0.5) * header.fs).ceil() as usize;
    mv.truncate(needed);
    if let Some(i) = mv.iter().take((options.seconds * header.fs).ceil() as usize).position(|v| !v.is_finite()) {
        return Err(format!("missing sample in lead {} (first at {i})", options.lead));
    }
    mv.truncate(mv.iter().position(|v| !v.is_finite()).unwrap_or(mv.len()));
    if super::is_flat(&mv) {
        return Err("flat line".into());
    }
    let found = mv.len();
    let mut x = resample_centred(context, mv, header.fs)?;
    let n = options.samples();
    if x.len() < n {
        return Err(format!(
            "too short: {found} samples at {} Hz are {:.2} s, expected {} s",
            header.fs,
            found as f64 / header.fs,
            options.seconds
        ));
    }
    x.truncate(n);
    let signal = context.finish(x)?;
    let expert = annotation::beats_of_lead(&header, index).unwrap_or_else(|e| {
        out.notes.push(Note::Line(format!(
            "{record}: beats detected, for its annotations cannot be read: {}",
            one_line(&e)
        )));
        None
    });
    let expert_beats = expert.is_some();
    let r_peaks = match expert {
        Some(beats) => to_strip(&beats, options.fs / header.fs, n),
        None => rpeaks::detect(&signal, options.fs),
    };
    out.strips.push(Strip {
        id: record.clone(),
        patient: patient(&header).map_or(record, |p| format!("{}/{p}", context.source)),
        source: context.source.clone(),
        signal,
        label: context.scheme.class_of(rhythm),
        r_peaks,
        expert_beats,
    });
    Ok(out)
}

/// Resamples with the mean taken out and put back, so that the zeros outside make no step.
fn resample_centred(context: &Context, mut mv: Vec<f64>, fs: f64) -> Result<Vec<f64>, String> {
    if fs == context.options.fs {
        return Ok(mv);
    }
    let mean = mv.iter().sum::<f64>() / mv.len().max(1) as f64;
    for v in &mut mv {
        *v -= mean;
    }
    let mut x = context.to_rate(&mv, fs).map_err(|e| one_line(&e))?;
    for v in &mut x {
        *v += mean;
    }
    Ok(x)
}

/// Beats at the strip's rate, those inside it.
fn to_strip(beats: &[i64], ratio: f64, n: usize) -> Vec<u32> {
    let scaled = beats.iter().map(|&b| (b as f64 * ratio).round());
    let mut inside: Vec<u32> = scaled.filter(|&p| p >= 0.0 && p < n as f64).map(|p| p as u32).collect();
    inside.dedup();
    inside
}

/// The patient where a comment names one (`Patient: 17`).
fn patient(header: &Header) -> Option<&str> {
    let keys = ["patient", "patient id", "patient_id", "subject", "subject id", "subject_id"];
    let value = header.comments.iter().find_map(|c| keys.iter().find_map(|k| after_key(c, k)))?;
    (!value.is_empty() && !value.eq_ignore_ascii_case("unknown")).then_some(value)
}
