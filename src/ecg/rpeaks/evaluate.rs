//! Detected R peaks against the expert beats of annotated recordings.

use super::score::Score;
use super::{Detector, clean, detect, without_gaps};
use crate::ecg::labels::{Rhythm, header_label};
use crate::ecg::sources::{Kind, Source, one_line, record_headers, stem};
use crate::ecg::synthetic::{SyntheticOptions, synthesize};
use crate::ecg::wfdb::annotation::{annotation_file, beats_of};
use crate::ecg::wfdb::{Annotation, Header, RhythmChange, Signal, read_annotations, read_signal};
use crate::ecg::{Exclusion, Strip};
use crate::error::{Error, Result};
use rayon::prelude::*;
use std::path::Path;

/// How far a peak may lie from the expert's beat, in seconds (ANSI/AAMI EC57).
pub const TOLERANCE: f64 = 0.15;

/// What the beats of a record belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RhythmGroup {
    /// Sinus rhythm throughout.
    Sinus,
    /// Any other rhythm at some time.
    Other,
    /// At least one beat of a pacemaker (or fused with one).
    Paced,
}

impl RhythmGroup {
    /// `sinus`, `other` or `paced`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sinus => "sinus",
            Self::Other => "other",
            Self::Paced => "paced",
        }
    }
}

/// The account of one record.
#[derive(Debug, Clone)]
pub struct RecordScore {
    /// Name of the source folder.
    pub source: String,
    /// Name of the record below it.
    pub record: String,
    /// Name of the lead used.
    pub lead: String,
    /// The record's rhythm.
    pub group: RhythmGroup,
    /// Expert beats that are judged.
    pub beats: usize,
    /// One score per detector, in the order asked for.
    pub scores: Vec<Score>,
}

/// What [`evaluate`] finds.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The records, in their order in the source.
    pub records: Vec<RecordScore>,
    /// Records that could not be judged, and why.
    pub exclusions: Vec<Exclusion>,
}

impl Evaluation {
    /// Records and expert beats of a group, and the sum of its scores per detector. `None` takes every
    /// record that is not paced.
    pub fn total(&self, group: Option<RhythmGroup>) -> (usize, usize, Vec<Score>) {
        let mut total = (0, 0, Vec::new());
        for r in &self.records {
            if group.map_or(r.group != RhythmGroup::Paced, |g| r.group == g) {
                total.0 += 1;
                total.1 += r.beats;
                total.2.resize(r.scores.len(), Score::default());
                for (sum, &s) in total.2.iter_mut().zip(&r.scores) {
                    *sum += s;
                }
            }
        }
        total
    }
}

/// Compares detectors with the expert beats of a folder of records, in parallel.
///
/// Every record is cleaned as a whole at its own rate: for `mitbih` with mains of 60 Hz (American
/// recordings) and in the lead asked for, or the first signal where it is missing; for `wfdb` with 50 Hz.
/// Judged is what the expert judged:
///
/// - Spans of ventricular flutter, from `[` to `]`, are left out, as ANSI/AAMI EC57 has it: there are no
///   QRS complexes to mark in them.
/// - Of `synthetic` ECG (600 records, default noise) all beats, one row a class.
/// - With beats from an annotation file of the lead (LUDB's `.ii`) only what it is known of, see `judged_span`.
pub fn evaluate(source: &Source, lead: &str, detectors: &[Detector]) -> Result<Evaluation> {
    let long = match source.kind {
        Kind::Mitbih => true,
        Kind::Wfdb => false,
        Kind::Synthetic => return synthetic(detectors),
        other => {
            let what = format!("a source of kind `{}` has no expert beats", other.name());
            return Err(Error::config(what, "choose mitbih:PATH, wfdb:PATH or synthetic"));
        }
    };
    source.protect();
    let path = &source.path;
    let (headers, source, mut exclusions) = record_headers(source)?;
    let rows: Vec<_> = headers.par_iter().map(|h| judge(h, &source, lead, long, detectors)).collect();
    let mut records = Vec::new();
    for (header, row) in headers.iter().zip(rows) {
        match row {
            Ok(row) => records.push(row),
            Err(reason) => exclusions.push(Exclusion::record(format!("{source}/{}", stem(header)), reason)),
        }
    }
    if records.is_empty() {
        let first = exclusions.first().map_or(String::new(), |e| format!(" ({}: {})", e.record, e.reason));
        return Err(Error::data(
            "R peaks",
            format!("no record with expert beats in {}{first}", path.display()),
            "name a folder of records with beat annotations, such as the MIT-BIH arrhythmia database or LUDB",
        ));
    }
    Ok(Evaluation { records, exclusions })
}

