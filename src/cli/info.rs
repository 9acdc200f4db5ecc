//! `exgnet info`: what this machine offers.

use super::{Common, print_found, print_line};
use crate::error::{Error, Result};
use crate::gpu::{AdapterReport, list_adapters};
use crate::run::record::commit;
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;

/// Show GPU adapters, drivers, features and limits, and what is missing
#[derive(Args)]
#[command(after_help = "Example: exgnet info --json\n\n\
                  Keys of the JSON: version, commit (null where it is not known), chosen (the adapter's name that a command\n\
                  would open now; null if there is none), missing (messages, with what to install), adapters: of each name,\n\
                  backend, kind, driver, driver_info, is_software, cpu (its features, for a software adapter),\n\
                  subgroup_size (least and most lanes), subgroups, timestamps, shader_f16, shader_int64, max_binding_bytes, max_buffer_bytes, max_storage_buffers, max_workgroup_threads,\n\
                  max_workgroup_bytes, max_groups_per_dimension, notes. A key keeps its name and meaning; new ones may come.")]
pub(super) struct InfoArgs {
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Info {
    version: &'static str,
    commit: Option<String>,
    /// What a command would open now; `null` if the adapter asked for is not there.
    chosen: Option<String>,
    adapters: Vec<AdapterReport>,
    missing: Vec<String>,
}

pub(super) fn run(common: &Common, args: &InfoArgs) -> Result<ExitCode> {
    let adapters = list_adapters();
    let opened = common.gpu();
    let missing = opened.as_ref().err().map(ToString::to_string).into_iter().collect();
    let chosen = opened.as_ref().ok().map(|g| g.report().name.clone());
    let info = Info { version: env!("CARGO_PKG_VERSION"), commit: commit(), chosen, adapters, missing };
    print_found(args.json, &info, || print_text(&info));
    match opened {
        Ok(_) => Ok(ExitCode::SUCCESS),
        // Already in the report; the exit code is for scripts.
        Err(Error::NoAdapter { .. }) => Ok(ExitCode::FAILURE),
        Err(e) => Err(e),
    }
}

fn print_text(info: &Info) {
    let commit = info.commit.as_deref().map(|c| format!(" ({c})")).unwrap_or_default();
    print_line(&format!("exgnet {}{commit}", info.version));
    for (i, a) in info.adapters.iter().enumerate() {
        let mark = if info.chosen.as_deref() == Some(&a.name) { "  <- in use" } else { "" };
        let yes = |b: bool| if b { "yes" } else { "no" };
        let mib = |b: u64| b >> 20;
        print_line(&format!("\nadapter {i}: {} ({}, {}){mark}", a.name, a.kind, a.backend));
        print_line(&format!("  driver              {} {}", a.driver, a.driver_info));
        print_line(&format!(
            "  subgroups           {} ({} to {} lanes)",
            yes(a.subgroups),
            a.subgroup_size[0],
            a.subgroup_size[1]
        ));
        print_line(&format!("  timestamps          {}", yes(a.timestamps)));
        print_line(&format!("  16-bit floats       {}", yes(a.shader_f16)));
        print_line(&format!("  64-bit integers     {}", yes(a.shader_int64)));
        print_line(&format!(
            "  largest binding     {} MiB, largest buffer {} MiB",
            mib(a.max_binding_bytes),
            mib(a.max_buffer_bytes)
        ));
        print_line(&format!(
            "  workgroup           {} threads, {} KiB",
            a.max_workgroup_threads,
            a.max_workgroup_bytes >> 10
        ));
        print_line(&format!("  storage buffers     {} per kernel", a.max_storage_buffers));
        for note in &a.notes {
            print_line(&format!("  note: {note}"));
        }
    }
    for what in &info.missing {
        print_line(&format!("\nmissing: {what}"));
    }
}
