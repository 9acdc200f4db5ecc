//! Reads measurements, whichever of their parts a file has.

use super::KernelData;
use crate::error::{Error, Result};
use crate::lab::ceilings::Ceilings;
use crate::lab::ladder;
use crate::lab::measure::{Row, Status, Table};
use crate::lab::profile::Profile;
use crate::lab::read::list;
use crate::lab::suite::Scaled;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const HINT: &str = "write one with `exgnet bench --suite experiments/kernels.toml --out DIR`, `exgnet bench --version all \
                    --json`, `exgnet profile --json` or `exgnet ladder FAMILY --out DIR`";
/// Largest file read, bytes: a suite has less than 1 MB.
const MOST_BYTES: u64 = 64 << 20;
/// What a file must not be.
const NOTHING: &str = "no measurement of kernels: found none of `layers`, `rows`, `step`, `by_kernel`, `lengths`, `batches`, \
                       `ladders` with something in it, expected at least one";

/// Reads a JSON file of `exgnet bench` or `exgnet profile`, or all of a folder's `.json` files: of a part that several
/// have the first in the order of their names counts.
///
/// # Errors
/// [`Error::File`] for what cannot be read, is no JSON, or holds no measurement.
pub fn read(path: impl AsRef<Path>) -> Result<KernelData> {
    let path = path.as_ref();
    if !path.is_dir() {
        return load(path)?.something(path);
    }
    let entries = std::fs::read_dir(path).map_err(|e| Error::file(path, e.to_string(), HINT))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    files.retain(|f| f.is_file() && f.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")));
    files.sort();
    if files.is_empty() {
        return Err(Error::file(path, "a folder without a .json file, expected measurements of kernels", HINT));
    }
    let mut all = KernelData::default();
    for file in files {
        all.add(load(&file)?);
    }
    all.something(path)
}

fn load(path: &Path) -> Result<KernelData> {
    let fail = |what: String| Error::file(path, what, HINT);
    let size = std::fs::metadata(path).map_err(|e| fail(e.to_string()))?.len();
    if size > MOST_BYTES {
        return Err(fail(format!("{size} bytes, expected measurements of at most {MOST_BYTES}")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    parse(&serde_json::from_str(&text).map_err(|e| fail(format!("{e}, expected JSON")))?)
        .map_err(|e| fail(format!("{NOTHING}: {e}")))
}

impl KernelData {
    /// Itself, if there is something in it.
    fn something(self, path: &Path) -> Result<Self> {
        let Self { layers, variants, step, lengths, batches, ladders, .. } = &self;
        let tables = layers.is_some() || variants.is_some() || step.is_some();
        let some = tables || !(lengths.is_empty() && batches.is_empty() && ladders.is_empty());
        some.then_some(self).ok_or_else(|| Error::file(path, NOTHING, HINT))
    }

    /// Takes over the parts that are not there yet.
    fn add(&mut self, other: Self) {
        let grows = |d: &Self| !d.lengths.is_empty() || !d.batches.is_empty();
        let takes = !grows(self) && grows(&other);
        // the adapter is that of the growth
        if takes || self.adapter.is_empty() {
            self.adapter = other.adapter;
        }
        self.layers = self.layers.take().or(other.layers);
        self.variants = self.variants.take().or(other.variants);
        self.step = self.step.take().or(other.step);
        for (adapter, ladder) in other.ladders {
            if self.ladders.iter().all(|(_, l)| l.operation != ladder.operation) {
                self.ladders.push((adapter, ladder));
            }
        }
        if takes {
            (self.lengths, self.batches) = (other.lengths, other.batches);
        }
    }
}

/// What any of the files may hold: a suite's, `bench --json`'s, a ladder's; that of a profile is a [`Profile`] itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    adapter: String,
    ceilings: Ceilings,
    #[serde(deserialize_with = "list")]
    layers: Vec<Row>,
    #[serde(deserialize_with = "list")]
    rows: Vec<Row>,
    step: Option<Profile>,
    #[serde(deserialize_with = "list")]
    lengths: Vec<Scaled>,
    #[serde(deserialize_with = "list")]
    batches: Vec<Scaled>,
    #[serde(deserialize_with = "list")]
    ladders: Vec<ladder::Ladder>,
}

fn parse(all: &Value) -> serde_json::Result<KernelData> {
    let File { adapter, ceilings, mut layers, rows, step, lengths, batches, mut ladders } = File::deserialize(all)?;
    layers.extend(rows);
    // a version that does not fit a shape is no row of it
    layers.retain(|r| !r.operation.is_empty() && r.status != Status::NotRun);
    let mut first = HashMap::new();
    let several =
        layers.iter().any(|r| *first.entry((&r.layer, &r.operation, r.shape)).or_insert(&r.variant) != &r.variant);
    let table = (!layers.is_empty()).then(|| Table { adapter: adapter.clone(), ceilings, rows: layers });
    let (layers, variants) = if several { (None, table) } else { (table, None) };
    let named = |mut step: Profile| {
        step.by_kernel.retain(|k| !k.kernel.is_empty());
        (!step.by_kernel.is_empty()).then_some(step)
    };
    let step = step.and_then(named).or_else(|| Profile::deserialize(all).ok().and_then(named));
    ladders.retain(|l| !l.operation.is_empty() && !l.rungs.is_empty());
    let ladders = ladders.into_iter().map(|l| (adapter.clone(), l)).collect();
    Ok(KernelData { adapter, layers, variants, step, lengths, batches, ladders })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const ROW: &str = r#"{"layer": "stem", "operation": "conv1d", "variant": "V", "gflops": 9.5, "gb_per_s": null,
        "shape": {"batch": 2, "c_in": 1, "len": 8, "out": 4, "k": 3, "stride": 1, "dilation": 1}, "ms": {"median": 2.0}}"#;

    #[test]
    fn what_is_there_is_read_and_what_is_not_is_nan() {
        let all: Value = serde_json::from_str(&format!(
            r#"{{"adapter": "A", "layers": [{ROW}, {{"operation": 3}}, null, 7], "step": {{"train_step_ms": 5,
               "by_kernel": [{{"phase": "forward", "kernel": "add", "ms": null}}, {{}}]}}, "lengths": [{{"batch": 1}}]}}"#
        ))
        .unwrap();
        let data = parse(&all).unwrap();
        let table = data.layers.unwrap();
        assert_eq!((table.rows.len(), table.rows[0].gflops), (1, 9.5));
        assert!(
            table.rows[0].gb_per_s.is_nan() && table.rows[0].ms.unwrap().low.is_nan() && table.ceilings.gflops.is_nan()
        );
        let step = data.step.unwrap();
        assert_eq!((step.train_step_ms, step.by_kernel.len(), step.batch), (5.0, 1, 0));
        assert!(step.by_kernel[0].ms.is_nan() && data.lengths.is_empty() && data.variants.is_none());
    }

    #[test]
    fn a_folder_is_read_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let said = |path: &Path| read(path).unwrap_err().to_string();
        assert!(said(dir.path()).contains("without a .json file"));
        fs::write(dir.path().join("a.json"), format!(r#"{{"adapter": "A", "rows": [{ROW}]}}"#)).unwrap();
        let other = ROW.replace("\"V\"", "\"W\"");
        fs::write(dir.path().join("b.json"), format!(r#"{{"adapter": "B", "rows": [{ROW}, {other}]}}"#)).unwrap();
        fs::write(dir.path().join("c.json"), r#"{"adapter": "C", "lengths": [{"batch": 1, "samples": 9}]}"#).unwrap();
        fs::write(dir.path().join("d.md"), "no").unwrap();
        let data = read(dir.path()).unwrap();
        let adapter = |t: &Option<Table>| t.as_ref().map(|t| t.adapter.clone());
        assert_eq!((adapter(&data.layers), adapter(&data.variants)), (Some("A".into()), Some("B".into())));
        assert_eq!((data.adapter.as_str(), data.lengths.len()), ("C", 1));
        fs::write(dir.path().join("e.json"), "{").unwrap();
        assert!(said(dir.path()).contains("e.json") && said(dir.path()).contains("expected JSON"));
    }

    #[test]
    fn other_files_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        for text in
            ["{}", "[]", "null", "3", r#"{"layers": []}"#, r#"{"step": {"by_kernel": []}}"#, r#"{"layers": {}}"#]
        {
            fs::write(&path, text).unwrap();
            let message = read(&path).unwrap_err().to_string();
            assert!(
                message.contains("x.json") && message.contains("`layers`") && message.contains("HINT"),
                "{message}"
            );
        }
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("HINT"));
        assert!(read(dir.path().join("none.json")).unwrap_err().to_string().contains("none.json"));
    }
}
