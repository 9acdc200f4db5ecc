//! `exgnet gpu-report`: everything that is to know of an adapter, by one command.

use super::signals::{self, InOrder};
use super::sweep::POLL;
use super::{Common, INTERRUPTED, print_line, within};
use crate::error::{Error, Result};
use crate::files::{self, guard};
use crate::gpu::cpu;
use crate::lab::gpu_report::{GpuReport, Part, Setup};
use crate::lab::peers::{Peer, PeerConfig, compare};
use crate::ops::Precision;
use crate::run::record::program;
use clap::Args;
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64;

/// The network in PyTorch.
const TWIN: &str = include_str!("../../experiments/peers/torch_twin.py");
/// Times that both sides are measured.
const ROUNDS: usize = 5;

/// Measure everything about an adapter: kernels against f64, ceilings, tuning, layers, steps, a training twice
#[derive(Args)]
#[command(after_help = "Example: exgnet gpu-report --out my-gpu\n\n\
                  report.md is the page, report.json all numbers. The same command resumes where it was stopped, and measures again \
                  what failed.\nOn a GPU it takes some ten minutes. A software adapter gets the small network.\n\
                  PyTorch is measured beside it where `python3` has it, on CUDA if that is there.")]
pub(super) struct GpuReportArgs {
    /// Folder for the report
    #[arg(long, value_name = "DIR", default_value = "gpu-report")]
    out: PathBuf,
    /// The small network, as on a software adapter
    #[arg(long)]
    small: bool,
    /// Minutes that a part may take; what takes longer is left out, and the page says so
    #[arg(long, value_name = "MINUTES", default_value_t = 20.0)]
    limit: f64,
    /// Only these parts, separated by commas
    #[arg(long, value_name = "PART,...", value_delimiter = ',')]
    only: Vec<String>,
}

/// How a part is measured.
enum How {
    /// A command that prints JSON.
    Json(Vec<String>),
    /// A training of the quick start into this folder.
    Train(PathBuf),
    /// PyTorch beside ours: batch and samples.
    Torch([usize; 2]),
}

/// All parts in their order; 16-bit arithmetic is measured where the adapter has it.
fn plan(work: &Path, small: bool, native_f16: bool) -> Vec<(String, How)> {
    let network: &[&str] = match small {
        true => &["--set", "network.preset=exgnet-small", "--set", "data.fs=250"],
        false => &["--set", "network.preset=exgnet", "--set", "data.fs=500"],
    };
    let batches = if small { [32, 64] } else { [32, 256] };
    let json = |args: &[&str], more: &[&str]| {
        How::Json(args.iter().chain(more).chain(&["--json"]).map(|arg| (*arg).to_owned()).collect())
    };
    let mut all = vec![
        ("check".to_owned(), json(&["check"], &[])),
        ("tune".to_owned(), json(&["tune", "--budget", "3"], network)),
    ];
    for run in ["quickstart-1", "quickstart-2"] {
        all.push((run.into(), How::Train(work.join(run))));
    }
    let precisions = [Precision::F32, Precision::F16, Precision::NativeF16].into_iter();
    for precision in precisions.filter(|p| native_f16 || *p != Precision::NativeF16).map(Precision::name) {
        for batch in batches {
            let (set, batch) = (format!("train.precision={precision}"), batch.to_string());
            let args = [network, &["--batch", &batch, "--set", &set]].concat();
            all.push((format!("step-{precision}-{batch}"), json(&["profile"], &args)));
        }
    }
    all.push(("layers".into(), json(&["bench"], network)));
    all.push(("ladder".into(), json(&["ladder", "conv1d"], &[])));
    all.push(("pytorch".into(), How::Torch(if small { [4, 2500] } else { [32, 5000] })));
    all
}

