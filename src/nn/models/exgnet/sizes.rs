//! The sizes of an EXGnet, with their presets.

use crate::error::Result;
use crate::nn::NetworkConfig;
use crate::nn::config::{MOST_BLOCKS, MOST_CHANNELS, MOST_KERNEL, Problem, dropout, number};
use crate::nn::models::{self, check_blocks};
use serde::{Deserialize, Deserializer, Serialize};

/// Branches of a parallel block and convolutions of a cascade; the channels of a block are split this way.
pub const BRANCHES: usize = 3;

/// How a multiresolution block arranges its convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    /// Branches with different kernels read the same input; their outputs are concatenated.
    Parallel,
    /// Three convolutions one after another, the outputs of all three concatenated.
    Cascade,
}

/// What turns the embedding into logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// One linear layer.
    Linear,
    /// Linear, ReLU, dropout, linear.
    Mlp,
}

/// All sizes of an EXGnet.
///
/// ```
/// use exgnet::nn::NetworkConfig;
/// let small = NetworkConfig::preset("exgnet-small")?;
/// assert_eq!(small.exgnet().expect("an EXGnet").widths, [16, 16, 32, 32]);
/// assert_eq!(NetworkConfig::from_json(&small.to_json())?, small);
/// # Ok::<(), exgnet::error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sizes {
    /// Arrangement of the convolutions in a block.
    pub kind: BlockKind,
    /// Channels after the stem.
    pub stem_channels: usize,
    /// Kernel of the stem's convolution, samples.
    pub stem_kernel: usize,
    /// Output channels of every block.
    pub widths: Vec<usize>,
    /// Stride of every block.
    pub strides: Vec<usize>,
    /// Kernel of every branch, samples; in a cascade the one kernel of all three convolutions.
    #[serde(deserialize_with = "one_or_list")]
    pub kernels: Vec<usize>,
    /// Dilation of every branch, or of every convolution of a cascade: three numbers.
    pub dilations: Vec<usize>,
    /// Squeeze-and-excitation: 0 = off, else see [`Sizes::se_hidden`].
    pub se_reduction: usize,
    /// Share of activations dropped while training, 0 to below 1.
    pub dropout: f64,
    /// The signal head.
    pub head: Head,
    /// Hidden units of the `mlp` head.
    pub head_hidden: usize,
}

impl Default for Sizes {
    /// The preset `exgnet`.
    fn default() -> Self {
        Self {
            kind: BlockKind::Parallel,
            stem_channels: 32,
            stem_kernel: 15,
            widths: vec![32, 32, 64, 64, 128, 128, 256, 256],
            strides: vec![1, 2, 1, 2, 1, 2, 1, 2],
            kernels: vec![5, 11, 21],
            dilations: vec![1; BRANCHES],
            se_reduction: 0,
            dropout: 0.1,
            head: Head::Linear,
            head_hidden: 64,
        }
    }
}

impl NetworkConfig {
    /// The sizes of an EXGnet.
    pub fn exgnet(&self) -> Option<&Sizes> {
        match self {
            Self::Exgnet(sizes) => Some(sizes),
            _ => None,
        }
    }
}

impl From<Sizes> for NetworkConfig {
    fn from(sizes: Sizes) -> Self {
        Self::Exgnet(sizes)
    }
}

impl Sizes {
    /// Those of `exgnet-small`.
    pub fn small() -> Self {
        Self { widths: vec![16, 16, 32, 32], strides: vec![1, 2, 1, 2], ..Self::default() }
    }

    /// Those of `exgnet-se`: `exgnet` with squeeze-and-excitation in every block.
    pub fn squeezed() -> Self {
        Self { se_reduction: 8, ..Self::default() }
    }

    /// The name of the preset whose stem and blocks these are; else which blocks they have.
    pub(super) fn trunk_name(&self) -> String {
        let trunk = |sizes: &Self| Self { head: Head::Linear, head_hidden: 0, dropout: 0.0, ..sizes.clone() };
        let same = |(_, preset): &(&str, Self)| trunk(preset) == trunk(self);
        let kind = match self.kind {
            BlockKind::Parallel => "exgnet (parallel)",
            BlockKind::Cascade => "exgnet (cascade)",
        };
        <Self as models::Sizes>::presets().into_iter().find(same).map_or(kind, |(name, _)| name).to_owned()
    }

