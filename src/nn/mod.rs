//! EXGnet and what it is made of: [`config`] (sizes and presets), [`layers`], [`params`] (named leaves in one flat
//! buffer), [`network`] (EXGnet), `fold` (its blocks in evaluation), [`optim`] (Adam, schedule), [`model_file`] (safetensors).

pub mod config;
mod fold;
pub mod layers;
pub mod model_file;
pub mod network;
pub mod optim;
pub mod params;

pub use config::NetworkConfig;
pub use layers::{BatchNorm, Conv1d, Kept, Linear, Mode};
pub use model_file::{ModelFile, ModelInfo};
pub use network::{Exgnet, Output};
pub use optim::{Optimizer, learning_rate};
pub use params::{Init, ParamBuilder, Params};
