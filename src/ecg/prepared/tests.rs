use super::*;
use crate::ecg::sources::{Kind, load_all, tests::write_record};
use crate::ecg::{SyntheticOptions, features};

fn options(records: usize) -> LoadOptions {
    let classes = ["SR", "AFIB/AFL"].map(String::from).to_vec();
    let synthetic = SyntheticOptions { records, classes, ..SyntheticOptions::default() };
    LoadOptions { fs: 100.0, seconds: 4.0, min_class: 0, synthetic, ..LoadOptions::default() }
}

fn synthetic() -> [Source; 1] {
    [Source::new(Kind::Synthetic, "")]
}

fn made(dir: &Path, records: usize) -> PathBuf {
    let out = dir.join("set.safetensors");
    prepare(&synthetic(), &options(records), &GuidanceConfig::default(), &out, &|_| {}).unwrap();
    out
}

#[test]
fn what_is_read_is_what_was_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let out = made(dir.path(), 300);
    let (read, loaded) = (read(&out).unwrap(), load_all(&synthetic(), &options(300), &|_| {}).unwrap());
    assert_eq!((&read.classes, read.counts()), (&loaded.classes, loaded.counts()));
    assert_eq!(
        (&read.exclusions, &read.notes, &read.preprocessing),
        (&loaded.exclusions, &loaded.notes, &loaded.preprocessing)
    );
    assert_eq!((read.preprocessing.fs, read.preprocessing.seconds, read.preprocessing.clean), (100.0, 4.0, false));
    for (a, b) in read.strips.iter().zip(&loaded.strips) {
        assert_eq!((&a.id, &a.patient, &a.source, a.label), (&b.id, &b.patient, &b.source, b.label));
        assert_eq!((&a.signal, &a.r_peaks, a.expert_beats), (&b.signal, &b.r_peaks, b.expert_beats));
        assert!(a.features.iter().zip(&b.features).all(|(x, y)| x == y || x.is_nan() && y.is_nan()));
        let hrv = features::hrv(&a.r_peaks, 100.0);
        assert!(a.features.iter().zip(hrv).all(|(x, y)| *x == y as f32 || x.is_nan() && y.is_nan()));
        let target = crate::ecg::guidance(&a.r_peaks, 100.0, 400, &GuidanceConfig::default()).target;
        assert_eq!(a.target.as_deref(), Some(target.as_slice()));
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("set.exclusions.csv")).unwrap(), "record,count,unit,reason\n");
    // the same bytes twice, and nothing else is left in the folder
    let first = std::fs::read(&out).unwrap();
    made(dir.path(), 300);
    assert_eq!(std::fs::read(&out).unwrap(), first);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn small_classes_leave_the_file_and_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("sub/set.safetensors");
    let options = LoadOptions { min_class: 3, ..options(5) };
    prepare(&synthetic(), &options, &GuidanceConfig::default(), &out, &|_| {}).unwrap();
    let set = read(&out).unwrap();
    assert_eq!((set.classes.as_slice(), set.strips.len()), (&["SR".to_string()][..], 3));
    let loaded = load_all(&synthetic(), &options, &|_| {}).unwrap();
    assert_eq!((&set.strips[2].signal, &set.exclusions), (&loaded.strips[2].signal, &loaded.exclusions));
    let table = std::fs::read_to_string(dir.path().join("sub/set.exclusions.csv")).unwrap();
    assert!(table.contains("synthetic/000001,1,strip,class AFIB/AFL has fewer than 3 strips"), "{table}");
    let none = LoadOptions { min_class: 9, ..options.clone() };
    let e = prepare(&synthetic(), &none, &GuidanceConfig::default(), &out, &|_| {}).unwrap_err().to_string();
    assert!(e.contains("no strip is left") && read(&out).unwrap().strips.len() == 3, "the old file stays: {e}");
    assert!(prepare(&synthetic(), &options, &GuidanceConfig::default(), dir.path(), &|_| {}).is_err());
}

