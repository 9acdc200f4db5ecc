//! What headers and annotation files of WFDB records mean for strips, beats and classes: times, codes, rates, segments,
//! paths and lead names, on records written here.

use exgnet::ecg::rpeaks::Detector;
use exgnet::ecg::rpeaks::evaluate::evaluate;
use exgnet::ecg::sources::Kind;
use exgnet::ecg::{Dataset, InputStrip, LoadOptions, Source, strip_input};
use std::path::Path;

fn word(code: u16, value: u16) -> Vec<u8> {
    (code << 10 | value).to_le_bytes().to_vec()
}

/// An annotation `gap` after the one before, with a text.
fn note(code: u16, gap: u32, text: &str) -> Vec<u8> {
    let mut b = word(59, 0);
    b.extend(((gap >> 16) as u16).to_le_bytes());
    b.extend((gap as u16).to_le_bytes());
    b.extend(word(code, 0));
    if !text.is_empty() {
        b.extend(word(63, text.len() as u16));
        b.extend(text.bytes());
        b.resize(b.len() + text.len() % 2, 0);
    }
    b
}

/// A rhythm at time 0 and a beat every `gap` after it, `beats` of them, without an end mark.
fn rhythm(name: &str, code: u16, gap: u32, beats: usize) -> Vec<u8> {
    [note(28, 0, name), (0..beats).flat_map(|_| note(code, gap, "")).collect()].concat()
}

const END: [u8; 2] = [0, 0];

/// A QRS complex of one lead at time `t` (s) after the last beat, in codes.
fn qrs(t: f64) -> f64 {
    900.0 * (-(t / 0.012).powi(2)).exp() - 200.0 * (-((t - 0.035) / 0.012).powi(2)).exp()
}

/// `seconds` of beats a fixed time apart, the first after half of it.
fn ecg(fs: f64, seconds: f64, apart: f64) -> Vec<i16> {
    let sample = |i: usize| {
        let t = i as f64 / fs;
        let from_beat = (t / apart).fract() * apart - apart / 2.0;
        (qrs(from_beat) + 20.0 * (t * 1.7).sin()) as i16
    };
    (0..(seconds * fs) as usize).map(sample).collect()
}

