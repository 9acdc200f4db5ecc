//! The ladder of a family: its versions in their order at one shape, with what each step changed and what it brought.

use super::ceilings::{Bound, Ceilings};
use super::measure::{Arm, Row, Status, Timing, measure};
use super::operations::{Operation, Shape};
use super::read::list;
use super::statistics::Spread;
use super::workloads::Workload;
use crate::error::Result;
use crate::gpu::Gpu;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The versions of a kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ladder {
    /// The operation.
    pub operation: String,
    /// Operation and sizes for people.
    pub name: String,
    /// Sizes.
    #[serde(default)]
    pub shape: Shape,
    /// What the adapter's kernels reach at most, in the same rounds.
    #[serde(default)]
    pub ceilings: Ceilings,
    /// Which of them binds at this shape.
    #[serde(default)]
    pub bound: Bound,
    /// The version that the adapter takes, or its tuning table.
    #[serde(default)]
    pub default: String,
    /// The versions.
    #[serde(deserialize_with = "list")]
    pub rungs: Vec<Rung>,
}

/// A version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// Its name.
    pub name: String,
    /// What was measured.
    #[serde(flatten)]
    pub row: Row,
}

/// Ladders of a family's operations on an adapter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Adapter and driver; empty in files that do not say.
    pub adapter: String,
    /// The family.
    pub family: String,
    /// One for each operation.
    #[serde(deserialize_with = "list")]
    pub ladders: Vec<Ladder>,
}

/// Measures all versions of the kernels of an operation, lowest number first, and what the adapter takes. Wrong values are no
/// error but a rung that says so.
pub fn ladder(gpu: &Gpu, operation: &'static Operation, shape: Shape, timing: &Timing) -> Result<Ladder> {
    let workload = Workload::new(gpu, operation, shape)?;
    let name = workload.title();
    let mut arms: Vec<Arm> = operation.versions(gpu).map(|v| Arm::forced(gpu, v)).collect();
    arms.push(Arm::usual(gpu));
    let (ceilings, mut rows) = measure(&[(workload, arms)], None, timing)?;
    let default = rows.pop().map(|row| row.version).unwrap_or_default();
    let rungs: Vec<Rung> = rows.into_iter().map(|row| Rung { name: row.variant.clone(), row }).collect();
    let bound = rungs.first().map_or(Bound::Arithmetic, |r| ceilings.least([r.row.flops, r.row.bytes]).1);
    Ok(Ladder { operation: operation.name.to_owned(), name, shape, ceilings, bound, default, rungs })
}

impl Rung {
    /// Its cells: ms, GFLOP/s, GB/s, share, error, times faster, what changed.
    pub fn cells(&self) -> [String; 7] {
        let r = &self.row;
        let number = |v: f64, digits: usize| if v.is_finite() { format!("{v:.digits$}") } else { "-".to_owned() };
        let ms = r.ms.map_or_else(|| self.status(), |ms: Spread| format!("{:.3}", ms.median));
        [
            ms,
            number(r.gflops, 1),
            number(r.gb_per_s, 1),
            if r.share.is_finite() { format!("{:.0} %", 100.0 * r.share) } else { "-".to_owned() },
            if r.error.is_finite() { format!("{:.1e}", r.error) } else { "-".to_owned() },
            number(r.times_faster, 2),
            r.change.clone(),
        ]
    }

    /// What it has in the place of a time.
    pub fn status(&self) -> String {
        match self.row.status {
            Status::Right => "ok",
            Status::Wrong => "WRONG",
            Status::Failed => "FAILED",
            Status::NotRun => "not run",
        }
        .to_owned()
    }

    /// Why it has no time.
    pub fn reason(&self) -> String {
        let note = self.row.note.lines().next().unwrap_or_default();
        self.row.wrong.as_ref().map_or_else(|| note.to_owned(), ToString::to_string)
    }
}

impl Ladder {
    /// What was measured and beside what, in a sentence.
    pub fn about(&self) -> String {
        let Ceilings { gflops, gb_per_s } = self.ceilings;
        let bound = match self.bound {
            Bound::Arithmetic => "multiply-adds bind",
            Bound::Memory => "copy binds",
        };
        let intensity = self.rungs.first().map_or(f64::NAN, |r| r.row.intensity);
        format!(
            "{}: ceilings {gflops:.1} GFLOP/s of multiply-adds, {gb_per_s:.1} GB/s of a copy; at {intensity:.1} FLOP a byte the \
             {bound}; this adapter takes {}",
            self.name, self.default
        )
    }

    /// A Markdown table.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "{}.\n\n| version | what changed | ms | GFLOP/s | GB/s | of the ceiling | error | times faster |\n\
             |---|---|---:|---:|---:|---:|---:|---:|\n",
            self.about()
        );
        for rung in &self.rungs {
            let [ms, gflops, gb_per_s, share, error, faster, change] = rung.cells();
            let reason = rung.reason();
            let change = if reason.is_empty() { change } else { format!("{change} ({reason})") };
            // writing into a String cannot fail
            let _ = writeln!(
                text,
                "| {} | {} | {ms} | {gflops} | {gb_per_s} | {share} | {error} | {faster} |",
                rung.row.version,
                change.replace('|', "\\|")
            );
        }
        text
    }
}

impl Report {
    /// All tables, and what their columns are.
    pub fn markdown(&self) -> String {
        let tables: Vec<String> = self.ladders.iter().map(Ladder::markdown).collect();
        format!(
            "{}\nms: median of the device time; share: of the ceiling that binds; error: largest, against f64, relative to \
             the largest value; times faster than the first version: median of the ratios round by round.\n",
            tables.join("\n")
        )
    }

    /// Rungs whose values are wrong, or that do not compile.
    pub fn bad(&self) -> usize {
        self.ladders.iter().flat_map(|l| &l.rungs).filter(|r| r.row.status.is_bad()).count()
    }

    /// A row for each rung.
    pub fn csv(&self) -> Vec<u8> {
        let heads = "operation,shape,number,version,status,ms,ms_p5,ms_p95,ms_min,gflops,gb_per_s,bound,share,error,times_faster,\
                     rounds,dispatches,threads,compile_ms,loads,stores,shared,multiply_adds,shuffles,barriers,change,note";
        let number = |v: f64| if v.is_finite() { v.to_string() } else { String::new() };
        let row = |(ladder, rung): (&Ladder, &Rung)| {
            let (r, c) = (&rung.row, rung.row.counts());
            let ms = |of: fn(&Spread) -> f64| r.ms.as_ref().map_or(String::new(), |ms| number(of(ms)));
            let counts = [c.loads, c.stores, c.shared, c.multiply_adds, c.shuffles, c.barriers];
            let mut cells = vec![
                ladder.operation.clone(),
                ladder.name.clone(),
                r.number.map_or(String::new(), |n| n.to_string()),
                rung.name.clone(),
                rung.status(),
                ms(|s| s.median),
                ms(|s| s.p5),
                ms(|s| s.p95),
                ms(|s| s.low),
                number(r.gflops),
                number(r.gb_per_s),
                ladder.bound.name().to_owned(),
                number(r.share),
                number(r.error),
                number(r.times_faster),
                r.rounds.to_string(),
                r.dispatches.to_string(),
                r.threads.to_string(),
                number(r.compile_ms),
            ];
            cells.extend(counts.map(|n| n.to_string()));
            cells.extend([r.change.clone(), rung.reason()]);
            cells
        };
        crate::files::csv(heads, self.ladders.iter().flat_map(|l| l.rungs.iter().map(move |r| (l, r))).map(row))
    }
}
