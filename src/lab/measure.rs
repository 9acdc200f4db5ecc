//! Operations at a shape, version by version: values are compared first, and what is right is timed, in turn with the other
//! versions and with the adapter's ceilings.

use super::ceilings::{Ceilings, Probe, device_seconds, device_seconds_of};
use super::counts::Counts;
use super::gate::{Gate, gate};
pub use super::row::{Kernel, Row, Status, Table};
use super::statistics::{SpeedUp, Spread};
use super::workloads::{Ready, Workload};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Launched, Version};
use crate::ops::Array;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// What is timed against others: the version that a device chooses, or one that is forced.
#[derive(Debug, Clone)]
pub struct Arm {
    /// The device, with the texts that it was opened with.
    pub gpu: Gpu,
    /// The version; `None` for the one that the device chooses.
    pub version: Option<Arc<Version>>,
    /// Its name in tables.
    pub name: String,
}

impl Arm {
    /// What a device chooses.
    pub fn usual(gpu: &Gpu) -> Self {
        Self { gpu: gpu.clone(), version: None, name: "default".into() }
    }

    /// A version.
    pub fn forced(gpu: &Gpu, version: &Arc<Version>) -> Self {
        Self { gpu: gpu.clone(), name: version.name.clone(), version: Some(version.clone()) }
    }

    /// The version of a family that is called so.
    pub fn named(gpu: &Gpu, family: &str, name: &str) -> Result<Self> {
        let (version, settings) = gpu.catalogue().named(family, name)?;
        let name = if settings.is_empty() { version.name.clone() } else { name.to_owned() };
        Ok(Self { gpu: gpu.clone(), version: Some(version), name })
    }

    /// Runs `f` with the version in force.
    fn with<T>(&self, f: impl FnOnce() -> Result<T>) -> Result<T> {
        let Some(version) = &self.version else { return f() };
        let before = self.gpu.forced();
        let mut forced = before.clone();
        // by an alias, with what that sets
        let name = if version.called(&self.name).is_some() { &self.name } else { &version.name };
        forced.families.insert(version.family.clone(), name.clone());
        self.gpu.force(forced)?;
        let done = f();
        self.gpu.force(before)?;
        done
    }
}

/// What others are compared with, and the same again with buffers of its own, to see what noise does.
#[derive(Debug, Clone)]
pub struct Reference {
    /// What is compared with.
    pub arm: Arm,
    /// The same.
    pub again: Arm,
}

/// How long it is measured.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Times that each is measured, at least.
    pub rounds: usize,
    /// Rounds continue for at least n seconds.
    pub min_seconds: f64,
    /// A version that would take more than n seconds for a run is left out; one that takes long has fewer rounds.
    pub limit_seconds: f64,
}

impl Timing {
    /// n rounds, however long they take.
    pub fn rounds(rounds: usize) -> Self {
        Self { rounds, min_seconds: 0.0, limit_seconds: f64::INFINITY }
    }
}

/// An arm at a workload.
struct Item<'a> {
    arm: Arm,
    /// Its inputs, once it was found right.
    ready: Option<Arc<Ready<'a>>>,
    row: Row,
    /// Seconds of the first run.
    first: f64,
    /// Rounds that it takes part in.
    most: usize,
    /// Seconds, round by round.
    times: Vec<f64>,
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Own,
    Reference,
    /// The reference once more: no row.
    Again,
}

/// Measures every workload in its arms, and in the arm to compare with, where there is one, which becomes a row of its own.
/// Wrong values are no error but a row that says so.
pub fn measure(
    workloads: &[(Workload, Vec<Arm>)],
    reference: Option<&Reference>,
    timing: &Timing,
) -> Result<(Ceilings, Vec<Row>)> {
    let Some(first) = workloads.iter().find_map(|(_, arms)| arms.first()) else {
        return Ok((Ceilings::default(), Vec::new()));
    };
    let mut probe = Probe::new(&first.gpu)?;
    let mut all: Vec<Vec<Item<'_>>> = Vec::new();
    for (workload, arms) in workloads {
        let mut inputs = Inputs { workload, expected: None, ready: Vec::new() };
        let own = arms.iter().map(|arm| (arm, Role::Own));
        let other = reference.into_iter().flat_map(|r| [(&r.arm, Role::Reference), (&r.again, Role::Again)]);
        let item = |(arm, role)| Ok(Item { role, ..inputs.item(arm, timing)? });
        let items = own.chain(other).map(item).collect::<Result<Vec<_>>>()?;
        all.push(items);
    }
    rounds(&mut probe, &mut all, timing)?;
    let ceilings = probe.medians();
    let mut rows = Vec::new();
    for items in all {
        let first = items.iter().find(|i| !i.times.is_empty()).map(|i| i.times.clone()).unwrap_or_default();
        let times = |role| items.iter().find(|i| i.role == role && !i.times.is_empty()).map(|i| i.times.clone());
        let compared = times(Role::Reference).zip(times(Role::Again));
        for item in items.into_iter().filter(|i| i.role != Role::Again) {
            rows.push(item.finish(&probe, ceilings, &first, compared.as_ref()));
        }
    }
    Ok((ceilings, rows))
}