fn write16(path: &Path, codes: &[i16]) {
    std::fs::write(path, codes.iter().flat_map(|c| c.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
}

/// A record of one signal of format 16 with 1000 codes per mV.
fn record(dir: &Path, name: &str, fs: &str, codes: &[i16], lead: &str, comment: &str) {
    std::fs::create_dir_all(dir).unwrap();
    write16(&dir.join(format!("{name}.dat")), codes);
    let text = format!("{name} 1 {fs} {}\n{name}.dat 16 1000/mV 16 0 {} 0 0 {lead}\n{comment}", codes.len(), codes[0]);
    std::fs::write(dir.join(format!("{name}.hea")), text).unwrap();
}

fn load(kind: Kind, dir: &Path, fs: f64, seconds: f64) -> Dataset {
    let options = LoadOptions { fs, seconds, min_class: 1, ..LoadOptions::default() };
    exgnet::ecg::load(kind, dir, &options).unwrap_or_else(|e| panic!("{e}"))
}

/// A sample is a code of [`record`] in mV.
#[track_caller]
fn assert_mv(found: f64, code: i16) {
    assert!((found - f64::from(code) / 1000.0).abs() < 1e-12, "{found} mV, expected code {code}");
}

fn classes(set: &Dataset) -> Vec<(&str, usize)> {
    set.classes.iter().map(String::as_str).zip(set.counts()).filter(|c| c.1 > 0).collect()
}

/// The strip of ten seconds that a model at `fs` Hz is given.
fn strip(path: &Path, fs: f64) -> InputStrip {
    let to = LoadOptions { fs, ..LoadOptions::default() }.preprocessing();
    strip_input::prepare(&strip_input::read(path, "II", None).unwrap(), None, &to).unwrap()
}

/// Beats of a strip lie on its R waves: the signal there is near its largest.
fn assert_beats_on_r_waves(signal: &[f32], beats: &[u32], apart: f64) {
    let top = signal.iter().fold(f32::MIN, |m, &v| m.max(v));
    assert!(beats.len() > 5, "{beats:?}");
    for &b in beats {
        assert!(signal[b as usize] > 0.8 * top, "beat at {b}: {} of {top}", signal[b as usize]);
    }
    assert!(beats.windows(2).all(|w| (f64::from(w[1] - w[0]) - apart).abs() <= 1.0), "{beats:?}, expected {apart}");
}

#[test]
fn annotation_times_count_in_the_files_own_resolution() {
    let dir = tempfile::tempdir().unwrap();
    // 75 beats a minute; the annotations count at 1000 Hz, the signal at 250 Hz
    record(dir.path(), "r", "250", &ecg(250.0, 40.0, 0.8), "II", "");
    let own = note(22, 0, "## time resolution: 1000");
    let beats = [note(28, 0, "(N"), note(1, 400, ""), (0..48).flat_map(|_| note(1, 800, "")).collect()].concat();
    std::fs::write(dir.path().join("r.atr"), [&own[..], &beats, &END].concat()).unwrap();
    let set = load(Kind::Mitbih, dir.path(), 500.0, 10.0);
    assert_eq!(classes(&set), [("SR", 4)], "{:?}", set.exclusions);
    for strip in &set.strips {
        assert_beats_on_r_waves(&strip.signal, &strip.r_peaks, 400.0);
    }
    let strip = strip(&dir.path().join("r@10"), 250.0);
    assert!(strip.expert_beats);
    assert_beats_on_r_waves(&strip.signal, &strip.r_peaks, 200.0);
    let rhythm = strip_input::expert_rhythm(&dir.path().join("r@10"), 10.0);
    assert_eq!(rhythm, Some(exgnet::ecg::labels::Rhythm::Sinus));
    let judged = evaluate(&Source::new(Kind::Mitbih, dir.path()), "II", &[Detector::Gradient]).unwrap();
    let score = &judged.records[0];
    assert!(score.scores[0].sensitivity() > 0.95, "{:?}", score.scores);
}

#[test]
fn codes_that_a_file_defines_mean_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), "r", "250", &ecg(250.0, 40.0, 0.8), "II", "");
    let texts = ["## annotation type definitions", "42 N Normal beat", "1 mark no beat", "## end of definitions"];
    let own: Vec<u8> = texts.iter().flat_map(|t| note(22, 0, t)).collect();
    // beats of code 42, and marks of code 1 between them
    let beats: Vec<u8> = (0..48).flat_map(|_| [note(42, 100, ""), note(1, 100, "")].concat()).collect();
    std::fs::write(dir.path().join("r.atr"), [own, note(28, 0, "(N"), beats, END.to_vec()].concat()).unwrap();
    let set = load(Kind::Mitbih, dir.path(), 250.0, 10.0);
    assert_eq!(classes(&set), [("SR", 4)], "{:?}", set.exclusions);
    for strip in &set.strips {
        assert_beats_on_r_waves(&strip.signal, &strip.r_peaks, 200.0);
    }
}

#[test]
fn a_closing_bracket_ends_a_rhythm() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), "r", "250", &ecg(250.0, 120.0, 0.8), "II", "");
    // AF from 10 to 40 s, nothing until 80 s, sinus rhythm to the end at 120 s
    let beats = |n: usize| (0..n).flat_map(|_| note(1, 200, "")).collect::<Vec<u8>>();
    let notes = [
        beats(12),
        note(28, 100, "(AFIB"),
        beats(37),
        note(28, 100, ")"),
        beats(50),
        note(28, 0, "(N"),
        beats(49),
        END.to_vec(),
    ];
    std::fs::write(dir.path().join("r.atr"), notes.concat()).unwrap();
    let set = load(Kind::Mitbih, dir.path(), 250.0, 10.0);
    assert_eq!(classes(&set), [("SR", 4), ("AFIB/AFL", 3)], "{:?}", set.exclusions);
    let rhythm = |at: &str| strip_input::expert_rhythm(&dir.path().join(at), 10.0);
    assert_eq!((rhythm("r@0"), rhythm("r@45")), (None, None));
    assert_eq!(rhythm("r@20"), Some(exgnet::ecg::labels::Rhythm::Fibrillation));
}

