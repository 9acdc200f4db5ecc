//! Long records with rhythm annotations (MIT-BIH arrhythmia and its kin): windows without overlap, each
//! wholly inside one rhythm; the grid restarts at each rhythm change. What no rhythm covers has no label.

use super::leads::{self, Place};
use super::notes::Note;
use super::{Context, Draft, Outcome, one_line, scaled_beats};
use crate::ecg::Exclusion;
use crate::ecg::labels::{self, NoteRhythm, Rhythm};
use crate::ecg::preprocessing::LongRecord;
use crate::ecg::wfdb::{Annotation, Header, RhythmChange, Signal, read_annotations, read_signal};
use std::collections::BTreeMap;
use std::path::Path;

/// A stretch of one rhythm in samples at the signal's rate, its end excluded.
#[derive(Debug, PartialEq, Eq)]
struct Stretch {
    start: i64,
    end: i64,
    note: String,
}

pub(super) fn read_record(context: &Context, path: &Path) -> Result<Outcome, String> {
    let options = context.options;
    let header = Header::read(path).map_err(|e| one_line(&e))?;
    let record = context.record_id(path);
    let mut out = Outcome::default();

    let wanted = header.lead(&options.lead);
    let index = wanted.unwrap_or_else(|| header.substitute());
    if wanted.is_none() {
        out.notes.push(Note::OtherLead { record: record.clone(), used: header.signal_name(index) });
    }
    let annotations = read_annotations(&path.with_extension("atr"), header.fs, header.rate(index));
    let annotations = annotations.map_err(|e| one_line(&e))?;
    let Signal { mv, fs, warnings } = read_signal(&header, index, options.strict).map_err(|e| one_line(&e))?;
    out.notes.extend(warnings.into_iter().map(|what| Note::Integrity { record: record.clone(), what }));

    let whole = LongRecord::new(&context.preprocessing, &mv, fs)?;

    let (patient, note) = context.patient_of_header(&record, &header.name, &header.comments);
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    let length = options.seconds * fs;
    if length < 2.0 {
        return Err(format!("{} s are less than two samples at {} Hz", options.seconds, fs));
    }
    let stretches = rhythm_stretches(&annotations, mv.len() as i64);
    let beats = Beats::new(annotations);
    if stretches.is_empty() {
        return Err("no rhythm annotation (`+` with a text such as `(N`)".into());
    }
    let mut windows = Vec::new();
    for stretch in stretches {
        for (start, end) in grid(&stretch, length) {
            let own = beats.inside(start, end);
            let found = classify(&stretch.note, own, fs).and_then(|rhythm| {
                if context.scheme.class_of(rhythm).is_none() {
                    return Err(format!("rhythm {} is in no class", stretch.note));
                }
                check_ectopic(own, options.ectopic_keep).map(|()| rhythm)
            });
            let id = format!("{record}@{:.3}", start as f64 / fs);
            let strip = match found {
                Ok(rhythm) => whole.window(start, end).map_err(String::from).and_then(|(at, x)| {
                    let beats: Vec<i64> = own.iter().map(|b| b.sample).collect();
                    let beats = Some(scaled_beats(&beats, options.fs / fs, at, x.len()));
                    context.strip(Draft { id: id.clone(), patient: patient.clone(), rhythm, x, in_mv: true, beats })
                }),
                Err(reason) => {
                    *left_out.entry(reason).or_insert(0) += 1;
                    continue;
                }
            };
            match strip {
                Ok(strip) => {
                    out.strips.push(strip);
                    windows.push((start, end));
                }
                Err(reason) => out.exclusions.push(Exclusion::strip(id, reason)),
            }
        }
    }
    if !out.strips.is_empty() {
        out.notes.push(note);
    }
    leads::add(context, &header, index, &record, &Place::Windows(&windows, fs), &mut out);
    for (reason, n) in left_out {
        out.exclusions.push(Exclusion::strip(&record, reason).times(n));
    }
    if out.strips.is_empty() && out.exclusions.is_empty() {
        return Err(format!("no rhythm lasts {} s", options.seconds));
    }
    Ok(out)
}

/// The rhythm of the `seconds` from `start` (s) of a record, if they lie inside one annotated rhythm.
pub(crate) fn rhythm_at(header: &Header, start: f64, seconds: f64) -> Option<Rhythm> {
    // a frame may be long: times are those of the signal with the most samples in it
    let fs = (0..header.signals.len()).map(|i| header.rate(i)).fold(header.fs, f64::max);
    let annotations = read_annotations(&header.path.with_extension("atr"), header.fs, fs).ok()?;
    let (first, end) = ((start * fs).round() as i64, ((start + seconds) * fs).round() as i64);
    let stretch = rhythm_stretches(&annotations, i64::MAX).into_iter().find(|s| s.start <= first && end <= s.end)?;
    classify(&stretch.note, Beats::new(annotations).inside(first, end), fs).ok()
}

