//! EXGnet and what it is made of: [`config`] (sizes and presets), [`layers`], [`params`] (named leaves in one flat
//! buffer, and the builder that hands out layers), [`network`] (EXGnet), `fold` (its blocks in evaluation), [`optim`] (Adam, schedule), [`model_file`] (safetensors).

mod accumulate;
pub mod config;
mod conv1d;
mod dropout;
mod fold;
mod groups;
pub mod layers;
mod loader;
pub mod model_file;
pub mod network;
pub mod optim;
mod optimizer_file;
mod parameter;
pub mod params;
mod tensor_file;

pub use accumulate::Accumulator;
pub use config::NetworkConfig;
pub use groups::Group;
pub use layers::{Added, BatchNorm, Conv1d, ConvOptions, Dropout, Kept, Linear, Mode, Padding};
pub use loader::{Batch, Loader, LoaderState};
pub use model_file::{ModelFile, ModelInfo};
pub use network::{Exgnet, Output};
pub use optim::{Optimizer, learning_rate};
pub use parameter::Parameter;
pub use params::{Init, ParamBuilder, Params};
pub use tensor_file::TensorFile;
