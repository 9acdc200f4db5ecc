//! Training: [`fit`] (the loop), [`step`] (one step of it), [`losses`], [`targets`], [`augment`], [`checkpoint`],
//! [`estimate`] (what a run will cost), [`room`] (which batch fits).

pub mod augment;
pub mod checkpoint;
pub mod estimate;
pub mod fit;
mod journal;
pub mod losses;
pub mod room;
pub mod step;
pub mod targets;

pub use fit::{Observer, Training};
pub use targets::Targets;
