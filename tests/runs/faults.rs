//! Faults from outside, each with a clear error and a run that can resume: non-finite numbers, memory, a full disk, a
//! folder that cannot be written to, a second run in the same folder. (The loss of the device: `faults_device.rs`; being
//! killed: `faults_kill.rs`.)

use crate::common::cut::{cut_off, kill, until};
use crate::common::{TINY, copy, exgnet, fails, path, text, train, training};
use exgnet::train::checkpoint::Checkpoint;
use std::path::Path;
use std::process::{Command, Stdio};

/// A folder of the kernels in which `what` of one reads otherwise.
fn changed_kernel(dir: &Path, name: &str, what: &str, new: &str) {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders"), dir);
    let file = dir.join(name);
    let text = std::fs::read_to_string(&file).expect("a kernel");
    assert!(text.contains(what), "{name} has changed");
    std::fs::write(file, text.replace(what, new)).expect("written");
}

#[test]
fn a_non_finite_loss_ends_the_training_and_its_origin_is_found() {
    let tmp = tempfile::tempdir().expect("a folder");
    let shaders = path(tmp.path(), "shaders");
    // NaN by its bits, in a way that no compiler foresees
    changed_kernel(
        Path::new(&shaders),
        "dropout/02_octets.wgsl",
        "p.scale,",
        "bitcast<f32>(0x7fc00000u + min(p.site, 0u)),",
    );
    let run = path(tmp.path(), "run");
    let args = [&["train", "--no-figures", "--out", &run, "--shader-dir", &shaders][..], &TINY].concat();
    fails(&args, 1, &["training", "the loss (", "NaN at step 1 of", "--trace-nan"]);
    fails(
        &[&args[..], &["--trace-nan", "--force"]].concat(),
        1,
        &[
            "step 1, forward pass and loss",
            "dropout is the first operation",
            "found NaN at element",
            // that of the first block is part of the block's last pass
            " of [8, 8, ",
            " from [8, 8, ",
        ],
    );
}

#[test]
fn a_trace_changes_no_number() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (plain, traced) = (tmp.path().join("plain"), tmp.path().join("traced"));
    let short = ["--set", "train.epochs=1"];
    train(&plain, &short);
    train(&traced, &[&short[..], &["--trace-nan"]].concat());
    let model = |dir: &Path| std::fs::read(dir.join("model.safetensors")).expect("a model");
    assert!(model(&plain) == model(&traced), "the models differ");
}

/// The number after `before` in a text.
fn number(said: &str, before: &str) -> String {
    let rest = said.split(before).nth(1).unwrap_or_else(|| panic!("no '{before}' in: {said}"));
    rest.chars().take_while(char::is_ascii_digit).collect()
}

#[test]
fn memory_beyond_the_limit_is_refused_and_the_batch_that_is_named_fits() {
    let tmp = tempfile::tempdir().expect("a folder");
    let run = path(tmp.path(), "run");
    let limit = ["--memory-limit", "3M", "--set", "train.batch=64", "--set", "train.epochs=1"];
    let many = ["--set", "data.synthetic.records=160"];
    let args = [&["train", "--no-figures", "--out", &run][..], &TINY, &limit, &many].concat();
    let words =
        ["memory: ", "MB on top of", "the limit is 3.000 MB", "train.batch=64 needs about", "fits: --set train.batch="];
    let said = fails(&args, 1, &words);
    let batch = number(&said, "fits: --set train.batch=");
    let set = format!("train.batch={batch}");
    assert!((2..64).contains(&batch.parse::<usize>().expect("a number")), "{said}");
    let fitting = exgnet(&[&args[..], &["--force", "--set", &set]].concat());
    assert!(fitting.status.success(), "{set}: {}", text(&fitting.stderr));
    // other commands keep to it too
    let small = ["evaluate", "--model", &run, "--memory-limit", "100KiB"];
    fails(&small, 1, &["memory: ", "the limit is 0.102 MB", "raise the limit"]);
    fails(&["info", "--memory-limit", "much"], 2, &["expected a number of bytes"]);
}

