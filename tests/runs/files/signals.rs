//! Ctrl-C and SIGTERM: no temporary file stays, and a sweep stops its children.

use super::{at, unicode};
use crate::common::cut::until;
use crate::common::{TINY, exgnet, program, text};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn start(args: &[&str]) -> Child {
    program(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

fn signal(name: &str, child: &Child) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_data_set_that_is_cut_off_leaves_nothing() {
    for name in ["-INT", "-TERM"] {
        let tmp = tempfile::tempdir().expect("a folder");
        let out = at(tmp.path(), "big.safetensors");
        let child = start(&["prepare", "--source", "synthetic", "--records", "200000", "--out", &out]);
        until("a temporary file", || names(tmp.path()).iter().any(|n| n.starts_with(".exgnet-")));
        signal(name, &child);
        let out = child.wait_with_output().expect("it ends");
        assert_eq!(out.status.code(), Some(130), "{name}: {}", String::from_utf8_lossy(&out.stderr));
        assert!(names(tmp.path()).is_empty(), "{name}: {:?}", names(tmp.path()));
    }
}

#[test]
fn under_nohup_a_hangup_is_ignored() {
    let tmp = tempfile::tempdir().expect("a folder");
    let out = at(tmp.path(), "big.safetensors");
    let script = "trap '' HUP; exec \"$0\" prepare --source synthetic --records 200000 --out \"$1\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_exgnet"), &out]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("a shell");
    until("a temporary file", || names(tmp.path()).iter().any(|n| n.starts_with(".exgnet-")));
    signal("-HUP", &child);
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().expect("a child").is_none(), "the hangup ended it");
    signal("-TERM", &child);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(names(tmp.path()).is_empty(), "{:?}", names(tmp.path()));
}

const BASE: &str = "[data]\nfs = 100.0\nseconds = 4.0\nfolds = 2\n[data.synthetic]\nrecords = 40\nclasses = ['SR', 'AFIB/AFL']\n\
    [network]\nwidths = [6, 8]\nstrides = [1, 2]\nstem_channels = 6\n\
    [train]\nepochs = 3000\nbatch = 8\ncheckpoint_steps = 1\n[output]\ngradcam = 0\n";
const SWEEP: &str = "base = 'base.toml'\nout = 'unused'\nfolds = [0, 1]\nseeds = [1, 2]\n[[variant]]\nname = 'both'\n";

/// A sweep of long runs, two at once, both with a checkpoint.
fn sweep(dir: &Path) -> Child {
    std::fs::write(dir.join("base.toml"), BASE).expect("written");
    std::fs::write(dir.join("sweep.toml"), SWEEP).expect("written");
    let child = start(&["sweep", &at(dir, "sweep.toml"), "--out", unicode(dir), "--jobs", "2"]);
    until("two checkpoints", || running(dir).iter().all(|run| run.join("checkpoint.safetensors").exists()));
    child
}

/// The folders of the first two runs.
fn running(dir: &Path) -> [std::path::PathBuf; 2] {
    ["fold-0-seed-1", "fold-0-seed-2"].map(|run| dir.join("both").join(run))
}

#[test]
fn a_stopped_sweep_stops_its_children() {
    let tmp = tempfile::tempdir().expect("a folder");
    let child = sweep(tmp.path());
    until("an epoch of both", || running(tmp.path()).iter().all(|run| run.join("log.jsonl").exists()));
    // to the parent alone, as `kill PID` does and a scheduler may
    signal("-TERM", &child);
    let out = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(130), "{said}");
    assert!(said.contains("stopping in order") && said.contains("the same command resumes"), "{said}");
    // what runs in other processes is seen here
    assert!(said.contains("task 0: epoch   1 of 3000  loss ") && said.contains("task 1: epoch "), "{said}");
    for run in running(tmp.path()) {
        // ended before their parent, in order
        assert!(!run.join("run.lock").exists() && run.join("checkpoint.safetensors").exists(), "{said}");
        assert!(!names(&run).iter().any(|n| n.starts_with(".exgnet-")));
    }
    assert_eq!(names(&tmp.path().join("both")).len(), 2, "no other run was begun");
    let list = text(&exgnet(&["sweep", &at(tmp.path(), "sweep.toml"), "--out", unicode(tmp.path()), "--list"]).stdout);
    let states: Vec<&str> = list.lines().filter_map(|line| line.rsplit('\t').next()).collect();
    let resumes = |state: &&str| state.starts_with("interrupted: resumes in epoch ") && state.ends_with(" of 3000");
    assert!(states.len() == 4 && states[..2].iter().all(resumes) && states[2..] == ["to do"; 2], "{list}");
}

/// Also behind the last step, where no signal waits: the run is complete but for its test.
#[test]
fn a_run_that_is_ended_at_once_says_how_it_resumes() {
    let tmp = tempfile::tempdir().expect("a folder");
    let ended = |i: usize| {
        let run = tmp.path().join(format!("run {i}"));
        let args = ["train", "--out", unicode(&run), "--set", "data.synthetic.records=200"];
        let child = start(&[&args[..], &TINY[2..], &["--set", "train.epochs=1"]].concat());
        until("a model", || run.join("model.safetensors").exists());
        signal("-INT", &child);
        let out = child.wait_with_output().expect("it ends");
        // the test of some strips may be over before the signal comes
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let resumes = format!(
            "there is no checkpoint; the run begins again with: exgnet train --out '{}' --resume",
            unicode(&run)
        );
        out.status.code() == Some(130) && said.lines().last() == Some(resumes.as_str())
    };
    assert!((0..5).any(ended), "no training that was ended at once said how it resumes");
}

#[test]
fn children_of_a_sweep_that_is_gone_stop_too() {
    for second in ["-KILL", "-TERM"] {
        let tmp = tempfile::tempdir().expect("a folder");
        let mut child = sweep(tmp.path());
        if second == "-TERM" {
            signal("-TERM", &child);
        }
        signal(second, &child);
        child.wait().expect("it ends");
        let is_free = |run: &std::path::PathBuf| !exgnet::run::RunFolder::is_under_way(run);
        until("the end of the children", || running(tmp.path()).iter().all(is_free));
        for run in running(tmp.path()) {
            assert!(run.join("checkpoint.safetensors").exists());
            until("a folder without temporary files", || !names(&run).iter().any(|n| n.starts_with(".exgnet-")));
        }
    }
}
