//! The ONNX file of a network: its structure, and its logits by an executor of its own in f64. `tests/interop/check.sh`
//! puts the same file before onnxruntime.

use crate::common::engine::gpu;
use crate::common::onnx::{Array, Model as Onnx};
use crate::common::{exgnet, fails, json, path, text, train};
use exgnet::ecg::{LoadOptions, zscore};
use exgnet::nn::network::expected_tensors;
use exgnet::nn::{Mode, Model, ModelFile, ModelInfo, NetworkConfig};
use exgnet::onnx::{CLEANED_INPUT, CONSTANTS, INPUT, OUTPUTS, bytes};
use exgnet::tensor::Tensor;
use std::collections::BTreeMap;
use std::path::Path;

const SAMPLES: usize = 203;

/// A network whose every value differs from what a fresh one has: running estimates too.
fn model(config: &str) -> ModelFile {
    let config = NetworkConfig::from_json(config).expect("a network");
    let net = Model::new(gpu(), &config, 3, false, 7).expect("a network");
    let stir = |name: &str, i: usize, v: f32| {
        let wave = ((i * 37 + name.len() * 11) % 23) as f32 / 23.0;
        match name {
            n if n.ends_with("running_var") => 0.3 + 2.0 * wave,
            n if n.ends_with("running_mean") => wave - 0.5,
            n if n.contains("bn.") => v + 0.4 * wave,
            _ => v,
        }
    };
    let read = net.params().read().expect("read back");
    let values: BTreeMap<String, Vec<f32>> = read
        .into_iter()
        .map(|(name, _, v)| (name.clone(), v.into_iter().enumerate().map(|(i, v)| stir(&name, i, v)).collect()))
        .collect();
    let info = ModelInfo {
        config,
        classes: ["SR", "AF", "odd \"name\""].map(String::from).to_vec(),
        preprocessing: LoadOptions { fs: 101.5, seconds: 2.0, ..LoadOptions::default() }.preprocessing(),
        features: None,
        trained_on: None,
    };
    assert_eq!(info.samples(), SAMPLES);
    ModelFile { info, assumed: Vec::new(), train_only: false, values }
}

/// Strips in no unit of the network's: an offset and a scale of their own.
fn strips(n: usize) -> Vec<Vec<f32>> {
    let value = |r: usize, i: usize| {
        let t = i as f32;
        (0.1 * t).sin() + (0.013 * t * (1 + r) as f32).cos() + ((i * i * (r + 3)) % 29) as f32 / 20.0
    };
    (0..n).map(|r| (0..SAMPLES).map(|i| 40.0 * r as f32 + 3.0 * value(r, i)).collect()).collect()
}

/// Logits of the engine.
fn logits(model: &ModelFile, strips: &[Vec<f32>]) -> Vec<f32> {
    let mut x = strips.to_vec();
    x.iter_mut().for_each(|strip| zscore(strip));
    let x = Tensor::from_f32(gpu(), &[strips.len(), 1, SAMPLES], &x.concat()).expect("uploaded");
    let net = model.network(gpu()).expect("a network");
    net.forward(&x, &Mode::EVAL).expect("forward").logits.to_vec().expect("read back")
}

const NETWORKS: [&str; 3] = [
    r#"{"stem_channels": 5, "widths": [7, 7, 9], "strides": [1, 2, 3], "dilations": [1, 2, 4], "kernels": [3, 8, 11]}"#,
    r#"{"kind": "cascade", "kernels": 16, "stem_channels": 6, "stem_kernel": 10, "widths": [6, 8], "strides": [1, 2],
        "se_reduction": 2, "head": "mlp", "head_hidden": 5, "dilations": [1, 3, 1]}"#,
    r#"{"stem_channels": 4, "widths": [4], "strides": [1], "kernels": [1, 1, 2]}"#,
];

/// Networks of other kinds.
const OTHERS: [&str; 3] = [
    r#"{"kind": "resnet1d", "widths": [5, 5, 7], "strides": [1, 2, 2], "kernels": [8, 3], "stem_stride": 2}"#,
    r#"{"kind": "inceptiontime", "filters": 3, "depth": 4, "kernels": [12, 7, 4]}"#,
    r#"{"kind": "cnn", "widths": [5, 7], "strides": [2, 1], "kernel": 6}"#,
];

