//! The file itself: lists as JSON in the metadata, long rows as tensors of few bytes.
//!
//! | tensor | type, shape | |
//! |---|---|---|
//! | `strips.steps` | F32 `[N]` | of the signal, a mV (or whatever its unit is) |
//! | `strips.map_scale` | F32 `[N, K]` | what a map is multiplied with; 0 for one that is not known |
//! | `strips.maps` | F16 `[N, K, T]` | |
//! | `strips.signal` | U8 | zlib of N x L 16-bit differences of steps, from 0 at a strip's start, all low bytes first |
//! | `strips.target` | U8 | zlib of N x L bytes, 255 for 1 |
//! | `aligned.map`, `.map_sd`, `.target`, `.signal` | F16 `[K, W]` | |
//! | `curves.deletion`, `.insertion` | F16 `[C, S]` | |
//! | `features.measured`, `.regressed` | F16 `[M, 17]` | the second where the network regresses them |
//! | `embeddings` | F16 `[M, D]` | may be left out |

use super::packed::{pack, pack_signals, steps, unpack, unpack_signals};
use super::{Aligned, Example, ExampleCurves, ExampleFeatures, Examples};
use crate::ecg::features::Features;
use crate::error::{Error, Result};
use crate::files::{Safetensors, safetensors_head, write_atomically};
use crate::run::origin::Origin;
use half::f16;
use serde::Deserialize;
use serde_json::json;
use std::path::Path;

/// Value of the metadata key `format`.
const FORMAT: &str = "exgnet-explanations-2";
/// How a file that cannot be used is had again.
const HINT: &str = "write it again: exgnet evaluate --model RUN --out RUN";

/// What the metadata key `lists` holds, as JSON.
#[derive(Deserialize)]
struct Lists {
    classes: Vec<String>,
    fs: f64,
    layer: String,
    strips: Vec<Example>,
    aligned: Vec<Aligned>,
    /// True classes of the curves.
    curves: Vec<usize>,
    /// True classes of the features.
    features: Vec<usize>,
}

/// A tensor to be written: name, type, shape, bytes.
struct Entry(&'static str, &'static str, Vec<usize>, Vec<u8>);

impl Entry {
    fn floats(name: &'static str, shape: Vec<usize>, values: impl Iterator<Item = f32>) -> Self {
        Self(name, "F32", shape, values.flat_map(f32::to_le_bytes).collect())
    }

    /// Rows of one length in 16 bits; a shorter one is filled up with zeros.
    fn rows<'a>(name: &'static str, rows: impl Iterator<Item = &'a [f32]> + Clone) -> Self {
        let (n, width) = rows.clone().fold((0, 0), |(n, width), row| (n + 1, width.max(row.len())));
        let row = |row: &'a [f32]| row.iter().copied().chain(std::iter::repeat(0.0)).take(width);
        Self(name, "F16", vec![n, width], rows.flat_map(row).flat_map(half).collect())
    }

    fn packed(name: &'static str, bytes: Vec<u8>) -> Self {
        Self(name, "U8", vec![bytes.len()], bytes)
    }
}

/// In 16 bits; what is too large for them becomes the largest.
fn half(value: f32) -> [u8; 2] {
    let largest = f16::MAX.to_f32();
    f16::from_f32(value.clamp(-largest, largest)).to_le_bytes()
}

/// What a map is divided by to fit 16 bits: its maximum, 1 where it has none; 0 for one that is not known.
fn scale(map: &[f32]) -> f32 {
    match map.iter().copied().filter(|v| v.is_finite()).fold(0.0, f32::max) {
        _ if map.is_empty() => 0.0,
        top if top > 0.0 => top,
        _ => 1.0,
    }
}

impl Examples {
    /// Name of the file in a run folder.
    pub const FILE: &'static str = "explanations.safetensors";

