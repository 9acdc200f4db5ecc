//! Training: [`fit`] (the loop), [`step`] (one step of it), [`losses`], [`targets`], [`augment`], [`checkpoint`],
//! [`estimate`] (what a run will cost), [`batch_fit`] (which batch fits), [`sampler`] (what an epoch sees).
//!
//! May use: `autograd`, `ecg`, `error`, `eval`, `experiment`, `explain`, `files`, `gpu`, `nn`, `ops`, `run`, `tensor`.

pub mod augment;
pub mod batch_fit;
pub mod checkpoint;
pub mod estimate;
pub mod fit;
mod journal;
pub mod losses;
pub mod sampler;
pub mod step;
pub mod targets;

pub use fit::{Observer, Training};
pub use sampler::Sampler;
pub use targets::Targets;
