//! Reads a prepared data set by memory map. Nothing in the file is believed before it was checked.

use super::FORMAT;
use crate::ecg::guidance::GuidanceConfig;
use crate::ecg::preprocessing::Preprocessing;
use crate::ecg::samples::Samples;
use crate::ecg::{Dataset, Exclusion, Leads, Strip};
use crate::error::{Error, Result};
use crate::files::{guard, map, not_safetensors, other_format};
use memmap2::Mmap;
use rayon::prelude::*;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// True for a path that looks like a prepared data set: a file whose name ends in `.safetensors`.
pub fn is_prepared(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors")) && path.is_file()
}

/// Reads a prepared data set; the signals stay in the file until they are looked at.
pub fn read(path: &Path) -> Result<Dataset> {
    guard::reads(path);
    File::open(path)?.dataset()
}

/// An exclusion as it was written. Earlier versions wrote the record and the reason, with its number in words.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenExclusion {
    Whole(Exclusion),
    Named(String, String),
}

impl WrittenExclusion {
    fn read(self) -> Exclusion {
        match self {
            Self::Whole(exclusion) => exclusion,
            Self::Named(record, reason) => Exclusion::record(record, reason),
        }
    }
}

/// An opened file with its metadata.
pub(super) struct File<'a> {
    path: &'a Path,
    mapped: Arc<Mmap>,
    metadata: HashMap<String, String>,
}

impl<'a> File<'a> {
    pub fn open(path: &'a Path) -> Result<Self> {
        if path.is_dir() {
            let dir = path.display();
            let hint = format!(
                "recordings are prepared first: exgnet prepare --source wfdb:{dir} --out FILE.safetensors; `exgnet prepare --help` \
                 lists the kinds of sources"
            );
            return Err(Error::file(path, "is a folder, expected the file of a prepared data set", hint));
        }
        let mapped = Arc::new(map(path)?);
        let header = SafeTensors::read_metadata(&mapped).map_err(|e| fault(path, not_safetensors(e)));
        let (_, header) = header?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let file = Self { path, mapped, metadata };
        let format = file.text("format")?;
        if format != FORMAT {
            return Err(file.fault(other_format(format, FORMAT)));
        }
        Ok(file)
    }

    /// What the writer's caller put into the metadata.
    pub fn mark(&self) -> &str {
        self.metadata.get("mark").map_or("", String::as_str)
    }

    fn fault(&self, what: impl Into<String>) -> Error {
        fault(self.path, what)
    }

    fn text(&self, key: &str) -> Result<&str> {
        self.metadata.get(key).map(String::as_str).ok_or_else(|| self.fault(format!("its metadata has no `{key}`")))
    }