/// The beats of a record, in order.
pub(super) struct Beats(Vec<Annotation>);

impl Beats {
    /// Of all its annotations, ordered by time.
    pub fn new(mut annotations: Vec<Annotation>) -> Self {
        annotations.retain(Annotation::is_beat);
        Self(annotations)
    }

    /// Those from sample `start` to before `end`.
    pub fn inside(&self, start: i64, end: i64) -> &[Annotation] {
        let before = |sample: i64| self.0.partition_point(|b| b.sample < sample);
        &self.0[before(start)..before(end)]
    }
}

/// Refuses a window with beats that are not conducted as usual, where those are not kept.
pub(super) fn check_ectopic(beats: &[Annotation], keep: bool) -> Result<(), String> {
    match keep || beats.iter().all(Annotation::is_normal) {
        true => Ok(()),
        false => Err("ectopic, paced or unclassifiable beats".into()),
    }
}

/// Whether a record has rhythm annotations: then it is read as one of many windows.
pub(crate) fn has_rhythms(header: &Header) -> bool {
    read_annotations(&header.path.with_extension("atr"), header.fs, header.fs)
        .is_ok_and(|a| !rhythm_stretches(&a, i64::MAX).is_empty())
}

/// From each beginning of a rhythm to the next change or end, the last one to the record's end.
fn rhythm_stretches(annotations: &[Annotation], samples: i64) -> Vec<Stretch> {
    let changes: Vec<(i64, RhythmChange)> =
        annotations.iter().filter_map(|a| a.rhythm().map(|change| (a.sample, change))).collect();
    let ends = changes.iter().skip(1).map(|&(sample, _)| sample.min(samples)).chain([samples]);
    let stretches = changes.iter().zip(ends).filter_map(|(&(start, change), end)| match change {
        RhythmChange::Begin(name) => Some(Stretch { start: start.max(0), end, note: name.into() }),
        RhythmChange::End => None,
    });
    stretches.filter(|s| s.start < s.end).collect()
}

/// Windows of `length` samples (it may be fractional) from the start of a stretch, all that fit.
fn grid(stretch: &Stretch, length: f64) -> impl Iterator<Item = (i64, i64)> {
    let (start, end) = (stretch.start, stretch.end);
    (0_u32..)
        .map(move |k| {
            let edge = |k: f64| start + (k * length).round() as i64;
            (edge(f64::from(k)), edge(f64::from(k) + 1.0))
        })
        .take_while(move |&(_, e)| e <= end)
}

fn classify(note: &str, beats: &[Annotation], fs: f64) -> Result<Rhythm, String> {
    match labels::rhythm_note(note) {
        NoteRhythm::Named(rhythm) => Ok(rhythm),
        NoteRhythm::ByRate => {
            let samples: Vec<i64> = beats.iter().map(|b| b.sample).collect();
            labels::by_rate(&samples, fs).ok_or_else(|| "fewer than two beats".into())
        }
        NoteRhythm::Unknown => Err(format!("the rhythm {} is not known", note.trim_end_matches('\0'))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grid_restarts_at_each_change() {
        let note = |sample, aux| Annotation::new(sample, 28, aux);
        let list = [
            note(-3, "(N"),
            Annotation::new(7, 1, ""),
            note(25, "(AFIB"),
            note(47, "comment"),
            note(60, "(N"),
            note(99, "(T"),
        ];
        let s = rhythm_stretches(&list, 70);
        assert_eq!(s.iter().map(|s| (s.start, s.end)).collect::<Vec<_>>(), [(0, 25), (25, 60), (60, 70)]);
        let windows: Vec<_> = s.iter().flat_map(|s| grid(s, 10.0)).collect();
        assert_eq!(windows, [(0, 10), (10, 20), (25, 35), (35, 45), (45, 55), (60, 70)]);
        assert_eq!(grid(&s[1], 12.5).collect::<Vec<_>>(), [(25, 38), (38, 50)]);
        assert!(rhythm_stretches(&[], 70).is_empty());
    }

    #[test]
    fn classes_of_windows() {
        let own = [(0, 1), (300, 5), (600, 1)].map(|(sample, code)| Annotation::new(sample, code, ""));
        assert_eq!(classify("(N", &own, 360.0), Ok(Rhythm::Sinus));
        assert!(classify("(N", &own[..1], 360.0).unwrap_err().contains("two beats"));
        assert_eq!(classify("(P", &own, 360.0), Ok(Rhythm::Other));
        assert!(classify("(XY\0", &own, 360.0).unwrap_err().contains("rhythm (XY is not known"));
        assert_eq!(classify("(AFL", &[], 360.0), Ok(Rhythm::Fibrillation));
    }
}