/// The default synthetic set, whose R peaks are known, one row a class.
fn synthetic(detectors: &[Detector]) -> Result<Evaluation> {
    let options = SyntheticOptions::default();
    let set = synthesize(&options)?;
    let fs = set.preprocessing.fs;
    let judge = |strip: &Strip| -> Vec<Score> {
        let beats: Vec<i64> = strip.r_peaks.iter().map(|&p| p.into()).collect();
        let peaks = |d: &Detector| detect(&strip.signal, fs, *d).into_iter().map(i64::from).collect::<Vec<_>>();
        detectors.iter().map(|d| Score::of(&peaks(d), &beats, TOLERANCE, fs)).collect()
    };
    let judged: Vec<Vec<Score>> = set.strips.par_iter().map(judge).collect();
    let row = |(class, name): (usize, &String)| {
        let sinus = name.starts_with('S') && !name.starts_with("SV");
        let mut row = RecordScore {
            source: "synthetic".into(),
            record: name.clone(),
            lead: set.preprocessing.lead.clone(),
            group: if sinus { RhythmGroup::Sinus } else { RhythmGroup::Other },
            beats: 0,
            scores: vec![Score::default(); detectors.len()],
        };
        for (strip, scores) in set.strips.iter().zip(&judged).filter(|(strip, _)| strip.label == class) {
            row.beats += strip.r_peaks.len();
            row.scores.iter_mut().zip(scores).for_each(|(sum, s)| *sum += *s);
        }
        row
    };
    let records = set.classes.iter().enumerate().map(row).collect();
    Ok(Evaluation { records, exclusions: Vec::new() })
}

fn judge(path: &Path, source: &str, lead: &str, long: bool, detectors: &[Detector]) -> Result<RecordScore, String> {
    let header = Header::read(path).map_err(|e| one_line(&e))?;
    let index = match header.lead(lead) {
        Some(index) => index,
        None if long => header.substitute(),
        None => return Err(header.no_lead(lead)),
    };
    let notes_path = if long { Some(path.with_extension("atr")) } else { annotation_file(&header, index) };
    let notes_path = notes_path.ok_or("no annotation file")?;
    let notes = read_annotations(&notes_path, header.fs, header.rate(index)).map_err(|e| one_line(&e))?;
    let Signal { mv, fs, .. } = read_signal(&header, index, false).map_err(|e| one_line(&e))?;
    let cleaned = clean(&without_gaps(mv), fs, if long { 60.0 } else { 50.0 }).map_err(|e| one_line(&e))?;

    let flutter = flutter_spans(&notes);
    let mut beats = beats_of(&notes);
    beats.retain(|b| !inside(&flutter, *b));
    if beats.is_empty() {
        return Err("no expert beats".into());
    }
    let span = judged_span(&notes_path, &beats, fs).unwrap_or((0, i64::MAX));
    let scores = detectors.iter().map(|d| {
        let peaks = d.r_peaks(&cleaned, fs).into_iter().map(i64::from);
        let judged: Vec<i64> = peaks.filter(|p| (span.0..=span.1).contains(p) && !inside(&flutter, *p)).collect();
        Score::of(&judged, &beats, TOLERANCE, fs)
    });
    Ok(RecordScore {
        source: source.to_string(),
        record: stem(path),
        lead: header.signals.get(index).map_or(String::new(), |s| s.description.clone()),
        group: group(&header, &notes, long),
        beats: beats.len(),
        scores: scores.collect(),
    })
}

