//! What the boxes of a block say, and what its figure's caption says of it.

use super::layout::{Layout, is_sign};
use super::shown;
use crate::nn::graph::{Graph, Node, What};
use crate::ops::MaxPool;
use crate::plot::axes::number;
use crate::plot::style::{INK, OKABE_ITO, Rgb};
use crate::plot::text::grouped;

/// What a box says and how it is filled.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Words {
    /// On one line, in ever fewer words.
    pub(super) short: Vec<String>,
    /// On several, where that is too wide; each in ever fewer words.
    pub(super) lines: Vec<Vec<String>>,
    pub(super) fill: (Rgb, f64),
    /// Exists only while training.
    pub(super) train_only: bool,
}

const PLAIN: (Rgb, f64) = (INK, 0.0);

/// The box of a node; `dropout` is the share that is dropped.
pub(super) fn words(graph: &Graph, node: usize, is_target: bool, dropout: f64) -> Words {
    // a sign has no text: what it gives has
    let is_map = node == graph.map || graph.nodes[node].what == What::Output && is_sign(&graph.nodes[graph.map]);
    let node = &graph.nodes[node];
    let count = |name: &str| match node.parameters {
        0 => name.to_owned(),
        n => format!("{name} ({})", grouped(n)),
    };
    let own = shown(&node.output);
    let source = |name: &str| (vec![format!("{name}: {own}"), format!("{name} {own}")], vec![name.into(), own.clone()]);
    let (mut short, lines, fill): (Vec<String>, Vec<String>, _) = match &node.what {
        What::Input => (vec![format!("input {own}")], vec!["input".into(), own], PLAIN),
        What::Output => (vec![format!("output {own}")], vec!["output".into(), own], PLAIN),
        What::Map(name) => {
            let short = vec![format!("output of {name}: {own}"), format!("{name}: {own}")];
            (short, vec!["output of".into(), name.clone(), own], PLAIN)
        }
        What::Strip => {
            let (short, lines) = source("one ECG lead");
            (short, lines, PLAIN)
        }
        What::Earlier => {
            let (short, lines) = source("from before");
            (short, lines, PLAIN)
        }
        What::Convolution { channels: [from, to], kernel, stride, dilation } => {
            let mut parts = vec![format!("conv k {kernel}")];
            for (name, value) in [("stride", stride), ("dilation", dilation)].into_iter().filter(|(_, v)| **v != 1) {
                parts.push(format!("{name} {value}"));
            }
            parts.push(format!("{from} to {to}"));
            let short = vec![count(&parts.join(", "))];
            parts.push(grouped(node.parameters));
            (short, parts, (OKABE_ITO[0], 0.2))
        }
        What::BatchNorm => (vec![count("BatchNorm"), count("BN"), "BN".into()], vec![], (INK, 0.1)),
        What::Linear([from, to]) => {
            let short = vec![count(&format!("linear, {from} to {to}"))];
            let lines = vec!["linear".into(), format!("{from} to {to}"), grouped(node.parameters)];
            (short, lines, (OKABE_ITO[2], 0.3))
        }
        What::Sum | What::Product => (vec![], vec![], PLAIN),
        What::Concat => (vec![format!("concatenate: {own}"), format!("concat: {own}"), own], vec![], PLAIN),
        What::MaxPool(MaxPool { kernel, stride, .. }) => {
            let name = format!("max pool {kernel}");
            match stride == kernel {
                true => (vec![name, format!("pool {kernel}")], vec![], PLAIN),
                false => (vec![format!("{name}, stride {stride}")], vec![name, format!("stride {stride}")], PLAIN),
            }
        }
        What::Average => (vec!["average over time".into(), "average".into()], vec![], PLAIN),
        What::Squeeze(hidden) => {
            let short = vec![
                count(&format!("squeeze-and-excitation, {hidden} hidden")),
                count(&format!("squeeze-excite {hidden}")),
            ];
            (short, vec![], (OKABE_ITO[3], 0.25))
        }
        What::Dropout => {
            let share = if dropout.is_finite() { number(dropout) } else { "unknown".into() };
            let all = format!("dropout {share}");
            (vec![format!("{all}, only while training"), format!("{all}, in training"), all], vec![], PLAIN)
        }
        What::Other(name) => {
            let name = if *name == "relu" { "ReLU".into() } else { name.replace('_', " ") };
            (vec![count(&name), name], vec![], PLAIN)
        }
    };
    if is_map
        && is_target
        && let Some(text) = short.first().cloned()
    {
        short.splice(0..0, [format!("{text} (where Grad-CAM looks)"), format!("{text} (Grad-CAM)")]);
    }
    let fewer = |line: String| {
        let kernel = line.strip_prefix("conv ").map(str::to_owned);
        let dilation = line.strip_prefix("dilation ").map(|n| format!("dil. {n}"));
        [Some(line), kernel, dilation].into_iter().flatten().collect()
    };
    let lines = lines.into_iter().map(fewer).collect();
    Words { short, lines, fill, train_only: node.what == What::Dropout }
}

