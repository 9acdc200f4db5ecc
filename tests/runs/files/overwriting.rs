//! No command writes over one of its inputs, or over a result of another meaning; the same command again works.

use super::{at, borrowed, content, copy, prepare, run, strip, unicode, works};
use crate::common::{exgnet, fails, program, text};
use std::path::Path;

#[test]
fn explain_keeps_its_inputs() {
    let tmp = tempfile::tempdir().expect("a folder");
    let input = tmp.path().join("x.npy");
    strip(&input);
    let before = content(tmp.path());
    let (run, here) = (unicode(run()), unicode(tmp.path()));
    let explain = ["explain", "--model", run, unicode(&input), "--out"];
    for more in [&[][..], &["--force"]] {
        fails(&[&explain[..], &[here], more].concat(), 1, &["x.npy", "what this command reads", "--out"]);
        assert!(content(tmp.path()) == before, "{more:?}");
    }
    // the same file by other paths: relative, and through a link to its folder
    let mut command = program(&["explain", "--model", run, "./x.npy", "--out", "."]);
    let out = command.current_dir(tmp.path()).output();
    assert_eq!(out.expect("the program starts").status.code(), Some(1));
    assert!(content(tmp.path()) == before);
    #[cfg(unix)]
    {
        let other = tempfile::tempdir().expect("a folder");
        let link = other.path().join("link");
        std::os::unix::fs::symlink(tmp.path(), &link).expect("linked");
        fails(&[&explain[..], &[unicode(&link), "--force"]].concat(), 1, &["x.npy"]);
        // another name of the same file
        let maps = other.path().join("maps");
        std::fs::create_dir(&maps).expect("made");
        std::fs::hard_link(&input, maps.join("x.npy")).expect("linked");
        fails(&[&explain[..], &[unicode(&maps), "--force"]].concat(), 1, &["x.npy"]);
        assert!(content(tmp.path()) == before);
    }
}

#[test]
fn a_map_of_another_class_layer_or_model_takes_no_map_s_place() {
    let tmp = tempfile::tempdir().expect("a folder");
    strip(&tmp.path().join("x.npy"));
    let (input, maps) = (at(tmp.path(), "x.npy"), at(tmp.path(), "maps"));
    let explain = ["explain", "--model", unicode(run()), &input, "--out", &maps];
    let plain = ["--class", "SB", "--layer", "blocks.1"];
    works(&[&explain[..], &plain].concat());
    let first = content(Path::new(&maps));
    assert_eq!(first.keys().collect::<Vec<_>>(), ["x.npy", "x.png", "x.svg"]);
    works(&[&explain[..], &plain].concat());
    for other in [["--class", "ST", "--layer", "blocks.1"], ["--class", "SB", "--layer", "blocks.0"]] {
        fails(&[&explain[..], &other].concat(), 1, &["maps/x.npy", "with other content", "--force"]);
    }
    // a picture that somebody else put there goes with no map
    let other = at(tmp.path(), "other");
    std::fs::create_dir(&other).expect("made");
    std::fs::write(at(Path::new(&other), "x.png"), "a holiday").expect("written");
    fails(&["explain", "--model", unicode(run()), &input, "--out", &other], 1, &["other/x.png"]);
    assert_eq!(content(Path::new(&other)).len(), 1);
    assert!(content(Path::new(&maps)) == first);
    works(&[&explain[..], &["--class", "ST", "--layer", "blocks.0", "--force"]].concat());
    assert!(content(Path::new(&maps)) != first);
}