    fn entries(&self) -> Vec<Entry> {
        let (s, k) = (&self.strips, self.classes.len());
        let map = |i: usize| s[i / k].maps.get(i % k).map_or(&[][..], Vec::as_slice);
        let scaled: Vec<Vec<f32>> =
            (0..s.len() * k).map(|i| map(i).iter().map(|v| v / scale(map(i))).collect()).collect();
        let mut maps = Entry::rows("strips.maps", scaled.iter().map(Vec::as_slice));
        maps.2 = vec![s.len(), k, maps.2[1]];
        let aligned =
            |name, of: fn(&Aligned) -> &Vec<f32>| Entry::rows(name, self.aligned.iter().map(move |a| of(a).as_slice()));
        let (curves, features) = (&self.curves, &self.features);
        let regressed: Option<Vec<&[f32]>> = features.iter().map(|f| Some(f.regressed.as_ref()?.as_slice())).collect();
        let target = s.iter().flat_map(|strip| &strip.target).map(|v| (v * 255.0).round() as u8).collect::<Vec<_>>();
        let signals = s.iter().map(|strip| (strip.signal.as_slice(), steps(&strip.signal)));
        let mut entries = vec![
            Entry::floats("strips.steps", vec![s.len()], signals.clone().map(|s| s.1)),
            Entry::floats("strips.map_scale", vec![s.len(), k], (0..s.len() * k).map(|i| scale(map(i)))),
            maps,
            aligned("aligned.map", |a| &a.map),
            aligned("aligned.map_sd", |a| &a.map_sd),
            aligned("aligned.target", |a| &a.target),
            aligned("aligned.signal", |a| &a.signal),
            Entry::rows("curves.deletion", curves.iter().map(|c| c.deletion.as_slice())),
            Entry::rows("curves.insertion", curves.iter().map(|c| c.insertion.as_slice())),
            Entry::rows("features.measured", features.iter().map(|f| f.measured.as_slice())),
            Entry::rows("embeddings", self.embeddings.iter().map(Vec::as_slice)),
        ];
        if let Some(rows) = regressed.filter(|rows| !rows.is_empty()) {
            entries.push(Entry::rows("features.regressed", rows.into_iter()));
        }
        entries.extend([
            Entry::packed("strips.signal", pack_signals(signals)),
            Entry::packed("strips.target", pack(&target)),
        ]);
        entries
    }

