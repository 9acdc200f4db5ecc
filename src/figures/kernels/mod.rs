//! Figures of the kernels, from what `exgnet bench --suite`, `exgnet bench --json` and `exgnet profile --json` write:
//! [`roofline`], [`variants`], [`step_share`], [`scaling`], and from `exgnet ladder`: [`ladder()`]. A part that a file does not have gives no figure; numbers that
//! are missing (`null`) are not drawn and counted in the caption.

mod families;
mod ladder;
pub(super) mod marks;
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

use crate::lab::ladder::Ladder;
use crate::lab::measure::{Row, Table};
use crate::lab::operations::Shape;
use crate::lab::profile::Profile;
use crate::lab::suite::Scaled;
use crate::plot::figure::Figure;
use crate::plot::style::Look;

/// Floating-point operations per byte that must be moved, as the rates say.
fn intensity(row: &Row) -> f64 {
    row.gflops / row.gb_per_s
}

/// The layer, if the operation is one's.
fn layer(row: &Row) -> Option<&str> {
    row.layer.as_deref().filter(|layer| !layer.is_empty())
}

/// The layer, or the sizes where there is none.
fn name(row: &Row) -> String {
    match layer(row) {
        Some(layer) => layer.to_owned(),
        None if row.shape.batch > 0 => format!("{} k{}", sizes(&row.shape), row.shape.k),
        None => "unnamed".into(),
    }
}

/// `128 × 157 to 86`, with the stride and the dilation if they are not 1.
fn sizes(s: &Shape) -> String {
    let more = |name: &str, v: usize| if v == 1 { String::new() } else { format!(", {name} {v}") };
    format!("{} × {} to {}{}{}", s.c_in, s.len, s.out, more("stride", s.stride), more("dilation", s.dilation))
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
    pub step: Option<Profile>,
    /// Growth with the length of the strips.
    pub lengths: Vec<Scaled>,
    /// Growth with the batch.
    pub batches: Vec<Scaled>,
    /// Kernels version by version, each with its adapter.
    pub ladders: Vec<(String, Ladder)>,
}

/// The figure of every ladder.
pub fn ladders(data: &KernelData, look: &Look) -> Vec<Figure<'static>> {
    data.ladders.iter().flat_map(|(adapter, l)| ladder(adapter, l, look)).collect()
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
        let shape = Shape { c_in: 128, len: 157, out: 86, k: 21, stride: 2, ..Shape::default() };
        assert_eq!(sizes(&shape), "128 × 157 to 86, stride 2");
        let row = |layer: &str, operation: &str| Row {
            layer: Some(layer.into()),
            operation: operation.into(),
            shape,
            gflops: 60.0,
            gb_per_s: 0.5,
            ..Row::default()
        };
        let names = [row("", "add"), row("stem", "add"), Row::default()].map(|r| name(&r));
        assert_eq!(names, [format!("{} k21", sizes(&shape)), "stem".into(), "unnamed".into()]);
        assert_eq!(intensity(&row("", "add")), 120.0);
        let rows = [row("", "matmul"), row("", "conv1d_weight_grad"), row("", "conv1d"), row("", "conv1d")];
        assert_eq!(passes(rows.iter()), ["conv1d", "conv1d_weight_grad", "matmul"]);
        assert!(drawable(1e-3) && ![0.0, -1.0, f64::NAN, f64::INFINITY, 1e300].into_iter().any(drawable));
    }
}
