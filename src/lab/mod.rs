//! Measurements: [`profile`], where a training step goes; [`measure`], one operation ([`subjects`]) in its versions beside the
//! adapter's ceilings ([`ceilings`]); [`tune`], which version and settings suit a shape; [`suite`], all of it for the tables, beside
//! other engines ([`peers`]).

pub mod ceilings;
pub mod check;
pub mod measure;
pub mod peers;
pub mod profile;
pub mod statistics;
pub mod subjects;
pub mod suite;
pub mod tune;

pub use statistics::{Interval, SpeedUp};

use serde::Serialize;

/// Median, smallest and largest of several times, ms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// Smallest.
    pub low: f64,
    /// Largest.
    pub high: f64,
}

impl Spread {
    /// Of at least one time.
    pub fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let n = times.len();
        let median = 0.5 * (times[(n - 1) / 2] + times[n / 2]);
        Self { median, low: times[0], high: times[n - 1] }
    }
}