pub(super) fn run(common: &Common, args: &GpuReportArgs) -> Result<ExitCode> {
    within("--limit", args.limit, 0.01..=10_000.0, "minutes, 0.01 to 10000", "20 is usual")?;
    let adapter = common.gpu()?.report().clone();
    let small = args.small || adapter.is_software;
    let of =
        Setup { adapter: serde_json::to_value(&adapter).unwrap_or_default(), cpu: cpu(), program: program(), small };
    let (file, page, work) = (args.out.join("report.json"), args.out.join("report.md"), args.out.join("work"));
    let plan = plan(&work, small, adapter.shader_f16);
    if let Some(name) = args.only.iter().find(|name| plan.iter().all(|(known, _)| known != *name)) {
        let known: Vec<&str> = plan.iter().map(|(name, _)| name.as_str()).collect();
        return Err(Error::config(
            format!("--only {name}: found no such part"),
            format!("parts: {}", known.join(", ")),
        ));
    }
    let earlier = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<GpuReport>(&bytes).ok());
    let mut report = match earlier {
        Some(earlier) if earlier.of == of => {
            // measured further on the same adapter
            [&file, &page].into_iter().for_each(|path| guard::replaces(path));
            earlier
        }
        _ => GpuReport { of, parts: Vec::new() },
    };
    [&file, &page].into_iter().try_for_each(|path| guard::check(path, None))?;
    std::fs::create_dir_all(&work)
        .map_err(|e| Error::file(&work, format!("cannot be made: {e}"), "give --out a folder that can be written"))?;
    let _in_order = InOrder::new();
    let asked: Vec<_> = plan.iter().filter(|(name, _)| args.only.is_empty() || args.only.contains(name)).collect();
    for (i, (name, how)) in asked.iter().enumerate() {
        if report.parts.iter().any(|p| p.name == *name && p.failed.is_none()) {
            continue;
        }
        common.say(format!("{} of {}: {name} (at most {} minutes)", i + 1, asked.len(), args.limit));
        let part = Measuring { common, work: &work, limit: Duration::from_secs_f64(60.0 * args.limit) }.part(name, how);
        if signals::is_stopped() {
            common.say("stopped; the same command resumes here");
            return Ok(ExitCode::from(INTERRUPTED));
        }
        if let Some(said) = &part.failed {
            common.say(format!("  failed: {}", said.lines().next().unwrap_or_default()));
        }
        report.parts.retain(|p| p.name != part.name);
        report.parts.push(part);
        let place = |p: &Part| plan.iter().position(|(name, _)| *name == p.name);
        report.parts.sort_by_key(place);
        files::write_json(&file, &report)?;
        files::write_atomically(&page, report.page().as_bytes())?;
        [&file, &page].into_iter().for_each(|path| guard::replaces(path));
    }
    print_line(&page.display().to_string());
    let failed = report.parts.iter().filter(|p| p.failed.is_some()).count();
    let measured = report.parts.len() - failed;
    common.say(format!(
        "{measured} of {} parts measured, {failed} failed; {} has all numbers",
        plan.len(),
        file.display()
    ));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the parts share.
struct Measuring<'a> {
    common: &'a Common,
    work: &'a Path,
    limit: Duration,
}

