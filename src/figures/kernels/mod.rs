//! Figures of the kernels, from what `exgnet bench --suite`, `exgnet bench --json` and `exgnet profile --json` write:
//! [`roofline`], [`variants`], [`step_share`], [`scaling`], and from `exgnet ladder`: [`ladder()`]. A part that a file does not have gives no figure; numbers that
//! are missing (`null`) are not drawn and counted in the caption.

mod families;
mod ladder;
mod marks;
mod read;
mod roofline;
mod scaling;
mod step_share;
mod variants;

pub use ladder::ladder;
pub use read::read;
pub use roofline::roofline;
pub use scaling::scaling;
pub use step_share::step_share;
pub use variants::variants;

use crate::figures::catalogue::{Draw, FIGURES, Kind};
use crate::plot::figure::Figure;
use crate::plot::style::Look;

/// Median, smallest and largest of several measurements; not a number where one is missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// Smallest.
    pub low: f64,
    /// Largest.
    pub high: f64,
}

/// What an adapter's own kernels reach at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceilings {
    /// Multiply-adds, 1e9 floating-point operations per second.
    pub gflops: f64,
    /// Bytes of a copy, 1e9 per second.
    pub gb_per_s: f64,
}

/// Sizes of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Records.
    pub batch: u64,
    /// Channels of the input.
    pub c_in: u64,
    /// Samples of the input.
    pub len: u64,
    /// Channels of the output.
    pub out: u64,
    /// Taps.
    pub k: u64,
    /// Stride.
    pub stride: u64,
    /// Dilation.
    pub dilation: u64,
}

/// One measured operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Layer of a network; empty if it is none.
    pub layer: String,
    /// Operation: `conv1d`, `conv1d_input_grad`, ...
    pub operation: String,
    /// Sizes.
    pub shape: Option<Shape>,
    /// Version of the kernel.
    pub variant: String,
    /// Its number in the family, where known.
    pub number: Option<u64>,
    /// Device time, ms.
    pub ms: Spread,
    /// 1e9 floating-point operations per second; not a number where unknown.
    pub gflops: f64,
    /// 1e9 bytes that must be moved, per second; not a number where unknown.
    pub gb_per_s: f64,
}

impl Row {
    /// Floating-point operations per byte that must be moved.
    pub fn intensity(&self) -> f64 {
        self.gflops / self.gb_per_s
    }

    /// The layer, or the sizes where there is none.
    fn name(&self) -> String {
        match self.shape {
            _ if !self.layer.is_empty() => self.layer.clone(),
            Some(s) => format!("{} k{}", sizes(&s), s.k),
            None => "unnamed".into(),
        }
    }
}

/// `128 × 157 to 86`, with the stride and the dilation if they are not 1.
fn sizes(s: &Shape) -> String {
    let more = |name: &str, v: u64| if v == 1 { String::new() } else { format!(", {name} {v}") };
    format!("{} × {} to {}{}{}", s.c_in, s.len, s.out, more("stride", s.stride), more("dilation", s.dilation))
}

/// Operations measured together.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Adapter and driver.
    pub adapter: String,
    /// Its ceilings.
    pub ceilings: Option<Ceilings>,
    /// The operations.
    pub rows: Vec<Row>,
}

/// Time of one kernel in a training step.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// Part of the step: `forward`, `loss`, `backward`, `optimizer`.
    pub phase: String,
    /// Shader, entry point and constants.
    pub name: String,
    /// Device time, ms.
    pub ms: f64,
}

/// A profiled training step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Adapter and driver.
    pub adapter: String,
    /// Records of a batch, where known.
    pub batch: Option<u64>,
    /// Samples of a strip, where known.
    pub samples: Option<u64>,
    /// Time of the step, ms.
    pub ms: Spread,
    /// Its kernels.
    pub kernels: Vec<Kernel>,
}

/// A step and an inference batch at one size.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaled {
    /// Records of a batch.
    pub batch: u64,
    /// Samples of a strip.
    pub samples: u64,
    /// A training step, ms.
    pub train: Spread,
    /// An inference batch, ms.
    pub infer: Spread,
}

/// A version of a ladder.
#[derive(Debug, Clone, PartialEq)]
pub struct Rung {
    /// Its number in the family.
    pub number: Option<u64>,
    /// Its name.
    pub name: String,
    /// What changed against the one before.
    pub change: String,
    /// Device time, ms: median, and where 5 % and 95 % of the rounds lie.
    pub ms: Spread,
    /// 1e9 floating-point operations per second; not a number where unknown.
    pub gflops: f64,
    /// 1e9 bytes that must be moved, per second; not a number where unknown.
    pub gb_per_s: f64,
    /// Times faster than the first.
    pub faster: f64,
    /// Its values are wrong.
    pub wrong: bool,
    /// Why it has no time.
    pub note: String,
}