    /// Checks every size.
    pub(super) fn problem(&self) -> Result<(), Problem> {
        number("stem_channels", self.stem_channels, 1, MOST_CHANNELS, "32 is usual")?;
        number("stem_kernel", self.stem_kernel, 1, MOST_KERNEL, "15 is usual")?;
        check_blocks(&self.widths, &self.strides, MOST_BLOCKS, BRANCHES)?;
        let (kernels, why) = match self.kind {
            BlockKind::Parallel => (BRANCHES, "a parallel block has three branches, e.g. kernels = [5, 11, 21]"),
            BlockKind::Cascade => (1, "a cascade has one kernel for its three convolutions, e.g. kernels = 16"),
        };
        number("kernels (how many)", self.kernels.len(), kernels, kernels, why)?;
        for (i, &kernel) in self.kernels.iter().enumerate() {
            number(&format!("kernels[{i}]"), kernel, 1, MOST_KERNEL, "kernels are in samples")?;
        }
        let why = "three dilations, one for every branch or convolution, e.g. dilations = [1, 1, 1]";
        number("dilations (how many)", self.dilations.len(), BRANCHES, BRANCHES, why)?;
        for (i, &dilation) in self.dilations.iter().enumerate() {
            number(&format!("dilations[{i}]"), dilation, 1, 256, "1 is a plain convolution")?;
        }
        number("se_reduction", self.se_reduction, 0, MOST_CHANNELS, "0 switches squeeze-and-excitation off")?;
        number("head_hidden", self.head_hidden, 1, MOST_CHANNELS, "64 is usual")?;
        dropout(self.dropout)
    }

    /// Input channels, output channels and stride of every block.
    pub fn blocks(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let inputs = std::iter::once(self.stem_channels).chain(self.widths.iter().copied());
        inputs.zip(&self.widths).zip(&self.strides).map(|((c_in, &c_out), &stride)| (c_in, c_out, stride))
    }

    /// Length of every block's output for strips of `samples`: the resolution of its Grad-CAM map.
    pub fn block_lengths(&self, samples: usize) -> Vec<usize> {
        // convolutions are padded by k - 1, the stem's pooling halves
        let mut t = samples.div_ceil(2) / 2;
        let next = |&stride: &usize| {
            t = t.div_ceil(stride.max(1));
            t
        };
        self.strides.iter().map(next).collect()
    }

    /// Kernel of each of the three convolutions of a block, samples: a cascade repeats its one.
    pub fn branch_kernels(&self) -> [usize; BRANCHES] {
        std::array::from_fn(|i| *self.kernels.get(i).or(self.kernels.last()).unwrap_or(&1))
    }

    /// Dilation of each of the three convolutions of a block.
    pub fn branch_dilations(&self) -> [usize; BRANCHES] {
        std::array::from_fn(|i| *self.dilations.get(i).unwrap_or(&1))
    }

    /// Hidden units of squeeze-and-excitation on `channels`: `max(4, channels / se_reduction)`, `None` when off.
    pub fn se_hidden(&self, channels: usize) -> Option<usize> {
        channels.checked_div(self.se_reduction).map(|hidden| hidden.max(4))
    }
}

/// Channels of the three branches: a third each, the last one the rest.
pub fn branch_channels(width: usize) -> [usize; BRANCHES] {
    [width / 3, width / 3, width - 2 * (width / 3)]
}

