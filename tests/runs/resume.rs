//! A training that is killed or stopped resumes to the same bytes as one that never was.

use crate::common::cut::{cut_off, kill, until, until_checkpoint};
use crate::common::{TINY, config, exgnet, fails, json, path, text, train, training};
use exgnet::nn::ModelFile;
use exgnet::run::RunFolder;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const STEPS: [&str; 4] = ["--set", "train.checkpoint_steps=3", "--set", "train.epochs=4"];

fn in_steps(dir: &Path, more: &[&str]) -> Command {
    let mut command = training(dir, &[&["--no-figures"], &STEPS[..], more].concat());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn bytes(dir: &Path, name: &str) -> Vec<u8> {
    std::fs::read(dir.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The log without wall times.
fn log(dir: &Path) -> Vec<String> {
    let lines = String::from_utf8(bytes(dir, "log.jsonl")).expect("text");
    lines.lines().map(|l| l.split("\"seconds\"").next().expect("a part").to_owned()).collect()
}

fn same(a: &Path, b: &Path) {
    assert!(bytes(a, "model.safetensors") == bytes(b, "model.safetensors"), "the models differ");
    assert_eq!(log(a), log(b));
    for name in ["metrics.json", "predictions.csv", "split.json", "folds.json"] {
        assert!(bytes(a, name) == bytes(b, name), "{name} differs");
    }
    assert_eq!(config(a), config(b));
    assert!(!a.join("checkpoint.safetensors").exists() && !b.join("checkpoint.safetensors").exists());
}

/// A whole run and one that is killed again and again, with the settings `sets`; both are below the folder.
pub(crate) fn killed_and_resumed(sets: &[&str]) -> tempfile::TempDir {
    let tmp = tempfile::tempdir().expect("a folder");
    let (whole, broken) = (tmp.path().join("whole"), tmp.path().join("broken"));
    train(&whole, &[&STEPS, sets].concat());
    // killed while it starts, then some time after the next checkpoint, and the next
    kill(in_steps(&broken, sets).spawn().expect("the program starts"));
    let mut kills = 0;
    for wait in [0, 15, 30] {
        let resume: &[&str] = if RunFolder::is_begun(&broken) { &["--resume"] } else { &[] };
        let child = until_checkpoint(&mut in_steps(&broken, &[sets, resume].concat()), &broken);
        std::thread::sleep(Duration::from_millis(wait));
        if !kill(child) {
            break;
        }
        kills += 1;
    }
    assert!(kills > 0, "every training was over before it could be killed");
    let dir = broken.to_str().expect("Unicode");
    let done = exgnet(&[&["train", "--no-figures", "--out", dir, "--resume"][..], &TINY, &STEPS, sets].concat());
    assert!(done.status.success(), "{}", text(&done.stderr));
    same(&whole, &broken);
    tmp
}

#[test]
fn killed_at_any_time_and_resumed() {
    let tmp = killed_and_resumed(&[]);
    let dir = path(tmp.path(), "broken");
    // once more: there is nothing to do
    let again = exgnet(&["train", "--no-figures", "--out", &dir, "--resume"]);
    assert!(again.status.success() && text(&again.stderr).contains("finished already"), "{}", text(&again.stderr));
}

#[test]
fn the_best_epoch_survives_an_interruption() {
    let steady = ["--set", "train.schedule=constant", "--set", "train.warmup=0"];
    let tmp = killed_and_resumed(&[&["--set", "train.select=best"][..], &steady].concat());
    let run = tmp.path().join("broken");
    let scores: Vec<f64> = log(&run)
        .iter()
        .map(|line| {
            let score = line.split("\"validation_macro_f1\":").nth(1).expect("a score");
            score.split(',').next().and_then(|v| v.parse().ok()).expect("a number")
        })
        .collect();
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let epoch = 1 + scores.iter().position(|s| *s == best).expect("the best is among them");
    assert_eq!(json(&bytes(&run, "run.json"))["selected_epoch"], epoch, "{scores:?}");
    // at a constant rate the network of an epoch is that of a training which ends there
    let short = tmp.path().join("short");
    train(&short, &[&steady[..], &["--set", &format!("train.epochs={epoch}")]].concat());
    assert!(bytes(&short, "model.safetensors") == bytes(&run, "model.safetensors"), "epoch {epoch} of {scores:?}");
}

#[test]
fn a_mean_of_networks_survives_an_interruption() {
    let steady = ["--set", "train.schedule=constant", "--set", "train.warmup=0"];
    let tmp = killed_and_resumed(&[&["--set", "train.select=average"][..], &steady].concat());
    let values = |dir: &Path| ModelFile::read(&dir.join("model.safetensors")).expect("a model").values;
    // of the networks of the second half, epochs 3 and 4, which are those of trainings that end there
    let ends = ["3", "4"].map(|epochs| {
        let dir = tmp.path().join(epochs);
        train(&dir, &[&steady[..], &["--set", &format!("train.epochs={epochs}")]].concat());
        values(&dir)
    });
    let mean = values(&tmp.path().join("broken"));
    for (name, mean) in &mean {
        let ends = ends.each_ref().map(|values| &values[name]);
        for (i, m) in mean.iter().enumerate() {
            let expected = 0.5 * (f64::from(ends[0][i]) + f64::from(ends[1][i]));
            assert!((f64::from(*m) - expected).abs() <= 1e-7 + 1e-6 * expected.abs(), "{name} {i}: {m} for {expected}");
        }
    }
    assert!(mean.iter().any(|(name, mean)| *mean != ends[1][name]), "the mean is another network than the last");
    assert_eq!(json(&bytes(&tmp.path().join("broken"), "run.json"))["selected_epoch"], 4);
}

#[test]
fn augmented_strips_survive_an_interruption() {
    let sets = ["augment.shift=0.3", "augment.scale=0.2", "augment.wander=0.1", "augment.noise=0.05"];
    killed_and_resumed(&sets.iter().flat_map(|s| ["--set", s]).collect::<Vec<_>>());
}

#[test]
#[cfg(unix)]
fn stopped_it_saves_and_says_how_to_resume() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (whole, broken) = (tmp.path().join("whole"), tmp.path().join("broken"));
    train(&whole, &[]);
    let dir = broken.to_str().expect("Unicode");
    let mut command = training(&broken, &["--no-figures"]);
    let child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program starts");
    until("the begin of the run", || broken.join("split.json").exists());
    let pid = child.id().to_string();
    // the handler stands shortly after the split is written
    std::thread::sleep(Duration::from_millis(60));
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    let out = child.wait_with_output().expect("it ends");
    let said = text(&out.stderr);
    if out.status.code() == Some(130) {
        assert!(said.contains("--resume"), "{said}");
        assert!(broken.join("checkpoint.safetensors").exists());
        fails(
            &["train", "--no-figures", "--out", dir, "--resume", "--set", "train.epochs=9"],
            1,
            &["another experiment"],
        );
        let done = exgnet(&["train", "--no-figures", "--out", dir, "--resume"]);
        assert!(done.status.success(), "{}", text(&done.stderr));
    }
    same(&whole, &broken);
}

#[test]
fn a_damaged_checkpoint_is_reported() {
    let tmp = tempfile::tempdir().expect("a folder");
    let run = tmp.path().join("run");
    assert!(cut_off(&mut in_steps(&run, &[]), &run), "it was over before it could be killed");
    let good = bytes(&run, "checkpoint.safetensors");
    std::fs::write(run.join("checkpoint.safetensors"), &good[..good.len() / 2]).expect("written");
    let dir = run.to_str().expect("Unicode");
    let args = [&["train", "--no-figures", "--out", dir, "--resume"][..], &TINY, &STEPS].concat();
    fails(&args, 1, &["checkpoint.safetensors", "--force"]);
}

/// A run that was begun with a forced version resumes with it only, and says what it was made with.
#[test]
fn other_kernels_are_refused() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (run, mine) = (tmp.path().join("run"), tmp.path().join("mine"));
    std::fs::create_dir_all(mine.join("conv1d")).expect("made");
    let shaders = exgnet::gpu::embedded_shaders();
    let (_, naive) = shaders.iter().find(|(name, _)| *name == "conv1d/01_naive.wgsl").expect("embedded");
    let own = mine.join("conv1d/90_mine.wgsl");
    std::fs::write(&own, naive).expect("written");
    let (dir, folder) = (run.to_str().expect("Unicode"), mine.to_str().expect("Unicode"));
    let with = ["--shader-dir", folder, "--kernels", "conv1d=mine"];
    let begun = [&["--set", "train.checkpoint_steps=1"][..], &with].concat();
    assert!(cut_off(&mut in_steps(&run, &begun), &run), "it was over before it could be killed");
    let config = String::from_utf8(bytes(&run, "config.toml")).expect("text");
    assert!(config.starts_with("# ") && config.contains("conv1d/90_mine.wgsl"), "{config}");
    let record = json(&bytes(&run, "run.json"));
    assert_eq!(record["kernels"]["forced"]["conv1d"]["version"], "90_mine", "{record}");
    assert_eq!(record["kernels"]["files"]["conv1d/90_mine.wgsl"]["is"], "added", "{record}");

    let resume = ["train", "--no-figures", "--out", dir, "--resume"];
    let gone = "conv1d/90_mine.wgsl: then of --shader-dir, now not";
    let other = "--kernels: then conv1d=90_mine, now none";
    fails(&resume, 1, &["other kernels", gone, other]);
    fails(&[&resume[..], &["--shader-dir", folder]].concat(), 1, &["other kernels", other]);
    std::fs::write(&own, format!("{naive}\n")).expect("written");
    fails(&[&resume[..], &with].concat(), 1, &["conv1d/90_mine.wgsl: then the text"]);
    std::fs::write(&own, naive).expect("written");
    let done = exgnet(&[&resume[..], &with].concat());
    let said = text(&done.stderr);
    assert!(done.status.success() && said.contains("config.toml alone"), "{said}");
    // finished: reported, not to be mistaken for one with other kernels
    fails(&resume, 1, &["other kernels", other]);
    assert!(exgnet(&[&resume[..], &with].concat()).status.success());
}
