//! Runs that are killed at random times, resumed each time, end with the same bytes as one that never was.
//!
//! Eight kills; `EXGNET_KILLS=50` for more.

use crate::common::cut::{kill, until_checkpoint};
use crate::common::{config, text, training};
use exgnet::run::RunFolder;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const SETS: [&str; 4] = ["--set", "train.checkpoint_steps=1", "--set", "output.gradcam=0"];
/// What a run is compared with, bytes and all.
const FILES: [&str; 5] = ["model.safetensors", "metrics.json", "predictions.csv", "split.json", "folds.json"];

/// All that must not differ, with the log but for its times; and nothing may be left of the kills.
fn content(dir: &Path) -> Vec<Vec<u8>> {
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut all: Vec<Vec<u8>> = FILES.iter().map(|name| read(name)).collect();
    all.push(config(dir).into_bytes());
    let log = text(&read("log.jsonl"));
    all.extend(log.lines().map(|l| l.split("\"seconds\"").next().expect("a part").as_bytes().to_vec()));
    assert!(!dir.join("checkpoint.safetensors").exists() && !dir.join("run.lock").exists());
    all
}

#[test]
fn killed_at_random_times_it_ends_with_the_same_bytes() {
    let rounds = std::env::var("EXGNET_KILLS").map_or(8, |n| n.parse().expect("EXGNET_KILLS: a number"));
    let tmp = tempfile::tempdir().expect("a folder");
    let whole = tmp.path().join("whole");
    let begin = Instant::now();
    let quiet = |run: &Path, more: &[&str]| {
        let mut command = training(run, &[&["--no-figures"], more, &SETS].concat());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut child = until_checkpoint(&mut quiet(&whole, &[]), &whole);
    let start = begin.elapsed();
    assert!(child.wait().expect("ended").success());
    let rest = begin.elapsed() - start;
    let expected = content(&whole);
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut within = |longest: Duration| longest.mul_f64(rng.random_range(0.0..1.0));
    let (mut kills, mut tries, mut runs, mut resumed) = (0, 0, 0, 0);
    while kills < rounds {
        let run = tmp.path().join(format!("run-{runs}"));
        let next = || quiet(&run, if RunFolder::is_begun(&run) { &["--resume"] } else { &[] });
        // a run is killed four times at most, then it may end; the last rounds end it as well
        for _ in 0..4.min(rounds - kills) {
            // in turn while it starts and behind a checkpoint of its own
            tries += 1;
            let child = if tries % 2 == 1 {
                let child = next().spawn().expect("the program starts");
                std::thread::sleep(within(start));
                child
            } else {
                let child = until_checkpoint(&mut next(), &run);
                std::thread::sleep(within(rest / 2));
                child
            };
            if !kill(child) {
                break;
            }
            kills += 1;
            resumed += usize::from(run.join("checkpoint.safetensors").exists());
        }
        let done = next().stderr(Stdio::piped()).output().expect("the program starts");
        assert!(done.status.success(), "after {kills} kills: {}", text(&done.stderr));
        assert!(content(&run) == expected, "run {runs}, after {kills} kills in all: it differs from the whole run");
        runs += 1;
    }
    println!("{kills} kills in {runs} runs; {resumed} left a checkpoint to resume from");
    assert!(resumed > 0, "no kill fell between the first checkpoint and the end");
}