#[test]
fn models_data_sets_and_gradients_keep_their_places() {
    let tmp = tempfile::tempdir().expect("a folder");
    let dir = tmp.path().join("run");
    copy(run(), &dir);
    let (model, run) = (at(&dir, "model.safetensors"), unicode(&dir));
    let before = content(&dir);
    let grads = |records: &str, out: &str| {
        ["grads", "--model", run, "--records", records, "--out", out].map(str::to_owned).to_vec()
    };
    let g = at(tmp.path(), "g.safetensors");
    fails(&borrowed(&grads("0,1", &model)), 1, &["model.safetensors", "what this command reads"]);
    fails(&[&borrowed(&grads("0,1", &model))[..], &["--force"]].concat(), 1, &["model.safetensors"]);
    works(&borrowed(&grads("0,1", &g)));
    works(&borrowed(&grads("0,1", &g)));
    fails(&borrowed(&grads("2,3", &g)), 1, &["g.safetensors", "with other content", "--force"]);
    works(&[&borrowed(&grads("2,3", &g))[..], &["--force"]].concat());

    let exported = at(tmp.path(), "e.safetensors");
    fails(&["export", "--model", run, "--out", &model], 1, &["model.safetensors"]);
    fails(&["export", "--model", run, "--out", &g], 1, &["g.safetensors", "with other content"]);
    works(&["export", "--model", run, "--out", &exported]);
    works(&["export", "--model", run, "--out", &exported]);
    fails(&["export", "--model", run, "--half", "--out", &exported], 1, &["e.safetensors"]);

    let set = at(tmp.path(), "set.safetensors");
    works(&borrowed(&prepare(&set, &[])));
    let first = std::fs::read(&set).expect("a set");
    works(&borrowed(&prepare(&set, &[])));
    for other in [["--seed", "7"], ["--clean", "on"], ["--lead", "V1"], ["--records", "37"], ["--min-class", "2"]] {
        // records again: the last one counts for clap, where it takes it
        let args: Vec<String> = prepare(&set, &[]).into_iter().collect();
        let args = match other[0] {
            "--records" => args.iter().map(|a| if a == "36" { "37".to_owned() } else { a.clone() }).collect(),
            _ => [args, other.map(str::to_owned).to_vec()].concat(),
        };
        fails(&borrowed(&args), 1, &["set.safetensors", "is there already"]);
    }
    assert!(std::fs::read(&set).expect("a set") == first);
    fails(&borrowed(&prepare(&model, &[])), 1, &["model.safetensors", "is there already"]);
    fails(&borrowed(&prepare(&exported, &[])), 1, &["e.safetensors"]);
    // a table of somebody else's where the exclusions would go
    std::fs::write(at(tmp.path(), "new.exclusions.csv"), "mine\n").expect("written");
    fails(&borrowed(&prepare(&at(tmp.path(), "new.safetensors"), &[])), 1, &["new.exclusions.csv"]);
    assert!(!tmp.path().join("new.safetensors").exists());
    works(&borrowed(&prepare(&set, &["--seed", "7", "--force"])));
    assert!(std::fs::read(&set).expect("a set") != first);
    assert!(content(&dir) == before, "the run is as it was");
}

#[test]
fn artificial_records_go_into_no_database() {
    let tmp = tempfile::tempdir().expect("a folder");
    let real = tmp.path().join("real");
    std::fs::create_dir(&real).expect("made");
    std::fs::write(real.join("RECORDS"), "100\n101\n").expect("written");
    let synth = |out: &str, seed: &str| {
        let args = ["synth", "--n", "6", "--fs", "100", "--seconds", "4", "--seed", seed, "--out", out];
        args.map(str::to_owned).to_vec()
    };
    fails(&borrowed(&synth(unicode(&real), "1")), 1, &["RECORDS", "is there already"]);
    assert_eq!(content(&real).len(), 1);
    let own = at(tmp.path(), "own");
    works(&borrowed(&synth(&own, "1")));
    let first = content(Path::new(&own));
    works(&borrowed(&synth(&own, "1")));
    fails(&borrowed(&synth(&own, "2")), 1, &["synthetic.safetensors", "is there already"]);
    assert!(content(Path::new(&own)) == first);
}

