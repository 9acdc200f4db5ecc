use crate::experiment::Fold;
use crate::run::folder::*;

fn folder() -> (tempfile::TempDir, RunFolder) {
    let dir = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(dir.path().join("a/run"), false).unwrap();
    (dir, folder)
}

#[test]
fn a_run_is_not_written_over_unless_forced() {
    let (_keep, folder) = folder();
    RunFolder::create(folder.dir(), false).expect("an empty folder is free");
    assert!(RunFolder::open(folder.dir()).unwrap_err().to_string().contains("config.toml"));
    folder.write_config(&Experiment::default()).unwrap();
    assert_eq!(RunFolder::open(folder.dir()).unwrap(), folder);
    let message = RunFolder::create(folder.dir(), false).unwrap_err().to_string();
    assert!(message.contains("config.toml") && message.contains("--force"), "{message}");

    let write = |name: &str| std::fs::write(folder.dir().join(name), "x").unwrap();
    std::fs::create_dir(folder.figures()).unwrap();
    std::fs::write(folder.figures().join("losses.txt"), caption_of("Losses.", "run") + "\n").unwrap();
    for name in
        ["model.safetensors", "sanity.json", ".exgnet-1.tmp", "notes.txt", "figures/losses.svg", "figures/mine.svg"]
    {
        write(name);
    }
    RunFolder::create(folder.dir(), true).unwrap();
    let mut left = names_in(folder.dir()).unwrap();
    left.sort();
    assert_eq!(left, ["figures", "notes.txt"]);
    assert_eq!(names_in(&folder.dir().join("figures")).unwrap(), ["mine.svg"]);

    write("model.safetensors");
    assert!(RunFolder::create(folder.dir(), false).is_err(), "a model alone is not written over either");
}

#[test]
fn a_folder_that_cannot_be_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let message = RunFolder::create(path, true).unwrap_err().to_string();
        assert!(message.contains("HINT: choose a folder"), "{message}");
    }
    assert!(write_atomically(&file.join("x"), b"").is_err());
    assert!(RunFolder::create("a\0b", false).is_err());
    // a folder in the place of a file
    let (_keep, folder) = folder();
    std::fs::create_dir(folder.dir().join("run.json")).unwrap();
    assert!(RunFolder::create(folder.dir(), true).unwrap_err().to_string().contains("run.json"));
}

#[test]
fn a_figure_is_known_by_its_caption() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("losses.txt", &(caption_of("Loss terms.", "quickstart") + "\n"));
    write("notes.txt", "Drawn from life");
    assert_eq!(drawn_from(&dir.path().join("losses.txt")).as_deref(), Some("quickstart"));
    let own = |name| is_figure(dir.path(), name);
    assert!(own("losses.svg") && own("losses.pdf") && own("losses.txt"));
    assert!(!own("losses.toml") && !own("notes.svg") && !own("mine.svg") && !own("losses-2.svg"));
}

#[cfg(unix)]
#[test]
fn files_have_the_rights_of_any_new_file_and_nothing_is_left_behind() {
    use std::os::unix::fs::PermissionsExt;
    let (_keep, folder) = folder();
    let path = folder.dir().join("metrics.json");
    write_atomically(&path, b"one").unwrap();
    write_atomically(&path, b"two").unwrap();
    std::fs::write(folder.dir().join("usual"), "").unwrap();
    let mode = |name: &str| std::fs::metadata(folder.dir().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("metrics.json"), mode("usual"));
    assert_eq!(std::fs::read(&path).unwrap(), b"two");
    assert_eq!(names_in(folder.dir()).unwrap().len(), 2);
}

#[test]
fn the_log_comes_back_with_nulls_as_nan_and_without_a_half_line() {
    let (_keep, folder) = folder();
    assert!(folder.read_log().is_err());
    let metrics = vec![("train_accuracy".to_string(), 0.5), ("macro_f1".to_string(), f64::INFINITY)];
    let mut epoch = EpochLog { epoch: 1, step: 15, lr: 1e-3, losses: vec![("ce".into(), 1.25)], metrics, seconds: 0.5 };
    folder.append_log(&epoch).unwrap();
    epoch.epoch = 2;
    epoch.losses[0].1 = f64::NAN;
    folder.append_log(&epoch).unwrap();
    let path = folder.dir().join("log.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let first = r#"{"epoch":1,"step":15,"lr":0.001,"losses":{"ce":1.25},"metrics":{"train_accuracy":0.5,"macro_f1":null},"seconds":0.5}"#;
    assert_eq!(text.lines().next(), Some(first));
    std::fs::write(&path, format!("{text}{{\"epo")).unwrap();
    let read = folder.read_log().unwrap();
    assert_eq!((read.len(), read[1].epoch, &read[0].losses), (2, 2, &vec![("ce".to_string(), 1.25)]));
    assert!(read[1].losses[0].1.is_nan() && read[0].metrics[1].1.is_nan());
    std::fs::write(&path, format!("{text}{{}}\n")).unwrap();
    assert!(folder.read_log().unwrap_err().to_string().contains("line 3"));
}

#[test]
fn records_of_a_run() {
    let (_keep, folder) = folder();
    let classes = ["SR".to_string(), "AFIB/AFL".to_string()];

    let mut run = RunRecord::start(&Experiment::default());
    run.adapter = Some("a GPU".into());
    folder.write_run(&run).unwrap();
    let read = || -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(folder.dir().join("run.json")).unwrap()).unwrap()
    };
    assert!(read()["end"].is_null() && read()["driver"].is_null() && read()["wall_seconds"].is_null());
    run.finish(2.5);
    run.fold = Fold::All;
    folder.write_run(&run).unwrap();
    assert_eq!(
        (&read()["wall_seconds"], &read()["fold"], &read()["split"]),
        (&2.5.into(), &"all".into(), &"kfold".into())
    );
    assert_eq!(serde_json::from_value::<RunRecord>(read()).unwrap(), run);
    let split = SplitRecord {
        classes: classes.to_vec(),
        train: vec!["a".into()],
        validation: Vec::new(),
        test: vec!["b".into()],
    };
    folder.write_split(&split).unwrap();
    let text = std::fs::read_to_string(folder.dir().join("split.json")).unwrap();
    assert_eq!(serde_json::from_str::<SplitRecord>(&text).unwrap(), split);
}
