//! `exgnet info`: what this machine offers, or what a model is for.

use super::{Common, model, print_found, print_line};
use crate::ecg::sources::count;
use crate::error::{Error, Result};
use crate::gpu::{AdapterReport, cpu, list_adapters};
use crate::nn::ModelFile;
use crate::nn::model_file::{FORMAT, path_of};
use crate::plot::text::grouped;
use crate::run::record::commit;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Show GPU adapters, drivers, features and limits, and what is missing; of a model what it is for
#[derive(Args)]
#[command(
    after_help = "Examples:\n  exgnet info --json\n  exgnet info results/quickstart        classes, strips, network, training data of a model\n\n\
                  Keys of the JSON: version, commit (null where it is not known), cpu (name, cores, features), chosen (the\n\
                  adapter's name that a command would open now; null if there is none), missing (messages, with what to install), adapters: of each name,\n\
                  backend, kind, driver, driver_info, is_software, cpu (its features, for a software adapter),\n\
                  subgroup_size (least and most lanes), subgroups, timestamps, shader_f16, shader_int64, max_binding_bytes, max_buffer_bytes, max_storage_buffers, max_workgroup_threads,\n\
                  max_workgroup_bytes, max_groups_per_dimension, notes.\n\
                  Keys of a model's JSON: file, bytes, format, network (its keys of an experiment), parameters (of inference), train_only\n\
                  (whether the part is there that feature guidance trained), classes, scheme (that they are of), fs, seconds, samples, lead,\n\
                  clean, mains, detector, assumed (those of these that the file, one of an earlier version, does not say), trained_on\n\
                  (sources, and patients: how many; null where it is not known). A key keeps its name and meaning; new ones may come."
)]
pub(super) struct InfoArgs {
    /// Model file or run folder: print what the model is for
    model: Option<PathBuf>,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Info {
    version: &'static str,
    commit: Option<String>,
    /// This CPU.
    cpu: String,
    /// What a command would open now; `null` if the adapter asked for is not there.
    chosen: Option<String>,
    adapters: Vec<AdapterReport>,
    missing: Vec<String>,
}

pub(super) fn run(common: &Common, args: &InfoArgs) -> Result<ExitCode> {
    if let Some(path) = &args.model {
        let model = model::load(common, path)?;
        let found = facts(&path_of(path), &model);
        print_found(args.json, &found, || print_model(&found, &model));
        return Ok(ExitCode::SUCCESS);
    }
    let adapters = list_adapters();
    let opened = common.gpu();
    let missing = opened.as_ref().err().map(ToString::to_string).into_iter().collect();
    let chosen = opened.as_ref().ok().map(|g| g.report().name.clone());
    let info = Info { version: env!("CARGO_PKG_VERSION"), commit: commit(), cpu: cpu(), chosen, adapters, missing };
    print_found(args.json, &info, || print_text(&info));
    match opened {
        Ok(_) => Ok(ExitCode::SUCCESS),
        // Already in the report; the exit code is for scripts.
        Err(Error::NoAdapter { .. }) => Ok(ExitCode::FAILURE),
        Err(e) => Err(e),
    }
}

/// What a model file says.
fn facts(path: &Path, model: &ModelFile) -> Value {
    let info = &model.info;
    let p = &info.preprocessing;
    let network: Value = serde_json::from_str(&info.config.to_json()).expect("written here");
    let trained = info.trained_on.as_ref().map(|t| json!({"sources": t.sources, "patients": t.patients.len()}));
    json!({
        "file": path.to_string_lossy(), "bytes": path.metadata().map_or(0, |m| m.len()), "format": FORMAT,
        "network": network, "parameters": model.parameters(), "train_only": model.train_only,
        "classes": info.classes, "scheme": p.scheme,
        "fs": p.fs, "seconds": p.seconds, "samples": info.samples(), "lead": p.lead,
        "clean": p.clean, "mains": p.mains, "detector": p.detector.name(), "assumed": model.assumed,
        "trained_on": trained,
    })
}

fn print_model(found: &Value, model: &ModelFile) {
    let info = &model.info;
    let p = &info.preprocessing;
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let bytes = grouped(found["bytes"].as_u64().unwrap_or_default() as usize);
    print_line(&format!("{}: a model, format {FORMAT}, {bytes} bytes\n", text("file")));
    let part = if model.train_only {
        "; with the part that feature guidance trained, which inference does without"
    } else {
        ""
    };
    let clean = if p.clean { format!("cleaned (mains {} Hz)", p.mains) } else { "not cleaned".into() };
    let trained = info.trained_on.as_ref().map_or_else(
        || "not known".to_owned(),
        |t| {
            let sources: Vec<&str> = t.sources.iter().map(String::as_str).collect();
            format!("{} of {}", count(t.patients.len(), "patient", "patients"), sources.join(", "))
        },
    );
    let rows = [
        ("network", format!("{}, {} parameters{part}", info.config.kind(), grouped(model.parameters()))),
        ("its sizes", found["network"].to_string()),
        ("classes", format!("{} (scheme {})", info.classes.join(", "), p.scheme)),
        ("strips", format!("{} s at {} Hz ({} samples) of lead {}, {clean}", p.seconds, p.fs, info.samples(), p.lead)),
        ("R peaks", format!("detected by `{}` where none are annotated", p.detector.name())),
        ("trained on", trained),
    ];
    rows.iter().for_each(|(name, what)| print_line(&format!("  {name:<12} {what}")));
}

fn print_text(info: &Info) {
    let commit = info.commit.as_deref().map(|c| format!(" ({c})")).unwrap_or_default();
    print_line(&format!("exgnet {}{commit}\nCPU: {}", info.version, info.cpu));
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
