//! Memory is flat over 2,000 steps of a whole training: loop, augmentation, validation, log. A process of its own: nothing
//! else uses the device's pool, nor the process's memory.

#[path = "common/training.rs"]
mod training;

use exgnet::Result;
use exgnet::gpu::Gpu;
use exgnet::run::folder::EpochLog;
use exgnet::train::Observer;
use exgnet::train::fit::{Progress, Safety};
use training::Prepared;

const STEPS: usize = 2000;
/// Caches are warm from here on.
const WARM: usize = 400;

/// What the pool and the process held when.
struct Watch<'a> {
    gpu: &'a Gpu,
    /// Step, bytes of the pool, the most of them in use, resident bytes of the process where they are known.
    seen: Vec<(usize, u64, u64, Option<u64>)>,
}

/// Resident bytes of this process.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

impl Observer for Watch<'_> {
    fn step(&mut self, progress: &Progress) {
        if progress.step.is_multiple_of(100) {
            let pool = self.gpu.pool_stats();
            self.seen.push((progress.step, pool.allocated, pool.peak, resident()));
        }
    }

    fn epoch(&mut self, _: &EpochLog) -> Result<()> {
        Ok(())
    }
}

#[test]
fn memory_is_flat_over_two_thousand_steps() {
    let sets = [
        "data.synthetic.records=130",
        "data.fs=100",
        "data.seconds=3",
        "network.widths=[4, 4]",
        "network.strides=[1, 2]",
        "network.stem_channels=4",
        "train.epochs=100",
        "train.batch=4",
        "train.validation=0.1",
        "augment.shift=0.3",
        "augment.noise=0.05",
    ];
    let prepared = Prepared::new(&sets);
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let training = prepared.on(&gpu);
    let mut watch = Watch { gpu: &gpu, seen: Vec::new() };
    let tmp = tempfile::tempdir().expect("a folder");
    let stop_at = std::cell::Cell::new(0);
    let stop = || {
        stop_at.set(stop_at.get() + 1);
        stop_at.get() >= STEPS + STEPS / 4
    };
    let path = tmp.path().join("checkpoint.safetensors");
    let ended = training.run(None, &Safety { path: &path, stop: &stop }, &mut watch).expect("a training");
    let steps = watch.seen.last().expect("steps").0;
    assert!(steps >= STEPS, "{steps} steps");
    drop(ended);
    watch.seen.iter().for_each(|(step, pool, peak, rss)| println!("{step:>5} {pool:>9} {peak:>9} {rss:?}"));
    let warm = watch.seen.iter().find(|s| s.0 == WARM).expect("a step");
    let last = watch.seen.last().expect("steps");
    assert_eq!((last.1, last.2), (warm.1, warm.2), "the pool grew between step {WARM} and {steps}");
    if let (Some(warm), Some(last)) = (warm.3, last.3) {
        // a leak of 2 KiB a step would be seen
        let most = warm + 4 * 1024 * 1024;
        assert!(last < most, "the process grew from {warm} to {last} bytes between step {WARM} and {steps}");
    }
}
