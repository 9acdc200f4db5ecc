//! What the tests of the engine share: the device, small tensors, errors with their words.

#![allow(dead_code, reason = "each test file uses its own part")]

use exgnet::gpu::Gpu;
use exgnet::tensor::Tensor;
use exgnet::{Error, Result};
use std::sync::OnceLock;

pub fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::from_env().unwrap_or_else(|e| panic!("{e}")))
}

pub fn floats(shape: &[usize]) -> Tensor {
    Tensor::full(gpu(), shape, 0.5).expect("uploaded")
}

pub fn integers(shape: &[usize]) -> Tensor {
    Tensor::from_u32(gpu(), shape, &vec![1; shape.iter().product()]).expect("uploaded")
}

/// The message of an error about an operation's inputs, which has all of `words`.
#[track_caller]
pub fn says<T>(done: Result<T>, words: &[&str]) -> String {
    let Err(e) = done else { panic!("expected an error with {words:?}") };
    assert!(matches!(e, Error::Shape { .. } | Error::Config { .. }), "{e}");
    let said = e.to_string();
    assert!(said.contains("\nHINT: "), "{said}");
    words.iter().for_each(|word| assert!(said.contains(word), "no '{word}' in: {said}"));
    said
}