/// Reads `16` as `[16]`.
fn one_or_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<usize>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a whole number or a list of them")]
    enum Written {
        One(usize),
        List(Vec<usize>),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::One(number) => vec![number],
        Written::List(list) => list,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::NetworkConfig;

    #[test]
    fn presets_are_valid_and_the_default_is_the_published_network() {
        for (_, config) in NetworkConfig::presets() {
            config.validate().unwrap();
        }
        assert_eq!(NetworkConfig::default(), Sizes::default().into());
        let full = Sizes::default();
        let blocks: Vec<_> = full.blocks().collect();
        assert_eq!((blocks.len(), blocks[0], blocks[7]), (8, (32, 32, 1), (256, 256, 2)));
        let message = NetworkConfig::preset("exgnet-huge").unwrap_err().to_string();
        assert!(message.contains("exgnet-huge") && message.contains("exgnet-small"), "{message}");
    }

    #[test]
    fn the_table_is_that_of_the_method() {
        let text = r#"
            kind = "parallel"
            stem_channels = 32
            stem_kernel = 15
            widths  = [32, 32, 64, 64, 128, 128, 256, 256]
            strides = [1, 2, 1, 2, 1, 2, 1, 2]
            kernels = [5, 11, 21]
            dilations = [1, 1, 1]
            se_reduction = 0
            dropout = 0.1
            head = "linear"
            head_hidden = 64
        "#;
        assert_eq!(toml::from_str::<NetworkConfig>(text).unwrap(), NetworkConfig::default());
        let written = toml::to_string(&NetworkConfig::default()).unwrap();
        let keys = |t: &str| t.parse::<toml::Table>().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&written), keys(text));
    }

    #[test]
    fn one_kernel_is_a_list_of_one() {
        let cascade = NetworkConfig::from_json(r#"{"kind": "cascade", "kernels": 16}"#).unwrap();
        assert_eq!(cascade, toml::from_str::<NetworkConfig>("kind = 'cascade'\nkernels = 16").unwrap());
        let sizes = cascade.exgnet().unwrap();
        assert_eq!((sizes.kernels.clone(), sizes.branch_kernels()), (vec![16], [16; 3]));
        assert!(cascade.to_json().contains(r#""kernels":[16]"#));
        assert_eq!(NetworkConfig::from_json(&cascade.to_json()).unwrap(), cascade);
        for bad in ["-1", "1.5", "\"x\"", "[1, \"x\"]", "18446744073709551615", "null", "[-3]"] {
            let text = format!(r#"{{"kernels": {bad}}}"#);
            assert!(NetworkConfig::from_json(&text).is_err(), "{bad}");
        }
    }

    #[test]
    fn channels_of_branches_add_up() {
        assert_eq!(branch_channels(32), [10, 10, 12]);
        assert_eq!(branch_channels(3), [1, 1, 1]);
        assert!((3..300).all(|w| branch_channels(w).iter().sum::<usize>() == w));
        let mut config = Sizes::default();
        assert_eq!(config.se_hidden(64), None);
        config.se_reduction = 8;
        assert_eq!((config.se_hidden(64), config.se_hidden(16)), (Some(8), Some(4)));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let base = Sizes::default;
        let cases = [
            (Sizes { stem_channels: 0, ..base() }, "network.stem_channels"),
            (Sizes { stem_kernel: 1024, ..base() }, "network.stem_kernel"),
            (Sizes { widths: vec![], strides: vec![], ..base() }, "network.widths"),
            (Sizes { widths: vec![32], ..base() }, "network.strides: found a list of length 8, expected length 1,"),
            (Sizes { widths: vec![32, 64], strides: vec![2], ..base() }, "e.g. network.strides=[2,2]"),
            (Sizes { widths: vec![32, 64], strides: vec![], ..base() }, "e.g. network.strides=[1,1]"),
            (Sizes { widths: vec![2], ..base() }, "network.widths[0]: found 2"),
            (Sizes { widths: vec![usize::MAX], strides: vec![1], ..base() }, "network.widths[0]"),
            (Sizes { widths: vec![3; 65], strides: vec![1; 65], ..base() }, "network.widths"),
            (Sizes { widths: vec![8], strides: vec![0], ..base() }, "network.strides[0]: found 0"),
            (Sizes { kernels: vec![5, 11], ..base() }, "network.kernels (how many): found 2"),
            (Sizes { kernels: vec![5, 0, 3], ..base() }, "network.kernels[1]"),
            (Sizes { kind: BlockKind::Cascade, ..base() }, "kernels = 16"),
            (Sizes { dilations: vec![1], ..base() }, "network.dilations"),
            (Sizes { dilations: vec![1, 0, 1], ..base() }, "network.dilations[1]"),
            (Sizes { se_reduction: 5000, ..base() }, "network.se_reduction"),
            (Sizes { dropout: 1.0, ..base() }, "network.dropout: found 1"),
            (Sizes { dropout: f64::NAN, ..base() }, "network.dropout: found NaN"),
            (Sizes { head_hidden: 0, ..base() }, "network.head_hidden"),
        ];
        for (config, part) in cases {
            let message = NetworkConfig::from(config).validate().unwrap_err().to_string();
            assert!(message.contains(part) && message.contains("HINT"), "{message}");
        }
        assert!(NetworkConfig::from_json(r#"{"width": []}"#).unwrap_err().to_string().contains("width"));
        assert!(NetworkConfig::from_json("").is_err());
    }
}