#[test]
fn a_signal_of_several_samples_a_frame_keeps_its_rate() {
    let dir = tempfile::tempdir().unwrap();
    // frames at 62.5 Hz: a slow signal and an ECG of four samples each; 150 beats a minute
    let fast = ecg(250.0, 40.0, 0.4);
    let codes: Vec<i16> = fast.chunks(4).enumerate().flat_map(|(i, f)| [&[i as i16][..], f].concat()).collect();
    write16(&dir.path().join("r.dat"), &codes);
    let text =
        "r 2 62.5 2500\nr.dat 16 1000/mV 16 0 0 0 0 resp\nr.dat 16x4 1000/mV 16 0 20 0 0 ECG lead II\n#Dx: 427084000\n";
    std::fs::write(dir.path().join("r.hea"), text).unwrap();
    // annotations count frames: 25 for 0.4 s
    let beats = [note(28, 0, "(N"), note(1, 12, ""), (0..98).flat_map(|_| note(1, 25, "")).collect()].concat();
    std::fs::write(dir.path().join("r.atr"), [beats, END.to_vec()].concat()).unwrap();
    let set = load(Kind::Mitbih, dir.path(), 250.0, 10.0);
    assert_eq!(classes(&set), [("ST", 4)], "{:?}", set.exclusions);
    for (k, strip) in set.strips.iter().enumerate() {
        let own: Vec<f32> = fast[2500 * k..][..2500].iter().map(|&c| f32::from(c) / 1000.0).collect();
        assert!(strip.signal.windows(2).zip(own.windows(2)).all(|(a, b)| (a[1] - a[0] - b[1] + b[0]).abs() < 1e-6));
        assert!(strip.r_peaks.windows(2).all(|w| w[1] - w[0] == 100), "{:?}", strip.r_peaks);
    }
    let strip = strip_input::read(&dir.path().join("r@4"), "II", None).unwrap();
    assert_eq!((strip.fs, strip.start, strip.signal.len()), (Some(250.0), 1000, 10_000));
    assert_mv(strip.signal[1000], fast[1000]);
    assert_eq!(strip.beats.unwrap()[10..12], [1048, 1148]);
    let short = load(Kind::Wfdb, dir.path(), 500.0, 10.0);
    assert_eq!((classes(&short), short.strips[0].expert_beats), (vec![("ST", 1)], true));
    assert!(short.strips[0].r_peaks.windows(2).all(|w| w[1] - w[0] == 200));
    let judged = evaluate(&Source::new(Kind::Mitbih, dir.path()), "II", &[Detector::Adaptive]).unwrap();
    assert!(judged.records[0].scores[0].sensitivity() > 0.95, "{:?}", judged.records[0]);
}

#[test]
fn long_frames_do_not_blur_annotations() {
    let dir = tempfile::tempdir().unwrap();
    // a frame a second, of 250 samples, as in converted EDF files; annotations at 1000 Hz; 150 beats a minute
    write16(&dir.path().join("r.dat"), &ecg(250.0, 40.0, 0.4));
    std::fs::write(dir.path().join("r.hea"), "r 1 1 40\nr.dat 16x250 1000/mV 16 0 20 0 0 II\n").unwrap();
    let own = note(22, 0, "## time resolution: 1000");
    let beats = [note(28, 0, "(N"), note(1, 200, ""), (0..98).flat_map(|_| note(1, 400, "")).collect()].concat();
    std::fs::write(dir.path().join("r.atr"), [own, beats, END.to_vec()].concat()).unwrap();
    let set = load(Kind::Mitbih, dir.path(), 250.0, 10.0);
    assert_eq!(classes(&set), [("ST", 4)], "{:?}", set.exclusions);
    assert_beats_on_r_waves(&set.strips[1].signal, &set.strips[1].r_peaks, 100.0);
    let rhythm = strip_input::expert_rhythm(&dir.path().join("r@7.5"), 10.0);
    assert_eq!(rhythm, Some(exgnet::ecg::labels::Rhythm::Tachycardia));
}