/// What a block does, in a sentence's part.
pub(super) fn describe(graph: &Graph, layout: &Layout) -> String {
    let nodes = &graph.nodes;
    let kernel = |i: &usize| match nodes[*i].what {
        What::Convolution { kernel, .. } => Some(kernel),
        _ => None,
    };
    let main: Vec<usize> = (0..nodes.len()).filter(|&i| layout.places[i].columns.is_some()).collect();
    let convs: Vec<usize> = main.iter().copied().filter(|i| kernel(i).is_some()).collect();
    let beside =
        |i: &usize| convs.iter().filter(|j| nodes[**j].inputs == nodes[*i].inputs).map(kernel).collect::<Vec<_>>();
    let most = convs.iter().map(beside).max_by_key(Vec::len).unwrap_or_default();
    let mut text = match (most.len(), convs.len()) {
        (2.., _) if most.iter().any(|k| *k != most[0]) => "parallel convolutions with different kernels".to_owned(),
        (2.., _) => "parallel convolutions".into(),
        (_, 2..) => "convolutions one after another".into(),
        (_, 1) => "one convolution".into(),
        _ => "no convolution".into(),
    };
    let joins = |node: &Node| node.what == What::Concat && node.inputs.iter().filter(|i| convs.contains(i)).count() > 1;
    if nodes.iter().any(joins) {
        text += ", whose outputs are concatenated";
    }
    let shortcuts = layout.lanes.iter().filter(|lane| nodes[lane.to].what == What::Sum);
    let sources = shortcuts.map(|lane| match lane.from.first().or(lane.boxes.first()).map(|&i| &nodes[i].what) {
        Some(What::Map(name)) => format!("a shortcut from the output of {name}"),
        Some(What::Strip) => "a shortcut from the ECG".into(),
        _ => "a shortcut".to_owned(),
    });
    let sources: Vec<String> = sources.collect();
    match sources.as_slice() {
        [] => {}
        [one] => text += &format!(", with {one}"),
        all => text += &format!(", with {} shortcuts", all.len()),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(what: What, parameters: usize) -> Words {
        let node = Node { what, inputs: vec![], output: vec![85, 79], parameters };
        words(&Graph { name: "blocks.0".into(), nodes: vec![node.clone(), node], map: 1 }, 0, true, 0.1)
    }

    #[test]
    fn boxes_say_what_is_not_usual() {
        let conv = |stride, dilation| What::Convolution { channels: [256, 85], kernel: 21, stride, dilation };
        let words = of(conv(2, 1), 456_960);
        let first: Vec<&str> = words.lines.iter().map(|line| line[0].as_str()).collect();
        assert_eq!(first, ["conv k 21", "stride 2", "256 to 85", "456,960"]);
        assert_eq!(words.short, ["conv k 21, stride 2, 256 to 85 (456,960)"]);
        assert_eq!(words.lines[0], ["conv k 21", "k 21"]);
        assert_eq!(of(conv(1, 4), 1).lines[1], ["dilation 4", "dil. 4"]);
        let pool = |kernel, stride| of(What::MaxPool(MaxPool { kernel, stride, pad: 0 }), 0).short[0].clone();
        assert_eq!([pool(2, 2), pool(3, 1)], ["max pool 2", "max pool 3, stride 1"]);
        assert_eq!(of(What::Other("layer_norm"), 1024).short[0], "layer norm (1,024)");
        assert!(of(What::Dropout, 0).train_only);
    }
}
