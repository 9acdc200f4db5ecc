//! One row a strip.

use super::{excluded, header, kept, read, row, sample, small, write};
use exgnet::ecg::sources::{Kind, Progress, Source};
use exgnet::ecg::{LoadOptions, features, load_all};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn csv_rows_are_kept_or_accounted_for() {
    let dir = tempfile::tempdir().unwrap();
    let good = |class| row(100, class, class);
    let replaced = |from: &str, to: &str| row(100, 1, 1).replacen(from, to, 1);
    let first = sample(0, 1);
    let rows = [
        good(0),                                                  // 1
        good(4),                                                  // 2
        good(6),                                                  // 3: Others
        row(100, 1, 9),                                           // 4: no class
        row(100, 1, 1).replace(",1,0,0,0,0,0", ",1,0,1,0,0,0"),   // 5: bradycardia and irregularity
        replaced(&first, ""),                                     // 6: missing sample
        replaced(&first, "abc"),                                  // 7
        replaced(&first, "-inf"),                                 // 8
        format!("{},0", good(1)),                                 // 9: a cell too many
        "1,2,3".into(),                                           // 10
        replaced("3.5,", ","),                                    // 11: feature missing
        replaced("3.5,", "x,"),                                   // 12
        replaced("0,1,0,0,0,0,0", "0,2,0,0,0,0,0"),               // 13
        String::new(),                                            // a blank line is no row
        replaced("0,1,0,0,0,0,0", "False,True,0.0,,nan, 0 ,0"),   // 14
        vec!["0.5"; 124].join(","),                               // 15: not one-hot
        format!("\"{first}\"{}", &row(100, 1, 1)[first.len()..]), // 16
        format!("\"{}", row(100, 1, 1)),                          // 17: a quote without end
    ];
    let path = write(dir.path(), "Ningbo.csv", format!("{}\n{}\n", header(100), rows.join("\n")));
    let set = read(Kind::Csv, &path, &small()).unwrap();
    let expected = ["01 SR", "02 AFIB/AFL", "05 SB", "11 SB", "14 SB", "16 SB"].map(|t| format!("row-0000{t}"));
    assert_eq!(kept(&set), expected);
    let expected = [
        "03: its rhythm is in no class of rhythm6",
        "04: no class",
        "06: missing sample (first in column `0`)",
        "07: column `0` holds `abc`, expected a number",
        "08: column `0` holds `-inf`, expected a number",
        "09: 125 cells, expected 124 as in the header row",
        "10: 3 cells, expected 124 as in the header row",
        "12: column `HRV_SDNN` holds `x`, expected a number",
        "13: column `Sinus Bradycardia` holds `2`, expected 0 or 1",
        "15: column `Sinus Rhythm` holds `0.5`, expected 0 or 1",
        "17: 1 cells, expected 124 as in the header row",
    ];
    assert_eq!(excluded(&set), expected.map(|t| format!("row-0000{t}")));
    assert_eq!(set.strips[0].source, "Ningbo");
    assert!(set.strips.iter().all(|s| s.patient == s.id && !s.expert_beats));
    let published: Vec<f32> = (1..=17).map(|f| f as f32 + 0.5).collect();
    assert_eq!(set.strips[0].features, published[..]);
    assert!(set.strips[3].features[2].is_nan() && set.strips[3].features[3] == 4.5);
    assert!(set.notes.iter().any(|n| n.starts_with("1 record carries labels")), "{:?}", set.notes);
    assert!(set.notes.iter().any(|n| n.contains("neither unit nor patient")));
    let wanted: Vec<f32> = (0..100).map(|i| sample(i, 0).parse().unwrap()).collect();
    assert!(set.strips[0].signal.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-6), "as in the file");

    let af3 = read(Kind::Csv, &path, &LoadOptions { classes: "af3".into(), ..small() }).unwrap();
    let classes: Vec<&str> = af3.strips.iter().map(|s| af3.classes[s.label].as_str()).collect();
    assert_eq!(classes, ["N", "A", "O", "O", "O", "O", "O"]);
}

#[test]
fn csv_columns_go_by_name_and_forms_of_text_do_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let plain = format!("{}\n{}\n{}\n", header(100), row(100, 0, 0), row(100, 1, 1));
    let path = write(dir.path(), "a/x.csv", &plain);
    let set = read(Kind::Csv, &path, &small()).unwrap();
    // columns turned round, an index column in front, CRLF, a byte order mark, quotes, no line feed at the end
    let turned: Vec<String> = plain
        .lines()
        .enumerate()
        .map(|(i, line)| {
            let mut cells: Vec<String> = line.split(',').rev().map(|c| format!("\" {c}\"")).collect();
            cells.insert(0, if i == 0 { String::new() } else { i.to_string() });
            cells.join(" ,")
        })
        .collect();
    let path = write(dir.path(), "b/x.csv", format!("\u{feff}{}", turned.join("\r\n")));
    assert_eq!(read(Kind::Csv, &path, &small()).unwrap(), set);
    // without the columns of features, and with one that nobody knows
    let bare: Vec<String> = plain
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            [&cells[..100], &["age"], &cells[117..]].concat().join(",")
        })
        .collect();
    let path = write(dir.path(), "c/x.csv", bare.join("\n").replace("\u{0}", "").replace(",age,0", ",1,0"));
    let bare = read(Kind::Csv, &path, &small()).unwrap();
    assert_eq!(bare.strips[0].signal, set.strips[0].signal);
    let own = features::hrv(&bare.strips[0].r_peaks, 100.0).map(|v| (v as f32).to_bits());
    assert_eq!(bare.strips[0].features.map(f32::to_bits), own);
    assert!(bare.notes.iter().any(|n| n.contains("1 unknown column not read: `age`")), "{:?}", bare.notes);
    assert!(bare.notes.iter().any(|n| n.contains("detected R peaks: bpm, MeanNN")), "{:?}", bare.notes);
}