#[test]
fn paths_in_headers_and_annotations_without_an_end_mark() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("set");
    std::fs::create_dir_all(root.join("sub")).unwrap();
    let codes = ecg(250.0, 12.0, 0.8);
    write16(&root.join("a.dat"), &codes);
    write16(&root.join("sub/b.dat"), &codes);
    let header = |name: &str, record: &str, file: &str| {
        let text = format!("{record} 1 250 3000\n{file} 16 1000/mV 16 0 0 0 0 II\n#Dx: 426783006\n");
        std::fs::write(root.join(name), text).unwrap();
    };
    header("a.hea", "a", "./a.dat");
    header("b.hea", "dir/b", "sub/b.dat");
    header("100.hea", "mitdb/100", "sub/../a.dat");
    // the path in the whole database, the file beside the header (PTB-XL+)
    header("sub/c.hea", "ge_median_beats_wfdb/c", "ge_median_beats_wfdb/b.dat");
    header("none.hea", "none", "elsewhere/none.dat");
    header("out.hea", "out", "../set/a.dat");
    header("root.hea", "root", "/etc/hostname");
    std::fs::write(root.join("a.atr"), rhythm("(N", 1, 200, 14)).unwrap();
    let set = load(Kind::Wfdb, &root, 250.0, 10.0);
    let ids: Vec<&str> = set.strips.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["set/100", "set/a", "set/b", "set/sub/c"]);
    let reasons: Vec<_> = set.exclusions.iter().map(|e| (e.record.as_str(), e.reason.as_str())).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons[0].1.contains("elsewhere/none.dat: cannot read the signal file"), "{reasons:?}");
    assert!(reasons[1..].iter().all(|(_, reason)| reason.contains("not below the header's folder")), "{reasons:?}");
    let a = &set.strips[1];
    assert_eq!((a.expert_beats, a.r_peaks.len()), (true, 12));
}

#[test]
fn a_record_of_several_segments_is_one_recording() {
    let dir = tempfile::tempdir().unwrap();
    let codes = ecg(250.0, 40.0, 0.8);
    record(dir.path(), "s1", "250", &codes[..4000], "II", "");
    record(dir.path(), "s2", "250", &codes[5000..], "Lead II", "");
    record(dir.path(), "other", "250", &codes[4000..5000], "V1", "");
    let layout = "layout 2 250 0\n~ 0 200/mV 0 0 0 0 0 II\n~ 0 200/mV 0 0 0 0 0 V1\n";
    std::fs::write(dir.path().join("layout.hea"), layout).unwrap();
    let master = "r/4 2 250 10000\nlayout 0\ns1 4000\nother 1000\ns2 5000\n";
    std::fs::write(dir.path().join("r.hea"), master).unwrap();
    std::fs::write(dir.path().join("r.atr"), [rhythm("(N", 1, 200, 49), END.to_vec()].concat()).unwrap();
    std::fs::write(dir.path().join("RECORDS"), "r\n").unwrap();
    // names decide in a variable layout: `Lead II` is another signal than the layout's `II`
    let set = load(Kind::Mitbih, dir.path(), 250.0, 10.0);
    assert_eq!(classes(&set), [("SR", 1)], "{:?}", set.exclusions);
    assert!(set.exclusions.iter().all(|e| e.reason.contains("missing sample")), "{:?}", set.exclusions);
    record(dir.path(), "s2", "250", &codes[5000..], "II", "");
    let set = load(Kind::Mitbih, dir.path(), 250.0, 10.0);
    let ids: Vec<&str> = set.strips.iter().map(|s| s.id.rsplit('@').next().unwrap()).collect();
    assert_eq!(ids, ["0.000", "20.000", "30.000"], "{:?}", set.exclusions);
    // what comes after the gap is at its own place
    let strip = strip_input::read(&dir.path().join("r@20"), "II", None).unwrap();
    assert_eq!((strip.start, strip.signal.len()), (5000, 10_000));
    assert_mv(strip.signal[5000], codes[5000]);
    // a fixed layout
    let master = "q/2 1 250 9000\ns1 4000\ns2 5000\n";
    std::fs::write(dir.path().join("q.hea"), master).unwrap();
    let strip = strip_input::read(&dir.path().join("q"), "II", None).unwrap();
    assert_eq!(strip.signal.len(), 9000);
    assert_mv(strip.signal[4000], codes[5000]);
}

