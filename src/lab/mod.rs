//! Measurements: [`profile`], where a training step goes; [`measure`], one of the [`operations`] in its versions beside the
//! adapter's ceilings ([`ceilings`]); [`tune`], which version and settings suit a shape; [`suite`], all of it for the tables, beside
//! other engines ([`peers`]); [`twins`], one network written with several of them; [`gpu_report`], the page about an adapter.
//!
//! May use: `autograd`, `error`, `experiment`, `files`, `gpu`, `nn`, `ops`, `tensor`, `train`.

#[cfg(feature = "app")]
pub mod ceilings;
pub mod check;
pub mod counts;
#[cfg(feature = "app")]
pub mod gate;
#[cfg(feature = "app")]
pub mod gpu_report;
#[cfg(feature = "app")]
pub mod groups;
#[cfg(feature = "app")]
pub mod ladder;
#[cfg(feature = "app")]
pub mod measure;
#[cfg(feature = "app")]
pub mod operations;
#[cfg(feature = "app")]
pub mod peers;
#[cfg(feature = "app")]
pub mod profile;
#[cfg(feature = "app")]
pub(crate) mod read;
#[cfg(feature = "app")]
mod row;
#[cfg(feature = "app")]
pub mod statistics;
#[cfg(feature = "app")]
pub mod suite;
#[cfg(feature = "app")]
pub mod tune;
#[cfg(feature = "app")]
pub mod twins;
#[cfg(feature = "app")]
pub mod workloads;

#[cfg(feature = "app")]
pub use statistics::{Interval, SpeedUp, Spread};