    fn value<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        serde_json::from_str(self.text(key)?).map_err(|e| self.fault(format!("`{key}` in its metadata: {e}")))
    }

    /// A list with one entry for each of the `n` strips.
    fn per_strip<T: DeserializeOwned>(&self, key: &str, n: usize) -> Result<Vec<T>> {
        let list: Vec<T> = self.value(key)?;
        if list.len() == n {
            return Ok(list);
        }
        Err(self.fault(format!("`{key}` has {} entries, expected {n}", list.len())))
    }

    /// The same of a list that is there only where some strip has another entry than `usual`.
    fn per_strip_or<T: DeserializeOwned + Clone>(&self, key: &str, n: usize, usual: T) -> Result<Vec<T>> {
        if self.metadata.contains_key(key) { self.per_strip(key, n) } else { Ok(vec![usual; n]) }
    }

    pub fn dataset(&self) -> Result<Dataset> {
        let tensors = SafeTensors::deserialize(&self.mapped).map_err(|e| self.fault(format!("is damaged: {e}")))?;
        let classes: Vec<String> = self.value("classes")?;
        let (preprocessing, assumed) = self.preprocessing(&classes)?;
        let len = preprocessing.samples();
        if classes.is_empty() || classes.iter().collect::<HashSet<_>>().len() < classes.len() {
            return Err(self.fault(format!("classes {classes:?}, expected one or more different names")));
        }
        let find = |name: &str, dtype: Dtype, shape: &[Option<usize>]| -> Result<(usize, Vec<usize>)> {
            let tensor = tensors.tensor(name).map_err(|_| self.fault(format!("has no tensor `{name}`")))?;
            let fits = tensor.shape().len() == shape.len()
                && tensor.shape().iter().zip(shape).all(|(found, s)| s.is_none_or(|s| s == *found));
            if tensor.dtype() != dtype || !fits {
                let wanted: Vec<String> = shape.iter().map(|s| s.map_or("any".into(), |s| s.to_string())).collect();
                return Err(self.fault(format!(
                    "tensor `{name}` is {:?} {:?}, expected {dtype:?} [{}]",
                    tensor.dtype(),
                    tensor.shape(),
                    wanted.join(", ")
                )));
            }
            // the view is a part of the mapped file
            Ok((tensor.data().as_ptr() as usize - self.mapped.as_ptr() as usize, tensor.shape().to_vec()))
        };
        let (signals, shape) = find("signals", Dtype::F32, &[None, Some(len)])?;
        let n = shape[0];
        let (targets, _) = find("targets", Dtype::F32, &[Some(n), Some(len)])?;
        let (features, _) = find("features", Dtype::F32, &[Some(n), Some(17)])?;
        let labels = self.integers(find("labels", Dtype::I32, &[Some(n)])?);
        let peaks = self.integers(find("r_peaks", Dtype::I32, &[None])?);
        let offsets = self.integers(find("r_peak_offsets", Dtype::I32, &[Some(n + 1)])?);
        let ids: Vec<String> = self.per_strip("record_ids", n)?;
        let patients: Vec<String> = self.per_strip("patient_ids", n)?;
        let sources: Vec<String> = self.per_strip("sources", n)?;
        let expert: Vec<bool> = self.per_strip("expert_beats", n)?;
        let marked: Vec<Option<[u32; 2]>> = self.per_strip_or("marked", n, None)?;
        let in_mv: Vec<bool> = self.per_strip_or("in_mv", n, true)?;
        let mut seen = HashSet::new();
        if let Some(twice) = ids.iter().find(|id| !seen.insert(*id)) {
            return Err(self.fault(format!("record `{twice}` is there twice")));
        }
        let samples = |start: usize, i: usize, len: usize| {
            Samples::mapped(&self.mapped, start + 4 * i * len, len).ok_or_else(|| self.fault("is truncated"))
        };
        let strip = |i: usize| -> Result<Strip> {
            let wrong = |what: String| self.fault(format!("strip {i} ({}): {what}", ids[i]));
            let label = usize::try_from(labels[i]).ok().filter(|&l| l < classes.len());
            let label = label.ok_or_else(|| wrong(format!("label {} of {} classes", labels[i], classes.len())))?;
            let own = usize::try_from(offsets[i]).ok().zip(usize::try_from(offsets[i + 1]).ok());
            let own =
                own.and_then(|(a, b)| peaks.get(a..b)).ok_or_else(|| wrong("its R peaks are out of place".into()))?;
            if own.iter().any(|&p| p < 0 || p as usize >= len) || own.windows(2).any(|w| w[0] >= w[1]) {
                return Err(wrong(format!("R peaks that do not ascend from 0 to {}", len - 1)));
            }
            if let Some([from, to]) = marked[i].filter(|[from, to]| from >= to || *to as usize > len) {
                return Err(wrong(format!("beats marked from {from} to {to} of {len} samples")));
            }
            let signal = samples(signals, i, len)?;
            if let Some(at) = signal.iter().position(|v| !v.is_finite()) {
                return Err(wrong(format!("sample {at} is {}, expected a number", signal[at])));
            }
            let target = samples(targets, i, len)?;
            if let Some(at) = target.iter().position(|v| !(0.0..=1.0).contains(v)) {
                return Err(wrong(format!("target {at} is {}, expected 0 to 1", target[at])));
            }
            let mut row = [0.0; 17];
            row.copy_from_slice(&samples(features, i, 17)?);
            if row.iter().any(|v| v.is_infinite()) {
                return Err(wrong("an infinite feature".into()));
            }
            Ok(Strip {
                id: ids[i].clone(),
                patient: patients[i].clone(),
                source: sources[i].clone(),
                signal,
                label,
                r_peaks: own.iter().map(|&p| p as u32).collect(),
                expert_beats: expert[i],
                marked: marked[i],
                in_mv: in_mv[i],
                features: row,
                target: Some(target),
                others: Vec::new(),
                tests_only: false,
            })
        };
        if offsets.first() != Some(&0) || offsets.last().map(|&o| o as usize) != Some(peaks.len()) {
            return Err(self.fault("the offsets of its R peaks do not span them"));
        }
        let rows = (0..n).into_par_iter().map(strip).collect::<Result<Vec<Strip>>>()?;
        let (strips, leads) = self.windows(rows)?;
        let exclusions: Vec<WrittenExclusion> = self.value("exclusions")?;
        let mut notes: Vec<String> = self.value("notes")?;
        notes.extend(assumed);
        Ok(Dataset {
            preprocessing,
            classes,
            // before there was this key, names gave none
            patient_pattern: self.metadata.get("patient_pattern").map_or("none", String::as_str).into(),
            leads,
            guidance: self.guidance()?,
            strips,
            exclusions: exclusions.into_iter().map(WrittenExclusion::read).collect(),
            notes,
        })
    }

    /// Puts the rows that are other leads to their windows.
    fn windows(&self, rows: Vec<Strip>) -> Result<(Vec<Strip>, Leads)> {
        match self.metadata.get("leads").map(String::as_str) {
            None | Some("one") => return Ok((rows, Leads::One)),
            Some("all") => {}
            Some(found) => return Err(self.fault(format!("`leads` in its metadata is `{found}`, expected one or all"))),
        }
        let others: Vec<bool> = self.per_strip("other_leads", rows.len())?;
        let mut strips: Vec<Strip> = Vec::new();
        for (row, other) in rows.into_iter().zip(others) {
            if !other {
                strips.push(row);
                continue;
            }
            let window =
                strips.last_mut().filter(|w| row.label == w.label && row.id.starts_with(&format!("{}#", w.id)));
            let Some(window) = window else {
                return Err(self.fault(format!("`{}` is another lead, but its window is not before it", row.id)));
            };
            window.others.push(row);
        }
        Ok((strips, Leads::All))
    }

    /// How the strips were made, and what was assumed of it: files of earlier versions do not say everything.
    fn preprocessing(&self, classes: &[String]) -> Result<(Preprocessing, Option<String>)> {
        self.text("scheme").and(self.text("clean"))?;
        let text = |key: &str| self.metadata.get(key).map(String::as_str);
        let (read, missing) = Preprocessing::from_metadata(text, classes).map_err(|e| self.fault(e))?;
        let said = |key: &&str| read.metadata().iter().find(|(k, _)| k == key).map(|(k, v)| format!("{k} {v}"));
        let assumed: Vec<String> = missing.iter().filter_map(said).collect();
        let note = || format!("{} does not say it, assumed: {}", self.path.display(), assumed.join(", "));
        let note = (!assumed.is_empty()).then(note);
        Ok((read, note))
    }

    fn guidance(&self) -> Result<GuidanceConfig> {
        let constants: GuidanceConfig = self.value("guidance")?;
        constants.check().map_err(|e| self.fault(crate::ecg::sources::one_line(&e)))?;
        Ok(constants)
    }

    /// All values of a tensor found to be i32.
    fn integers(&self, (start, shape): (usize, Vec<usize>)) -> Vec<i32> {
        let bytes = &self.mapped[start..start + 4 * shape[0]];
        bytes.as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b)).collect()
    }
}

fn fault(path: &Path, what: impl Into<String>) -> Error {
    Error::file(path, what, "give a file that `exgnet prepare` wrote, or prepare it again")
}
