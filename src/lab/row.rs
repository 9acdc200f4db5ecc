//! What was measured of an operation: a row of a table, with its kernels.

use super::ceilings::{Bound, Ceilings};
use super::counts::Counts;
use super::gate::Mismatch;
use super::measure::Arm;
use super::operations::Shape;
use super::read::number;
use super::statistics::{SpeedUp, Spread};
use super::workloads::Workload;
use serde::{Deserialize, Serialize};

/// What became of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Its values are right, and it was timed.
    #[serde(rename = "ok")]
    Right,
    /// Its values are wrong: it has no time.
    #[serde(rename = "WRONG")]
    Wrong,
    /// It does not compile, or the device refuses it; the note says why.
    #[serde(rename = "FAILED")]
    Failed,
    /// It was not run; the note says why.
    #[serde(rename = "not run")]
    NotRun,
}

impl Status {
    /// Whether somebody has to mend something.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Wrong | Self::Failed)
    }
}

/// A kernel of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kernel {
    /// File, entry point and constants.
    pub kernel: String,
    /// Dispatches.
    pub dispatches: usize,
    /// Threads of all of them.
    pub threads: usize,
    /// A hash of its expanded text and its constants.
    pub hash: String,
    /// What its text holds; `None` where naga cannot say.
    #[serde(rename = "static", skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
}

/// Operations that were measured together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// Adapter and driver; empty in files that do not say.
    pub adapter: String,
    /// Its ceilings.
    pub ceilings: Ceilings,
    /// The operations.
    pub rows: Vec<Row>,
}

/// A row of the table. Files are read as far as they go: numbers that they lack are not numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// Layer of a network, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// Name of the operation.
    pub operation: String,
    /// Operation and sizes for people.
    pub title: String,
    /// Sizes; a batch of 0 where a file does not say.
    pub shape: Shape,
    /// What was asked for: a version's name, or `default`.
    pub variant: String,
    /// The version that ran, `04_subgroup_shuffle`; several where kernels have different ones.
    pub version: String,
    /// Number of a version that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// What changed in it against the version before.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub change: String,
    /// Whether the rest has a meaning.
    pub status: Status,
    /// Why it was not run.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What is wrong with its values.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub wrong: Option<Mismatch>,
    /// Largest error against f64, relative to the largest value.
    #[serde(deserialize_with = "number")]
    pub error: f64,
    /// Device time, ms.
    pub ms: Option<Spread>,
    /// Rounds in which it was timed.
    pub rounds: usize,
    /// Floating-point operations of the direct computation.
    #[serde(deserialize_with = "number")]
    pub flops: f64,
    /// Bytes that must be read and written at least.
    #[serde(deserialize_with = "number")]
    pub bytes: f64,
    /// Operations per byte of these.
    #[serde(deserialize_with = "number")]
    pub intensity: f64,
    /// 1e9 of the operations per second.
    #[serde(deserialize_with = "number")]
    pub gflops: f64,
    /// 1e9 of the bytes per second.
    #[serde(deserialize_with = "number")]
    pub gb_per_s: f64,
    /// Which ceiling binds.
    pub bound: Bound,
    /// Share of that ceiling, median over the rounds.
    #[serde(deserialize_with = "number")]
    pub share: f64,
    /// Dispatches of a run.
    pub dispatches: usize,
    /// Threads of all of them.
    pub threads: usize,
    /// What the first run took beyond the others, ms: compilation (little where the driver has it in its cache).
    #[serde(deserialize_with = "number")]
    pub compile_ms: f64,
    /// Its kernels.
    #[serde(skip_deserializing)]
    pub kernels: Vec<Kernel>,
    /// Median of the times of the first version that was timed divided by its own, round by round.
    #[serde(deserialize_with = "number")]
    pub times_faster: f64,
    /// Against a reference, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub against: Option<SpeedUp>,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            layer: None,
            operation: String::new(),
            title: String::new(),
            shape: Shape { batch: 0, ..Shape::default() },
            variant: String::new(),
            version: String::new(),
            number: None,
            change: String::new(),
            // earlier files hold only what was measured
            status: Status::Right,
            note: String::new(),
            wrong: None,
            error: f64::NAN,
            ms: None,
            rounds: 0,
            flops: f64::NAN,
            bytes: f64::NAN,
            intensity: f64::NAN,
            gflops: f64::NAN,
            gb_per_s: f64::NAN,
            bound: Bound::Arithmetic,
            share: f64::NAN,
            dispatches: 0,
            threads: 0,
            compile_ms: f64::NAN,
            kernels: Vec::new(),
            times_faster: f64::NAN,
            against: None,
        }
    }
}

impl Row {
    pub(super) fn new(workload: &Workload, arm: &Arm) -> Self {
        let [flops, bytes] = workload.cost();
        let version = arm.version.as_ref();
        Self {
            layer: workload.layer.clone(),
            operation: workload.operation.name.to_owned(),
            title: workload.title(),
            shape: workload.shape,
            variant: arm.name.clone(),
            version: version.map_or_else(String::new, |v| v.label()),
            number: version.map(|v| v.number),
            change: version.map_or_else(String::new, |v| v.change.clone()),
            status: Status::NotRun,
            flops,
            bytes,
            intensity: flops / bytes,
            ..Self::default()
        }
    }

    /// Whether it runs the same texts as another one, with the same constants.
    pub fn same_texts(&self, other: &Self) -> bool {
        self.kernels.iter().map(|k| &k.hash).eq(other.kernels.iter().map(|k| &k.hash))
    }

    /// The static counts of all its kernels.
    pub fn counts(&self) -> Counts {
        let mut all = Counts::default();
        self.kernels.iter().filter_map(|k| k.counts).for_each(|c| all += c);
        all
    }
}
