//! A data set as WFDB records that other software reads.

use super::dataset::{Dataset, Strip};
use super::labels::snomed_of_class;
use super::wfdb::{Annotation, Format, RecordToWrite, SignalToWrite, write_annotations, write_record};
use crate::error::{Error, Result};
use crate::files::write_atomically;
use rayon::prelude::*;
use std::path::Path;

/// Codes per mV of the records: 1 uV a step.
const GAIN: f64 = 1000.0;
/// Annotation code of a normal beat.
const NORMAL: u8 = 1;

/// Writes each strip as a WFDB record of format 16 with a gain of 1000 per mV (`.hea`, `.dat`), its class as a SNOMED
/// code after `Dx:`, its R peaks as beats in `.atr`, and the list of them as `RECORDS`. A record is named by the last
/// part of its strip's id.
///
/// # Errors
/// [`Error::File`] for what cannot be written; [`Error::Data`] for a class without a code, and for a strip beyond
/// +-32 mV or with an id that is no name of a record.
pub fn write_wfdb(dir: &Path, set: &Dataset) -> Result<()> {
    set.strips.par_iter().try_for_each(|strip| write_strip(dir, set, strip))?;
    let names: String = set.strips.iter().map(|s| format!("{}\n", name(s))).collect();
    write_atomically(&dir.join("RECORDS"), names.as_bytes())
}

fn name(strip: &Strip) -> &str {
    strip.id.rsplit('/').next().unwrap_or(&strip.id)
}

fn write_strip(dir: &Path, set: &Dataset, strip: &Strip) -> Result<()> {
    let class = set.classes.get(strip.label).map_or("", String::as_str);
    let fail = |what: String, hint: &str| Error::data(&strip.id, what, hint);
    let code = snomed_of_class(class).ok_or_else(|| {
        fail(format!("class `{class}` has no SNOMED code"), "export a set with the classes of rhythm6")
    })?;
    let to_code = |&v: &f32| {
        let code = (f64::from(v) * GAIN).round();
        // the lowest code stands for a missing sample
        (code.abs() <= f64::from(i16::MAX)).then_some(code as i16)
    };
    let codes: Option<Vec<i16>> = strip.signal.iter().map(to_code).collect();
    let codes = codes.ok_or_else(|| fail("a sample beyond +-32.767 mV".into(), "the record cannot hold it"))?;
    let name = name(strip);
    let record = RecordToWrite {
        name: name.into(),
        fs: set.preprocessing.fs,
        format: Format::F16,
        signals: vec![SignalToWrite { description: set.preprocessing.lead.clone(), gain: GAIN, baseline: 0, codes }],
        comments: vec![format!("Dx: {code}"), format!("Rhythm class: {class}")],
    };
    write_record(dir, &record)?;
    let beats: Vec<_> = strip.r_peaks.iter().map(|&p| Annotation::new(p.into(), NORMAL, "")).collect();
    write_annotations(&dir.join(format!("{name}.atr")), &beats)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecg::sources::{Kind, load};
    use crate::ecg::{LoadOptions, SyntheticOptions, synthesize};

    #[test]
    fn written_records_are_read_back_with_class_and_beats() {
        let dir = tempfile::tempdir().unwrap();
        let set = synthesize(&SyntheticOptions { records: 12, ..SyntheticOptions::default() }).unwrap();
        write_wfdb(dir.path(), &set).unwrap();
        let options = LoadOptions { min_class: 0, strict: true, ..LoadOptions::default() };
        let read = load(Kind::Wfdb, dir.path(), &options).unwrap();
        assert_eq!((read.strips.len(), read.exclusions.len(), read.counts()), (12, 0, set.counts()));
        for (a, b) in read.strips.iter().zip(&set.strips) {
            assert_eq!((a.label, &a.r_peaks, a.expert_beats), (b.label, &b.r_peaks, true), "{}", a.id);
            assert!(a.signal.iter().zip(b.signal.iter()).all(|(x, y)| (x - y).abs() <= 0.000_51));
        }
    }

    #[test]
    fn what_a_record_cannot_hold_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut set = synthesize(&SyntheticOptions { records: 6, ..SyntheticOptions::default() }).unwrap();
        set.strips[2].signal = vec![40.0; 5000].into();
        assert!(write_wfdb(dir.path(), &set).unwrap_err().to_string().contains("beyond"));
        set.classes[0] = "N".into();
        set.strips.truncate(1);
        assert!(write_wfdb(dir.path(), &set).unwrap_err().to_string().contains("SNOMED"));
    }
}
