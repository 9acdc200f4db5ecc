//! Writes a prepared data set strip by strip.

use super::FORMAT;
use crate::ecg::dataset::ClassesKept;
use crate::ecg::features;
use crate::ecg::guidance::{GuidanceConfig, guidance};
use crate::ecg::sources::Account;
use crate::ecg::{Exclusion, Leads, LoadOptions, Strip};
use crate::error::{Error, Result};
use crate::files::{Temporary, safetensors_head, temporary};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Strips whose targets are made at once, in parallel.
const AT_ONCE: usize = 256;

/// A data set on its way into a file. The signals wait in a file beside it: how many strips there are, and of which
/// classes, is known at the end only.
pub(super) struct Writer {
    out: PathBuf,
    signals: BufWriter<Temporary>,
    /// The strips without their signals, other leads behind their window.
    entries: Vec<Entry>,
}

struct Entry {
    strip: Strip,
    /// It is another lead of the last entry that is none.
    other: bool,
}

impl Writer {
    pub fn new(out: &Path) -> Result<Self> {
        if out.is_dir() {
            return Err(Error::file(out, "is a folder, expected the name of a file", "name it e.g. set.safetensors"));
        }
        let folder = folder(out);
        std::fs::create_dir_all(folder).map_err(|e| unwritable(out, &e))?;
        let signals = BufWriter::new(temporary(folder).map_err(|e| unwritable(out, &e))?);
        Ok(Self { out: out.to_path_buf(), signals, entries: Vec::new() })
    }

    /// Adds a strip; all have the same length.
    pub fn push(&mut self, strip: &Strip) -> Result<()> {
        for (i, row) in std::iter::once(strip).chain(&strip.others).enumerate() {
            write_f32(&mut self.signals, &row.signal).map_err(|e| unwritable(&self.out, &e))?;
            let without = Strip { signal: Vec::new().into(), target: None, others: Vec::new(), ..row.clone() };
            self.entries.push(Entry { strip: without, other: i > 0 });
        }
        Ok(())
    }

