//! Folders of recordings to a [`Dataset`]: which files there are, what is kept, and why the rest is not.
//!
//! One file per kind of source; each turns one record into an `Outcome`, and this module does the rest:
//! the order of records, the work in parallel, small classes, the notes.

mod folder;
mod mitbih;
mod physionet;

use super::dataset::{Dataset, Exclusion, LoadOptions, Strip};
use super::labels::Scheme;
use super::{resample, rpeaks};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use folder::{data_root, resolve};
pub(crate) use mitbih::rhythm_at;

/// The kinds of source that [`load`] knows.
///
/// - `mitbih`: long WFDB records with rhythm annotations; windows inside one rhythm
/// - `wfdb`: folders of short WFDB records with the diagnosis in the header (PhysioNet ecg-arrhythmia,
///   Challenge 2020 and 2021, LUDB)
pub const KINDS: [&str; 2] = ["mitbih", "wfdb"];

/// What one record gave.
#[derive(Debug, Default)]
struct Outcome {
    /// Strips whose label is an index into the scheme's classes.
    strips: Vec<Strip>,
    exclusions: Vec<Exclusion>,
    notes: Vec<Note>,
}

/// Something to tell about a record. Notes of one kind over many records become one line.
#[derive(Debug)]
enum Note {
    /// The lead asked for is not there; the one used.
    OtherLead { record: String, used: String },
    /// The header names several rhythms.
    Conflict,
    /// An integrity check failed.
    Integrity { record: String, what: String },
    /// Any other line.
    Line(String),
}

/// What every record of a source needs to know.
struct Context<'a> {
    options: &'a LoadOptions,
    scheme: &'static Scheme,
    /// The source's name: that of its folder.
    source: String,
    root: PathBuf,
}

impl Context<'_> {
    /// Name of a record in the data set: the source's name and the path below its folder.
    fn record_id(&self, header: &Path) -> String {
        let below = header.strip_prefix(&self.root).unwrap_or(header).with_extension("");
        let parts: Vec<_> = below.components().map(|c| c.as_os_str().to_string_lossy()).collect();
        format!("{}/{}", self.source, parts.join("/"))
    }

    /// Resamples a signal in mV to the data set's rate.
    fn to_rate(&self, mv: &[f64], fs: f64) -> Result<Vec<f64>> {
        resample::resample(mv, fs, self.options.fs)
    }

    /// The finished signal of a strip, or why there is none.
    fn finish(&self, mut x: Vec<f64>) -> Result<Vec<f32>, String> {
        if let Some(i) = x.iter().position(|v| !v.is_finite()) {
            return Err(format!("missing or infinite sample (first at {i})"));
        }
        if is_flat(&x) {
            return Err("flat line".into());
        }
        if self.options.clean {
            x = rpeaks::clean(&x, self.options.fs, 50.0).map_err(|e| one_line(&e))?;
        }
        let signal: Vec<f32> = x.iter().map(|&v| v as f32).collect();
        if signal.iter().all(|v| v.is_finite()) { Ok(signal) } else { Err("values beyond the range of f32".into()) }
    }
}

/// True where a signal never changes.
pub(crate) fn is_flat(x: &[f64]) -> bool {
    x.windows(2).all(|w| w[0] == w[1])
}

/// An error's text without its hint, on one line.
pub(crate) fn one_line(e: &Error) -> String {
    let text = e.to_string();
    text.split("\nHINT").next().unwrap_or(&text).replace('\n', " ")
}

/// Loads one source. `path` is tried as given and then below the data folder, see [`resolve`].
///
/// Strips come ordered by record and time, whatever the number of threads.
///
/// # Errors
/// [`Error::Config`] for an unknown kind or unusable options; [`Error::File`] for a missing folder or one
/// without records; [`Error::Data`] when no strip is left. A record that cannot be used is no error but an
/// entry of [`Dataset::exclusions`].
///
/// ```no_run
/// use exgnet::ecg::{LoadOptions, load};
/// let set = load("mitbih", "mitdb".as_ref(), &LoadOptions::default())?;
/// println!("{:?} {:?}", set.classes, set.counts());
/// # Ok::<(), exgnet::error::Error>(())
/// ```
pub fn load(kind: &str, path: &Path, options: &LoadOptions) -> Result<Dataset> {
    load_all(&[(kind.to_string(), path.to_path_buf())], options)
}

