//! Networks and what they are made of: [`network`] (what all have), [`models`] (one file each), [`config`] (kinds, sizes,
//! presets), [`mod@outline`] (shapes and sizes, found by running one), [`graph`] (the operations of the last block), [`layers`],
//! [`params`] (named leaves in one flat buffer, and the builder that hands out layers), `fold` (convolutions in evaluation),
//! [`optim`] (optimisers, schedule), [`model_file`] (safetensors).
//!
//! May use: `autograd`, `ecg`, `error`, `files`, `gpu`, `ops`, `tensor`.

mod accumulate;
pub mod config;
mod conv1d;
mod dropout;
mod embedding;
mod fold;
pub mod graph;
mod groups;
mod layer_norm;
pub mod layers;
mod loader;
#[cfg(feature = "app")]
pub mod model_file;
pub mod models;
pub mod network;
pub mod optim;
mod optimizer_file;
pub mod outline;
mod parameter;
pub mod params;
mod tensor_file;

pub use accumulate::Accumulator;
pub use config::NetworkConfig;
pub use graph::Graph;
pub use groups::Group;
pub use layers::{
    Added, BatchNorm, Conv1d, ConvOptions, Dropout, Embedding, LayerNorm, Linear, Mode, Padding, PreDropout,
};
pub use loader::{Batch, Loader, LoaderState};
#[cfg(feature = "app")]
pub use model_file::{ModelFile, ModelInfo};
pub use network::{Model, Network, Output};
pub use optim::{Optimizer, learning_rate};
pub use outline::{Outline, Part};
pub use parameter::Parameter;
pub use params::{Init, ParamBuilder, Params};
pub use tensor_file::TensorFile;