/// Measures everything that is right once a round: the ceilings, and the items of each workload one after the other, beginning
/// with another one in every round.
fn rounds(probe: &mut Probe, all: &mut [Vec<Item<'_>>], timing: &Timing) -> Result<()> {
    /// Rounds that nobody needs more of.
    const MOST: usize = 100_000;
    /// Seconds between two lines about where it stands.
    const SILENCE: f64 = 10.0;
    let start = Instant::now();
    let mut said = 0.0;
    let any = all.iter().flatten().any(|i| i.ready.is_some());
    for round in 0..MOST {
        let enough = round >= timing.rounds.max(1) && start.elapsed().as_secs_f64() >= timing.min_seconds;
        if enough || (round > 0 && !any) {
            break;
        }
        probe.round()?;
        for items in all.iter_mut() {
            let n = items.len();
            for i in 0..n {
                let item = &mut items[(i + round) % n];
                if round < item.most {
                    item.time()?;
                }
            }
        }
        let (seconds, done) = (start.elapsed().as_secs_f64(), round + 1);
        if any && seconds - said >= SILENCE && done < timing.rounds {
            said = seconds;
            let left = seconds * (timing.rounds - done) as f64 / done as f64;
            log::info!("round {done} of {}, about {left:.0} s left (--rounds takes fewer)", timing.rounds);
        }
    }
    Ok(())
}

/// A workload's oracle and its inputs on the devices, made when they are needed.
struct Inputs<'a> {
    workload: &'a Workload,
    expected: Option<Array>,
    ready: Vec<(Gpu, Arc<Ready<'a>>)>,
}

impl<'a> Inputs<'a> {
    fn on(&mut self, gpu: &Gpu) -> Result<Arc<Ready<'a>>> {
        if let Some((_, ready)) = self.ready.iter().find(|(g, _)| g.is(gpu)) {
            return Ok(ready.clone());
        }
        let ready = Arc::new(self.workload.on(gpu)?);
        self.ready.push((gpu.clone(), ready.clone()));
        Ok(ready)
    }

    /// Compiles an arm, compares its values, and warms it up.
    fn item(&mut self, arm: &Arm, timing: &Timing) -> Result<Item<'a>> {
        let row = Row::new(self.workload, arm);
        let mut item =
            Item { arm: arm.clone(), ready: None, row, first: 0.0, most: 0, times: Vec::new(), role: Role::Own };
        let (found, launched) = match item.first_run(self, timing) {
            Ok(Some(ran)) => ran,
            Ok(None) => return Ok(item),
            // of several versions one may be broken
            Err(e @ (Error::Gpu { .. } | Error::File { .. })) if arm.version.is_some() => {
                item.row.status = Status::Failed;
                item.row.note = e.to_string();
                return Ok(item);
            }
            Err(e) => return Err(e),
        };
        let workload = self.workload;
        let expected = self.expected.get_or_insert_with(|| workload.case.expected());
        let Gate { error, wrong } = gate(&found, expected, workload.case.tolerance);
        item.row.error = error;
        item.row.status = if wrong.is_some() { Status::Wrong } else { Status::Right };
        item.row.wrong = wrong;
        let launched: Vec<Launched> = launched.into_iter().filter(|l| workload.operation.counts(&l.file)).collect();
        item.row.dispatches = launched.len();
        item.row.kernels = kernels(launched);
        item.row.threads = item.row.kernels.iter().map(|k| k.threads).sum();
        if item.row.status == Status::Right {
            item.ready = Some(self.on(&arm.gpu)?);
            let warm = item.run()?.unwrap_or(0.0);
            // a slow version has fewer rounds, but some
            let fits = (timing.limit_seconds / warm.max(1e-9)).floor();
            item.most = if fits < timing.rounds as f64 { fits.max(2.0) as usize } else { usize::MAX };
        }
        Ok(item)
    }
}