/// Loads several sources, given as kind and path, as one set.
///
/// # Errors
/// As [`load`]; also for no source at all, and for two sources of the same folder name (their patients
/// could not be told apart).
pub fn load_all(sources: &[(String, PathBuf)], options: &LoadOptions) -> Result<Dataset> {
    let scheme = options.check()?;
    if sources.is_empty() {
        return Err(Error::config("no source of recordings", "name at least one, e.g. mitbih:mitdb"));
    }
    let mut names: Vec<String> = Vec::new();
    let mut all = Outcome::default();
    for (kind, path) in sources {
        let root = resolve(path);
        let source = folder::name_of(&root);
        if names.contains(&source) {
            return Err(Error::config(
                format!("two sources are named `{source}`"),
                "give the folders different names: records are told apart by them",
            ));
        }
        names.push(source.clone());
        let context = Context { options, scheme, source, root };
        let outcome = match kind.as_str() {
            "mitbih" => folder::for_each_record(&context, mitbih::read_record)?,
            "wfdb" => folder::for_each_record(&context, physionet::read_record)?,
            _ => {
                return Err(Error::config(
                    format!("unknown kind of source `{kind}`"),
                    format!("choose one of {}", KINDS.join(", ")),
                ));
            }
        };
        all.strips.extend(outcome.strips);
        all.exclusions.extend(outcome.exclusions);
        all.notes.extend(outcome.notes);
    }
    finish(all, options, scheme)
}

/// Drops small classes, numbers the rest and words the notes.
fn finish(all: Outcome, options: &LoadOptions, scheme: &'static Scheme) -> Result<Dataset> {
    let mut notes = word_notes(all.notes, &options.lead);
    let mut exclusions = all.exclusions;
    let mut counts = vec![0_usize; scheme.classes.len()];
    for strip in &all.strips {
        counts[strip.label] += 1;
    }
    let mut classes = Vec::new();
    let mut renumbered = vec![None; counts.len()];
    for (i, (&name, &count)) in scheme.classes.iter().zip(&counts).enumerate() {
        if count >= options.min_class.max(1) {
            renumbered[i] = Some(classes.len());
            classes.push(name.to_string());
        } else {
            notes.push(format!("class {name} dropped: {count} strips, fewer than min_class = {}", options.min_class));
        }
    }
    let mut strips = Vec::with_capacity(all.strips.len());
    for mut strip in all.strips {
        if let Some(label) = renumbered[strip.label] {
            strip.label = label;
            strips.push(strip);
        } else {
            let name = scheme.classes[strip.label];
            exclusions
                .push(Exclusion::new(strip.id, format!("class {name} has fewer than {} strips", options.min_class)));
        }
    }
    let set = Dataset {
        classes,
        fs: options.fs,
        seconds: options.seconds,
        lead: options.lead.clone(),
        strips,
        exclusions,
        notes,
    };
    if set.strips.is_empty() {
        let mut reasons: Vec<(String, usize)> = set.exclusions_by_reason().into_iter().collect();
        reasons.sort_by_key(|r| std::cmp::Reverse(r.1));
        let most: Vec<String> = reasons.into_iter().take(3).map(|(r, n)| format!("{n} x {r}")).collect();
        return Err(Error::data(
            "data set",
            format!("no strip is left; most were left out for: {}", most.join("; ")),
            "check lead, seconds, min_class and the kind of source",
        ));
    }
    Ok(set)
}

