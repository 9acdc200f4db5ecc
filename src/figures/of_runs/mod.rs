//! Figures of runs, by kind.

pub(super) mod explained;
pub(super) mod features;
pub(super) mod scores;