/// The versions of a kernel at one shape, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Ladder {
    /// Adapter and driver.
    pub adapter: String,
    /// The operation.
    pub operation: String,
    /// Operation and sizes, for people.
    pub name: String,
    /// The copy is the ceiling that binds, not the multiply-adds: rates are GB/s.
    pub copies: bool,
    /// The ceiling that binds, in the same unit.
    pub ceiling: Option<f64>,
    /// The versions.
    pub rungs: Vec<Rung>,
}

/// All that figures of kernels are drawn from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KernelData {
    /// Adapter and driver; empty if the file does not say.
    pub adapter: String,
    /// Operations in the version that the adapter takes.
    pub layers: Option<Table>,
    /// Operations in several versions.
    pub variants: Option<Table>,
    /// Where a step goes.
    pub step: Option<Step>,
    /// Growth with the length of the strips.
    pub lengths: Vec<Scaled>,
    /// Growth with the batch.
    pub batches: Vec<Scaled>,
    /// Kernels version by version.
    pub ladders: Vec<Ladder>,
}

/// The figure of every ladder.
pub fn ladders(data: &KernelData, look: &Look) -> Vec<Figure<'static>> {
    data.ladders.iter().flat_map(|l| ladder(l, look)).collect()
}

/// Every figure that the data has enough for; none where all numbers are missing.
pub fn all(data: &KernelData, look: &Look) -> Vec<Figure<'static>> {
    let draw = |kind: &Kind| match kind.draw {
        Draw::Kernels(draw) => draw(data, look),
        Draw::Runs(_) => Vec::new(),
    };
    FIGURES.iter().flat_map(draw).collect()
}

/// The pass of a convolution as people call it; other operations keep their name.
fn pass(operation: &str) -> &str {
    match operation {
        "conv1d" => "forward",
        "conv1d_input_grad" => "input gradient",
        "conv1d_weight_grad" => "weight gradient",
        other => other,
    }
}

/// The passes of the rows, convolutions' first, each once.
fn passes<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for row in rows {
        if !found.contains(&row.operation) {
            found.push(row.operation.clone());
        }
    }
    let rank = |o: &String| ["conv1d", "conv1d_input_grad", "conv1d_weight_grad"].iter().position(|p| p == o);
    found.sort_by_key(|o| rank(o).unwrap_or(usize::MAX));
    found
}

/// A positive number of three digits.
fn three(v: f64) -> String {
    match v {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// Whether a rate or a time can be drawn on a logarithmic axis.
fn drawable(v: f64) -> bool {
    v.is_finite() && (1e-12..1e15).contains(&v)
}

/// `Adapter: ...` for a caption, if it is known.
fn adapter_note(adapter: &str) -> String {
    if adapter.trim().is_empty() { "Adapter not recorded.".into() } else { format!("Adapter: {}.", adapter.trim()) }
}

/// A sentence for a caption about `count` measurements that are not drawn.
fn missing_note(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " One measurement without numbers is not drawn.".into(),
        n => format!(" {n} measurements without numbers are not drawn."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_short() {
        assert_eq!([98.94, 117.2, 4.0_f64].map(three), ["98.9", "117", "4.00"]);
        let shape = Shape { batch: 32, c_in: 128, len: 157, out: 86, k: 21, stride: 2, dilation: 1 };
        assert_eq!(sizes(&shape), "128 × 157 to 86, stride 2");
        let spread = Spread { median: 1.0, low: 1.0, high: 1.0 };
        let row = |layer: &str, operation: &str| Row {
            layer: layer.into(),
            operation: operation.into(),
            shape: Some(shape),
            variant: "tile".into(),
            number: None,
            ms: spread,
            gflops: 60.0,
            gb_per_s: 0.5,
        };
        assert_eq!(
            (row("", "add").name(), row("stem", "add").name()),
            (format!("{} k21", sizes(&shape)), "stem".into())
        );
        assert_eq!(row("", "add").intensity(), 120.0);
        let rows = [row("", "matmul"), row("", "conv1d_weight_grad"), row("", "conv1d"), row("", "conv1d")];
        assert_eq!(passes(rows.iter()), ["conv1d", "conv1d_weight_grad", "matmul"]);
        assert!(drawable(1e-3) && ![0.0, -1.0, f64::NAN, f64::INFINITY, 1e300].into_iter().any(drawable));
    }

    #[test]
    fn nothing_gives_no_figure() {
        assert!(all(&KernelData::default(), &Look::default()).is_empty());
    }
}
