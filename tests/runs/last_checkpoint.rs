//! The last good checkpoint stays: whatever ends a training, what was saved is whole and leads to the same bytes.

use crate::common::cut::{kill, until_checkpoint};
use crate::common::{TINY, exgnet, fails, path, text, train, training};
use exgnet::train::checkpoint::Checkpoint;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A checkpoint after every step, and enough of them.
const LONG: [&str; 4] = ["--set", "train.epochs=40", "--set", "train.checkpoint_steps=1"];

fn bytes(dir: &str, name: &str) -> Vec<u8> {
    std::fs::read(Path::new(dir).join(name)).unwrap_or_else(|e| panic!("{dir}/{name}: {e}"))
}

fn checkpoint(dir: &str) -> Checkpoint {
    Checkpoint::read(&Path::new(dir).join("checkpoint.safetensors")).expect("a whole checkpoint")
}

/// Starts a training and waits for its first checkpoint.
fn started(dir: &str) -> Child {
    let mut command = training(Path::new(dir), &[&["--no-figures"], &LONG[..]].concat());
    until_checkpoint(command.stdout(Stdio::null()).stderr(Stdio::piped()), Path::new(dir))
}

/// Resumes a run, which must end as `whole` did.
fn resumes(dir: &str, whole: &str) {
    let done = exgnet(&["train", "--no-figures", "--out", dir, "--resume"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(bytes(dir, "model.safetensors") == bytes(whole, "model.safetensors"), "{dir}");
    let parts = std::fs::read_dir(dir).expect("a folder").map(|e| e.expect("an entry").file_name());
    assert!(parts.into_iter().all(|name| !name.to_string_lossy().starts_with('.')), "nothing half written is left");
}

/// With weights that grow a hundredfold a step, the gradient is spoilt while the loss is still a number.
#[test]
fn a_network_with_nan_takes_no_checkpoint_s_place() {
    let tmp = tempfile::tempdir().expect("a folder");
    let run = path(tmp.path(), "run");
    let sets = ["train.optimizer=adamw", "train.weight_decay=10", "train.lr=10", "train.schedule=constant"];
    let sets: Vec<&str> =
        sets.iter().chain(&["train.warmup=0", "train.log_every=1"]).flat_map(|s| ["--set", s]).collect();
    let args = [&["train", "--no-figures", "--out", &run][..], &TINY, &LONG, &sets].concat();
    let said = fails(&args, 1, &["holds NaN or infinity after step ", "--trace-nan"]);
    let step = said.split("after step ").nth(1).and_then(|rest| rest.lines().next()).expect("a step");
    let step: usize = step.trim().parse().expect("a number");
    let kept = checkpoint(&run);
    assert_eq!(kept.step, step - 1);
    assert!(kept.values.iter().all(|(_, _, v)| v.iter().all(|v| v.is_finite())));
    // from there the step is taken once more, and its first odd operation named
    fails(
        &["train", "--no-figures", "--out", &run, "--resume", "--trace-nan"],
        1,
        &[&format!("step {step}, "), "values are not finite"],
    );
    assert_eq!(checkpoint(&run), kept);
    assert!(!Path::new(&run).join("model.safetensors").exists());
}

#[test]
#[cfg(unix)]
fn a_terminated_training_saves_and_resumes() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (whole, run) = (path(tmp.path(), "whole"), path(tmp.path(), "run"));
    train(Path::new(&whole), &LONG);
    let child = started(&run);
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs").success());
    let out = child.wait_with_output().expect("it ends");
    let said = text(&out.stderr);
    assert!(out.status.code() == Some(130) && said.contains("--resume"), "{said}");
    assert!(!Path::new(&run).join("run.lock").exists());
    checkpoint(&run);
    // what a process leaves that is killed while it writes
    std::fs::write(Path::new(&run).join(".exgnet-x.tmp"), "half").expect("written");
    resumes(&run, &whole);
}

/// A file system of its own, with no room for a second checkpoint beside the first. A limit for the size of files would not
/// do: Mesa's software driver keeps the device's memory in a file too.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_the_last_checkpoint() {
    let mount = |script: &str, args: &[&str]| {
        let script = format!("mount -t tmpfs -o size=$1k tmpfs \"$2\" && {script}");
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", &script, "sh"]).args(args).output()
    };
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    let (whole, run, small) = (at("whole"), at("run"), at("small"));
    std::fs::create_dir(&small).expect("made");
    if !mount("true", &["100", &small]).is_ok_and(|out| out.status.success()) {
        // written past the test harness, which keeps the output of passing tests to itself
        let _ = writeln!(std::io::stderr(), "SKIPPED: no file system of its own for a test (unshare -rm, mount)");
        return;
    }
    train(Path::new(&whole), &LONG);
    assert!(kill(started(&run)), "it was over before it could be killed");
    let before = checkpoint(&run);
    // room for what is there and half a checkpoint more
    let room = |dir: &str| {
        let sizes = std::fs::read_dir(dir)
            .expect("a folder")
            .map(|e| e.expect("an entry").metadata().expect("of a file").len());
        sizes.map(|size| size.next_multiple_of(4096)).sum::<u64>()
    };
    let size = (room(&run) + bytes(&run, "checkpoint.safetensors").len() as u64 / 2) / 1024;
    let script =
        "cp -R \"$3/.\" \"$2\" && { \"$4\" train --out \"$2\" --resume; code=$?; cp -R \"$2\" \"$5\"; exit $code; }";
    let full = at("full");
    let args = [size.to_string().as_str(), &small, &run, env!("CARGO_BIN_EXE_exgnet"), &full].map(str::to_owned);
    let done = mount(script, &args.each_ref().map(String::as_str)).expect("as above");
    let said = text(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    for word in ["checkpoint.safetensors", "cannot be written", "No space left", "HINT: ", "disk is not full"] {
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(checkpoint(&full), before);
    resumes(&full, &whole);
}
