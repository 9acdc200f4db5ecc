//! The sources `csv`, `muse` and `cinc2017`: small files of every kind, damaged ones, and real recordings.
//!
//! The recordings are looked for in `EXGNET_DATA`, else `../shared/data`. Without them those tests say that
//! they are skipped; with `EXGNET_REQUIRE_DATA=1` they fail instead.

mod csv;
mod damage;
mod folders;
mod labelled;
#[path = "../common/recordings.rs"]
mod recordings;
#[path = "../common/tables.rs"]
mod tables;

use exgnet::ecg::sources::Kind;
use exgnet::ecg::{Dataset, LoadOptions};
use exgnet::error::Result;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Strips of 1 s at 100 Hz.
fn small() -> LoadOptions {
    LoadOptions { fs: 100.0, seconds: 1.0, csv_fs: 100.0, min_class: 1, ..LoadOptions::default() }
}

fn read(kind: Kind, path: &Path, options: &LoadOptions) -> Result<Dataset> {
    exgnet::ecg::load(kind, path, options)
}

/// Record without its source, and reason.
fn excluded(set: &Dataset) -> Vec<String> {
    let bare = |r: &str| r.split_once('/').map_or(r.to_string(), |(_, r)| r.to_string());
    set.exclusions.iter().map(|e| format!("{}: {}", bare(&e.record), e.why())).collect()
}

/// Ids without their source, and class names.
fn kept(set: &Dataset) -> Vec<String> {
    let bare = |id: &str| id.split_once('/').map_or(id.to_string(), |(_, r)| r.to_string());
    set.strips.iter().map(|s| format!("{} {}", bare(&s.id), set.classes[s.label])).collect()
}

/// Beats every 40 samples, to five decimals.
fn sample(i: usize, seed: usize) -> String {
    let beat = (-((i % 40) as f64 - 20.0).powi(2) / 4.0).exp();
    format!("{:.5}", beat + 0.05 * ((i * (seed + 3)) as f64 * 0.7).sin())
}

fn samples(n: usize, seed: usize) -> String {
    (0..n).map(|i| sample(i, seed)).collect::<Vec<_>>().join(",")
}

fn write(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Names 0 to n-1, the features and the classes.
fn header(n: usize) -> String {
    tables::header(n, &tables::CLASSES)
}

/// One row of that table: features 1 to 17, one class.
fn row(n: usize, seed: usize, class: usize) -> String {
    tables::row(&samples(n, seed), 1, class, tables::CLASSES.len())
}

/// A record of the figshare layout: `n` rows of 12 leads in microvolt; lead k is k times as high.
fn muse_record(n: usize) -> String {
    (0..n).fold(String::new(), |mut text, i| {
        let v = sample(i, 2).parse::<f64>().unwrap() * 1000.0;
        let cells: Vec<String> = (1..=12).map(|k| format!("{:.2}", v * f64::from(k))).collect();
        writeln!(text, "{}", cells.join(",")).unwrap();
        text
    })
}

fn small_workbook() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/ecg/small.xlsx")).unwrap()
}

/// A single-lead record at 300 Hz as the Challenge 2017 publishes it.
fn write_cinc(dir: &Path, name: &str, n: usize) {
    let mut bytes = vec![0; 24];
    bytes.extend((0..n).flat_map(|i| (sample(i, 1).parse::<f64>().unwrap() * 1000.0).round().to_string().into_bytes()));
    bytes.truncate(24);
    for i in 0..n {
        let code = (sample(i, 1).parse::<f64>().unwrap() * 1000.0).round() as i16;
        bytes.extend(code.to_le_bytes());
    }
    write(dir, &format!("{name}.mat"), bytes);
    let text = format!("{name} 1 300 {n} 2014-05-08 05:05:15\n{name}.mat 16+24 1000/mV 16 0 -127 0 0 ECG \n");
    write(dir, &format!("{name}.hea"), text);
}
