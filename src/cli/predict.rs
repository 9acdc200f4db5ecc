//! `exgnet predict`: the class of single strips.

use super::{Common, model, print_json, print_line, say};
use crate::autograd::no_grad;
use crate::ecg::sources::Some5;
use crate::ecg::{InputStrip, resolve, strip_input, zscore};
use crate::error::{Error, Result};
use crate::explain::{argmax, probabilities};
use crate::files::guard;
use crate::nn::{Mode, ModelFile, ModelInfo};
use crate::tensor::Tensor;
use clap::Args;
use serde_json::{Value, json};
use std::collections::btree_map::{BTreeMap, Entry};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Classify strips: .npy, .csv, .txt or WFDB records, or folders of them
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet predict --model results/quickstart strip.npy --fs 500\n  \
                  exgnet predict --model results/mitbih mitdb/201@120 mitdb/201@2:10 --json\n  \
                  exgnet predict --model results/clinical ludb --lead V5\n\n\
                  Keys of the JSON, one object a line: input, class, probabilities (by class), logits (in the order of the model's classes), \
                  lead (null where the file names none), lead_substituted (whether it is another than the model's; null without a \
                  lead), notes. A key keeps its name and meaning; new ones may come.")]
pub(super) struct PredictArgs {
    /// Model file or run folder
    #[arg(long)]
    model: PathBuf,
    /// Strips, or folders of them; `RECORD@SECONDS` (or `@MINUTES:SECONDS`, `@HOURS:MINUTES:SECONDS`) takes a long record
    /// from there on
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    read: ReadArgs,
}

/// How inputs are to be read, where not as the model says, and what is found printed.
#[derive(Args)]
pub(super) struct ReadArgs {
    /// Sampling rate of inputs that do not say theirs (the model's where not given)
    #[arg(long, value_name = "HZ", alias = "csv-fs")]
    fs: Option<f64>,
    /// Read this lead of WFDB records in place of the model's
    #[arg(long, value_name = "NAME")]
    lead: Option<String>,
    /// Print one JSON object per input on standard output
    #[arg(long)]
    pub json: bool,
}

/// The notes of each kind, those that differ in numbers only: the first one and the other inputs that have one, as a folder may hold
/// hundreds of records.
#[derive(Default)]
struct Notes(BTreeMap<String, (String, Some5)>);

impl Notes {
    fn add(&mut self, input: &Path, note: &str) {
        let kind = note.split(|c: char| c.is_ascii_digit() || c == '.').filter(|part| !part.is_empty()).collect();
        match self.0.entry(kind) {
            Entry::Vacant(first) => drop(first.insert((format!("{}: {note}", input.display()), Some5::default()))),
            Entry::Occupied(mut kind) => kind.get_mut().1.push(input.display().to_string()),
        }
    }

    /// Prints a line for each kind.
    fn print(&self, common: &Common) {
        for (first, others) in self.0.values() {
            match others.count {
                0 => common.say(format!("note: {first}")),
                _ => common.say(format!("note: {first}; likewise (--json has every note): {others}")),
            }
        }
    }
}

/// A z-scored strip as `[1, 1, L]`.
pub(super) fn upload(gpu: &crate::gpu::Gpu, signal: &[f32]) -> Result<Tensor> {
    let mut x = signal.to_vec();
    zscore(&mut x);
    Tensor::from_f32(gpu, &[1, 1, x.len()], &x)
}

/// Runs `f` on each input, and on each recording of one that is a folder, made to what the model takes; the error of one is
/// printed and the others continue.
pub(super) fn for_each(
    common: &Common,
    inputs: &[PathBuf],
    read: &ReadArgs,
    info: &ModelInfo,
    mut f: impl FnMut(&Path, InputStrip) -> Result<()>,
) -> ExitCode {
    let mut kinds = Notes::default();
    let mut one = |path: &Path| {
        let recording = strip_input::read(path, &info.preprocessing.lead, read.lead.as_deref())?;
        let strip = strip_input::prepare(&recording, read.fs, &info.preprocessing)?;
        strip.notes.iter().for_each(|n| kinds.add(path, n));
        f(path, strip)
    };
    let mut code = ExitCode::SUCCESS;
    let mut failed = |e: Error| {
        say(&format!("error: {e}"));
        code = ExitCode::FAILURE;
    };
    let expanded: Vec<_> = inputs.iter().map(|path| strip_input::expand(path)).collect();
    // nothing of what is read is written over, whatever comes first
    expanded.iter().flatten().flat_map(|(recordings, _)| recordings).for_each(|path| guard::reads(&resolve(path)));
    for input in expanded {
        match input {
            Err(e) => failed(e),
            Ok((recordings, notes)) => {
                notes.iter().for_each(|n| common.say(format!("note: {n}")));
                recordings.iter().for_each(|path| one(path).unwrap_or_else(&mut failed));
            }
        }
    }
    kinds.print(common);
    code
}

/// What is said of a strip: its class, every class's probability, and what was read.
pub(super) fn strip_json(path: &Path, strip: &InputStrip, model: &ModelFile, logits: &[f32]) -> Value {
    let classes = &model.info.classes;
    let notes: Vec<String> = strip.notes.iter().cloned().chain(model::assumption(model)).collect();
    let p = probabilities(logits);
    let named: serde_json::Map<String, Value> = classes.iter().zip(&p).map(|(c, &p)| (c.clone(), p.into())).collect();
    json!({
        "input": path.to_string_lossy(), "class": classes[argmax(logits)], "probabilities": named, "logits": logits,
        // a text or NumPy file names no lead
        "lead": strip.lead, "lead_substituted": strip.lead.as_ref().map(|_| strip.lead_substituted),
        "notes": notes,
    })
}

pub(super) fn run(common: &Common, args: &PredictArgs) -> Result<ExitCode> {
    let model = model::load(common, &args.model)?;
    let gpu = common.gpu()?;
    let net = model.network(&gpu)?.folded()?;
    let classes = &model.info.classes;
    Ok(for_each(common, &args.inputs, &args.read, &model.info, |path, strip| {
        let x = upload(&gpu, &strip.signal)?;
        let logits = no_grad(|| net.forward(&x, &Mode::EVAL))?.logits.to_vec()?;
        if args.read.json {
            print_json(&strip_json(path, &strip, &model, &logits), false);
        } else {
            let (class, p) = (&classes[argmax(&logits)], probabilities(&logits));
            let all: Vec<String> = classes.iter().zip(&p).map(|(c, p)| format!("{c} {p:.3}")).collect();
            print_line(&format!("{}: {class}  ({})", path.display(), all.join(", ")));
        }
        Ok(())
    }))
}
