//! Measurements: [`profile`], where a training step goes; [`measure`], one of the [`operations`] in its versions beside the
//! adapter's ceilings ([`ceilings`]); [`tune`], which version and settings suit a shape; [`suite`], all of it for the tables, beside
//! other engines ([`peers`]).

pub mod ceilings;
pub mod check;
pub mod counts;
pub mod gate;
pub mod ladder;
pub mod measure;
pub mod operations;
pub mod peers;
pub mod profile;
pub(crate) mod read;
mod row;
pub mod statistics;
pub mod subjects;
pub mod suite;
pub mod tune;

pub use statistics::{Interval, SpeedUp, Spread};
