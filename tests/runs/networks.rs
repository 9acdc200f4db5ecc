//! Every kind of network, by the command line from training to report, and as sizes against its references.

use crate::common::cut::cut_off;
use crate::common::{exgnet, fails, json, path, program, text};
use exgnet::nn::models::KINDS;
use exgnet::nn::{NetworkConfig, Outline};
use std::path::Path;

/// What makes a run of seconds.
const BASE: &str = "[data]\nfs = 100.0\nseconds = 5.0\nsplit = 'stratified'\nfolds = 5\n\
    [data.synthetic]\nrecords = 60\nclasses = ['SR', 'SB', 'ST', 'AFIB/AFL']\n[train]\nepochs = 2\nbatch = 16\n\
    checkpoint_steps = 1\n";

/// Small networks, by kind, and the layer whose map is guided.
const SMALL: [(&str, &str, &[&str]); 4] = [
    ("cascade", "stem", &["network.widths=[6,8]", "network.strides=[2,2]", "network.kernels=8"]),
    ("resnet1d", "stem", &["network.widths=[6,6,8]"]),
    ("inceptiontime", "blocks.1", &["network.filters=3", "network.depth=3", "network.kernels=[16,8,4]"]),
    ("cnn", "last", &["network.widths=[6,8]", "network.strides=[2,2]"]),
];

/// Settings of a small network.
fn sets((kind, layer, sizes): (&str, &str, &[&str])) -> Vec<String> {
    let own = [format!("network.kind={kind}"), format!("losses.target_layer={layer}")];
    own.into_iter().chain(sizes.iter().map(|size| (*size).to_owned())).collect()
}

fn works(args: &[&str]) -> String {
    let out = exgnet(args);
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    text(&out.stdout)
}

fn there(dir: &str, names: &[&str]) {
    for name in names {
        assert!(Path::new(dir).join(name).is_file(), "{dir}/{name}");
    }
}

/// Trains into `dir`, is killed when there is a checkpoint, and resumes.
fn killed_and_resumed(base: &str, dir: &str, sets: &[&str]) {
    let args = [&["train", base, "--out", dir], sets].concat();
    assert!(cut_off(&mut program(&args), Path::new(dir)), "{dir}: the training was over before it could be killed");
    works(&[&args[..], &["--resume"]].concat());
}

#[test]
fn every_kind_goes_all_the_way() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    let (base, runs, strip) = (at("base.toml"), at("runs"), at("strip.txt"));
    let variant = |small: usize| format!("[[variant]]\nname = '{}'\nset = {:?}\n", SMALL[small].0, sets(SMALL[small]));
    let variants: String = (0..SMALL.len()).map(variant).collect();
    let sweep = format!("base = 'base.toml'\nout = 'unused'\nfolds = [0]\nseeds = [3]\n{variants}");
    std::fs::write(&base, BASE).expect("written");
    std::fs::write(at("sweep.toml"), sweep).expect("written");
    let wave: String = (0..500).map(|i| format!("{}\n", (f64::from(i) * 0.4).sin())).collect();
    std::fs::write(&strip, wave).expect("written");

    works(&["sweep", &at("sweep.toml"), "--out", &runs]);
    works(&["collect", &runs]);
    let table = std::fs::read_to_string(format!("{runs}/table.md")).expect("a table");
    // each kind of network is drawn, and the layer that is guided is named
    let drawn = at("networks");
    works(&["figures", &runs, "--only", "network", "--format", "svg", "--out", &drawn]);
    for small in SMALL {
        let (kind, layer, _) = small;
        let caption = std::fs::read_to_string(format!("{drawn}/network-{kind}.txt")).expect("a caption");
        assert_eq!(caption.contains(&format!("Grad-CAM looks at {layer}.")), layer != "last", "{caption}");
        let detail = std::fs::read_to_string(format!("{drawn}/network-{kind}.svg")).expect("a figure");
        assert_eq!(detail.contains("Grad-CAM"), layer == "last", "{kind}");
        assert!(table.contains(&format!("| {kind} ")), "{table}");
        let run = format!("{runs}/{kind}/fold-0-seed-3");
        there(
            &run,
            &["model.safetensors", "metrics.json", "explanation.json", "cost.json", "explanations.safetensors"],
        );
        there(&format!("{run}/figures"), &["losses.png", "gradcam.png", "network.png"]);
        let (resumed, owned) = (at(kind), sets(small));
        let more: Vec<&str> = owned.iter().flat_map(|set| ["--set", set]).chain(["--seed", "3"]).collect();
        killed_and_resumed(&base, &resumed, &more);
        let model = |dir: &str| std::fs::read(format!("{dir}/model.safetensors")).expect("a model");
        assert!(model(&run) == model(&resumed), "{kind}: other weights after an interruption");

        works(&["evaluate", "--model", &run]);
        let said = works(&["predict", "--model", &run, &strip, "--json"]);
        assert_eq!(json(said.as_bytes())["logits"].as_array().map(Vec::len), Some(4), "{said}");
        let maps = at(&format!("{kind}-maps"));
        let said = works(&["explain", "--model", &run, &strip, "--out", &maps, "--layer", layer, "--json"]);
        let named = if layer == "last" { "blocks.1" } else { layer };
        assert_eq!(json(said.as_bytes())["layer"], named, "{said}");
        there(&maps, &["strip.npy", "strip.png"]);
        works(&["figures", &run, "--out", &at(&format!("{kind}-figures")), "--format", "svg"]);
        works(&["report", &run, "--out", &at(&format!("{kind}.html"))]);
        let model = at(&format!("{kind}.safetensors"));
        works(&["export", "--model", &run, "--out", &model]);
        assert!(works(&["predict", "--model", &model, &strip]).contains("strip"));
        works(&["export", "--model", &run, "--out", &at(&format!("{kind}.onnx"))]);
        works(&[&["train", &base, "--dry-run"], &more[..]].concat());
    }
    fails(&["train", "--set", "network.kind=vgg"], 1, &["network.kind", "\"vgg\"", "resnet1d", "HINT"]);
    fails(
        &["train", "--set", "network.kind=cnn", "--set", "network.filters=3"],
        1,
        &["network.filters: found a key of kind inceptiontime", "of kind cnn: "],
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
    assert!(SMALL.iter().all(|(kind, _, _)| all.contains(kind)) && all.len() == SMALL.len() + 1, "{all:?}");
}