impl Measuring<'_> {
    fn part(&self, name: &str, how: &How) -> Part {
        let start = Instant::now();
        let (command, found) = match how {
            How::Json(args) => (args.join(" "), self.json(name, args)),
            How::Train(dir) => ("train".to_owned(), self.train(name, dir)),
            How::Torch(size) => ("bench --serve, beside torch_twin.py".to_owned(), self.torch(*size)),
        };
        let (found, failed) = match found {
            Ok((found, failed)) => (found, failed),
            Err(said) => (Value::Null, Some(said)),
        };
        let seconds = start.elapsed().as_secs_f64();
        Part { name: name.into(), command: format!("exgnet {command}"), seconds, failed, found }
    }

    /// This program with these arguments; what was tuned here is used here.
    fn command(&self, args: &[String]) -> std::result::Result<Command, String> {
        let program = std::env::current_exe().map_err(|e| format!("cannot start itself: {e}"))?;
        let mut command = Command::new(program);
        command.args(self.common.arguments()).args(args).env("EXGNET_CACHE", self.work.join("cache"));
        Ok(command)
    }

    /// What a command prints on standard output, and what it says where it fails. A check that finds something wrong has both.
    fn output(&self, name: &str, args: &[String]) -> std::result::Result<(Vec<u8>, Option<String>), String> {
        let [out, err] = ["out", "err"].map(|end| self.work.join(format!("{name}.{end}")));
        let create = |path: &Path| File::create(path).map_err(|e| format!("{}: {e}", path.display()));
        let mut command = self.command(args)?;
        command.arg("--quiet").stdin(Stdio::null()).stdout(create(&out)?).stderr(create(&err)?);
        let child = command.spawn().map_err(|e| format!("cannot start itself: {e}"))?;
        let succeeded = self.wait(child)?;
        let read = |path: &Path| std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
        let said = String::from_utf8_lossy(&read(&err)?).trim().to_owned();
        Ok((read(&out)?, (!succeeded).then(|| if said.is_empty() { "it says nothing".into() } else { said })))
    }

    /// Whether a child succeeds; it is ended at the limit, and when this process is to stop.
    fn wait(&self, mut child: Child) -> std::result::Result<bool, String> {
        let start = Instant::now();
        loop {
            if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
                return Ok(status.success());
            }
            let late = start.elapsed() > self.limit;
            if late || signals::is_stopped() {
                // one that has just ended cannot be killed
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("not done after {:.1} minutes", start.elapsed().as_secs_f64() / 60.0));
            }
            std::thread::sleep(POLL);
        }
    }

    fn json(&self, name: &str, args: &[String]) -> std::result::Result<(Value, Option<String>), String> {
        let (out, failed) = self.output(name, args)?;
        match (serde_json::from_slice(&out), failed) {
            (Ok(found), failed) => Ok((found, failed)),
            (Err(_), Some(said)) => Err(said),
            (Err(e), None) => Err(format!("it printed no JSON: {e}")),
        }
    }

    fn train(&self, name: &str, dir: &Path) -> std::result::Result<(Value, Option<String>), String> {
        let args = ["train", "--out", &dir.to_string_lossy(), "--force"].map(str::to_owned);
        let (_, failed) = self.output(name, &args)?;
        if let Some(said) = failed {
            return Err(said);
        }
        let read = |file: &str| std::fs::read(dir.join(file)).map_err(|e| format!("{file}: {e}"));
        let metrics: Value = serde_json::from_slice(&read("metrics.json")?).map_err(|e| e.to_string())?;
        let model = format!("{:016x}", xxh3_64(&read("model.safetensors")?));
        Ok((json!({"macro_f1": metrics["macro_f1"], "accuracy": metrics["accuracy"], "model": model}), None))
    }

    /// Ours and PyTorch's, step by step in turn. Where there is no PyTorch, that is no failure.
    fn torch(&self, [batch, samples]: [usize; 2]) -> std::result::Result<(Value, Option<String>), String> {
        let has = |module: &str| {
            let mut python = Command::new("python3");
            python.args(["-c", module]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            python.status().is_ok_and(|status| status.success())
        };
        if !has("import torch") {
            return Ok((Value::Null, None));
        }
        let device = if has("import torch; assert torch.cuda.is_available()") { "cuda" } else { "cpu" };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let script = self.work.join("torch_twin.py");
        std::fs::write(&script, TWIN).map_err(|e| format!("{}: {e}", script.display()))?;
        let mut twin = Command::new("python3");
        twin.arg(&script).args([batch, samples, threads].map(|n| n.to_string())).arg(device);
        let seconds = format!("data.seconds={}", samples as f64 / 500.0);
        let batch = format!("train.batch={batch}");
        // the plain network, as PyTorch has it
        let sets = ["network.preset=exgnet", "data.fs=500", "losses.joint=0", "losses.feature=0", "losses.xai=0"];
        let sets = sets.iter().copied().chain([seconds.as_str(), batch.as_str()]);
        let args: Vec<String> =
            ["bench", "--serve"].into_iter().chain(sets.flat_map(|set| ["--set", set])).map(str::to_owned).collect();
        let start = |name: &str, command: Command| -> Result<(PeerConfig, Peer)> {
            let config = PeerConfig { name: name.into(), command: Vec::new(), infer: true, source: None };
            Ok((config, Peer::start(name, command)?))
        };
        let mut both = vec![
            start("exgnet", self.command(&args)?).map_err(|e| e.to_string())?,
            start("PyTorch", twin).map_err(|e| e.to_string())?,
        ];
        let found = compare(&mut both, ROUNDS).map_err(|e| e.to_string())?;
        Ok((serde_json::to_value(found).map_err(|e| e.to_string())?, None))
    }
}
