//! The engine and its kernels. A file a subject.

#[path = "../common/mod.rs"]
mod common;

mod bench;
mod checks;
mod errors;
mod estimate;
mod examples;
mod folding;
mod guidance;
mod half;
mod layers;
mod library;
mod memory;
mod misuse;
mod onnx;
mod optimizer;
mod own_version;
mod replay;
mod tensor_methods;
mod torch_goldens;
mod tuning;
