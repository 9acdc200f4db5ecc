//! Measurements: [`profile`], where a training step goes.

pub mod profile;
