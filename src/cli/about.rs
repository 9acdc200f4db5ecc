//! First steps and version.

use crate::run::record::commit;

/// Printed by the program without arguments.
pub(super) const FIRST_STEPS: &str = "\
exgnet trains EXGnet, a single-lead ECG rhythm classifier, on a GPU engine written from scratch. First steps:

  exgnet info                                          adapters and drivers, and what is missing
  exgnet train                                         train on synthetic ECG (a minute), writes results/quickstart
  exgnet synth --out ecg --n 6                         write ECG records to try it on
  exgnet predict --model results/quickstart ecg        classify them
  exgnet explain --model results/quickstart ecg --out maps   show where the network looked
  exgnet report results/quickstart --out report.html   one page of tables and figures

exgnet --help lists all commands, exgnet COMMAND --help shows options and examples.";

/// Version, commit and features, for `--version`; only there the commit is looked up.
pub(super) fn version() -> &'static str {
    let asked = std::env::args_os().skip(1).any(|arg| arg == "--version" || arg == "-V");
    let commit = if asked { commit() } else { None };
    let backends = if cfg!(windows) {
        "vulkan, dx12"
    } else if cfg!(target_vendor = "apple") {
        "metal"
    } else {
        "vulkan"
    };
    let commit = commit.map_or("no commit known".into(), |commit| format!("commit {commit}"));
    // clap keeps it for the whole run
    format!("{} ({commit}; features: app; backends: {backends})", env!("CARGO_PKG_VERSION")).leak()
}
