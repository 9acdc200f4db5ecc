//! Figures of runs, by kind.

pub(super) mod classification;
pub(super) mod training;
