use super::*;
use crate::ecg::LoadOptions;

fn recording(signal: &[f64], fs: Option<f64>) -> Recording {
    let beats = Some(vec![0, 60, 119]);
    Recording { input: "s.txt".into(), name: "s".into(), signal: signal.to_vec(), fs, beats, ..Recording::default() }
}

fn wave(n: usize) -> Vec<f64> {
    (0..n).map(|i| (i as f64 * 0.3).sin()).collect()
}

fn to(fs: f64, seconds: f64) -> Preprocessing {
    LoadOptions { fs, seconds, ..LoadOptions::default() }.preprocessing()
}

#[test]
fn prepares_and_refuses() {
    let ok = prepare(&recording(&wave(120), None), None, &to(100.0, 1.0)).unwrap();
    assert_eq!((ok.signal.len(), &ok.r_peaks[..], ok.expert_beats), (100, &[0, 60][..], true));
    assert_eq!(ok.signal, wave(100).iter().map(|&v| v as f32).collect::<Vec<_>>());
    assert_eq!(ok.notes.len(), 2, "{:?}", ok.notes);
    let up = prepare(&recording(&wave(120), Some(50.0)), Some(50.0), &to(100.0, 2.0)).unwrap();
    assert_eq!((up.signal.len(), up.r_peaks), (200, vec![0, 120]));

    let mut gap = wave(120);
    gap[110] = f64::NAN;
    assert!(prepare(&recording(&gap, None), None, &to(100.0, 1.0)).is_ok());
    gap[7] = f64::INFINITY;
    for (s, given, fs, part) in [
        (recording(&gap, None), None, 100.0, "missing sample (first at 7)"),
        (recording(&wave(99), None), None, 100.0, "99 samples"),
        (recording(&[1.0; 100], None), None, 100.0, "flat"),
        (recording(&[], None), None, 100.0, "no sample"),
        (recording(&wave(100), Some(360.0)), Some(500.0), 100.0, "360 Hz"),
        (recording(&wave(100), Some(360.0)), Some(0.0), 100.0, "leave the rate (--fs) away"),
        (
            recording(&wave(100), None),
            Some(0.0),
            100.0,
            "--fs 0: expected the rate of s.txt in Hz, within a factor of 100",
        ),
        (recording(&wave(100), None), Some(-5.0), 100.0, "--fs -5: expected the rate"),
        (recording(&wave(100), None), Some(f64::NAN), 100.0, "--fs NaN: expected the rate"),
        (recording(&wave(100), None), None, -1.0, "-1 Hz"),
    ] {
        let e = prepare(&s, given, &to(fs, 1.0)).unwrap_err().to_string();
        assert!(e.contains(part) && e.contains("HINT"), "{e}");
    }
}

#[test]
fn records_with_a_start_time_and_files_with_an_at() {
    let dir = tempfile::tempdir().unwrap();
    let codes: Vec<u8> = (0..10_000_i16).flat_map(|i| (i % 91).to_le_bytes()).collect();
    std::fs::write(dir.path().join("r.dat"), codes).unwrap();
    std::fs::write(dir.path().join("r.hea"), "r 1 100 10000\nr.dat 16 1/mV 0 0 0 0 0 V5\n").unwrap();
    std::fs::write(dir.path().join("a@2.txt"), "1\n2\n").unwrap();
    let at = |p: &str| read(&dir.path().join(p), "II", None);
    for p in ["r", "r.hea", "r.dat"] {
        let s = at(p).unwrap();
        assert_eq!((s.name.as_str(), s.signal.len(), s.start, s.fs), ("r", 10_000, 0, Some(100.0)), "{p}");
        assert!(s.notes[0].contains("V5 used") && s.lead_substituted && s.lead.as_deref() == Some("V5"));
    }
    for (p, name, start) in [
        ("r@2", "r@2", 200),
        ("r.hea@2", "r@2", 200),
        ("r.dat@2.0", "r@2.0", 200),
        ("r@1:05", "r@65", 6500),
        ("r@0:01:05.25", "r@65.25", 6525),
    ] {
        let s = at(p).unwrap();
        assert_eq!((s.name.as_str(), s.start, s.signal.len()), (name, start, 10_000), "{p}");
    }
    let text = at("a@2.txt").unwrap();
    assert_eq!((&text.signal[..], text.lead, text.lead_substituted), (&[1.0, 2.0][..], None, false));
    for p in ["r@100", "r@-1", "r@NaN", "r@x", "r@1:60", "r@1:", "r@2:00", "a@2.txt@1", "q", "q@1", "", "@3", "r.pdf"] {
        assert!(at(p).unwrap_err().to_string().contains("HINT"), "{p}");
    }
    std::fs::write(dir.path().join("m.hea"), "m 3 100 10\nr.dat 16 1 0 0 0 0 0 I\nr.dat 16\nr.dat 16\n").unwrap();
    assert!(at("m").unwrap_err().to_string().contains("no lead II"));
    std::fs::write(dir.path().join("r.atr"), [1]).unwrap();
    assert!(at("r").unwrap().notes.iter().any(|n| n.contains("r.atr")));

    // another lead than the model's, if one is asked for
    let of = |lead| read(&dir.path().join("r"), "II", Some(lead));
    assert_eq!(of("v5").unwrap().lead.as_deref(), Some("V5"));
    assert!(of("aVR").unwrap_err().to_string().contains("no lead aVR, found V5"));
    let own = read(&dir.path().join("r"), "V5", Some("V5")).unwrap();
    assert!(!own.lead_substituted && own.notes.iter().all(|n| !n.contains("lead")), "{:?}", own.notes);
}

#[test]
fn a_folder_means_its_recordings() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    let names = |folder: &str| {
        let (found, notes) = expand(&dir.path().join(folder)).unwrap();
        let name = |p: &std::path::PathBuf| p.strip_prefix(dir.path()).unwrap().to_string_lossy().replace('\\', "/");
        (found.iter().map(name).collect::<Vec<_>>(), notes)
    };
    std::fs::create_dir_all(dir.path().join("empty/below")).unwrap();
    write("empty/notes.pdf", "x");
    assert!(expand(&dir.path().join("empty")).unwrap_err().to_string().contains("without recordings"));
    write("texts/b.txt", "1\n2\n");
    write("texts/a/c.CSV", "1\n2\n");
    write("texts/.hidden.txt", "1\n2\n");
    write("texts/z.txt", "no strip\n");
    assert_eq!(names("texts"), (["texts/a/c.CSV", "texts/b.txt", "texts/z.txt"].map(String::from).to_vec(), vec![]));
    write("records/2.hea", "");
    write("records/10.hea", "");
    write("records/README.txt", "About these records\n");
    write("records/more/strip.txt", "1\n2\n");
    let (found, notes) = names("records");
    assert_eq!(found, ["records/10.hea", "records/2.hea", "records/more/strip.txt"]);
    assert!(notes.len() == 1 && notes[0].contains("README.txt"), "{notes:?}");
    write("records/RECORDS", "2\nabsent\n");
    let (found, notes) = names("records");
    assert_eq!(found, ["records/2.hea", "records/more/strip.txt"]);
    assert!(notes.iter().any(|n| n.contains("absent")), "{notes:?}");
    // anything else is itself, there or not
    assert_eq!(expand(std::path::Path::new("no/such@2")).unwrap().0, [std::path::Path::new("no/such@2")]);
}