/// First and last sample of a record that the expert looked at, in samples of the ascending `beats` of the annotation file
/// `path`; `None` where it is all of it. An annotation file of a lead (LUDB's `.ii`) leaves the outermost beats unmarked: it
/// is known from [`TOLERANCE`] before its first beat to as long after its last.
pub(crate) fn judged_span(path: &Path, beats: &[i64], fs: f64) -> Option<(i64, i64)> {
    let reach = (TOLERANCE * fs) as i64;
    let of_lead = path.extension().is_none_or(|e| e != "atr");
    let (first, last) = beats.first().zip(beats.last()).filter(|_| of_lead)?;
    Some((first.saturating_sub(reach), last.saturating_add(reach)))
}

/// From each `[` to the next `]`, both included; one left open lasts to the end.
fn flutter_spans(notes: &[Annotation]) -> Vec<(i64, i64)> {
    let mut spans = Vec::new();
    let mut open = None;
    for a in notes {
        match a.symbol() {
            '[' => open = open.or(Some(a.sample)),
            ']' => spans.extend(open.take().map(|start| (start, a.sample))),
            _ => {}
        }
    }
    spans.extend(open.map(|start| (start, i64::MAX)));
    spans
}

fn inside(spans: &[(i64, i64)], sample: i64) -> bool {
    spans.iter().any(|&(start, end)| (start..=end).contains(&sample))
}

fn group(header: &Header, notes: &[Annotation], long: bool) -> RhythmGroup {
    let rhythms = notes.iter().filter_map(Annotation::rhythm);
    let mut names =
        rhythms.filter_map(|r| if let RhythmChange::Begin(name) = r { Some(name) } else { None }).peekable();
    let sinus = if long {
        names.peek().is_some() && names.all(|name| matches!(name, "(N" | "(SBR"))
    } else {
        use Rhythm::{Bradycardia, Irregularity, Sinus, Tachycardia};
        let label = header_label(&header.comments).map(|found| found.rhythm);
        matches!(label, Ok(Sinus | Bradycardia | Tachycardia | Irregularity))
    };
    if notes.iter().any(Annotation::is_paced) {
        RhythmGroup::Paced
    } else if sinus {
        RhythmGroup::Sinus
    } else {
        RhythmGroup::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flutter_lasts_from_bracket_to_bracket() {
        let note = Annotation::new;
        // 32 is [, 31 is !, 33 is ]
        let notes = [note(5, 1, ""), note(10, 32, ""), note(20, 31, ""), note(30, 33, ""), note(50, 32, "")];
        let spans = flutter_spans(&notes);
        assert_eq!(spans, [(10, 30), (50, i64::MAX)]);
        assert!(inside(&spans, 10) && inside(&spans, 30) && inside(&spans, 99) && !inside(&spans, 31));
        assert!(flutter_spans(&[note(5, 33, "")]).is_empty());
    }

    #[test]
    fn groups() {
        let note = Annotation::new;
        let header =
            |comment: &str| Header::parse(Path::new("r.hea"), &format!("r 1 360\nr.dat 16\n#{comment}\n")).unwrap();
        let of = |notes: &[Annotation]| group(&header(""), notes, true);
        assert_eq!(of(&[note(1, 28, "(N"), note(9, 28, "(SBR"), note(9, 5, "")]), RhythmGroup::Sinus);
        assert_eq!(of(&[note(1, 28, "(N"), note(9, 28, "(AFIB")]), RhythmGroup::Other);
        assert_eq!(of(&[note(1, 28, "(N"), note(9, 12, "")]), RhythmGroup::Paced);
        assert_eq!(of(&[]), RhythmGroup::Other);
        assert_eq!(group(&header("Rhythm: Irregular sinus rhythm."), &[], false), RhythmGroup::Sinus);
        assert_eq!(group(&header("Rhythm: Atrial fibrillation."), &[], false), RhythmGroup::Other);
    }
}