#[test]
fn pages_figures_and_kernels_keep_to_their_own() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (a, b) = (tmp.path().join("a"), tmp.path().join("b"));
    copy(run(), &a);
    copy(run(), &b);
    let before = content(&a);
    let (config, page) = (at(&a, "config.toml"), at(tmp.path(), "r.html"));
    for more in [&[][..], &["--force"]] {
        fails(&[&["report", unicode(&a), "--out", &config], more].concat(), 1, &["config.toml", "this command reads"]);
    }
    works(&["report", unicode(&a), "--out", &page]);
    // a page of the same runs is brought up to date, one of others is kept
    works(&["report", unicode(&a), "--out", &page, "--strips", "1"]);
    fails(&["report", unicode(&b), "--out", &page], 1, &["r.html", "is there already"]);

    let out = at(tmp.path(), "paper");
    let figures = |run: &Path, width: &str| {
        let args = ["figures", unicode(run), "--out", &out, "--only", "confusion", "--width-mm", width];
        args.map(str::to_owned).to_vec()
    };
    works(&borrowed(&figures(&a, "180")));
    works(&borrowed(&figures(&a, "120")));
    let drawn = content(Path::new(&out));
    assert!(String::from_utf8_lossy(&drawn["confusion.txt"]).ends_with("\nDrawn from: a.\n"));
    fails(&borrowed(&figures(&b, "120")), 1, &["confusion", "is there already"]);
    assert!(content(Path::new(&out)) == drawn);
    // those of a run's own folder are the training's
    works(&["figures", unicode(&a), "--only", "confusion"]);
    works(&["figures", unicode(&a), "--only", "confusion"]);

    let notes = at(tmp.path(), "notes.txt");
    std::fs::write(&notes, "keep").expect("written");
    fails(&["shader", "batch_norm/02_rows", "--spirv", &notes], 1, &["notes.txt", "is there already"]);
    let spirv = at(tmp.path(), "a.spv");
    works(&["shader", "batch_norm/02_rows", "--spirv", &spirv]);
    works(&["shader", "batch_norm/02_rows", "--spirv", &spirv]);
    fails(&["tune", "--out", &notes, "--only", "pooling"], 1, &["notes.txt"]);
    let peaks = at(tmp.path(), "peaks");
    std::fs::create_dir(&peaks).expect("made");
    std::fs::write(at(Path::new(&peaks), "table.md"), "another table\n").expect("written");
    fails(&["rpeaks", "--source", "synthetic", "--out", &peaks], 1, &["table.md", "is there already"]);
    assert_eq!(std::fs::read_to_string(&notes).expect("read"), "keep");
    assert!(content(&a) == before);
}

#[test]
fn a_run_replaces_nothing_that_it_is_made_from() {
    let tmp = tempfile::tempdir().expect("a folder");
    let here = unicode(tmp.path());
    let config = at(tmp.path(), "config.toml");
    let mine = "# mine\n[data]\nfs = 100.0\nseconds = 4.0\n[data.synthetic]\nrecords = 40\n[train]\nepochs = 1\n";
    std::fs::write(&config, mine).expect("written");
    for more in [&[][..], &["--force"]] {
        fails(&[&["train", &config, "--out", here], more].concat(), 1, &["config.toml", "--out"]);
    }
    assert_eq!(std::fs::read_to_string(&config).expect("read"), mine);
    // data under the name of a run's file
    let set = at(tmp.path(), "model.safetensors");
    works(&borrowed(&prepare(&set, &[])));
    std::fs::remove_file(&config).expect("removed");
    let args = ["train", "--data", &set, "--set", "data.fs=100", "--set", "data.seconds=4", "--out", here, "--force"];
    fails(&args, 1, &["model.safetensors", "--out"]);
    assert!(Path::new(&set).exists());
    // a run is trained again from its own experiment
    let again = tmp.path().join("again");
    copy(run(), &again);
    let out = exgnet(&["train", &at(&again, "config.toml"), "--out", unicode(&again), "--force"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
}
