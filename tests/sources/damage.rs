//! Damaged files of every source.

use super::{muse_record, read, row, small_workbook, write, write_cinc};
use exgnet::ecg::LoadOptions;
use exgnet::ecg::sources::Kind;
use proptest::prelude::*;

/// Peak memory of this process in MB, where the system reports it.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) / 1024
}

/// Bytes put over others, and a cut.
type Damage = (Vec<(usize, Vec<u8>)>, Option<usize>);

fn damage(size: usize) -> impl Strategy<Value = Damage> {
    let words = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..5),
        proptest::sample::select(vec![
            &b","[..],
            b"\"",
            b"\n",
            b"\r",
            b"nan",
            b"1e999",
            b"99999999999",
            b"\xff",
            b"\0",
            b"-",
            b",,,,",
            b"~",
            b" ",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    (proptest::collection::vec((0..size, words), 0..6), proptest::option::weighted(0.3, 0..size))
}

fn damaged(bytes: &[u8], (edits, cut): &Damage) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, with) in edits {
        let at = at % (bytes.len() + 1);
        bytes.splice(at..(at + with.len()).min(bytes.len()), with.iter().copied());
    }
    bytes.truncate(cut.unwrap_or(usize::MAX));
    bytes
}

proptest! {
    /// Whatever is wrong with the files, reading says so: no panic, and no memory beyond the files' size class.
    #[test]
    fn damaged_files_never_panic(
        csv in damage(1200), workbook in damage(6000), record in damage(5000), reference in damage(24), header in damage(80),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = LoadOptions { fs: 50.0, seconds: 1.0, csv_fs: 50.0, min_class: 1, ..LoadOptions::default() };
        let text = format!("{}\n{}\n{}\n", super::header(50), row(50, 0, 0), row(50, 1, 1));
        let path = write(dir.path(), "x.csv", damaged(text.as_bytes(), &csv));
        if let Ok(set) = read(Kind::Csv, &path, &options) {
            prop_assert!(set.strips.iter().all(|s| s.signal.len() == 50 && s.signal.iter().all(|v| v.is_finite())));
        }
        let muse = dir.path().join("muse");
        write(&muse, "Diagnostics.xlsx", damaged(&small_workbook(), &workbook));
        write(&muse, "MUSE_00.csv", damaged(muse_record(520).as_bytes(), &record));
        let _ = read(Kind::Muse, &muse, &options);
        let cinc = dir.path().join("cinc");
        write_cinc(&cinc, "A1", 310);
        write_cinc(&cinc, "A2", 310);
        let text = std::fs::read(cinc.join("A2.hea")).unwrap();
        write(&cinc, "A2.hea", damaged(&text, &header));
        write(&cinc, "REFERENCE-v3.csv", damaged(b"A1,N\nA2,A\nA3,O\n", &reference));
        let _ = read(Kind::Cinc2017, &cinc, &options);
        prop_assert!(peak_memory() < 400, "{} MB", peak_memory());
    }
}
