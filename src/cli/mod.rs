//! The command line: one file per command.
//!
//! May use: anything.

mod about;
mod baselines;
mod bench;
mod check;
mod collect;
mod completions;
mod data;
mod dry_run;
mod evaluate;
mod explain;
mod export;
mod figures;
mod gpu_report;
mod grads;
mod info;
mod ladder;
mod look;
mod man;
mod model;
mod predict;
mod prepare;
mod profile;
mod progress;
mod recorded;
mod report;
mod rpeaks;
mod shader;
mod signals;
mod sweep;
mod synth;
mod train;
mod tune;
mod watch;

use crate::error::{Error, Result};
use crate::files::{self, guard};
use crate::gpu::{AdapterChoice, Forced, Gpu, ShaderSource};
use crate::lab::tune as tune_table;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::error::Error as _;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{ErrorKind, Write, stdout};
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::{ExitCode, Termination};
use std::sync::OnceLock;

/// Exit code of wrong usage.
const USAGE: u8 = 2;
/// Exit code of a command that a signal ended.
const INTERRUPTED: u8 = 130;

/// Trains EXGnet, a single-lead ECG rhythm classifier, on a GPU engine written from scratch, and shows where it looks.
#[derive(Parser)]
#[command(name = "exgnet", version, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Args)]
#[command(next_help_heading = "Options of every command")]
struct Common {
    /// GPU adapter: a part of its name or its number in `exgnet info` [env: EXGNET_ADAPTER]
    #[arg(long, global = true, value_name = "NAME|INDEX")]
    adapter: Option<String>,
    /// Add kernels from this folder, DIR/conv1d/90_mine.wgsl and so on; a file of the same name replaces a built-in one
    /// [env: EXGNET_SHADER_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    shader_dir: Option<PathBuf>,
    /// Worker threads for reading data; 0: one per core
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Ignore what `tune` found: rules of thumb choose the kernels
    #[arg(long, global = true)]
    no_tuned: bool,
    /// Device memory for tensors at most, such as 500M, 2G or 1.5GiB; more is an error, which names the batch that fits
    #[arg(long, global = true, value_name = "SIZE", value_parser = parse_size)]
    memory_limit: Option<u64>,
    /// Use these versions of kernels: FAMILY=VERSION,... or one name for every family that has it, such as tile; a version
    /// is called by number, name or alias (`exgnet shader --list`)
    #[arg(long, global = true, value_name = "VERSIONS", default_value = "", hide_default_value = true)]
    kernels: String,
    /// Write over a result that is there already and is of another meaning (an input never is written over); with `train`,
    /// replace an earlier run
    #[arg(long, global = true)]
    force: bool,
    /// Verbose output: every excluded record, the adapter, checkpoints. RUST_LOG=exgnet=debug also logs every kernel that is
    /// compiled, RUST_LOG=exgnet=trace every growth of memory
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Print results and errors only
    #[arg(long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

/// Bytes of a size such as `500M`.
fn parse_size(text: &str) -> std::result::Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => f64::NAN,
    };
    let bytes = digits.parse::<f64>().unwrap_or(f64::NAN) * unit;
    match (1.0..=1e18).contains(&bytes) {
        true => Ok(bytes as u64),
        false => Err("expected a number of bytes, or one with K, M, G, KiB, MiB or GiB".into()),
    }
}

impl Common {
    fn gpu(&self) -> Result<Gpu> {
        let choice = match &self.adapter {
            Some(name) => AdapterChoice::Named(name.clone()),
            None => AdapterChoice::from_env(),
        };
        let forced = Forced::parse(&self.kernels)?;
        let gpu = Gpu::open(&choice, self.shaders()?)?;
        if !self.no_tuned {
            tune_table::load(&gpu)?;
        }
        gpu.force(forced)?;
        gpu.limit_memory(self.memory_limit);
        Ok(gpu)
    }

    /// The kernels' texts.
    fn shader_source(&self) -> Result<ShaderSource> {
        match &self.shader_dir {
            Some(dir) => ShaderSource::folder(dir),
            None => ShaderSource::from_env(),
        }
    }