    /// Writes the file, and in its metadata of what it is.
    pub fn write(&self, path: &Path, origin: Option<&Origin>) -> Result<()> {
        let Self { classes, fs, layer, strips, aligned, .. } = self;
        let curves: Vec<usize> = self.curves.iter().map(|c| c.class).collect();
        let features: Vec<usize> = self.features.iter().map(|f| f.class).collect();
        let lists = json!({
            "classes": classes, "fs": fs, "layer": layer, "strips": strips, "aligned": aligned, "curves": curves,
            "features": features,
        });
        let mut metadata = vec![("format", FORMAT.to_owned()), ("lists", lists.to_string())];
        if let Some(Origin { part, data, model, .. }) = origin {
            metadata.extend([("part", part.name().to_owned()), ("data", data.clone())]);
            metadata.extend(model.iter().map(|model| ("model", model.clone())));
        }
        let entries = self.entries();
        let shapes: Vec<(&str, &str, &[usize])> = entries.iter().map(|e| (e.0, e.1, e.2.as_slice())).collect();
        let mut bytes = safetensors_head(&metadata, &shapes);
        entries.iter().for_each(|entry| bytes.extend(&entry.3));
        write_atomically(path, &bytes)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::File`] if it is missing or damaged: shapes, classes and R peaks are all checked.
    pub fn read(path: &Path) -> Result<Self> {
        let bad = |what: String| Error::file(path, format!("cannot be used: {what}"), HINT);
        let bytes = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
        let found = Safetensors::parse(&bytes, FORMAT).and_then(|file| parse(&file, lists(&file)?));
        found.and_then(checked).map_err(bad)
    }
}

/// The rows of a tensor, `count` of them.
fn rows(file: &Safetensors<'_>, name: &str, count: usize) -> Result<Vec<Vec<f32>>, String> {
    let (shape, values) = file.floats(name)?;
    if shape.first() != Some(&count) {
        return Err(format!("'{name}' has the shape {shape:?}, expected {count} rows"));
    }
    let width = values.len().checked_div(count).unwrap_or(0);
    Ok((0..count).map(|i| values[i * width..(i + 1) * width].to_vec()).collect())
}

/// The lists, with the strips' signals, targets and maps.
fn lists(file: &Safetensors<'_>) -> Result<Lists, String> {
    let lists = serde_json::from_str(file.text("lists")?);
    let mut lists: Lists = lists.map_err(|e| format!("'lists' in the metadata: {e}"))?;
    let (n, k) = (lists.strips.len(), lists.classes.len());
    let signals = unpack_signals(&file.bytes("strips.signal")?, &rows(file, "strips.steps", n)?.concat())?;
    let length = signals.first().map_or(0, Vec::len);
    let target = unpack(&file.bytes("strips.target")?)?;
    if target.len() != n * length {
        return Err(format!("targets of {} samples, expected {n} of {length}", target.len()));
    }
    let (maps, scales) = (rows(file, "strips.maps", n)?, rows(file, "strips.map_scale", n)?);
    for (i, (strip, signal)) in lists.strips.iter_mut().zip(signals).enumerate() {
        let bins = maps[i].len().checked_div(k).unwrap_or(0).max(1);
        let map = |(values, scale): (&[f32], &f32)| match *scale {
            0.0 => Vec::new(),
            scale => values.iter().map(|v| v * scale).collect(),
        };
        strip.maps = maps[i].chunks(bins).zip(&scales[i]).map(map).collect();
        strip.signal = signal;
        strip.target = target[i * length..(i + 1) * length].iter().map(|v| f32::from(*v) / 255.0).collect();
    }
    Ok(lists)
}

fn parse(file: &Safetensors<'_>, lists: Lists) -> Result<Examples, String> {
    let Lists { classes, fs, layer, strips, mut aligned, curves, features } = lists;
    let of = |name: &str| rows(file, name, aligned.len());
    let [map, sd, target, signal] =
        [of("aligned.map")?, of("aligned.map_sd")?, of("aligned.target")?, of("aligned.signal")?];
    let means = map.into_iter().zip(sd).zip(target.into_iter().zip(signal));
    // a class without a record has rows to fill the shape
    for (one, ((map, map_sd), (target, signal))) in aligned.iter_mut().zip(means).filter(|(a, _)| a.records > 0) {
        *one = Aligned { map, map_sd, target, signal, ..*one };
    }
    let of = |name: &str| rows(file, name, curves.len());
    let both = of("curves.deletion")?.into_iter().zip(of("curves.insertion")?);
    let curve = |(&class, (deletion, insertion))| ExampleCurves { class, deletion, insertion };
    let curves = curves.iter().zip(both).map(curve).collect();
    let has = |name: &str| file.names().contains(&name);
    let of = |name: &str| -> Result<Vec<Features>, String> {
        let one = |row: Vec<f32>| {
            row.try_into().map_err(|row: Vec<f32>| format!("'{name}' has rows of {} values, expected 17", row.len()))
        };
        rows(file, name, features.len())?.into_iter().map(one).collect()
    };
    let measured = of("features.measured")?;
    let regressed = if has("features.regressed") { Some(of("features.regressed")?) } else { None };
    let one = |(i, &class)| ExampleFeatures {
        class,
        measured: measured[i],
        regressed: regressed.as_ref().map(|rows| rows[i]),
    };
    let features: Vec<ExampleFeatures> = features.iter().enumerate().map(one).collect();
    let embeddings = match has("embeddings") {
        true => rows(file, "embeddings", file.floats("embeddings")?.0.first().copied().unwrap_or(0))?,
        false => Vec::new(),
    };
    Ok(Examples { classes, fs, layer, strips, aligned, curves, features, embeddings })
}

/// What figures rely on.
fn checked(found: Examples) -> Result<Examples, String> {
    let k = found.classes.len();
    if !(1e-3..=1e7).contains(&found.fs) {
        return Err(format!("a sampling rate of {} Hz", found.fs));
    }
    if found.aligned.len() != k {
        return Err(format!("means of {} classes, expected {k}", found.aligned.len()));
    }
    let of_strips = found.strips.iter().flat_map(|s| [s.class, s.predicted]);
    let of_others = found.curves.iter().map(|c| c.class).chain(found.features.iter().map(|f| f.class));
    if let Some(class) = of_strips.chain(of_others).find(|class| *class >= k) {
        return Err(format!("the class {class}, expected 0 to {}", k.saturating_sub(1)));
    }
    for s in &found.strips {
        let length = s.signal.len();
        if length == 0 || s.map().is_empty() || s.target.len() != length || s.probabilities.len() != k {
            let (target, map) = (s.target.len(), s.map().len());
            let what = format!("{length} samples, a target of {target}, a map of {map} bins");
            return Err(format!("{}: {what}, {} probabilities of {k} classes", s.record, s.probabilities.len()));
        }
        if let Some(peak) = s.r_peaks.iter().find(|p| **p as usize >= length) {
            return Err(format!("{}: an R peak at sample {peak} of {length}", s.record));
        }
        if let Some([from, to]) = s.marked.filter(|[from, to]| from > to || *to as usize > length) {
            return Err(format!("{}: beats marked from {from} to {to} of {length} samples", s.record));
        }
    }
    let uneven = |a: &&Aligned| [a.map_sd.len(), a.target.len(), a.signal.len()] != [a.map.len(); 3];
    match found.aligned.iter().find(uneven) {
        Some(a) => Err(format!("means of {} and {} samples, expected equal numbers", a.map.len(), a.target.len())),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that both 16-bit floats and steps of 1 µV hold.
    fn shown() -> Examples {
        let strip = |record: &str, class| Example {
            record: record.into(),
            patient: "p".into(),
            class,
            predicted: 1,
            probabilities: vec![0.3, 0.7],
            ncc: 0.1,
            expert_beats: class == 0,
            r_peaks: (0..=class as u32).collect(),
            marked: (class == 1).then_some([0, 2]),
            signal: vec![0.5, -1.0, 2.345],
            in_mv: class == 0,
            target: vec![0.0, 1.0, 51.0 / 255.0],
            maps: vec![vec![3.0, 6.0], vec![0.0, 0.0]],
        };
        let mean = Aligned {
            records: 3,
            beats: 9,
            unitless: 1,
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
            embeddings: vec![vec![0.5, 8.0, 0.0]],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(Examples::FILE);
        let mut one = shown();
        one.write(&path, None).unwrap();
        assert_eq!(Examples::read(&path).unwrap(), one);
        // tiny maps are not dead, huge features not infinite, what is not known stays so
        one.strips[0].maps[0] = vec![1e-12, 2e-12];
        one.strips[0].maps[1] = Vec::new();
        one.strips[1].ncc = f32::NAN;
        one.features[0].measured[3] = 1e9;
        one.write(&path, None).unwrap();
        let found = Examples::read(&path).unwrap();
        assert_eq!(found.strips[0].maps, one.strips[0].maps);
        assert!(found.strips[1].ncc.is_nan() && found.features[0].measured[3] == 65504.0);
        one = shown();
        one.features[0].regressed = None;
        (one.curves, one.strips, one.embeddings) = (Vec::new(), Vec::new(), Vec::new());
        one.aligned[0] = Aligned::default();
        one.write(&path, None).unwrap();
        assert_eq!(Examples::read(&path).unwrap(), one, "empty lists are lists");
    }

    #[test]
    fn what_does_not_fit_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(Examples::FILE);
        let said = |change: &dyn Fn(&mut Examples)| {
            let mut one = shown();
            change(&mut one);
            one.write(&path, None).unwrap();
            Examples::read(&path).unwrap_err().to_string()
        };
        assert!(said(&|s| s.strips[0].class = 2).contains("the class 2, expected 0 to 1"));
        assert!(said(&|s| s.strips[1].r_peaks[1] = 3).contains("b: an R peak at sample 3 of 3"));
        assert!(said(&|s| s.strips.iter_mut().for_each(|s| s.target = vec![0.0])).contains("expected 2 of 3"));
        assert!(said(&|s| s.strips[0].signal.truncate(2)).contains("expected 2 of one length"));
        assert!(said(&|s| s.strips[0].maps[0].clear()).contains("a: 3 samples, a target of 3, a map of 0 bins"));
        assert!(said(&|s| s.strips[0].probabilities = vec![1.0]).contains("1 probabilities of 2 classes"));
        assert!(said(&|s| s.strips[0].marked = Some([1, 4])).contains("a: beats marked from 1 to 4 of 3 samples"));
        assert!(said(&|s| s.aligned.truncate(1)).contains("expected 2"));
        assert!(said(&|s| s.fs = 0.0).contains("sampling rate"));
        assert!(said(&|s| s.fs = f64::NAN).contains("'lists' in the metadata"));
        assert!(said(&|s| s.classes.clear()).contains("expected"));
        std::fs::write(&path, b"no tensors").unwrap();
        assert!(Examples::read(&path).unwrap_err().to_string().contains("HINT"));
        assert!(Examples::read(&dir.path().join("none")).is_err());
    }
}
