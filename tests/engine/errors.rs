//! Every kind of error as the text that a person reads: the file or operation, what was found, what was expected, a HINT.
//!
//! `tests/goldens/errors/error.txt` is the list, by variant of [`Error`]; `EXGNET_GOLDENS=write cargo test --test engine errors::`
//! rewrites it. A variant that no message here is of does not pass.

use crate::common::goldens::same_as_golden;
use exgnet::ecg::{LoadOptions, Source, SyntheticOptions, prepared, synthesize};
use exgnet::experiment::Experiment;
use exgnet::gpu::{AdapterChoice, Gpu, Launch, Needs, ShaderSource};
use exgnet::nn::{Linear, NetworkConfig, Optimizer, ParamBuilder, Params};
use exgnet::ops::{self, Branch, Hyper, MaxPool};
use exgnet::run::RunFolder;
use exgnet::tensor::Tensor;
use exgnet::train::batch_fit::with_batch;
use exgnet::train::checkpoint::Checkpoint;
use exgnet::{Error, Result, autograd};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The names of all variants, and which one an error is of. A new variant does not compile before it is named here, and
/// does not pass before a message shows it.
macro_rules! variants {
    ($($name:ident),* $(,)?) => {
        const VARIANTS: &[&str] = &[$(stringify!($name)),*];

        fn variant(e: &Error) -> &'static str {
            match e {
                $(Error::$name { .. } => stringify!($name)),*
            }
        }
    };
}
variants! { Shape, File, Config, Data, NoAdapter, Memory, Gpu }

