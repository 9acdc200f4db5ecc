//! A large table of strips is streamed: preparing it takes little memory. A process of its own, for the peak is that
//! of the process.

#[path = "common/tables.rs"]
mod tables;

use exgnet::ecg::sources::{Kind, Source};
use exgnet::ecg::{GuidanceConfig, LoadOptions, features, prepared};
use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::Path;

const SAMPLES: usize = 5000;

/// Peak memory of this process in bytes, where the system reports it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(1024 * line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?)
}

/// A table in the authors' layout; 16 different rows take turns. Gives its size in bytes.
fn write_table(path: &Path, rows: usize) -> u64 {
    let mut names: Vec<String> = (0..SAMPLES).map(|i| i.to_string()).collect();
    names.extend(features::NAMES.map(String::from));
    names.extend(tables::CLASSES[..4].iter().map(ToString::to_string));
    let different: Vec<String> = (0..16)
        .map(|k| {
            let mut text = String::new();
            for i in 0..SAMPLES {
                let phase = (i % (300 + 20 * k)) as f64 - 100.0;
                let v = (-phase * phase / 200.0).exp() + 0.1 * (i as f64 * 0.0123 + k as f64).sin();
                write!(text, "{v:.6},").unwrap();
            }
            text.push_str(&"0.25,".repeat(17));
            text + ["1,0,0,0", "0,1,0,0", "0,0,1,0", "0,0,0,1"][k % 4] + "\n"
        })
        .collect();
    let mut file = BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(file, "{}", names.join(",")).unwrap();
    for i in 0..rows {
        file.write_all(different[i % 16].as_bytes()).unwrap();
    }
    file.into_inner().unwrap().metadata().unwrap().len()
}

fn prepare(rows: usize) -> (u64, f64) {
    let dir = tempfile::tempdir().unwrap();
    let table = dir.path().join("large.csv");
    let bytes = write_table(&table, rows);
    let out = dir.path().join("large.safetensors");
    let start = std::time::Instant::now();
    let source = Source::new(Kind::Csv, &table);
    prepared::prepare(&[source], &LoadOptions::default(), &GuidanceConfig::default(), &out, &|_| {}).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let written = std::fs::metadata(&out).unwrap().len();
    assert!(written > (2 * 4 * SAMPLES * rows) as u64, "every row is in the prepared file");
    (bytes, seconds)
}

#[test]
fn a_large_table_is_streamed() {
    let (bytes, seconds) = prepare(2500);
    assert!(bytes > 100_000_000);
    let Some(peak) = peak_memory() else {
        let _ = writeln!(std::io::stderr(), "SKIPPED: this system does not report the peak memory of a process");
        return;
    };
    println!("{} MB in {seconds:.1} s, peak memory {} MB", bytes / 1_000_000, peak / 1_000_000);
    assert!(peak < 200_000_000, "peak memory {peak} bytes");
}

/// A file as large as Ningbo's: run with `--ignored --nocapture`, alone.
#[test]
#[ignore = "writes 3 GB"]
fn a_table_of_published_size() {
    let (bytes, seconds) = prepare(35_000);
    let peak = peak_memory().unwrap_or(0);
    println!("{} MB in {seconds:.1} s, peak memory {} MB", bytes / 1_000_000, peak / 1_000_000);
    assert!(peak < 200_000_000, "peak memory {peak} bytes");
}
