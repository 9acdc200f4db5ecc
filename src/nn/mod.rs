//! EXGnet and what it is made of: [`config`] (sizes and presets), [`layers`], [`params`] (named leaves in one flat
//! buffer), [`exgnet`] (the network), [`optim`] (Adam, schedule), [`model_file`] (safetensors).

pub mod config;
pub mod exgnet;
pub mod layers;
pub mod model_file;
pub mod optim;
pub mod params;

pub use config::NetworkConfig;
pub use exgnet::{Exgnet, Output};
pub use layers::Mode;
pub use model_file::{ModelFile, ModelInfo};
pub use optim::{Optimizer, learning_rate};
