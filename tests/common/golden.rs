//! Golden files of PyTorch (`tests/goldens/torch`), and how far from them something is.

#![allow(dead_code, reason = "each test file uses its own part")]

pub use super::engine::gpu;
use exgnet::autograd::grad;
use exgnet::nn::network::expected_tensors;
use exgnet::nn::{Model, NetworkConfig};
use exgnet::ops;
use exgnet::tensor::Tensor;
use std::collections::BTreeMap;

/// A golden file: tensors as f64, and its metadata.
pub struct Golden {
    pub name: &'static str,
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f64>)>,
    pub metadata: std::collections::HashMap<String, String>,
}

impl Golden {
    pub fn open(name: &'static str) -> Self {
        let path = format!("{}/tests/goldens/torch/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let file = safetensors::SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let tensors = file
            .tensors()
            .into_iter()
            .map(|(n, view)| {
                let data = view.data();
                let values = match view.dtype() {
                    safetensors::Dtype::F64 => bytemuck::pod_collect_to_vec::<u8, f64>(data),
                    safetensors::Dtype::F32 => {
                        bytemuck::pod_collect_to_vec::<u8, f32>(data).into_iter().map(f64::from).collect()
                    }
                    safetensors::Dtype::I64 => {
                        bytemuck::pod_collect_to_vec::<u8, i64>(data).into_iter().map(|v| v as f64).collect()
                    }
                    other => panic!("{n}: {other:?}"),
                };
                (n, (view.shape().to_vec(), values))
            })
            .collect();
        Self { name, tensors, metadata: header.metadata().clone().unwrap_or_default() }
    }

    pub fn values(&self, key: &str) -> &[f64] {
        &self.tensors.get(key).unwrap_or_else(|| panic!("{}: no '{key}'", self.name)).1
    }

    pub fn f32(&self, key: &str) -> Vec<f32> {
        self.values(key).iter().map(|&v| v as f32).collect()
    }

    /// As a leaf on the device.
    pub fn leaf(&self, key: &str) -> Tensor {
        let shape = &self.tensors.get(key).unwrap_or_else(|| panic!("{}: no '{key}'", self.name)).0;
        Tensor::from_f32(gpu(), shape, &self.f32(key)).expect("uploaded").leaf()
    }

    pub fn labels(&self, key: &str) -> Tensor {
        let words: Vec<u32> = self.values(key).iter().map(|&v| v as u32).collect();
        Tensor::from_u32(gpu(), &[words.len()], &words).expect("uploaded")
    }

    pub fn json(&self, key: &str) -> serde_json::Value {
        serde_json::from_str(&self.metadata[key]).expect("JSON in the metadata")
    }
}

/// Largest `|a - b|` and a check against `atol + rtol |b|`, `rtol` also of the reference's largest magnitude.
pub struct Worst {
    pub what: &'static str,
    pub error: f64,
    pub ratio: f64,
    pub at: String,
}

impl Worst {
    pub fn new(what: &'static str) -> Self {
        Self { what, error: 0.0, ratio: 0.0, at: String::new() }
    }

    pub fn see(&mut self, label: &str, got: &[f32], reference: &[f64], atol: f64, rtol: f64) {
        assert_eq!(got.len(), reference.len(), "{} {label}: sizes", self.what);
        let scale = reference.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for (&a, &b) in got.iter().zip(reference) {
            let error = (f64::from(a) - b).abs();
            assert!(!error.is_nan(), "{} {label}: NaN", self.what);
            self.error = self.error.max(error);
            let ratio = error / (atol + rtol * b.abs().max(0.1 * scale));
            if ratio > self.ratio {
                (self.ratio, self.at) = (ratio, format!("{label}: {a} against {b}"));
            }
        }
    }

    pub fn tensor(&mut self, label: &str, got: &Tensor, golden: &Golden, atol: f64, rtol: f64) {
        self.see(label, &got.to_vec().expect("read back"), golden.values(label), atol, rtol);
    }

    pub fn done(self) {
        println!("{:<28} worst error {:.1e}, {:.3} of the tolerance ({})", self.what, self.error, self.ratio, self.at);
        assert!(self.ratio <= 1.0, "{}: {}", self.what, self.at);
    }
}

pub fn gradients(y: &Tensor, wrt: &[&Tensor], seed: Option<&Tensor>, create_graph: bool) -> Vec<Tensor> {
    let all = grad(y, wrt, seed, create_graph).expect("gradients");
    all.into_iter().map(|g| g.expect("it depends on each")).collect()
}

pub fn dot(a: &Tensor, b: &Tensor) -> Tensor {
    let flat = ops::reshape(&ops::mul(a, b).expect("same shape"), &[a.numel()]).expect("flat");
    ops::sum(&flat, &[0]).expect("sum")
}

pub fn network(g: &Golden) -> Model {
    let config = NetworkConfig::from_json(&g.metadata["config"]).expect("a network table");
    let expected = expected_tensors(&config, 4, true);
    let values = expected.iter().map(|(n, _)| (n.clone(), g.f32(n))).collect();
    Model::with_values(gpu(), &config, 4, true, 0, &values).expect("a network")
}
