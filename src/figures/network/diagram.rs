//! What the diagram of a network shows, from an experiment.

use crate::error::Result;
use crate::experiment::Experiment;
use crate::figures::network::{Block, Conv, Linears, NetworkDiagram, Stem, TrainOnly};
use crate::nn::config::{BlockKind, NetworkConfig, PRESETS};
use crate::nn::network::{expected_tensors, multiply_adds};
use crate::tensor::numel;
use crate::train::estimate::Estimate;

/// The diagram of an experiment's network for `classes` classes: shapes for one strip, trainable parameters of every
/// part, and the parts that exist only while training if the losses need them.
///
/// # Errors
/// [`crate::Error::Config`] for a network or a target layer that cannot be.
pub fn diagram(experiment: &Experiment, classes: usize) -> Result<NetworkDiagram> {
    let (c, samples) = (&experiment.network, experiment.data.samples());
    c.validate()?;
    let weights = experiment.losses.weights(c.widths.len())?;
    let estimate = Estimate::new(c, &weights, classes, samples, &experiment.train);
    let tensors = expected_tensors(c, classes, weights.train_only());
    let parameters = |part: &str| estimate.parts.iter().find(|p| p.name == part).map_or(0, |p| p.parameters);
    let shape = |name: &str| tensors.iter().find(|t| t.0 == name).map(|t| t.1.as_slice());
    let conv = |name: &str, stride: usize, dilation: usize| {
        let shape = shape(name)?;
        let &[out, c_in, kernel] = shape else { return None };
        Some(Conv { channels: [c_in, out], kernel, stride, dilation, parameters: numel(shape) })
    };
    // the weights of a part's linear layers, in order
    let linears = |part: &str| {
        let own = |name: &str| name.strip_prefix(part).is_some_and(|rest| rest.starts_with('.'));
        let shapes = tensors.iter().filter(|t| own(&t.0) && t.1.len() == 2).map(|t| &t.1);
        let mut sizes = Vec::new();
        for shape in shapes {
            if sizes.is_empty() {
                sizes.push(shape[1]);
            }
            sizes.push(shape[0]);
        }
        Linears { sizes, parameters: parameters(part) }
    };
    let stem_length = samples.div_ceil(2) / 2;
    let mut input = [c.stem_channels, stem_length];
    let mut blocks = Vec::new();
    for (i, ((_, width, stride), length)) in c.blocks().zip(c.block_lengths(samples)).enumerate() {
        let name = format!("blocks.{i}");
        let cascade = c.kind == BlockKind::Cascade;
        let branch = |(j, dilation): (usize, usize)| {
            // of a cascade only the first convolution has the stride
            let stride = if cascade && j > 0 { 1 } else { stride };
            conv(&format!("{name}.branches.{j}.weight"), stride, dilation)
        };
        let squeeze: usize =
            tensors.iter().filter(|t| t.0.starts_with(&format!("{name}.se."))).map(|t| numel(&t.1)).sum();
        let output = [width, length];
        blocks.push(Block {
            input,
            output,
            stride,
            cascade,
            convs: c.branch_dilations().into_iter().enumerate().filter_map(branch).collect(),
            squeeze: c.se_hidden(width).map(|hidden| [hidden, squeeze]),
            shortcut: conv(&format!("{name}.shortcut.conv.weight"), stride, 1),
            parameters: parameters(&name),
            name,
        });
        input = output;
    }
    let train_only = weights.train_only().then(|| TrainOnly {
        feature: linears("feature"),
        joint: linears("joint"),
        regressor: linears("regressor"),
    });
    Ok(NetworkDiagram {
        name: name(c),
        samples,
        stem: Stem {
            kernel: c.stem_kernel,
            stride: 2,
            pool: 2,
            output: [c.stem_channels, stem_length],
            parameters: parameters("stem"),
        },
        blocks,
        dropout: c.dropout,
        head: linears("head"),
        train_only,
        multiply_adds: multiply_adds(c, classes, samples),
        measured: None,
    })
}

/// The preset's name if the network is one, whatever its head and its dropout.
fn name(c: &NetworkConfig) -> String {
    let trunk = |a: &NetworkConfig| {
        (
            a.kind,
            a.stem_channels,
            a.stem_kernel,
            a.widths.clone(),
            a.strides.clone(),
            a.kernels.clone(),
            a.dilations.clone(),
        )
    };
    let same =
        |p: &&&str| NetworkConfig::preset(p).is_ok_and(|p| trunk(&p) == trunk(c) && p.se_reduction == c.se_reduction);
    PRESETS.iter().find(same).map_or("as configured".into(), |p| (*p).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sets: &[&str], classes: usize) -> NetworkDiagram {
        let sets: Vec<String> = sets.iter().map(|s| (*s).to_string()).collect();
        diagram(&Experiment::parse_with("", "e.toml", &sets).expect("an experiment"), classes).expect("a diagram")
    }

    #[test]
    fn shapes_and_parameters_are_those_of_the_method() {
        let full = of(&[], 5);
        let last = &full.blocks[7];
        assert_eq!((full.name.as_str(), full.samples, full.stem.output), ("exgnet", 5000, [32, 1250]));
        assert_eq!((last.input, last.output, last.convs.len()), ([256, 157], [256, 79], 3));
        let conv = Conv { channels: [256, 86], kernel: 21, stride: 2, dilation: 1, parameters: 256 * 86 * 21 };
        assert_eq!((&last.convs[2], full.blocks[0].shortcut.is_none()), (&conv, true));
        let parts = last.convs.iter().chain(&last.shortcut).map(|c| c.parameters).sum::<usize>() + 4 * 256;
        assert_eq!(parts, last.parameters);
        assert_eq!((full.head.sizes.as_slice(), full.parameters().0), (&[256, 5][..], 1_777_339));
        let extra = full.train_only.as_ref().expect("a train-only part");
        assert_eq!((extra.feature.sizes.as_slice(), extra.joint.sizes.as_slice()), (&[17, 128, 64][..], &[320, 5][..]));
    }

    #[test]
    fn other_networks_are_told_as_they_are() {
        let plain =
            of(&["network.preset='exgnet-small'", "losses.joint=0", "losses.feature=0", "network.head='mlp'"], 4);
        assert_eq!((plain.name.as_str(), plain.train_only.is_none()), ("exgnet-small", true));
        assert_eq!(plain.head.sizes, [32, 64, 4]);
        let cascade = of(&["network.kind='cascade'", "network.kernels=16", "network.se_reduction=8"], 5);
        let block = &cascade.blocks[1];
        assert_eq!((cascade.name.as_str(), block.convs[0].stride, block.convs[1].stride), ("as configured", 2, 1));
        assert_eq!((block.convs[1].channels[0], block.squeeze.map(|s| s[0])), (10, Some(4)));
        let parts = block.convs.iter().chain(&block.shortcut).map(|c| c.parameters).sum::<usize>();
        assert_eq!(parts + 4 * 32 + block.squeeze.map_or(0, |s| s[1]), block.parameters);
    }
}