#[test]
fn csv_rows_are_cut_and_resampled() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "x.csv", format!("{}\n{}\n{}\n", header(300), row(300, 0, 0), row(300, 1, 1)));
    let options = LoadOptions { seconds: 2.0, ..small() };
    let set = read(Kind::Csv, &path, &options).unwrap();
    assert_eq!(set.strips[0].signal.len(), 200);
    let own = features::hrv(&set.strips[0].r_peaks, 100.0).map(|v| (v as f32).to_bits());
    assert_eq!(set.strips[0].features.map(f32::to_bits), own, "the file's features are those of 3 s");
    assert!(set.notes.iter().any(|n| n.contains("not whole rows")), "{:?}", set.notes);
    // at twice the rate the rows are too short, at half of it they are whole
    let whole = read(Kind::Csv, &path, &LoadOptions { csv_fs: 150.0, ..options.clone() }).unwrap();
    assert_eq!((whole.strips[0].features[3], whole.strips[0].signal.len()), (4.5, 200));
    let e = read(Kind::Csv, &path, &LoadOptions { csv_fs: 200.0, ..options.clone() }).unwrap_err().to_string();
    assert!(e.contains("too short: 300 samples at 200 Hz"), "{e}");
    let e = read(Kind::Csv, &path, &LoadOptions { csv_fs: f64::NAN, ..options }).unwrap_err().to_string();
    assert!(e.contains("csv_fs"), "{e}");
}

#[test]
fn csv_files_that_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let wide = format!("0,{},Sinus Rhythm", "x".repeat(5 << 20));
    for (bytes, part) in [
        (Vec::new(), "is empty"),
        (b"\n \r\n".to_vec(), "is empty"),
        (b"\xef\xbb\xbf\r\n".to_vec(), "is empty"),
        (header(10).into_bytes(), "holds a header row but no strip"),
        (row(10, 0, 0).into_bytes(), "comes twice"),
        (vec![0; 10_000], "no column is named 0"),
        (vec![0xff; 10_000], "no column is named 0"),
        (b"0,1,Sinus Rhythm\n\xff\xfe,1,1\n1,\0,1\n".to_vec(), "is no UTF-8 text"),
        (wide.into_bytes(), "longer than 4 MB"),
    ] {
        let path = write(dir.path(), "x.csv", bytes);
        let e = read(Kind::Csv, &path, &small()).unwrap_err().to_string();
        assert!(e.contains(part) && e.contains("HINT"), "{part}: {e}");
    }
    let e = read(Kind::Csv, dir.path(), &small()).unwrap_err().to_string();
    assert!(e.contains("no plain file"), "{e}");
    let e = read(Kind::Csv, &dir.path().join("none.csv"), &small()).unwrap_err().to_string();
    assert!(e.contains("none.csv") && e.contains("cannot be read"), "{e}");
}

#[test]
fn csv_long_lines_floods_and_progress() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = format!("{}\n{}\n", header(100), row(100, 0, 0));
    text.push_str(&"9".repeat(9 << 20));
    writeln!(text, "\n{}", row(100, 1, 1)).unwrap();
    text.push_str(&"x\n".repeat(30_000));
    text.push_str(&row(100, 4, 4));
    let path = write(dir.path(), "x.csv", &text);
    let (done, total) = (AtomicU64::new(0), AtomicU64::new(0));
    let watch = |p: Progress| match p {
        Progress::Begin { total: n, bytes, .. } => {
            assert!(bytes);
            total.store(n, Ordering::Relaxed);
        }
        Progress::Advance(n) => {
            done.fetch_add(n, Ordering::Relaxed);
        }
    };
    let set = load_all(&[Source::new(Kind::Csv, &path)], &small(), &watch).unwrap();
    assert_eq!(kept(&set), ["row-000001 SR", "row-000003 SB", "row-030004 AFIB/AFL"]);
    assert_eq!(excluded(&set)[0], "row-000002: the line is longer than 4 MB");
    assert_eq!(set.exclusions.len(), 20_001, "the rest is counted");
    assert_eq!(set.exclusions_by_reason().values().sum::<usize>(), 30_001);
    assert_eq!(done.load(Ordering::Relaxed), text.len() as u64);
    assert_eq!(total.load(Ordering::Relaxed), text.len() as u64);
}

#[test]
fn threads_make_no_difference() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<String> = (0..600).map(|i| row(250, i, i % 8)).collect();
    let path = write(dir.path(), "x.csv", format!("{}\n{}\n", header(250), rows.join("\n")));
    let options = LoadOptions { csv_fs: 250.0, clean: true, ..small() };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| read(Kind::Csv, &path, &options)).unwrap()
    };
    let one = with(1);
    assert_eq!((one.strips.len(), one.exclusions.len()), (450, 150));
    assert_eq!(one, with(4));
}