    /// Writes the file; gives back everything that was left out.
    pub fn finish(
        self,
        options: &LoadOptions,
        constants: &GuidanceConfig,
        account: Account,
        mark: &str,
    ) -> Result<Vec<Exclusion>> {
        let scheme = options.check()?;
        let names: Vec<String> = scheme.classes.iter().map(|c| (*c).to_string()).collect();
        let windows = || self.entries.iter().filter(|e| !e.other).map(|e| &e.strip);
        let kept = ClassesKept::of(&names, windows(), options.min_class, options.min_patients);
        let Account { mut exclusions, mut notes } = account;
        kept.note(&mut notes);
        for e in windows().filter(|e| kept.renumbered[e.label].is_none()) {
            exclusions.push(kept.exclusion(&e.id, &names[e.label]));
        }
        let all = self.entries.iter().map(|e| &e.strip).enumerate();
        let strips: Vec<(usize, &Strip)> = all.filter(|(_, e)| kept.renumbered[e.label].is_some()).collect();
        let others: Vec<bool> = strips.iter().map(|(i, _)| self.entries[*i].other).collect();
        if strips.is_empty() {
            return Err(kept.nothing_left(&exclusions));
        }
        let labels: Vec<i32> = strips.iter().filter_map(|(_, e)| kept.renumbered[e.label]).map(|l| l as i32).collect();
        let peaks: Vec<i32> = strips.iter().flat_map(|(_, e)| e.r_peaks.iter().map(|&p| p as i32)).collect();
        let mut offsets = vec![0_i32];
        for (_, e) in &strips {
            offsets.push(offsets[offsets.len() - 1] + e.r_peaks.len() as i32);
        }
        let of = |f: &dyn Fn(&Strip) -> Value| Value::Array(strips.iter().map(|(_, e)| f(e)).collect()).to_string();
        let mut metadata = vec![("format", FORMAT.to_string()), ("classes", json!(kept.classes).to_string())];
        let preprocessing = options.preprocessing();
        metadata.extend(preprocessing.metadata());
        metadata.extend([
            ("patient_pattern", options.patient_pattern.clone()),
            ("guidance", json!(constants).to_string()),
            ("feature_names", json!(features::NAMES).to_string()),
            ("record_ids", of(&|e| json!(e.id))),
            ("patient_ids", of(&|e| json!(e.patient))),
            ("sources", of(&|e| json!(e.source))),
            ("expert_beats", of(&|e| json!(e.expert_beats))),
            ("exclusions", json!(exclusions).to_string()),
            ("notes", json!(notes).to_string()),
            ("mark", mark.to_string()),
        ]);
        if strips.iter().any(|(_, e)| e.marked.is_some()) {
            metadata.push(("marked", of(&|e| json!(e.marked))));
        }
        if strips.iter().any(|(_, e)| !e.in_mv) {
            metadata.push(("in_mv", of(&|e| json!(e.in_mv))));
        }
        if options.leads == Leads::All {
            metadata.extend([("leads", Leads::All.name().into()), ("other_leads", json!(others).to_string())]);
        }
        let (n, len) = (strips.len(), preprocessing.samples());
        let tensors: [(&str, &str, &[usize]); 6] = [
            ("signals", "F32", &[n, len]),
            ("targets", "F32", &[n, len]),
            ("features", "F32", &[n, 17]),
            ("labels", "I32", &[n]),
            ("r_peaks", "I32", &[peaks.len()]),
            ("r_peak_offsets", "I32", &[n + 1]),
        ];
        let out = self.out.clone();
        let fail = |e: std::io::Error| unwritable(&out, &e);
        let mut file = BufWriter::new(temporary(folder(&out)).map_err(fail)?);
        file.write_all(&safetensors_head(&metadata, &tensors)).map_err(fail)?;
        let rows: Vec<usize> = strips.iter().map(|(i, _)| *i).collect();
        let spool = self.signals.into_inner().map_err(|e| unwritable(&out, e.error()))?;
        copy_rows(spool.as_file(), &rows, 4 * len, &mut file).map_err(fail)?;
        for some in strips.chunks(AT_ONCE) {
            let make = |(_, e): &(usize, &Strip)| guidance(&e.r_peaks, options.fs, len, constants).target;
            let targets: Vec<Vec<f32>> = some.par_iter().map(make).collect();
            targets.iter().try_for_each(|t| write_f32(&mut file, t)).map_err(fail)?;
        }
        strips.iter().try_for_each(|(_, e)| write_f32(&mut file, &e.features)).map_err(fail)?;
        for values in [&labels, &peaks, &offsets] {
            values.iter().try_for_each(|v| file.write_all(&v.to_le_bytes())).map_err(fail)?;
        }
        let file = file.into_inner().map_err(|e| unwritable(&out, e.error()))?;
        file.as_file().sync_all().map_err(fail)?;
        file.persist(&out).map_err(fail)?;
        Ok(exclusions)
    }
}

fn folder(out: &Path) -> &Path {
    out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unwritable(path: &Path, e: &std::io::Error) -> Error {
    Error::file(
        path,
        format!("cannot be written: {e}"),
        "check that the folder can be written to and that the disk has room for the data set twice",
    )
}

fn write_f32(to: &mut impl Write, values: &[f32]) -> std::io::Result<()> {
    if cfg!(target_endian = "little") {
        return to.write_all(bytemuck::cast_slice(values));
    }
    values.iter().try_for_each(|v| to.write_all(&v.to_le_bytes()))
}

/// Copies these rows, ascending, of `bytes` bytes each.
fn copy_rows(from: &File, rows: &[usize], bytes: usize, to: &mut impl Write) -> std::io::Result<()> {
    let mut from = BufReader::with_capacity(1 << 20, from);
    from.seek(SeekFrom::Start(0))?;
    let mut row = vec![0; bytes];
    let mut at = 0;
    for &wanted in rows {
        if wanted > at {
            from.seek_relative(((wanted - at) * bytes) as i64)?;
        }
        from.read_exact(&mut row)?;
        to.write_all(&row)?;
        at = wanted + 1;
    }
    Ok(())
}
