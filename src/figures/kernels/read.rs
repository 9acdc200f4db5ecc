//! Reads measurements, whichever of their parts a file has.

use super::{Ceilings, Kernel, KernelData, Ladder, Row, Rung, Scaled, Shape, Spread, Step, Table};
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const HINT: &str = "write one with `exgnet bench --suite experiments/kernels.toml --out DIR`, `exgnet bench --version all \
                    --json`, `exgnet profile --json` or `exgnet ladder FAMILY --out DIR`";
/// Largest file read, bytes: a suite has less than 1 MB.
const MOST_BYTES: u64 = 64 << 20;

/// Reads a JSON file of `exgnet bench` or `exgnet profile`, or all of a folder's `.json` files: of a part that several
/// have the first in the order of their names counts.
///
/// # Errors
/// [`Error::File`] for what cannot be read, is no JSON, or holds no measurement.
pub fn read(path: impl AsRef<Path>) -> Result<KernelData> {
    let path = path.as_ref();
    if !path.is_dir() {
        let data = parse(&load(path)?);
        return if data.is_empty() { Err(nothing(path)) } else { Ok(data) };
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
        all.add(parse(&load(&file)?));
    }
    if all.is_empty() { Err(nothing(path)) } else { Ok(all) }
}

fn nothing(path: &Path) -> Error {
    let what = "no measurement of kernels: found none of `layers`, `rows`, `step`, `by_kernel`, `lengths`, `batches`, \
                `ladders` with something in it, expected at least one";
    Error::file(path, what, HINT)
}