#[test]
fn the_graph_gives_the_engine_s_logits() {
    for (config, half) in NETWORKS.iter().chain(&OTHERS).flat_map(|c| [(c, false), (c, true)]) {
        let mut model = model(config);
        let onnx = Onnx::read(&bytes(&model, half, false).expect("a file"));
        if half {
            // what the file holds is what the engine computes with
            for (name, array) in onnx.initializers.iter().filter(|(name, _)| !CONSTANTS.contains(&name.as_str())) {
                let stored: Vec<f32> = array.values.iter().map(|&v| v as f32).collect();
                model.values.insert(name.clone(), stored);
            }
        }
        for batch in [1, 5] {
            let strips = strips(batch);
            let own = logits(&model, &strips);
            let values = strips.concat().into_iter().map(f64::from).collect();
            let all = onnx.run(Array { shape: vec![batch, 1, SAMPLES], values });
            let [found, probabilities] = OUTPUTS.map(|name| &all[name]);
            assert_eq!((&found.shape, &probabilities.shape), (&vec![batch, 3], &vec![batch, 3]));
            let worst = found.values.iter().zip(&own).map(|(a, &b)| (a - f64::from(b)).abs()).fold(0.0, f64::max);
            println!("{config}, half {half}, batch {batch}: logits differ by {worst:.1e}");
            assert!(worst < 1e-4, "{config}, half {half}, batch {batch}: {worst}");
            assert!(own.iter().any(|v| v.abs() > 0.05), "{own:?}");
            assert!(probabilities.values.chunks(3).all(|p| (p.iter().sum::<f64>() - 1.0).abs() < 1e-12));
        }
    }
}

#[test]
fn strips_far_from_zero_are_z_scored_in_floats() {
    let onnx = Onnx::read(&bytes(&model(NETWORKS[2]), false, false).expect("a file"));
    // counts with an offset, and leads that hardly move: rounding to a float shifts the mean by a share of their size
    // and strips in V or nV
    for (offset, size) in [(32768.0, 20.0), (3000.0, 0.01), (-3.0, 1e-5), (1e-3, 1e-3), (0.0, 1e-9), (0.0, 1e6)] {
        let strip: Vec<f32> = strips(1)[0].iter().map(|v| offset + size * v).collect();
        let values = strip.iter().map(|&v| f64::from(v)).collect();
        let all = onnx.run_rounded(Array { shape: vec![1, 1, SAMPLES], values }, |v| f64::from(v as f32));
        let mut own = strip;
        zscore(&mut own);
        let pairs = all["zscore"].values.iter().zip(&own);
        let worst = pairs.map(|(a, &b)| (a - f64::from(b)).abs()).fold(0.0, f64::max);
        println!("offset {offset}, size {size}: z-scores differ by {worst:.1e}");
        assert!(worst < 2e-6, "offset {offset}, size {size}: {worst}");
    }
}

#[test]
fn a_flat_strip_has_z_scores_near_zero() {
    let onnx = Onnx::read(&bytes(&model(NETWORKS[2]), false, false).expect("a file"));
    for value in [0.0, 0.1_f32, -3000.0, 1e-9] {
        let values = vec![f64::from(value); SAMPLES];
        let all = onnx.run_rounded(Array { shape: vec![1, 1, SAMPLES], values }, |v| f64::from(v as f32));
        let worst = all["zscore"].values.iter().map(|v| v.abs()).fold(0.0, f64::max);
        assert!(worst < 1e-3, "{value}: {worst}");
    }
}

#[test]
fn a_model_of_cleaned_strips_says_so_or_is_not_exported() {
    let mut model = model(NETWORKS[2]);
    assert!(bytes(&model, false, true).expect_err("raw strips").to_string().contains("clean"));
    model.info.preprocessing.clean = true;
    let said = bytes(&model, false, false).expect_err("cleaned strips").to_string();
    assert!(said.contains("clean true") && said.contains("--input cleaned"), "{said}");
    let onnx = Onnx::read(&bytes(&model, false, true).expect("a file"));
    assert_eq!(onnx.inputs[0].0, CLEANED_INPUT);
    assert_eq!((onnx.metadata["clean"].as_str(), onnx.metadata["mains"].as_str()), ("true", "50"));
    assert!(onnx.metadata["input"].contains("cleaned"), "{}", onnx.metadata["input"]);
}