impl Item<'_> {
    /// Values and dispatches of a first run; `None` (and a note) for a version that cannot run here.
    fn first_run(&mut self, inputs: &mut Inputs<'_>, timing: &Timing) -> Result<Option<(Vec<f32>, Vec<Launched>)>> {
        let gpu = &self.arm.gpu;
        if let Some(need) = self.arm.version.as_ref().and_then(|v| v.lacks(gpu.report())) {
            self.row.note = format!("needs {need}, which this adapter does not have");
            return Ok(None);
        }
        if timing.limit_seconds.is_finite()
            && let Some(seconds) = self.arm.with(|| expected_seconds(gpu, inputs.workload))?
            && seconds > timing.limit_seconds
        {
            self.row.note = format!("would take {seconds:.0} s a run, more than {:.0} s", timing.limit_seconds);
            return Ok(None);
        }
        let ready = inputs.on(gpu)?;
        gpu.finish()?;
        let start = Instant::now();
        let mut found = Vec::new();
        let launched = self.arm.with(|| gpu.launched(|| ready.run()?.to_vec().map(|v| found = v)))?;
        self.first = start.elapsed().as_secs_f64();
        let family = format!("{}/", inputs.workload.operation.family);
        let mut ran: Vec<&str> = launched.iter().filter_map(|l| l.file.strip_prefix(&family)).collect();
        ran.dedup();
        if let Some(version) = &self.arm.version
            && !ran.contains(&version.label().as_str())
        {
            ran.sort_unstable();
            ran.dedup();
            self.row.note = format!("does not fit this shape: {} runs", ran.join(", "));
            return Ok(None);
        }
        if self.arm.version.is_none() {
            // a product of matrices may run as a convolution
            let mut files: Vec<&str> = launched.iter().map(|l| l.file.as_str()).collect();
            files.dedup();
            self.row.version = if ran.is_empty() { files.join(" ") } else { ran.join(" ") };
        }
        Ok(Some((found, launched)))
    }

    /// Seconds of one more run; `None` for what is not to be timed.
    fn run(&self) -> Result<Option<f64>> {
        let Some(ready) = &self.ready else { return Ok(None) };
        let counts = |kernel: &str| ready.counts(kernel);
        self.arm.with(|| device_seconds_of(&self.arm.gpu, &counts, || ready.run().map(drop))).map(Some)
    }

    fn time(&mut self) -> Result<()> {
        let seconds = self.run()?;
        self.times.extend(seconds);
        Ok(())
    }

    fn finish(self, probe: &Probe, ceilings: Ceilings, first: &[f64], compared: Option<&(Vec<f64>, Vec<f64>)>) -> Row {
        let mut row = self.row;
        let cost = [row.flops, row.bytes];
        row.bound = ceilings.least(cost).1;
        row.rounds = self.times.len();
        if self.times.is_empty() {
            return row;
        }
        let median = |values: Vec<f64>| Spread::of(values).median;
        let ms = Spread::of(self.times.iter().map(|t| 1e3 * t).collect());
        [row.gflops, row.gb_per_s] = cost.map(|c| 1e-6 * c / ms.median);
        row.share = median(self.times.iter().zip(probe.rounds()).map(|(t, c)| c.least(cost).0 / t).collect());
        row.compile_ms = (1e3 * self.first - ms.median).max(0.0);
        row.ms = Some(ms);
        row.times_faster = median(first.iter().zip(&self.times).map(|(f, t)| f / t).collect());
        if let (Some((times, again)), Role::Own) = (compared, self.role) {
            row.against = Some(SpeedUp::of(&self.times, times, again));
        }
        row
    }
}

/// Seconds that a run may take, from one record of it; `None` where the shape is small.
fn expected_seconds(gpu: &Gpu, workload: &Workload) -> Result<Option<f64>> {
    let Some((case, times)) = workload.probe() else { return Ok(None) };
    let inputs = case.tensors(gpu)?;
    let run = || crate::autograd::no_grad(|| (case.run)(&inputs)).map(drop);
    // the first run compiles
    device_seconds(gpu, run)?;
    Ok(Some(times * device_seconds(gpu, run)?))
}

/// The kernels of a run, each once.
fn kernels(launched: Vec<Launched>) -> Vec<Kernel> {
    let mut all: Vec<Kernel> = Vec::new();
    let mut counted: BTreeMap<String, (Option<Counts>, usize)> = BTreeMap::new();
    for l in launched {
        let (counts, width) = *counted.entry(l.kernel.clone()).or_insert_with(|| {
            let found = Counts::of(&l.text, &l.entry, &l.constants);
            // what the device compiled, naga can count
            found.map_or((None, 1), |(counts, width)| (Some(counts), width))
        });
        let threads = l.groups * width;
        match all.iter_mut().find(|k| k.kernel == l.kernel) {
            Some(kernel) => {
                kernel.dispatches += 1;
                kernel.threads += threads;
            }
            None => {
                let hash = hash(&l);
                all.push(Kernel { kernel: l.kernel, dispatches: 1, threads, hash, counts });
            }
        }
    }
    all
}

fn hash(l: &Launched) -> String {
    let constants: Vec<String> = l.constants.iter().map(|(name, v)| format!("{name}={v}")).collect();
    let all = format!("{}\0{}\0{}", l.text, l.entry, constants.join(" "));
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(all.as_bytes()))
}