fn load(path: &Path) -> Result<Value> {
    let fail = |what: String| Error::file(path, what, HINT);
    let size = std::fs::metadata(path).map_err(|e| fail(e.to_string()))?.len();
    if size > MOST_BYTES {
        return Err(fail(format!("{size} bytes, expected measurements of at most {MOST_BYTES}")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| fail(format!("{e}, expected JSON")))
}

impl KernelData {
    fn is_empty(&self) -> bool {
        let Self { layers, variants, step, lengths, batches, ladders, .. } = self;
        let tables = layers.is_none() && variants.is_none() && step.is_none();
        tables && lengths.is_empty() && batches.is_empty() && ladders.is_empty()
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
        for ladder in other.ladders {
            if self.ladders.iter().all(|l| l.operation != ladder.operation) {
                self.ladders.push(ladder);
            }
        }
        if takes {
            (self.lengths, self.batches) = (other.lengths, other.batches);
        }
    }
}

fn parse(all: &Value) -> KernelData {
    let adapter = text(all, "adapter");
    let ceilings = all
        .get("ceilings")
        .filter(|c| c.is_object())
        .map(|c| Ceilings { gflops: number(c, "gflops"), gb_per_s: number(c, "gb_per_s") });
    let rows: Vec<Row> = list(all, "layers").iter().chain(list(all, "rows")).filter_map(row).collect();
    let mut first = HashMap::new();
    let several =
        rows.iter().any(|r| *first.entry((&r.layer, &r.operation, r.shape)).or_insert(&r.variant) != &r.variant);
    let table = (!rows.is_empty()).then(|| Table { adapter: adapter.clone(), ceilings, rows });
    let (layers, variants) = if several { (None, table) } else { (table, None) };
    // a suite holds its profile, a profile is one
    let step = all.get("step").and_then(step).or_else(|| step(all));
    let scaled = |key| list(all, key).iter().filter_map(scaled).collect();
    let ladders = list(all, "ladders").iter().filter_map(|l| ladder(l, &adapter)).collect();
    KernelData { adapter, layers, variants, step, lengths: scaled("lengths"), batches: scaled("batches"), ladders }
}

fn list<'a>(v: &'a Value, key: &str) -> &'a [Value] {
    v.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(v: &Value, key: &str) -> String {
    v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(v: &Value, key: &str) -> f64 {
    v.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn whole(v: &Value, key: &str) -> Option<u64> {
    v.get(key).and_then(Value::as_u64)
}

fn spread(v: &Value, key: &str) -> Spread {
    let of = v.get(key).unwrap_or(&Value::Null);
    Spread { median: number(of, "median"), low: number(of, "low"), high: number(of, "high") }
}

fn shape(v: &Value) -> Option<Shape> {
    Some(Shape {
        batch: whole(v, "batch")?,
        c_in: whole(v, "c_in")?,
        len: whole(v, "len")?,
        out: whole(v, "out")?,
        k: whole(v, "k")?,
        stride: whole(v, "stride")?,
        dilation: whole(v, "dilation")?,
    })
}

/// A row; whatever of it is missing becomes no number, but it has to name its operation. A version that does not fit a shape is
/// no row of it.
fn row(v: &Value) -> Option<Row> {
    let operation = text(v, "operation");
    (!operation.is_empty() && text(v, "status") != "not run").then(|| Row {
        layer: text(v, "layer"),
        operation,
        shape: v.get("shape").and_then(shape),
        variant: text(v, "variant"),
        number: whole(v, "number"),
        ms: spread(v, "ms"),
        gflops: number(v, "gflops"),
        gb_per_s: number(v, "gb_per_s"),
    })
}

fn step(v: &Value) -> Option<Step> {
    let kernel = |k: &Value| {
        let name = text(k, "kernel");
        (!name.is_empty()).then(|| Kernel { phase: text(k, "phase"), name, ms: number(k, "ms") })
    };
    let kernels: Vec<Kernel> = list(v, "by_kernel").iter().filter_map(kernel).collect();
    let mut ms = spread(v, "train_step");
    if ms.median.is_nan() {
        ms.median = number(v, "train_step_ms");
    }
    (!kernels.is_empty()).then(|| Step {
        adapter: text(v, "adapter"),
        batch: whole(v, "batch"),
        samples: whole(v, "samples"),
        ms,
        kernels,
    })
}

/// A ladder; it has to name its operation, and a rung its version.
fn ladder(v: &Value, adapter: &str) -> Option<Ladder> {
    let rung = |r: &Value| {
        let of = r.get("ms").unwrap_or(&Value::Null);
        let (name, status) = (text(r, "name"), text(r, "status"));
        (!name.is_empty()).then(|| Rung {
            number: whole(r, "number"),
            name,
            change: text(r, "change"),
            ms: Spread { median: number(of, "median"), low: number(of, "p5"), high: number(of, "p95") },
            gflops: number(r, "gflops"),
            gb_per_s: number(r, "gb_per_s"),
            faster: number(r, "times_faster"),
            wrong: status == "WRONG",
            note: text(r, "note"),
        })
    };
    let (operation, name) = (text(v, "operation"), text(v, "name"));
    let copies = text(v, "bound") == "copy";
    let ceilings = v.get("ceilings").unwrap_or(&Value::Null);
    let ceiling = number(ceilings, if copies { "gb_per_s" } else { "gflops" });
    let rungs: Vec<Rung> = list(v, "rungs").iter().filter_map(rung).collect();
    (!operation.is_empty() && !rungs.is_empty()).then(|| Ladder {
        adapter: adapter.to_owned(),
        name: if name.is_empty() { operation.clone() } else { name },
        operation,
        copies,
        ceiling: ceiling.is_finite().then_some(ceiling),
        rungs,
    })
}

fn scaled(v: &Value) -> Option<Scaled> {
    let (train, infer) = (spread(v, "train_ms"), spread(v, "infer_ms"));
    Some(Scaled { batch: whole(v, "batch")?, samples: whole(v, "samples")?, train, infer })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const ROW: &str = r#"{"layer": "stem", "operation": "conv1d", "variant": "V", "gflops": 9.5, "gb_per_s": null,
        "shape": {"batch": 2, "c_in": 1, "len": 8, "out": 4, "k": 3, "stride": 1, "dilation": 1}, "ms": {"median": 2.0}}"#;

    #[test]
    fn what_is_there_is_read_and_what_is_not_is_no_number() {
        let all: Value = serde_json::from_str(&format!(
            r#"{{"adapter": "A", "layers": [{ROW}, {{"operation": 3}}, null, 7], "step": {{"train_step_ms": 5,
               "by_kernel": [{{"phase": "forward", "kernel": "add", "ms": null}}, {{}}]}}, "lengths": [{{"batch": 1}}]}}"#
        ))
        .unwrap();
        let data = parse(&all);
        let table = data.layers.unwrap();
        assert_eq!((table.rows.len(), table.rows[0].gflops, table.ceilings), (1, 9.5, None));
        assert!(table.rows[0].gb_per_s.is_nan() && table.rows[0].ms.low.is_nan());
        let step = data.step.unwrap();
        assert_eq!((step.ms.median, step.kernels.len(), step.batch), (5.0, 1, None));
        assert!(step.kernels[0].ms.is_nan() && data.lengths.is_empty() && data.variants.is_none());
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