#[test]
fn the_graph_is_the_network() {
    for (config, half) in NETWORKS.iter().flat_map(|c| [(c, false), (c, true)]) {
        let model = model(config);
        let onnx = Onnx::read(&bytes(&model, half, false).expect("a file"));
        assert_eq!(onnx.opset, 17);
        let classes = "3".to_string();
        assert_eq!(onnx.inputs, [(INPUT.into(), vec!["batch".into(), "1".into(), SAMPLES.to_string()])]);
        assert_eq!(onnx.outputs, OUTPUTS.map(|name| (name.into(), vec!["batch".into(), classes.clone()])));
        // initialisers are the parameters, by name and shape, in 16 bits where they are to be
        let expected: BTreeMap<_, _> = expected_tensors(&model.info.config, 3, false).into_iter().collect();
        let own = |name: &&String| !CONSTANTS.contains(&name.as_str());
        let found: BTreeMap<_, _> =
            onnx.initializers.iter().filter(|(n, _)| own(n)).map(|(n, a)| (n.clone(), a.shape.clone())).collect();
        assert_eq!(found, expected);
        for (name, shape) in &expected {
            assert_eq!(onnx.types[name], if half && shape.len() > 1 { 10 } else { 1 }, "{name}");
            let exact =
                onnx.initializers[name].values.iter().zip(&model.values[name]).all(|(a, &b)| *a == f64::from(b));
            assert!(exact || onnx.types[name] == 10, "{name}");
        }
        // every operator as often as the network has it
        let config = &model.info.config;
        let count = |op: &str| onnx.nodes.iter().filter(|n| n.op == op).count();
        let weights = |part: &str| expected.keys().filter(|n| n.ends_with(part)).count();
        let (blocks, squeezed) = (
            config.exgnet().map_or(0, |sizes| sizes.widths.len()),
            config.exgnet().is_some_and(|sizes| sizes.se_reduction > 0),
        );
        assert_eq!(count("Conv"), expected.values().filter(|s| s.len() == 3).count());
        assert_eq!(count("BatchNormalization"), weights("running_var"));
        assert_eq!((count("Concat"), count("MaxPool"), count("Softmax")), (blocks, 1, 1));
        assert_eq!(count("Gemm"), expected.values().filter(|s| s.len() == 2).count());
        assert_eq!(count("Sigmoid"), if squeezed { blocks } else { 0 });
        assert_eq!(count("Cast"), if half { count("Conv") + count("Gemm") } else { 0 });
        for key in
            ["format", "config", "classes", "scheme", "fs", "seconds", "lead", "clean", "mains", "detector", "input"]
        {
            assert!(onnx.metadata.contains_key(key), "{key}");
        }
        assert_eq!(serde_json::from_str::<Vec<String>>(&onnx.metadata["classes"]).expect("a list"), model.info.classes);
        assert_eq!(NetworkConfig::from_json(&onnx.metadata["config"]).expect("a table"), model.info.config);
        assert_eq!(onnx.metadata["fs"], "101.5");
    }
}

#[test]
fn weights_that_16_bits_cannot_hold_are_reported() {
    let mut model = model(NETWORKS[2]);
    // a variance of any size stays in 32 bits
    model.values.get_mut("stem.bn.running_var").expect("there")[0] = 1e9;
    assert!(bytes(&model, true, false).is_ok());
    model.values.get_mut("head.weight").expect("there")[3] = -7e4;
    let said = bytes(&model, true, false).expect_err("too large").to_string();
    for word in ["head.weight", "-70000", "65504", "HINT", "--half"] {
        assert!(said.contains(word), "{said}");
    }
    assert!(bytes(&model, false, false).is_ok());
}

#[test]
fn exported_from_the_command_line() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    let run = at("run");
    train(Path::new(&run), &[]);
    let export = |out: &str, more: &[&str]| {
        let done = exgnet(&[&["export", "--model", &run, "--out", out][..], more].concat());
        assert!(done.status.success(), "{}", text(&done.stderr));
        std::fs::read(out).expect("written")
    };
    // by its name, by its format, by the short form: the same bytes
    let onnx = export(&at("a.onnx"), &[]);
    assert!(export(&at("b.ONNX"), &[]) == onnx && export(&at("c"), &["--format", "onnx"]) == onnx);
    assert!(export(&at("d"), &["--onnx"]) == onnx);
    let file = export(&at("e.onnx"), &["--format", "safetensors"]);
    assert!(file[8] == b'{' && file == export(&at("f.safetensors"), &[]));
    fails(&["export", "--model", &run, "--out", &at("g"), "--onnx", "--format", "onnx"], 2, &["--format"]);
    fails(&["predict", "--model", &at("a.onnx"), "x.npy"], 1, &["a.onnx", "an ONNX file"]);

    // what it says is what predict says of the same strip
    let strip: Vec<f64> = (0..400).map(|i| (f64::from(i) * 0.4).sin() + f64::from(i % 90) / 50.0).collect();
    std::fs::write(at("strip.txt"), strip.iter().map(|v| format!("{v}\n")).collect::<String>()).expect("written");
    let half = export(&at("half.onnx"), &["--half"]);
    export(&at("half.safetensors"), &["--half"]);
    // names and nodes outweigh the weights of so small a network
    assert!(half.len() + 1000 < onnx.len(), "{} of {}", half.len(), onnx.len());
    for (bytes, model) in [(&onnx, &run), (&half, &at("half.safetensors"))] {
        let out = exgnet(&["predict", "--model", model, &at("strip.txt"), "--json"]);
        assert!(out.status.success(), "{}", text(&out.stderr));
        let own = json(&out.stdout);
        let values = strip.iter().map(|&v| f64::from(v as f32)).collect();
        let all = Onnx::read(bytes).run(Array { shape: vec![1, 1, 400], values });
        for (i, v) in all["logits"].values.iter().enumerate() {
            assert!((v - own["logits"][i].as_f64().expect("a number")).abs() < 1e-4, "{model}: {own}");
        }
    }
}
