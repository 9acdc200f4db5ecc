//! What the diagram of a network shows, from an experiment.

use crate::error::Result;
use crate::experiment::Experiment;
use crate::nn::config::NetworkConfig;
use crate::nn::models::exgnet::{BlockKind, Sizes};
use crate::nn::network::expected_tensors;
use crate::nn::outline::{Convolution, Outline, Part};
use crate::run::cost::Cost;
use crate::tensor::numel;

/// What the diagram shows.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkDiagram {
    /// The preset's name, or that it is none.
    pub name: String,
    /// Its sizes.
    pub config: NetworkConfig,
    /// Samples of the input strip, of one lead.
    pub samples: usize,
    /// Its parts in order.
    pub parts: Vec<Part>,
    /// Its convolutions.
    pub convolutions: Vec<Convolution>,
    /// The last block of an EXGnet in detail.
    pub last: Option<Block>,
    /// Trainable parameters of all parts, and of an inference.
    pub parameters: [usize; 2],
    /// Multiply-adds of an inference of one strip.
    pub multiply_adds: u64,
    /// What an inference was measured to take.
    pub measured: Option<Cost>,
}

/// A multiresolution block. Shapes are channels and samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its name in the model file.
    pub name: String,
    /// Shapes of the input and of the output.
    pub shapes: [[usize; 2]; 2],
    /// Whether each convolution reads the output of the one before; else all read the input.
    pub cascade: bool,
    /// The convolutions whose outputs are concatenated.
    pub convs: Vec<Conv>,
    /// Hidden units and parameters of squeeze-and-excitation.
    pub squeeze: Option<[usize; 2]>,
    /// The shortcut's convolution; without one the input itself is added.
    pub shortcut: Option<Conv>,
}

/// A convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conv {
    /// Channels of its input and its output.
    pub channels: [usize; 2],
    /// Kernel, samples.
    pub kernel: usize,
    /// Stride.
    pub stride: usize,
    /// Dilation.
    pub dilation: usize,
    /// Trainable parameters.
    pub parameters: usize,
}

/// The diagram of an experiment's network for `classes` classes: shapes for one strip, trainable parameters of every
/// part, and the parts that exist only while training if the losses need them.
///
/// # Errors
/// [`crate::Error::Config`] for a network or a target layer that cannot be.
pub fn diagram(experiment: &Experiment, classes: usize) -> Result<NetworkDiagram> {
    let (c, samples) = (&experiment.network, experiment.data.samples());
    c.validate()?;
    experiment.losses.layer(c)?;
    let outline = Outline::new(c, classes, experiment.losses.train_only(), samples)?;
    let parts = outline.parts.clone();
    Ok(NetworkDiagram {
        name: name(c),
        config: c.clone(),
        samples,
        convolutions: outline.convolutions.concat(),
        last: c.exgnet().and_then(|sizes| last_block(sizes, classes, &parts)),
        parts,
        parameters: [outline.parameters(), outline.parameters_inference()],
        multiply_adds: outline.multiply_adds,
        measured: None,
    })
}

fn last_block(c: &Sizes, classes: usize, parts: &[Part]) -> Option<Block> {
    let (i, (_, width, stride)) = c.blocks().enumerate().last()?;
    let tensors = expected_tensors(&c.clone().into(), classes, false);
    let name = format!("blocks.{i}");
    let cascade = c.kind == BlockKind::Cascade;
    let conv = |tensor: &str, stride: usize, dilation: usize| {
        let (_, shape) = tensors.iter().find(|t| t.0 == format!("{name}.{tensor}.weight"))?;
        let &[out, c_in, kernel] = shape.as_slice() else { return None };
        Some(Conv { channels: [c_in, out], kernel, stride, dilation, parameters: numel(shape) })
    };
    let branch = |(j, dilation): (usize, usize)| {
        // of a cascade only the first convolution has the stride
        conv(&format!("branches.{j}"), if cascade && j > 0 { 1 } else { stride }, dilation)
    };
    let squeeze = tensors.iter().filter(|t| t.0.starts_with(&format!("{name}.se."))).map(|t| numel(&t.1)).sum();
    let shape = |part: &Part| Some([*part.output.first()?, *part.output.get(1)?]);
    // the stem is the part before the first block
    Some(Block {
        shapes: [shape(parts.get(i)?)?, shape(parts.get(i + 1)?)?],
        cascade,
        convs: c.branch_dilations().into_iter().enumerate().filter_map(branch).collect(),
        squeeze: c.se_hidden(width).map(|hidden| [hidden, squeeze]),
        shortcut: conv("shortcut.conv", stride, 1),
        name,
    })
}

/// The preset's name if the network is one, whatever its head and its dropout.
fn name(c: &NetworkConfig) -> String {
    let Some(c) = c.exgnet() else { return c.kind() };
    let trunk = |a: &Sizes| {
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
    let same = |p: &NetworkConfig| p.exgnet().is_some_and(|p| trunk(p) == trunk(c) && p.se_reduction == c.se_reduction);
    let named = NetworkConfig::presets().into_iter().find(|(_, p)| same(p));
    named.map_or("as configured".into(), |(name, _)| name.to_owned())
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
        let last = full.last.expect("a block");
        assert_eq!((full.name.as_str(), full.samples, full.parameters[0]), ("exgnet", 5000, 1_777_339));
        assert_eq!((last.name.as_str(), last.shapes, last.convs.len()), ("blocks.7", [[256, 157], [256, 79]], 3));
        let conv = Conv { channels: [256, 86], kernel: 21, stride: 2, dilation: 1, parameters: 256 * 86 * 21 };
        assert_eq!(last.convs[2], conv);
        let parts = last.convs.iter().chain(&last.shortcut).map(|c| c.parameters).sum::<usize>() + 4 * 256;
        assert_eq!(parts, full.parts[8].parameters);
    }

    #[test]
    fn other_networks_are_told_as_they_are() {
        let small = of(&["network.preset='exgnet-small'", "losses.joint=0", "losses.feature=0"], 4);
        assert_eq!((small.name.as_str(), small.parameters[0]), ("exgnet-small", small.parameters[1]));
        let cascade = of(&["network.kind='cascade'", "network.kernels=16", "network.se_reduction=8"], 5);
        let block = cascade.last.expect("a block");
        assert_eq!((cascade.name.as_str(), block.convs[0].stride, block.convs[1].stride), ("as configured", 2, 1));
        assert_eq!((block.convs[1].channels[0], block.squeeze.map(|s| s[0])), (85, Some(32)));
        let parts = block.convs.iter().chain(&block.shortcut).map(|c| c.parameters).sum::<usize>();
        assert_eq!(parts + 4 * 256 + block.squeeze.map_or(0, |s| s[1]), cascade.parts[8].parameters);
    }
}