#[test]
fn segments_are_no_records_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("set");
    let codes = ecg(250.0, 40.0, 0.8);
    let comment = "#Dx: 426783006\n";
    record(&root, "s1", "250", &codes[..5000], "II", comment);
    record(&root, "s2", "250", &codes[5000..], "II", comment);
    record(&root, "alone", "250", &codes[..5000], "II", comment);
    std::fs::write(root.join("layout.hea"), "layout 1 250 0\n~ 0 200/mV 0 0 0 0 0 II\n").unwrap();
    std::fs::write(root.join("r.hea"), format!("# first\nr/2 1 250 10000\ns1 5000\ns2 5000\n{comment}")).unwrap();
    std::fs::write(root.join("v.hea"), format!("v/2 1 250 5000\nlayout 0\ns2 5000\n{comment}")).unwrap();
    // one that names itself leads nowhere, and takes nothing away
    std::fs::write(root.join("loop.hea"), format!("loop/2 1 250 10000\ns1 5000\nloop 5000\n{comment}")).unwrap();
    let set = load(Kind::Wfdb, &root, 250.0, 10.0);
    let ids: Vec<&str> = set.strips.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["set/alone", "set/r", "set/v"], "{:?}", set.exclusions);
    assert_eq!(set.exclusions.len(), 1, "{:?}", set.exclusions);
    assert!(set.exclusions[0].reason.contains("segments of its own"), "{:?}", set.exclusions);
    assert!(set.notes.iter().any(|n| n.contains("3 headers are of segments or layouts")), "{:?}", set.notes);
}

#[test]
fn lead_ii_under_every_name_is_not_missing() {
    for name in ["Lead II", "DII", "ECG lead II", "MLII", "ii", "ECG_II", "lead_2", "D2", "II (mV)", "Ableitung II"] {
        let dir = tempfile::tempdir().unwrap();
        let codes = ecg(250.0, 12.0, 0.8);
        let both: Vec<i16> = codes.iter().flat_map(|&c| [-c, c]).collect();
        write16(&dir.path().join("r.dat"), &both);
        let text = format!("r 2 250 3000\nr.dat 16 1000/mV 16 0 0 0 0 V5\nr.dat 16 1000/mV 16 0 0 0 0 {name}\n");
        std::fs::write(dir.path().join("r.hea"), format!("{text}#Dx: 426783006\n")).unwrap();
        std::fs::write(dir.path().join("r.atr"), [rhythm("(N", 1, 200, 14), END.to_vec()].concat()).unwrap();
        let strip = strip_input::read(&dir.path().join("r"), "II", None).unwrap();
        assert!(strip.notes.is_empty(), "{name}: {:?}", strip.notes);
        assert_mv(strip.signal[100], codes[100]);
        for kind in [Kind::Mitbih, Kind::Wfdb] {
            let set = load(kind, dir.path(), 250.0, 10.0);
            assert!(
                set.strips.len() == 1 && !set.notes.iter().any(|n| n.contains("missing")),
                "{name}: {:?}",
                set.notes
            );
        }
    }
}

#[test]
fn measured_rates_are_resampled() {
    for fs in [129.87_f64, 333.33, 499.98, 256.41] {
        let dir = tempfile::tempdir().unwrap();
        let sine = |t: f64| 500.0 * (7.0 * std::f64::consts::TAU * t + 0.3).sin();
        let codes: Vec<i16> = (0..(600.0 * fs) as usize).map(|i| sine(i as f64 / fs).round() as i16).collect();
        record(dir.path(), "r", &fs.to_string(), &codes, "II", "#Dx: 426783006\n");
        let beats = rhythm("(AFIB", 1, (0.8 * fs) as u32, 740);
        std::fs::write(dir.path().join("r.atr"), beats).unwrap();
        let near = |signal: &[f32], from: f64, what: &str| {
            for (i, &v) in signal.iter().enumerate().take(4800).skip(200) {
                let expected = sine(from + i as f64 / 500.0) / 1000.0;
                // half a sample of 7 Hz at 500 Hz is 4.4 % of the amplitude
                assert!((f64::from(v) - expected).abs() < 0.5 * 0.044, "{what}, {fs} Hz, sample {i}: {v}, {expected}");
            }
        };
        near(&strip(&dir.path().join("r"), 500.0).signal, 0.0, "strip");
        near(&load(Kind::Wfdb, dir.path(), 500.0, 10.0).strips[0].signal, 0.0, "record");
        // windows ten minutes into the record, each right in place
        let set = load(Kind::Mitbih, dir.path(), 500.0, 10.0);
        assert!(set.strips.len() >= 58, "{} at {fs} Hz: {:?}", set.strips.len(), set.exclusions);
        let last = set.strips.last().unwrap();
        let start: f64 = last.id.rsplit('@').next().unwrap().parse().unwrap();
        let first = (start * fs).round();
        near(&last.signal, (first * 500.0 / fs).round() / 500.0, "last window");
    }
}