/// What was tried, and the error that came of it.
type Found = (&'static str, Error);

fn failed<T>(what: &'static str, done: Result<T>) -> Found {
    match done {
        Ok(_) => panic!("{what}: expected an error"),
        Err(e) => (what, e),
    }
}

fn shapes(gpu: &Gpu) -> Result<Vec<Found>> {
    let zeros = |shape: &[usize]| Tensor::zeros(gpu, shape);
    let mut twice = ParamBuilder::new(1);
    Linear::declare(&mut twice, "head", 2, 3);
    Linear::declare(&mut twice, "head", 3, 4);
    let labels = Tensor::from_u32(gpu, &[2], &[0, 1])?;
    let pool = MaxPool { kernel: 9, stride: 2, pad: 0 };
    Ok(vec![
        failed("a tensor of nothing", zeros(&[4, 0])),
        failed("too few values", Tensor::from_f32(gpu, &[2, 3], &[1.0; 5])),
        failed("sums of different shapes", ops::add(&zeros(&[2, 3])?, &zeros(&[4])?)),
        failed("matrices that do not fit", ops::matmul(&zeros(&[2, 3])?, &zeros(&[2, 3])?, false, false)),
        failed(
            "a weight for other channels",
            ops::conv1d(&zeros(&[1, 3, 50])?, &zeros(&[4, 2, 5])?, 1, 1, Branch::same(5, 1)),
        ),
        failed("a window longer than the strip", ops::max_pool(&zeros(&[1, 1, 8])?, pool)),
        failed("a seed of another shape", autograd::grad(&zeros(&[2])?, &[], Some(&zeros(&[3])?), false)),
        failed("several elements as one", zeros(&[2])?.item()),
        failed("integers as floats", labels.to_vec()),
        failed("floats as integers", zeros(&[2])?.to_vec_u32()),
        failed("a sum with integers", ops::add(&zeros(&[3])?, &labels)),
        failed("labels that are floats", ops::cross_entropy_targets(&zeros(&[3])?, &zeros(&[4])?, 0.0)),
        failed("a label without a class", ops::cross_entropy_targets(&labels, &zeros(&[1])?, 0.0)),
        failed("a position outside", ops::place(&zeros(&[2])?, &labels, 1)),
        failed("an input that was written over", {
            let x = zeros(&[2, 3])?.leaf();
            let y = ops::square(&x)?;
            x.overwrite(&[1.0; 6])?;
            autograd::grad(&y, &[&x], None, false)
        }),
        failed("a parameter that was not declared", head(gpu)?.get("head.wieght")),
        failed(
            "gradients of another network",
            Optimizer::new(&head(gpu)?, Hyper::default())?.step(&head(gpu)?, &[], 0.1),
        ),
        failed("two layers of one name", twice.init(gpu)),
    ])
}

/// The parameters of a classifier.
fn head(gpu: &Gpu) -> Result<Params> {
    let mut p = ParamBuilder::new(1);
    Linear::declare(&mut p, "head", 2, 3);
    p.init(gpu)
}

fn files(dir: &Path) -> Vec<Found> {
    let at = |name: &str| dir.join(name);
    std::fs::write(at("short.safetensors"), b"12345").expect("written");
    std::fs::write(at("plain"), b"a file").expect("written");
    let run = at("run");
    RunFolder::create(&run, false).and_then(|f| f.write_config(&Experiment::default())).expect("a run");
    vec![
        failed("a missing experiment", Experiment::load(at("none.toml"), &[])),
        failed("a missing prepared set", prepared::read(&at("none.safetensors"))),
        failed("a damaged prepared set", prepared::read(&at("short.safetensors"))),
        failed("a missing checkpoint", Checkpoint::read(&at("none.safetensors"))),
        failed("a damaged checkpoint", Checkpoint::read(&at("short.safetensors"))),
        failed("a run that is there already", RunFolder::create(&run, false)),
        failed("a file where a folder is to be", RunFolder::create(at("plain"), false)),
        failed("a folder of kernels that is none", ShaderSource::folder(at("plain"))),
        failed("a folder in the place of a file", exgnet::files::write_atomically(&run, b"")),
    ]
}

fn configurations() -> Vec<Found> {
    let experiment = |text: &str| Experiment::parse_with(text, "e.toml", &[]);
    let set = |set: &str| Experiment::parse_with("", "e.toml", &[set.to_string()]);
    let synthetic = |change: fn(&mut SyntheticOptions)| {
        let mut options = SyntheticOptions::default();
        change(&mut options);
        synthesize(&options)
    };
    vec![
        failed("no TOML", experiment("[train\n")),
        failed("an unknown table", experiment("[netwrok]\nwidths = [8]\n")),
        failed("an unknown key", set("train.epoch=3")),
        failed("a word for a number", set("train.epochs=many")),
        failed("no value", set("train.epochs")),
        failed("a number out of range", set("train.batch=0")),
        failed("an unknown name", set("train.optimizer=sgd")),
        failed("an unknown preset", set("network.preset=huge")),
        failed("an unknown target layer", set("losses.target_layer=block.1")),
        failed("an unknown layer", exgnet::explain::target_layer(Some("block.1"), &NetworkConfig::default().maps())),
        failed("an unknown kind of source", "dicom:x".parse::<Source>()),
        failed("a source without a path", "wfdb:".parse::<Source>()),
        failed("no record", synthetic(|o| o.records = 0)),
        failed("an unknown class", synthetic(|o| o.classes = vec!["VF".into()])),
        failed("a rate that cannot be", synthetic(|o| o.fs = f64::NAN)),
        failed("an unknown scheme", LoadOptions { classes: "rhythm9".into(), ..LoadOptions::default() }.check()),
    ]
}

fn data() -> Vec<Found> {
    let set = || synthesize(&SyntheticOptions { records: 12, fs: 100.0, seconds: 4.0, ..SyntheticOptions::default() });
    let fold = |k| {
        exgnet::ecg::folds(exgnet::ecg::SplitKind::Stratified, &[0, 1, 0], &["a", "b", "c"].map(String::from), k, 1)
    };
    vec![
        failed("no class is large enough", set().and_then(|s| s.without_small_classes(100, 0))),
        failed("more folds than records", fold(7)),
    ]
}

fn adapters() -> Vec<Found> {
    let open = |name: &str| Gpu::open(&AdapterChoice::Named(name.into()), ShaderSource::default());
    vec![failed("an adapter that is not there", open("nonesuch")), failed("a number too high", open("999"))]
}

fn device(gpu: &Gpu) -> Result<Vec<Found>> {
    let x = Tensor::zeros(gpu, &[4])?;
    let launch = |name, text| Launch::from_text(name, text).bind(x.storage()).threads(gpu, 4, 64);
    Ok(vec![
        failed("no such kernel", Launch::new("nothing").bind(x.storage()).threads(gpu, 4, 64)),
        failed("a kernel that is no WGSL", launch("broken", "fn main( {")),
        failed("a launch that lacks a buffer", Launch::new("lab/copy").bind(x.storage()).threads(gpu, 4, 64)),
        failed("a template without its constant", launch("template", "{% if lanes > 3 %}{% endif %}")),
        failed("waiting inside a recording", gpu.capture(&gpu.arena(), || x.to_vec())),
        failed("a recording inside a recording", gpu.capture(&gpu.arena(), || gpu.capture(&gpu.arena(), || Ok(())))),
    ])
}

fn memory(gpu: &Gpu) -> Vec<Found> {
    let over = |limit: u64| {
        gpu.limit_memory(Some(limit));
        let e = failed("", gpu.allocate(1_000_000)).1;
        gpu.limit_memory(None);
        e
    };
    let training = |e| with_batch(e, &Experiment::default(), 5, 5000);
    let most = gpu.report().max_binding_bytes.min(gpu.report().max_buffer_bytes);
    vec![
        failed("a tensor beyond the adapter's limit", gpu.allocate(1 << 60)),
        ("work that needs more than the limit", {
            gpu.limit_memory(Some(1_000_000));
            let e = failed("", gpu.check_fits("the work", Needs { largest: 1_000_000, tensors: 3_000_000, host: 0 })).1;
            gpu.limit_memory(None);
            e
        }),
        ("beyond the limit that was set", over(100_000)),
        ("a training with hardly any memory", training(over(900_000))),
        ("a training with a tensor beyond the adapter's limit", training(failed("", gpu.allocate(4 * most)).1)),
    ]
}

/// What differs from place to place has a name instead.
fn text(e: &Error, dir: &Path, gpu: &Gpu) -> String {
    let adapters: Vec<String> =
        exgnet::gpu::list_adapters().iter().enumerate().map(|(i, a)| format!("{i}: {}", a.name)).collect();
    let limit = gpu.report().max_binding_bytes.min(gpu.report().max_buffer_bytes);
    e.to_string()
        .replace(&dir.display().to_string(), "DIR")
        .replace(&adapters.join(", "), "ADAPTERS")
        .replace(&format!("tensor of {} bytes", 4 * limit), "tensor of 4 LIMIT bytes")
        .replace(&format!("limit of {limit}"), "limit of LIMIT")
}

#[test]
fn every_variant_says_what_where_and_how_to_mend_it() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let tmp = tempfile::tempdir().expect("a folder");
    let mut all = shapes(&gpu).expect("tensors");
    all.extend(files(tmp.path()));
    all.extend(configurations());
    all.extend(data());
    all.extend(adapters());
    all.extend(device(&gpu).expect("a tensor"));
    all.extend(memory(&gpu));
    let mut found = String::new();
    for name in VARIANTS {
        let of: Vec<&Found> = all.iter().filter(|(_, e)| variant(e) == *name).collect();
        assert!(!of.is_empty(), "no message of Error::{name} is tested here");
        writeln!(found, "## Error::{name}").expect("text");
        for (what, e) in of {
            let said = text(e, tmp.path(), &gpu);
            let (message, hint) = said.split_once("\nHINT: ").unwrap_or_else(|| panic!("{what}: no HINT: {said}"));
            assert!(!message.trim().is_empty() && !hint.trim().is_empty(), "{what}: {said}");
            assert!(message.contains(": "), "{what}: neither a file nor an operation: {said}");
            // the system's own words on a file, and the driver's on a kernel or memory, say what was found and nothing more
            let own = !matches!(e, Error::File { .. } | Error::Gpu { .. } | Error::Memory { .. });
            let helpful = ["expected", "did you mean"].iter().any(|word| message.contains(word));
            assert!(!own || helpful, "{what}: not what was expected: {said}");
            writeln!(found, "\n# {what}\n{said}").expect("text");
        }
        found.push('\n');
    }
    same_as_golden("errors/error.txt", &found);
}

/// Texts of the sources below a folder.
fn sources(dir: &Path, all: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).expect("text");
            all.push((path, text));
        }
    }
}

#[test]
fn there_is_one_error_type() {
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    assert!(all.len() > 100, "{}", all.len());
    let others = all.iter().filter(|(path, text)| {
        !path.ends_with("src/error.rs") && (text.contains("thiserror") || text.contains("std::error::Error for"))
    });
    let others: Vec<&PathBuf> = others.map(|(path, _)| path).collect();
    assert!(others.is_empty(), "errors without a test of their messages: {others:?}");
}