#[test]
fn a_second_run_in_the_same_folder_is_refused() {
    let tmp = tempfile::tempdir().expect("a folder");
    let run = path(tmp.path(), "run");
    let long = ["--set", "train.epochs=2000"];
    let mut command = training(Path::new(&run), &[&["--no-figures"], &long[..]].concat());
    let mut first = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    until("an epoch", || Path::new(&run).join("log.jsonl").exists());
    let owner = format!("process {} on ", first.id());
    for more in ["--force", "--resume"] {
        fails(
            &[&["train", "--no-figures", "--out", &run, more][..], &TINY, &long].concat(),
            1,
            &["under way", &owner, "--out"],
        );
    }
    assert!(first.try_wait().expect("a child").is_none(), "the first run continues");
    kill(first);
    // a dead owner is no hindrance
    let again = exgnet(
        &[&["train", "--no-figures", "--out", &run, "--force"][..], &TINY, &["--set", "train.epochs=1"]].concat(),
    );
    let said = text(&again.stderr);
    assert!(again.status.success() && said.contains(&owner) && said.contains("taken over"), "{said}");
    assert!(!Path::new(&run).join("run.lock").exists());
}

/// The files of a folder and those below it, with their bytes.
fn files(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push((path.clone(), std::fs::read(path).expect("a file"))),
        }
    }
    all.sort();
    all
}

/// Runs with files of 8 times 512 bytes at most: a write beyond fails, as it does on a full disk. (A software driver
/// keeps its memory in files, so that nothing that opens a device can run like this.)
#[cfg(unix)]
fn on_a_full_disk(program: &Path, args: &[&str], checkpoint: &Path) -> std::process::Output {
    let mut sh = Command::new("sh");
    sh.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""]).arg(program).args(args);
    sh.env("EXGNET_CHECKPOINT", checkpoint).output().expect("sh runs")
}

/// Not a test of its own: what `a_full_disk_leaves...` runs where files have no room.
#[test]
#[ignore = "run by another test"]
fn writes_a_checkpoint_again() {
    let path = std::env::var("EXGNET_CHECKPOINT").expect("the path of a checkpoint");
    let mut checkpoint = Checkpoint::read(Path::new(&path)).expect("a checkpoint");
    checkpoint.step += 1;
    println!("{}", checkpoint.write(Path::new(&path)).expect_err("there is no room"));
}

#[test]
#[cfg(unix)]
fn a_full_disk_leaves_the_last_checkpoint_and_figures_as_they_were() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (whole, run) = (tmp.path().join("whole"), tmp.path().join("run"));
    let often = ["--set", "train.checkpoint_steps=1"];
    train(&whole, &often);
    let dir = run.to_str().expect("Unicode");
    // cut off once it has a checkpoint
    let mut command = training(&run, &[&["--no-figures"], &often[..]].concat());
    assert!(cut_off(&mut command, &run), "it was over before it could be killed");
    let checkpoint = run.join("checkpoint.safetensors");
    let before = files(&run);
    assert!(before.iter().any(|f| f.0 == checkpoint && f.1.len() > 8 * 512), "killed before the end");
    let own = std::env::current_exe().expect("this program");
    let child = ["--exact", "faults::writes_a_checkpoint_again", "--ignored", "--nocapture"];
    let full = on_a_full_disk(&own, &child, &checkpoint);
    let said = text(&full.stdout);
    assert!(full.status.success(), "{said}{}", text(&full.stderr));
    for word in ["checkpoint.safetensors: cannot be written", "HINT", "disk is not full"] {
        assert!(said.contains(word), "no '{word}' in: {said}");
    }
    fails(&["evaluate", "--model", dir], 1, &["the run is not finished", "--resume", "HINT"]);
    assert!(files(&run) == before, "files have changed");
    let done = exgnet(&["train", "--out", dir, "--resume"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let model = |dir: &Path| std::fs::read(dir.join("model.safetensors")).expect("a model");
    assert!(model(&run) == model(&whole), "the models differ");
    // figures of a run that is there: they stay
    let before = files(&run);
    let figures = on_a_full_disk(Path::new(env!("CARGO_BIN_EXE_exgnet")), &["figures", dir], &checkpoint);
    let said = text(&figures.stderr);
    assert_eq!(figures.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be written") && said.contains("HINT") && !said.contains("panicked"), "{said}");
    assert!(files(&run) == before, "files have changed");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_reported_before_the_training() {
    let tmp = tempfile::tempdir().expect("a folder");
    std::fs::write(tmp.path().join("file"), b"a file").expect("written");
    let mut places = vec![path(tmp.path(), "file"), path(tmp.path(), "file/below")];
    if cfg!(target_os = "linux") {
        places.extend(["/dev/null/run", "/proc/run", "/sys/run"].map(String::from));
    }
    for place in &places {
        let said = fails(&[&["train", "--no-figures", "--out", place][..], &TINY].concat(), 1, &[place, "--out"]);
        assert!(!said.contains("epoch"), "{said}");
    }
}
