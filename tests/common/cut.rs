//! Trainings that are cut off where they stand. What is waited for is what a run has written, never a time: a kill falls
//! where it is meant to on a machine of any speed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// Waits, but not for ever.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(300), "{what} never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// When the checkpoint of a run was written, if it has one.
fn written(run: &Path) -> Option<SystemTime> {
    let found = std::fs::metadata(run.join("checkpoint.safetensors")).ok()?;
    Some(found.modified().expect("a time"))
}

/// Starts a training into the folder `run` and waits until it has written a checkpoint (one that resumes: another).
pub fn until_checkpoint(command: &mut Command, run: &Path) -> Child {
    let before = written(run);
    let mut child = command.spawn().expect("the program starts");
    until("a checkpoint", || {
        let now = written(run);
        now.is_some() && now != before || child.try_wait().expect("a child").is_some()
    });
    child
}

/// Kills a process; false if it had come to its end.
pub fn kill(mut child: Child) -> bool {
    // one that has ended cannot be killed
    child.kill().ok();
    !child.wait().expect("ended").success()
}

/// Kills a training once it has written a checkpoint; false if it had come to its end.
pub fn cut_off(command: &mut Command, run: &Path) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    kill(until_checkpoint(command, run)) && written(run).is_some() && !run.join("model.safetensors").exists()
}