    /// Refuses `--kernels` that are not there, before a command does its work.
    fn check_kernels(&self) -> Result<()> {
        match self.kernels.is_empty() {
            true => Ok(()),
            false => self.shader_source()?.catalogue()?.check(&Forced::parse(&self.kernels)?),
        }
    }

    /// The kernels' texts; those taken from a folder are listed.
    fn shaders(&self) -> Result<ShaderSource> {
        let shaders = self.shader_source()?;
        for taken in shaders.taken() {
            let what = match (taken.replaces, taken.differs()) {
                (true, true) => "in the place of the built-in one",
                (true, false) => "as built in",
                (false, _) => "added",
            };
            self.say(format!("kernels: {} {what} ({})", taken.file.trim_end_matches(".wgsl"), taken.path.display()));
        }
        Ok(shaders)
    }

    /// These options again, for another process of this program.
    fn arguments(&self) -> Vec<OsString> {
        let mut all: Vec<OsString> = Vec::new();
        all.extend(self.adapter.iter().flat_map(|a| ["--adapter".into(), a.into()]));
        all.extend(self.shader_dir.iter().flat_map(|d| ["--shader-dir".into(), d.into()]));
        all.extend(self.no_tuned.then(|| "--no-tuned".into()));
        all.extend(self.memory_limit.iter().flat_map(|bytes| ["--memory-limit".into(), bytes.to_string().into()]));
        if !self.kernels.is_empty() {
            all.extend(["--kernels".into(), self.kernels.as_str().into()]);
        }
        if self.threads > 0 {
            all.extend(["--threads".into(), self.threads.to_string().into()]);
        }
        all
    }

    /// Sends log lines to standard error: those that RUST_LOG asks for, else those of level info with `--verbose`, and else those
    /// that are `usual`.
    fn log(&self, usual: &str) {
        let level = if self.verbose { "exgnet=info" } else { usual };
        let env = env_logger::Env::default().default_filter_or(if self.quiet { "exgnet=error" } else { level });
        let line = |out: &mut env_logger::fmt::Formatter, record: &log::Record<'_>| {
            writeln!(out, "{}: {}: {}", record.level().as_str().to_lowercase(), record.target(), record.args())
        };
        // fails only if a program that calls `main` logs already, which it then does
        let _ = env_logger::Builder::from_env(env).format(line).try_init();
    }

    /// A line for the person at the terminal, on standard error.
    fn say(&self, line: impl AsRef<str>) {
        if !self.quiet {
            say(line.as_ref());
        }
    }
}

/// A line for the person at the terminal, on standard error and in one piece: those of two processes do not run into each other.
fn say(line: &str) {
    // nobody may be there to read it
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// The commands, each of a module of its own, in the order in which help lists them.
macro_rules! commands {
    ($($name:ident: $module:ident::$args:ident,)*) => {
        #[derive(Subcommand)]
        enum Command {
            $($name($module::$args),)*
        }

        impl Command {
            fn run(&self, common: &Common) -> Result<ExitCode> {
                match self {
                    $(Self::$name(args) => $module::run(common, args).map(Termination::report),)*
                }
            }
        }
    };
}

impl Command {
    /// What it logs, where nobody asks for more: warnings, and how far compilation and measurements are.
    fn log(&self) -> &'static str {
        match self {
            // a case that a version does not fit is left to the rule: expected here, where every version meets every case
            Self::Check(_) => "exgnet=warn,exgnet::gpu::tuning=error",
            _ => "exgnet=warn,exgnet::gpu::compiling=info,exgnet::lab::measure=info",
        }
    }
}

commands! {
    Info: info::InfoArgs,
    Prepare: prepare::PrepareArgs,
    Data: data::DataArgs,
    Rpeaks: rpeaks::RpeaksArgs,
    Synth: synth::SynthArgs,
    Train: train::TrainArgs,
    Sweep: sweep::SweepArgs,
    Baselines: baselines::BaselinesArgs,
    Collect: collect::CollectArgs,
    Figures: figures::FiguresArgs,
    Report: report::ReportArgs,
    Evaluate: evaluate::EvaluateArgs,
    Predict: predict::PredictArgs,
    Explain: explain::ExplainArgs,
    Export: export::ExportArgs,
    Grads: grads::GradsArgs,
    Check: check::CheckArgs,
    Profile: profile::ProfileArgs,
    Bench: bench::BenchArgs,
    Ladder: ladder::LadderArgs,
    Tune: tune::TuneArgs,
    GpuReport: gpu_report::GpuReportArgs,
    Shader: shader::ShaderArgs,
    Completions: completions::CompletionsArgs,
    Man: man::ManArgs,
}

