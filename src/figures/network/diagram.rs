//! What the diagram of a network shows, from an experiment.

use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::nn::outline::{Convolution, Outline, Part};
use crate::nn::{Graph, NetworkConfig};
use crate::run::cost::Cost;

/// What the diagram shows.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkDiagram {
    /// See [`NetworkConfig::name`].
    pub name: String,
    /// The arm that it is of, where others have another network.
    pub of: Option<String>,
    /// Its sizes.
    pub config: NetworkConfig,
    /// Samples of the input strip, of one lead.
    pub samples: usize,
    /// Its parts in order.
    pub parts: Vec<Part>,
    /// Its convolutions.
    pub convolutions: Vec<Convolution>,
    /// The last block in detail.
    pub last: Graph,
    /// The layer that Grad-CAM looks at, where it is not the last block.
    pub target: Option<String>,
    /// Trainable parameters of all parts, and of an inference.
    pub parameters: [usize; 2],
    /// Multiply-adds of an inference of one strip.
    pub multiply_adds: u64,
    /// What an inference was measured to take.
    pub measured: Option<Cost>,
}

/// The diagram of an experiment's network for `classes` classes: shapes for one strip, trainable parameters of every
/// part, and the parts that exist only while training if the losses need them.
///
/// # Errors
/// [`crate::Error::Config`] for a network or a target layer that cannot be.
pub fn diagram(experiment: &Experiment, classes: usize) -> Result<NetworkDiagram> {
    let (c, samples) = (&experiment.network, experiment.data.samples());
    c.validate()?;
    let (maps, target) = (c.maps(), experiment.losses.layer(c)?);
    let outline = Outline::new(c, classes, experiment.losses.train_only(), samples)?;
    let no_map =
        || Error::config("a network without maps, expected one or more", "give the outputs of its blocks as its maps");
    Ok(NetworkDiagram {
        name: c.name(),
        of: None,
        config: c.clone(),
        samples,
        convolutions: outline.convolutions.concat(),
        last: outline.last.clone().ok_or_else(no_map)?,
        target: (target + 1 < maps.len()).then(|| maps[target].clone()),
        parts: outline.parts.clone(),
        parameters: [outline.parameters(), outline.parameters_inference()],
        multiply_adds: outline.multiply_adds,
        measured: None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::nn::graph::{Node, What};

    /// Networks of every kind.
    pub(crate) const KINDS: [&[&str]; 11] = [
        &[],
        &["network.preset='exgnet-small'"],
        &["network.se_reduction=8", "network.strides=[1,1,1,1,1,1,1,1]"],
        &["network.kind='cascade'"],
        &["network.kind='cascade'", "network.se_reduction=8", "network.dilations=[1,2,4]"],
        &["network.widths=[6]", "network.strides=[1]", "network.dropout=0"],
        &["network.kind='resnet1d'"],
        &["network.kind='resnet1d'", "network.strides=[1,2,1]"],
        &["network.kind='inceptiontime'"],
        &["network.kind='inceptiontime'", "network.depth=1"],
        &["network.kind='cnn'"],
    ];

    pub(crate) fn of(sets: &[&str], classes: usize) -> NetworkDiagram {
        let sets: Vec<String> = sets.iter().map(|s| (*s).to_string()).collect();
        diagram(&Experiment::parse_with("", "e.toml", &sets).expect("an experiment"), classes).expect("a diagram")
    }

    fn convs(graph: &Graph) -> Vec<Node> {
        graph.nodes.iter().filter(|n| matches!(n.what, What::Convolution { .. })).cloned().collect()
    }

    fn names(graph: &Graph) -> Vec<String> {
        let name = |what: &What| format!("{what:?}").split([' ', '(']).next().unwrap_or_default().to_owned();
        graph.nodes.iter().map(|node| name(&node.what)).collect()
    }

    #[test]
    fn shapes_and_parameters_are_those_of_the_method() {
        let full = of(&[], 5);
        let (last, convs) = (&full.last, convs(&full.last));
        assert_eq!((full.name.as_str(), full.samples, full.parameters[0]), ("exgnet", 5000, 1_777_339));
        assert_eq!((last.name.as_str(), convs.len()), ("blocks.7", 4));
        assert_eq!([&last.nodes[0].output, &last.nodes[last.map].output], [&[256, 157], &[256, 79]]);
        let conv = What::Convolution { channels: [256, 86], kernel: 21, stride: 2, dilation: 1 };
        let third = Node { what: conv, inputs: vec![0], output: vec![86, 79], parameters: 256 * 86 * 21 };
        assert_eq!(convs[2], third);
    }

    #[test]
    fn other_networks_are_described_as_they_are() {
        let small = of(&["network.preset='exgnet-small'", "losses.joint=0", "losses.feature=0"], 4);
        assert_eq!((small.name.as_str(), small.parameters[0]), ("exgnet-small", small.parameters[1]));
        let cascade = of(&["network.kind='cascade'", "network.kernels=16", "network.se_reduction=8"], 5);
        let squeezed = cascade.last.nodes.iter().find(|n| n.what == What::Squeeze(32)).expect("squeeze-and-excitation");
        assert_eq!((cascade.name.as_str(), squeezed.parameters), ("exgnet (cascade)", 2 * 256 * 32 + 256 + 32));
        let convs = convs(&cascade.last).into_iter().map(|n| n.what).collect::<Vec<_>>();
        let conv = |from, stride| What::Convolution { channels: [from, 85], kernel: 16, stride, dilation: 1 };
        assert_eq!(convs[..2], [conv(256, 2), conv(85, 1)]);
    }

    #[test]
    fn a_block_has_all_that_its_part_has() {
        for sets in KINDS {
            let network = of(sets, 5);
            let last = &network.last;
            let part = network.parts.iter().find(|part| part.name == last.name).expect("the block's part");
            assert_eq!(last.nodes.iter().map(|n| n.parameters).sum::<usize>(), part.parameters, "{sets:?}");
            let own = |c: &&Convolution| c.layer.split(' ').next() == Some(&last.name);
            let all = network.convolutions.iter().filter(own).map(|c| What::Convolution {
                channels: [c.weight[1], c.weight[0]],
                kernel: c.weight[2],
                stride: c.stride,
                dilation: c.dilation,
            });
            let mut found: Vec<What> = convs(last).into_iter().map(|n| n.what).collect();
            let mut all = all.collect::<Vec<_>>();
            for list in [&mut found, &mut all] {
                list.sort_by_key(|what| format!("{what:?}"));
            }
            assert_eq!(found, all, "{sets:?}");
            assert_eq!(last.nodes[last.map].output, part.output, "{sets:?}");
            assert_eq!(
                (last.nodes.last().expect("a node").what.clone(), last.nodes[0].inputs.len()),
                (What::Output, 0)
            );
        }
    }

    #[test]
    fn operations_are_those_of_the_forward_pass() {
        let cnn = ["Input", "MaxPool", "Convolution", "BatchNorm", "Other", "Output"];
        assert_eq!(names(&of(&["network.kind='cnn'"], 5).last), cnn);
        let resnet = of(&["network.kind='resnet1d'"], 5).last;
        let expected = "Input Convolution BatchNorm Other Convolution Convolution BatchNorm BatchNorm Sum Other Output";
        assert_eq!(names(&resnet).join(" "), expected);
        let inception = of(&["network.kind='inceptiontime'"], 5).last;
        let source = inception.nodes.iter().find(|n| n.what == What::Map("blocks.2".into())).expect("the shortcut's");
        assert!(source.inputs.is_empty() && source.output == [128, 5000]);
        let joined: Vec<usize> =
            inception.nodes.iter().filter(|n| n.what == What::Concat).map(|n| n.inputs.len()).collect();
        assert_eq!(joined, [4]);
        let first = of(&["network.kind='inceptiontime'", "network.depth=3"], 5).last;
        assert!(first.nodes.iter().any(|n| n.what == What::Strip && n.output == [1, 5000]));
        let dropout = |sets: &[&str]| names(&of(sets, 5).last).iter().any(|name| name == "Dropout");
        assert_eq!(
            [dropout(&[]), dropout(&["network.dropout=0"]), dropout(&["network.kind='cnn'"])],
            [true, false, false]
        );
    }
}