fn word_notes(notes: Vec<Note>, lead: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut leads: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut conflicts = 0;
    let mut integrity = Vec::new();
    for note in notes {
        match note {
            Note::OtherLead { record, used } => leads.entry(used).or_default().push(record),
            Note::Conflict => conflicts += 1,
            Note::Integrity { record, what } => integrity.push(format!("{record}: {what}")),
            Note::Line(line) => lines.push(line),
        }
    }
    for (used, records) in leads {
        lines.push(format!("lead {lead} is missing, {used} used instead: {}", records.join(", ")));
    }
    if conflicts > 0 {
        lines.push(format!("{conflicts} records carry labels of more than one class; SVT/AT, AFIB/AFL, ST, SB, SI, SR decide in this order"));
    }
    lines.extend(integrity.into_iter().map(|i| format!("warning: {i}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> LoadOptions {
        LoadOptions { fs: 100.0, seconds: 1.0, min_class: 1, ..LoadOptions::default() }
    }

    fn write_record(dir: &Path, name: &str, codes: &[i16], comment: &str) {
        std::fs::create_dir_all(dir).unwrap();
        let bytes: Vec<u8> = codes.iter().flat_map(|c| c.to_le_bytes()).collect();
        std::fs::write(dir.join(format!("{name}.dat")), bytes).unwrap();
        let header =
            format!("{name} 1 100 {}\n{name}.dat 16 1000/mV 16 0 {} 7 0 II\n{comment}\n", codes.len(), codes[0]);
        std::fs::write(dir.join(format!("{name}.hea")), header).unwrap();
    }

    fn wave(n: usize) -> Vec<i16> {
        (0..n).map(|i| (i as i16 * 37) % 500).collect()
    }

    #[test]
    fn every_record_is_kept_or_accounted_for() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("set");
        write_record(&root.join("a/b"), "good", &wave(120), "# Dx: 426783006,427084000");
        write_record(&root, "plain", &wave(100), "#Dx: 426783006,");
        write_record(&root, "short", &wave(99), "#Dx: 426783006");
        write_record(&root, "flat", &[5; 100], "#Dx: 426783006");
        write_record(&root, "unknown", &wave(100), "#Dx: 59118001");
        let mut gap = wave(100);
        gap[40] = i16::MIN;
        write_record(&root, "gap", &gap, "#Dx: 426783006");
        write_record(&root, "cut", &wave(100), "#Dx: 426783006");
        std::fs::write(root.join("cut.dat"), [0; 30]).unwrap();
        std::fs::write(root.join("empty.hea"), "").unwrap();
        let set = load("wfdb", &root, &options()).unwrap();
        assert_eq!(set.classes, ["SR", "ST"]);
        let ids: Vec<_> = set.strips.iter().map(|s| (s.id.as_str(), s.label, s.signal.len())).collect();
        assert_eq!(ids, [("set/a/b/good", 1, 100), ("set/plain", 0, 100)]);
        let reasons: Vec<_> = set.exclusions.iter().map(|e| format!("{}: {}", e.record, e.reason)).collect();
        let expect = [
            "cut: .*truncated",
            "empty: .*no record line",
            "flat: flat line",
            "gap: missing",
            "short: .*99",
            "unknown: no code",
        ];
        assert_eq!(reasons.len(), expect.len(), "{reasons:?}");
        for (reason, e) in reasons.iter().zip(expect) {
            let (name, part) = e.split_once(": ").unwrap();
            assert!(
                reason.starts_with(&format!("set/{name}: ")) && reason.contains(part.trim_start_matches(".*")),
                "{reason} / {e}"
            );
        }
        assert!(set.notes.iter().any(|n| n.starts_with("1 records carry labels")), "{:?}", set.notes);
        assert!(set.notes.iter().any(|n| n.contains("checksum")));
        assert!(set.notes.iter().any(|n| n.starts_with("class SB dropped: 0")));
        // strict: the failed checksum leaves no record at all
        let e = load("wfdb", &root, &LoadOptions { strict: true, ..options() }).unwrap_err().to_string();
        assert!(e.contains("no strip is left") && e.contains("checksum"), "{e}");
    }

    #[test]
    fn records_file_decides_and_missing_records_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("set");
        write_record(&root.join("p"), "a", &wave(100), "#Dx: 426783006");
        write_record(&root.join("p"), "b", &wave(100), "#Dx: 426783006");
        std::fs::write(root.join("RECORDS"), "p/\n../../etc/x\n").unwrap();
        std::fs::write(root.join("p/RECORDS"), "a\r\nnone\n\na\n").unwrap();
        let set = load("wfdb", &root, &options()).unwrap();
        assert_eq!(set.strips.len(), 1);
        assert_eq!(set.exclusions.len(), 2, "{:?}", set.exclusions);
        assert!(set.notes.iter().any(|n| n.contains("1 header") && n.contains("RECORDS")), "{:?}", set.notes);
    }

    #[test]
    fn small_classes_are_dropped_and_told() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..3 {
            write_record(dir.path(), &format!("r{i}"), &wave(100), "#Dx: 426783006");
        }
        write_record(dir.path(), "s", &wave(100), "#Dx: 426177001");
        let set = load("wfdb", dir.path(), &LoadOptions { min_class: 2, ..options() }).unwrap();
        assert_eq!((set.classes.len(), set.counts()), (1, vec![3]));
        assert!(set.exclusions[0].reason.contains("class SB has fewer than 2"));
        assert!(set.notes.iter().any(|n| n.contains("class SB dropped: 1")));
    }

    #[test]
    fn wrong_kinds_and_folders_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let o = options();
        assert!(load("dicom", dir.path(), &o).unwrap_err().to_string().contains("mitbih, wfdb"));
        assert!(load("wfdb", dir.path(), &o).unwrap_err().to_string().contains("no record"));
        assert!(load("mitbih", dir.path(), &o).unwrap_err().to_string().contains("no record"));
        assert!(load("wfdb", &dir.path().join("none"), &o).unwrap_err().to_string().contains("none"));
        assert!(load_all(&[], &o).is_err());
        let twice = ("wfdb".to_string(), dir.path().to_path_buf());
        write_record(dir.path(), "s", &wave(100), "#Dx: 426177001");
        assert!(load_all(&[twice.clone(), twice], &o).unwrap_err().to_string().contains("two sources"));
    }
}