#[test]
fn the_cache_is_used_until_something_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (data, cache) = (dir.path().join("set"), dir.path().join("cache"));
    let codes: Vec<i16> = (0..500).map(|i| i * 37 % 501).collect();
    let write = |name: &str, dx: &str| write_record(&data, name, &codes, &format!("# Dx: {dx}"));
    write("a", "426783006");
    write("b", "426177001");
    let sources = [Source::new(Kind::Wfdb, &data)];
    let load = |options: &LoadOptions| {
        through_cache(&sources, options, &GuidanceConfig::default(), Some(&cache), &|_| {}).unwrap()
    };
    let files = || std::fs::read_dir(&cache).unwrap().count();
    let options = LoadOptions { fs: 100.0, seconds: 4.0, min_class: 0, ..LoadOptions::default() };
    assert_eq!((load(&options).classes.len(), files()), (2, 1));
    // from the file now: it holds targets
    assert!(load(&options).strips.iter().all(|s| s.target.is_some()));
    assert_eq!(files(), 1);
    // a changed record is seen, another option has its own file
    write("b", "427084000, 59118001");
    assert_eq!(load(&options).classes, ["SR", "ST"]);
    assert_eq!(files(), 1);
    load(&LoadOptions { clean: true, ..options.clone() });
    assert_eq!(files(), 2);
    // a damaged cache is made again
    for file in std::fs::read_dir(&cache).unwrap() {
        std::fs::write(file.unwrap().path(), b"no longer").unwrap();
    }
    assert_eq!(load(&options).strips.len(), 2);
    // without a cache that can be written, reading continues
    std::fs::remove_dir_all(&cache).unwrap();
    std::fs::write(&cache, b"a file").unwrap();
    assert_eq!(load(&options).strips.len(), 2);
}

#[test]
fn wrong_files_are_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let good = std::fs::read(made(dir.path(), 4)).unwrap();
    let path = dir.path().join("bad.safetensors");
    let fails = |bytes: &[u8], part: &str| {
        std::fs::write(&path, bytes).unwrap();
        let e = read(&path).unwrap_err().to_string();
        assert!(e.contains(part) && e.contains("HINT") && e.contains("bad.safetensors"), "{part}: {e}");
    };
    let head = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let text = String::from_utf8(good[8..8 + head].to_vec()).unwrap();
    // the header with another text of the same meaning length or not, and the data behind it
    let edited = |from: &str, to: &str| {
        let mut text = text.replacen(from, to, 1).into_bytes();
        assert_ne!(text, good[8..8 + head], "{from}");
        text.resize(text.len().next_multiple_of(8), b' ');
        [&(text.len() as u64).to_le_bytes()[..], &text, &good[8 + head..]].concat()
    };
    fails(b"", "is empty");
    fails(&good[..40], "no safetensors file");
    fails(&good[..good.len() - 4], "safetensors");
    fails(&edited("exgnet-data-1", "exgnet-data-9"), "exgnet-data-9");
    fails(&edited("\"signals\"", "\"signal\""), "has no tensor `signals`");
    fails(&edited("[4,400]", "[400,4]"), "expected F32 [any, 400]");
    fails(&edited("\"fs\":\"100\"", "\"fs\":\"1e9\""), "1000000000 Hz");
    fails(&edited("synthetic/000001", "synthetic/000000"), "there twice");
    fails(&edited("\\\"SR\\\",", ""), "label 1 of 1 classes");
    fails(&edited("\"seconds\"", "\"second\""), "has no `seconds`");
    let mut bytes = good.clone();
    bytes[8 + head..8 + head + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    fails(&bytes, "sample 0 is NaN");
    let n = bytes.len();
    let mut bytes = good.clone();
    bytes[n - 8..n - 4].copy_from_slice(&(-5_i32).to_le_bytes());
    fails(&bytes, "out of place");
    // exclusions as earlier versions wrote them
    let old = edited(r#""exclusions":"[]""#, r#""exclusions":"[[\"r\",\"2 windows: noise\"]]""#);
    std::fs::write(&path, old).unwrap();
    assert_eq!(read(&path).unwrap().exclusions, [Exclusion::record("r", "2 windows: noise")]);
    assert!(read(&dir.path().join("none")).unwrap_err().to_string().contains("cannot be opened"));
    assert!(read(dir.path()).is_err());
}