/// Runs the program; the exit code is 0 when done, 1 when something failed, 2 for wrong usage, 130 when a
/// signal ended it.
pub fn main() -> ExitCode {
    // a number below zero is refused by its range, not as an unknown option
    let negative = |arg: Arg| if arg.get_action().takes_values() { arg.allow_negative_numbers(true) } else { arg };
    let command = Cli::command().mut_args(negative).mut_subcommands(|command| command.mut_args(negative));
    if std::env::args_os().len() == 1 {
        print_line(about::FIRST_STEPS);
        return ExitCode::SUCCESS;
    }
    let command = command.version(about::version());
    let cli = match command.try_get_matches().and_then(|found| Cli::from_arg_matches(&found)) {
        Ok(cli) => cli,
        Err(e) => return refused(&e),
    };
    cli.common.log(cli.command.log());
    guard::begin(cli.common.force);
    if let Some(dir) = files::cache_dir() {
        guard::owns(&dir);
    }
    signals::listen();
    if cli.common.threads > 0 {
        // Fails only if a pool exists already, which then stays.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(cli.common.threads).build_global();
    }
    let done = cli.common.check_kernels().and_then(|()| cli.command.run(&cli.common));
    match done.and_then(|code| print_failure().map_or(Ok(code), Err)) {
        Ok(code) => code,
        Err(e) => {
            say(&format!("error: {e}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints why the arguments cannot be used, or the help they ask for. Of a text that is no number the parser only knows what is
/// wrong with it: what was expected is said in the place of that.
fn refused(e: &clap::Error) -> ExitCode {
    if !e.use_stderr() {
        e.exit()
    }
    let mut said = e.to_string().replace("For more information, try '--help'.", HELP_HINT);
    if let Some(cause) = e.source() {
        let count = cause.downcast_ref::<ParseIntError>().map(|cause| match cause.kind() {
            IntErrorKind::PosOverflow => "expected a smaller whole number",
            _ => "expected a whole number, 0 or more",
        });
        let expected = count.or_else(|| cause.is::<ParseFloatError>().then_some("expected a number"));
        if let Some(expected) = expected {
            said = said.replace(&cause.to_string(), expected);
        }
    }
    let _ = write!(std::io::stderr(), "{said}");
    ExitCode::from(USAGE)
}

/// Below every complaint about arguments.
const HELP_HINT: &str = "HINT: --help behind the command lists its options, with examples";

/// Refuses the number of an option that is not in `range`, which `expected` describes.
fn within<T: PartialOrd + Display>(
    option: &str,
    value: T,
    range: RangeInclusive<T>,
    expected: &str,
    hint: &str,
) -> Result<()> {
    match range.contains(&value) {
        true => Ok(()),
        false => Err(Error::config(format!("{option} {value}: expected {expected}"), hint)),
    }
}

/// Prints what a command found: as JSON where that is asked for, else by `in_words`.
fn print_found(json: bool, found: &impl serde::Serialize, in_words: impl FnOnce()) {
    if json { print_json(found, true) } else { in_words() }
}

/// Prints a value as JSON on standard output. A reader that went away (a closed pipe) is no failure.
fn print_json(value: &impl serde::Serialize, pretty: bool) {
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    print_line(&text.expect("names and numbers always serialise"));
}

/// What went wrong with standard output first.
static PRINT_FAILURE: OnceLock<String> = OnceLock::new();

/// Prints a line on standard output; a closed pipe is no failure. Another fault (a full disk) is reported at the end.
fn print_line(line: &str) {
    match writeln!(stdout(), "{line}").and_then(|()| stdout().flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => drop(PRINT_FAILURE.set(e.to_string())),
        _ => {}
    }
}

/// The error of a command whose results did not reach standard output.
fn print_failure() -> Option<Error> {
    let what = PRINT_FAILURE.get()?;
    let hint = "see that what standard output leads to has room, and run the command again";
    Some(Error::file("standard output", format!("cannot be written: {what}"), hint))
}
