//! Networks and what they are made of: [`network`] (what all have), [`models`] (one file each), [`config`] (kinds, sizes,
//! presets), [`mod@outline`] (shapes and sizes, found by running one), [`layers`], [`params`] (named leaves in one flat buffer), `fold` (convolutions in evaluation), [`optim`] (Adam,
//! schedule), [`model_file`] (safetensors).

pub mod config;
mod fold;
pub mod layers;
#[cfg(feature = "app")]
pub mod model_file;
pub mod models;
pub mod network;
pub mod optim;
pub mod outline;
pub mod params;

pub use config::NetworkConfig;
pub use layers::{BatchNorm, Conv1d, Kept, Linear, Mode};
#[cfg(feature = "app")]
pub use model_file::{ModelFile, ModelInfo};
pub use network::{Model, Network, Output};
pub use optim::{Optimizer, learning_rate};
pub use outline::{Outline, Part};
pub use params::{Init, ParamBuilder, Params};
