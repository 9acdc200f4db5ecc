//! The device is lost in the middle of a training: an error that says so, and the last checkpoint leads to the same bytes
//! on a new device. Devices one after the other, in a process of their own.

#[path = "common/training.rs"]
mod training;

use exgnet::Error;
use exgnet::Result;
use exgnet::gpu::Gpu;
use exgnet::run::folder::EpochLog;
use exgnet::train::Observer;
use exgnet::train::checkpoint::Checkpoint;
use exgnet::train::fit::{Ended, Progress, Safety};
use training::Prepared;

/// Takes the device away after a step; looks at nothing otherwise.
struct Thief<'a> {
    gpu: &'a Gpu,
    after: Option<usize>,
}

impl Observer for Thief<'_> {
    fn step(&mut self, progress: &Progress) {
        if Some(progress.step) == self.after {
            self.gpu.destroy();
        }
    }

    fn epoch(&mut self, _: &EpochLog) -> Result<()> {
        Ok(())
    }
}

#[test]
fn device_loss_is_reported_and_its_training_resumes_elsewhere() {
    let sets = [
        "data.synthetic.records=40",
        "train.validation=0.25",
        "data.fs=100",
        "data.seconds=4",
        "network.widths=[6, 8]",
        "network.strides=[1, 2]",
        "network.stem_channels=6",
        "train.epochs=3",
        "train.batch=8",
        "train.checkpoint_steps=2",
    ];
    let prepared = Prepared::new(&sets);
    let tmp = tempfile::tempdir().expect("a folder");
    let run = |name: &str, from: Option<Checkpoint>, after: Option<usize>| {
        let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
        let training = prepared.on(&gpu);
        let safety = Safety { path: &tmp.path().join(name), stop: &|| false };
        match training.run(from, &safety, &mut Thief { gpu: &gpu, after })? {
            Ended::Done { net, .. } => net.params().read(),
            Ended::Stopped { .. } => panic!("nobody stops it"),
        }
    };
    let whole = run("whole", None, None).expect("a training");
    let e = run("lost", None, Some(5)).expect_err("there is no device");
    assert!(matches!(e, Error::Gpu { .. }), "{e}");
    let said = e.to_string();
    assert!(said.contains("lost") && said.contains("the last checkpoint is intact"), "{said}");
    let checkpoint = Checkpoint::read(&tmp.path().join("lost")).expect("intact");
    assert_eq!(checkpoint.step, 4, "the last checkpoint before the loss");
    let resumed = run("lost", Some(checkpoint), None).expect("a training");
    assert!(whole == resumed, "the networks differ");
}
