//! Every kind of network, by the command line from training to report, and as sizes against its references.

mod common;

use common::{exgnet, fails, path, text};
use exgnet::nn::models::KINDS;
use exgnet::nn::{NetworkConfig, Outline};
use std::path::Path;

/// Settings that make a run of seconds.
const TINY: [&str; 12] = [
    "--set",
    "data.synthetic.records=60",
    "--set",
    "data.fs=100",
    "--set",
    "data.seconds=5",
    "--set",
    "train.epochs=2",
    "--set",
    "train.batch=16",
    "--set",
    "data.min_class=1",
];

/// Small networks, by kind.
const SMALL: [(&str, &[&str]); 4] = [
    ("cascade", &["network.widths=[6,8]", "network.strides=[2,2]", "network.kernels=8"]),
    ("resnet1d", &["network.widths=[6,6,8]"]),
    ("inceptiontime", &["network.filters=3", "network.depth=3", "network.kernels=[16,8,4]"]),
    ("cnn", &["network.widths=[6,8]", "network.strides=[2,2]"]),
];

fn works(args: &[&str]) {
    let out = exgnet(args);
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
}

fn there(dir: &str, names: &[&str]) {
    for name in names {
        assert!(Path::new(dir).join(name).is_file(), "{dir}/{name}");
    }
}

#[test]
fn every_kind_goes_all_the_way() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    for (kind, sizes) in SMALL {
        let run = at(kind);
        let kind_set = format!("network.kind={kind}");
        let mut args = vec!["train", "--out", &run, "--set", &kind_set];
        args.extend(sizes.iter().flat_map(|size| ["--set", *size]));
        args.extend(TINY);
        works(&args);
        there(
            &run,
            &["model.safetensors", "metrics.json", "explanation.json", "cost.json", "explanations.safetensors"],
        );
        there(&format!("{run}/figures"), &["losses.png", "gradcam.png", "network.png"]);
        assert!(text(&exgnet(&["train", "--out", &run, "--resume"]).stderr).contains("finished already"));
        works(&["evaluate", "--model", &run]);
        works(&["figures", &run, "--out", &at(&format!("{kind}-figures")), "--format", "svg"]);
        works(&["report", &run, "--out", &at(&format!("{kind}.html"))]);
        let model = at(&format!("{kind}.safetensors"));
        works(&["export", "--model", &run, "--out", &model, "--force"]);
        works(&["export", "--model", &run, "--out", &at(&format!("{kind}.onnx"))]);
        works(&["train", "--dry-run", "--set", &kind_set]);
    }
    fails(&["train", "--set", "network.kind=vgg"], 1, &["network.kind", "\"vgg\"", "resnet1d", "HINT"]);
    fails(
        &["train", "--set", "network.kind=cnn", "--set", "network.filters=3"],
        1,
        &["unknown key", "network.filters"],
    );
}

/// Trainable parameters of the references with their usual sizes, for five classes: of `resnet1d_wang` without its head of
/// two poolings, and of InceptionTime.
#[test]
fn parameters_are_those_of_the_references() {
    let count = |kind: &str| {
        let config = NetworkConfig::default().of(kind);
        Outline::new(&config, 5, false, 1000).expect("an outline").parameters()
    };
    // stem [128, 1, 7]; blocks of [128, 128, 5] and [128, 128, 3], two of them with a shortcut; BatchNorm 2 x 128 each
    let block = 128 * 128 * (5 + 3) + 4 * 128;
    let resnet = 128 * 7 + 256 + 3 * block + 2 * (128 * 128 + 256) + 128 * 5 + 5;
    assert_eq!(count("resnet1d"), resnet);
    // 32 filters: module 0 reads the strip, five modules read 128 channels through 32; shortcuts from 1 and from 128
    let module = |c_in: usize, narrow: usize| {
        (if c_in > 1 { 32 * c_in } else { 0 }) + 32 * narrow * (40 + 20 + 10) + 32 * c_in + 256
    };
    let inception = module(1, 1) + 5 * module(128, 32) + (128 + 256) + (128 * 128 + 256) + 128 * 5 + 5;
    assert_eq!(count("inceptiontime"), inception);
    let all: Vec<&str> = KINDS.concat();
    assert!(SMALL.iter().all(|(kind, _)| all.contains(kind)) && all.len() == SMALL.len() + 1, "{all:?}");
}
