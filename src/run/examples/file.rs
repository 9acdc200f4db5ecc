//! The file itself: tensors of four-byte values, names in the metadata.

use crate::error::{Error, Result};
use crate::files::{Safetensors, safetensors_head, write_atomically};
use crate::run::examples::{Aligned, Example, ExampleCurves, ExampleFeatures, Examples};
use crate::run::origin::Origin;
use std::path::Path;

/// Value of the metadata key `format`.
const FORMAT: &str = "exgnet-explanations-1";
/// How a file that cannot be used is had again.
const HINT: &str = "write it anew: exgnet evaluate --model RUN --out RUN";

/// A tensor to be written: name, shape, values.
enum Values {
    Floats(Vec<f32>),
    Whole(Vec<i32>),
}

struct Entry(&'static str, Vec<usize>, Values);

impl Entry {
    fn floats(name: &'static str, rows: usize, values: Vec<f32>) -> Self {
        let columns = values.len().checked_div(rows).unwrap_or(0);
        Self(name, vec![rows, columns], Values::Floats(values))
    }

    fn whole(name: &'static str, values: impl Iterator<Item = usize>) -> Self {
        let values: Vec<i32> = values.map(|v| i32::try_from(v).unwrap_or(i32::MAX)).collect();
        Self(name, vec![values.len()], Values::Whole(values))
    }
}

impl Examples {
    /// Name of the file in a run folder.
    pub const FILE: &'static str = "explanations.safetensors";

    fn entries(&self) -> Vec<Entry> {
        let s = &self.strips;
        let all = |of: &dyn Fn(&Example) -> &Vec<f32>| s.iter().flat_map(|strip| of(strip).clone()).collect();
        let mut end = 0;
        let ends = s.iter().map(|strip| {
            end += strip.r_peaks.len();
            end
        });
        let mut entries = vec![
            Entry::whole("strips.class", s.iter().map(|strip| strip.class)),
            Entry::whole("strips.predicted", s.iter().map(|strip| strip.predicted)),
            Entry::whole("strips.expert_beats", s.iter().map(|strip| usize::from(strip.expert_beats))),
            Entry::whole("strips.r_peaks", s.iter().flat_map(|strip| strip.r_peaks.iter().map(|p| *p as usize))),
            Entry::whole("strips.r_peak_ends", ends),
            Entry::floats("strips.ncc", s.len(), s.iter().map(|strip| strip.ncc).collect()),
            Entry::floats("strips.probabilities", s.len(), all(&|strip| &strip.probabilities)),
            Entry::floats("strips.signal", s.len(), all(&|strip| &strip.signal)),
            Entry::floats("strips.target", s.len(), all(&|strip| &strip.target)),
            Entry::floats("strips.map", s.len(), s.iter().flat_map(|strip| strip.map().to_vec()).collect()),
        ];
        // a class without a record has no means: zeros keep the shape
        let bins = self.aligned.iter().map(|a| a.map.len()).max().unwrap_or(0);
        let means = |of: fn(&Aligned) -> &Vec<f32>| {
            let row = |a: &Aligned| {
                let mut values = of(a).clone();
                values.resize(bins, 0.0);
                values
            };
            self.aligned.iter().flat_map(row).collect()
        };
        let k = self.aligned.len();
        entries.extend([
            Entry::whole("aligned.records", self.aligned.iter().map(|a| a.records)),
            Entry::whole("aligned.beats", self.aligned.iter().map(|a| a.beats)),
            Entry::floats("aligned.map", k, means(|a| &a.map)),
            Entry::floats("aligned.map_sd", k, means(|a| &a.map_sd)),
            Entry::floats("aligned.target", k, means(|a| &a.target)),
            Entry::floats("aligned.signal", k, means(|a| &a.signal)),
        ]);
        let (c, f) = (&self.curves, &self.features);
        entries.extend([
            Entry::whole("curves.class", c.iter().map(|one| one.class)),
            Entry::floats("curves.deletion", c.len(), c.iter().flat_map(|one| one.deletion.clone()).collect()),
            Entry::floats("curves.insertion", c.len(), c.iter().flat_map(|one| one.insertion.clone()).collect()),
            Entry::whole("features.class", f.iter().map(|one| one.class)),
            Entry::floats("features.measured", f.len(), f.iter().flat_map(|one| one.measured).collect()),
        ]);
        if let Some(rows) = f.iter().map(|one| one.regressed).collect::<Option<Vec<_>>>().filter(|r| !r.is_empty()) {
            entries.push(Entry::floats("features.regressed", rows.len(), rows.concat()));
        }
        entries
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        self.write_of(path, None)
    }

    /// Writes the file, and in its metadata of what it is.
    ///
    /// # Errors
    /// As [`Examples::write`].
    pub fn write_of(&self, path: &Path, origin: Option<&Origin>) -> Result<()> {
        let json = |names: &[String]| serde_json::Value::from(names.to_vec()).to_string();
        let records: Vec<String> = self.strips.iter().map(|s| s.record.clone()).collect();
        let mut metadata = vec![
            ("format", FORMAT.to_owned()),
            ("classes", json(&self.classes)),
            ("fs", self.fs.to_string()),
            ("layer", self.layer.clone()),
            ("records", json(&records)),
        ];
        if let Some(Origin { part, data, model }) = origin {
            metadata.extend([("part", part.name().to_owned()), ("data", data.clone())]);
            metadata.extend(model.iter().map(|model| ("model", model.clone())));
        }
        let entries = self.entries();
        let kind = |values: &Values| if matches!(values, Values::Floats(_)) { "F32" } else { "I32" };
        let shapes: Vec<(&str, &str, &[usize])> = entries.iter().map(|e| (e.0, kind(&e.2), e.1.as_slice())).collect();
        let mut bytes = safetensors_head(&metadata, &shapes);
        for Entry(_, _, values) in &entries {
            match values {
                Values::Floats(values) => bytes.extend(values.iter().flat_map(|v| v.to_le_bytes())),
                Values::Whole(values) => bytes.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            }
        }
        write_atomically(path, &bytes)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::File`] if it is missing or damaged: shapes, classes and R peaks are all checked.
    pub fn read(path: &Path) -> Result<Self> {
        let bad = |what: String| Error::file(path, format!("cannot be used: {what}"), HINT);
        let bytes = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
        parse(&bytes).map_err(bad)
    }
}

/// The rows of a tensor: `rows` of them, or what is wrong.
fn rows(file: &Safetensors<'_>, name: &str, rows: usize) -> Result<Vec<Vec<f32>>, String> {
    let (shape, values) = file.tensor(name)?;
    if shape.len() != 2 || shape[0] != rows {
        return Err(format!("'{name}' has the shape {shape:?}, expected {rows} rows"));
    }
    Ok((0..rows).map(|i| values[i * shape[1]..(i + 1) * shape[1]].to_vec()).collect())
}

/// The rows of a tensor of `width` columns.
fn wide(file: &Safetensors<'_>, name: &str, count: usize, width: usize) -> Result<Vec<Vec<f32>>, String> {
    let found = rows(file, name, count)?;
    match found.iter().find(|row| row.len() != width) {
        Some(row) => Err(format!("'{name}' has rows of {} values, expected {width}", row.len())),
        None => Ok(found),
    }
}

/// Whole numbers below `limit`.
fn below(file: &Safetensors<'_>, name: &str, limit: usize) -> Result<Vec<usize>, String> {
    let (_, values) = file.integers(name)?;
    let one = |v: &i32| {
        let known = usize::try_from(*v).ok().filter(|v| *v < limit);
        known.ok_or_else(|| format!("'{name}' holds {v}, expected 0 to {}", limit.saturating_sub(1)))
    };
    values.iter().map(one).collect()
}

fn parse(bytes: &[u8]) -> Result<Examples, String> {
    let file = Safetensors::parse(bytes, FORMAT)?;
    let names = |key: &str| -> Result<Vec<String>, String> {
        serde_json::from_str(file.text(key)?).map_err(|e| format!("'{key}' in the metadata is no list of names: {e}"))
    };
    let (classes, records) = (names("classes")?, names("records")?);
    let fs: f64 = file.number("fs")?;
    if !(1e-3..=1e7).contains(&fs) {
        return Err(format!("a sampling rate of {fs} Hz"));
    }
    let strips = strips(&file, &classes, records)?;
    let aligned = aligned(&file, classes.len())?;
    let class = below(&file, "curves.class", classes.len())?;
    let deletion = rows(&file, "curves.deletion", class.len())?;
    let insertion = wide(&file, "curves.insertion", class.len(), deletion.first().map_or(0, Vec::len))?;
    let curves = class.into_iter().zip(deletion).zip(insertion);
    let curves = curves.map(|((class, deletion), insertion)| ExampleCurves { class, deletion, insertion }).collect();
    let class = below(&file, "features.class", classes.len())?;
    let of = |name: &str| -> Result<Vec<[f32; 17]>, String> {
        let rows = wide(&file, name, class.len(), 17)?;
        Ok(rows.iter().map(|row| std::array::from_fn(|j| row[j])).collect())
    };
    let measured = of("features.measured")?;
    let regressed = if file.names().contains(&"features.regressed") { Some(of("features.regressed")?) } else { None };
    let features = |i: usize| ExampleFeatures {
        class: class[i],
        measured: measured[i],
        regressed: regressed.as_ref().map(|rows| rows[i]),
    };
    let features = (0..class.len()).map(features).collect();
    Ok(Examples {
        fs,
        layer: file.text("layer")?.to_owned(),
        strips,
        aligned,
        curves,
        features,
        classes,
        embeddings: Vec::new(),
    })
}

fn strips(file: &Safetensors<'_>, classes: &[String], records: Vec<String>) -> Result<Vec<Example>, String> {
    let n = records.len();
    let class = below(file, "strips.class", classes.len())?;
    let predicted = below(file, "strips.predicted", classes.len())?;
    let expert = below(file, "strips.expert_beats", 2)?;
    let probabilities = wide(file, "strips.probabilities", n, classes.len())?;
    let signal = rows(file, "strips.signal", n)?;
    let length = signal.first().map_or(0, Vec::len);
    let target = wide(file, "strips.target", n, length)?;
    let map = rows(file, "strips.map", n)?;
    let ncc = wide(file, "strips.ncc", n, 1)?;
    let peaks = below(file, "strips.r_peaks", length.max(1))?;
    let ends = below(file, "strips.r_peak_ends", peaks.len() + 1)?;
    if [class.len(), predicted.len(), expert.len(), ends.len()] != [n; 4] || !ends.is_sorted() {
        return Err(format!("lists of strips that do not fit {n} records"));
    }
    if n > 0 && (length == 0 || map[0].is_empty()) {
        return Err("strips without a sample".into());
    }
    let one = |(i, record): (usize, String)| {
        let start = if i == 0 { 0 } else { ends[i - 1] };
        Example {
            record,
            class: class[i],
            predicted: predicted[i],
            probabilities: probabilities[i].clone(),
            ncc: ncc[i][0],
            expert_beats: expert[i] == 1,
            r_peaks: peaks[start..ends[i]].iter().map(|p| *p as u32).collect(),
            signal: signal[i].clone(),
            target: target[i].clone(),
            maps: (0..classes.len()).map(|c| if c == class[i] { map[i].clone() } else { Vec::new() }).collect(),
            patient: String::new(),
        }
    };
    Ok(records.into_iter().enumerate().map(one).collect())
}

fn aligned(file: &Safetensors<'_>, classes: usize) -> Result<Vec<Aligned>, String> {
    let records = below(file, "aligned.records", usize::MAX)?;
    let beats = below(file, "aligned.beats", usize::MAX)?;
    if records.len() != classes || beats.len() != classes {
        return Err(format!("means of {} classes, expected {classes}", records.len()));
    }
    let map = rows(file, "aligned.map", classes)?;
    let width = map.first().map_or(0, Vec::len);
    let of = |name: &str| wide(file, name, classes, width);
    let (sd, target, signal) = (of("aligned.map_sd")?, of("aligned.target")?, of("aligned.signal")?);
    let one = |c: usize| match records[c] {
        0 => Aligned::default(),
        n => Aligned {
            records: n,
            beats: beats[c],
            map: map[c].clone(),
            map_sd: sd[c].clone(),
            target: target[c].clone(),
            signal: signal[c].clone(),
        },
    };
    Ok((0..classes).map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Examples {
        let strip = |record: &str, class| Example {
            record: record.into(),
            class,
            predicted: 1,
            probabilities: vec![0.25, 0.75],
            ncc: 0.5,
            expert_beats: class == 0,
            r_peaks: (0..=class as u32).collect(),
            signal: vec![0.5, -1.0, 2.0],
            target: vec![0.0, 1.0, 0.5],
            maps: if class == 0 { vec![vec![3.0, 4.0], vec![]] } else { vec![vec![], vec![3.0, 4.0]] },
            patient: String::new(),
        };
        let mean = Aligned {
            records: 3,
            beats: 9,
            map: vec![0.5; 4],
            map_sd: vec![0.25; 4],
            target: vec![1.0; 4],
            signal: vec![2.0; 4],
        };
        Examples {
            classes: vec!["SR".into(), "AFIB/AFL".into()],
            fs: 250.0,
            layer: "blocks.3".into(),
            strips: vec![strip("a", 0), strip("b", 1)],
            aligned: vec![mean, Aligned::default()],
            curves: vec![ExampleCurves { class: 1, deletion: vec![0.75, 0.25], insertion: vec![0.25, 1.0] }],
            features: vec![ExampleFeatures { class: 0, measured: [1.5; 17], regressed: Some([2.5; 17]) }],
            embeddings: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(Examples::FILE);
        let mut one = shown();
        one.write(&path).unwrap();
        assert_eq!(Examples::read(&path).unwrap(), one);
        one.features[0].regressed = None;
        (one.curves, one.strips) = (Vec::new(), Vec::new());
        one.aligned[0] = Aligned::default();
        one.write(&path).unwrap();
        assert_eq!(Examples::read(&path).unwrap(), one, "empty lists are lists");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(Examples::FILE);
        let said = |change: &dyn Fn(&mut Examples)| {
            let mut one = shown();
            change(&mut one);
            one.write(&path).unwrap();
            Examples::read(&path).unwrap_err().to_string()
        };
        assert!(said(&|s| s.strips[0].class = 2).contains("'strips.class' holds 2, expected 0 to 1"));
        assert!(said(&|s| s.strips[1].r_peaks[1] = 3).contains("'strips.r_peaks' holds 3"));
        assert!(said(&|s| s.strips.iter_mut().for_each(|s| s.target = vec![0.0])).contains("expected 3"));
        assert!(said(&|s| s.aligned.truncate(1)).contains("expected 2"));
        assert!(said(&|s| s.fs = f64::NAN).contains("sampling rate"));
        assert!(said(&|s| s.classes.clear()).contains("expected"));
        std::fs::write(&path, b"no tensors").unwrap();
        assert!(Examples::read(&path).unwrap_err().to_string().contains("HINT"));
        assert!(Examples::read(&dir.path().join("none")).is_err());
    }
}
