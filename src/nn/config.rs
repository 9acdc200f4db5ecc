//! The shape of a network: the `[network]` table of an experiment file and of a model file's metadata.

use crate::error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Branches of a parallel block and convolutions of a cascade; the channels of a block are split this way.
pub const BRANCHES: usize = 3;
/// Names that [`NetworkConfig::preset`] knows.
pub const PRESETS: [&str; 2] = ["exgnet", "exgnet-small"];

/// Most channels of any layer: with the longest strip an activation still counts its bytes in 64 bits.
const MOST_CHANNELS: usize = 4096;
/// Longest kernel, samples.
const MOST_KERNEL: usize = 1023;
/// Most blocks of a trunk.
const MOST_BLOCKS: usize = 64;

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
/// use exgnet::nn::config::NetworkConfig;
/// let small = NetworkConfig::preset("exgnet-small")?;
/// assert_eq!(small.widths, [16, 16, 32, 32]);
/// assert_eq!(NetworkConfig::from_json(&small.to_json())?, small);
/// # Ok::<(), exgnet::error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
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
    /// Squeeze-and-excitation: 0 = off, else see [`NetworkConfig::se_hidden`].
    pub se_reduction: usize,
    /// Share of activations dropped while training, 0 to below 1.
    pub dropout: f64,
    /// The signal head.
    pub head: Head,
    /// Hidden units of the `mlp` head.
    pub head_hidden: usize,
}

impl Default for NetworkConfig {
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
    /// Kernel of a cascade where none is given, samples.
    pub const CASCADE_KERNEL: usize = 16;

    /// A named network: one of [`PRESETS`].
    pub fn preset(name: &str) -> Result<Self> {
        match name {
            "exgnet" => Ok(Self::default()),
            "exgnet-small" => Ok(Self { widths: vec![16, 16, 32, 32], strides: vec![1, 2, 1, 2], ..Self::default() }),
            _ => Err(Error::config(
                format!("network.preset: found \"{name}\", expected one of {}", PRESETS.join(", ")),
                "or leave the preset out and give the sizes",
            )),
        }
    }

    /// Checks every size.
    pub fn validate(&self) -> Result<()> {
        self.check().map_err(Problem::into_error)
    }

    /// [`NetworkConfig::validate`] with the key still apart, for whoever knows the line it stands on.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let number = |name: &str, value: usize, low: usize, high: usize, hint: &str| {
            Problem::unless((low..=high).contains(&value), format!("network.{name}"), value, || {
                (whole_number(low, high), hint.into())
            })
        };
        number("stem_channels", self.stem_channels, 1, MOST_CHANNELS, "32 is usual")?;
        number("stem_kernel", self.stem_kernel, 1, MOST_KERNEL, "15 is usual")?;
        number("widths (its length)", self.widths.len(), 1, MOST_BLOCKS, "give one width a block")?;
        if self.strides.len() != self.widths.len() {
            return Err(Problem::new(
                "network.strides",
                format!("{} strides for {} widths", self.strides.len(), self.widths.len()),
                "one stride for every block",
                "give strides and widths together, as lists of one length",
            ));
        }
        for (i, &width) in self.widths.iter().enumerate() {
            number(&format!("widths[{i}]"), width, BRANCHES, MOST_CHANNELS, "each of three branches needs a channel")?;
        }
        for (i, &stride) in self.strides.iter().enumerate() {
            number(&format!("strides[{i}]"), stride, 1, 16, "1 keeps the length, 2 halves it")?;
        }
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
        Problem::unless((0.0..1.0).contains(&self.dropout), "network.dropout", self.dropout, || {
            ("a number from 0 to below 1".into(), "0 switches dropout off, 0.1 is usual".into())
        })
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

    /// The table as JSON on one line, as a model file's metadata holds it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("names and numbers always serialise")
    }

    /// Reads and checks a table written by [`NetworkConfig::to_json`], or by another framework.
    pub fn from_json(text: &str) -> Result<Self> {
        let config: Self = serde_json::from_str(text).map_err(|e| {
            Error::config(
                format!("the network's table as JSON: {e}"),
                "the keys are those of [network] in an experiment file; write the model file again",
            )
        })?;
        config.validate()?;
        Ok(config)
    }
}

/// Channels of the three branches: a third each, the last one the rest.
pub fn branch_channels(width: usize) -> [usize; BRANCHES] {
    [width / 3, width / 3, width - 2 * (width / 3)]
}

/// The words for a range of whole numbers.
pub(crate) fn whole_number(low: usize, high: usize) -> String {
    if low == high { format!("{low}") } else { format!("a whole number from {low} to {high}") }
}

/// A value that cannot be used, before it is known where it was written.
#[derive(Debug)]
pub(crate) struct Problem {
    /// Dotted key.
    pub key: String,
    pub found: String,
    pub expected: String,
    pub hint: String,
}

impl Problem {
    pub(crate) fn new(
        key: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), found: found.into(), expected: expected.into(), hint: hint.into() }
    }

    /// An error unless `ok`; `told` gives what was expected and the hint.
    pub(crate) fn unless(
        ok: bool,
        key: impl Into<String>,
        found: impl fmt::Display,
        told: impl FnOnce() -> (String, String),
    ) -> Result<(), Self> {
        if ok {
            return Ok(());
        }
        let (expected, hint) = told();
        Err(Self::new(key, found.to_string(), expected, hint))
    }

    /// `key: found this, expected that`.
    pub(crate) fn what(&self) -> String {
        format!("{}: found {}, expected {}", self.key, self.found, self.expected)
    }

    pub(crate) fn into_error(self) -> Error {
        Error::config(self.what(), self.hint)
    }
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

    #[test]
    fn presets_are_valid_and_the_default_is_the_published_network() {
        for name in PRESETS {
            NetworkConfig::preset(name).unwrap().validate().unwrap();
        }
        let full = NetworkConfig::preset("exgnet").unwrap();
        assert_eq!(full, NetworkConfig::default());
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
        assert_eq!(cascade, toml::from_str("kind = 'cascade'\nkernels = 16").unwrap());
        assert_eq!((cascade.kernels.clone(), cascade.branch_kernels()), (vec![16], [16; 3]));
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
        let mut config = NetworkConfig::default();
        assert_eq!(config.se_hidden(64), None);
        config.se_reduction = 8;
        assert_eq!((config.se_hidden(64), config.se_hidden(16)), (Some(8), Some(4)));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let base = NetworkConfig::default;
        let cases = [
            (NetworkConfig { stem_channels: 0, ..base() }, "network.stem_channels"),
            (NetworkConfig { stem_kernel: 1024, ..base() }, "network.stem_kernel"),
            (NetworkConfig { widths: vec![], strides: vec![], ..base() }, "network.widths"),
            (NetworkConfig { widths: vec![32], ..base() }, "8 strides for 1 widths"),
            (NetworkConfig { widths: vec![2], strides: vec![1], ..base() }, "network.widths[0]: found 2"),
            (NetworkConfig { widths: vec![usize::MAX], strides: vec![1], ..base() }, "network.widths[0]"),
            (NetworkConfig { widths: vec![3; 65], strides: vec![1; 65], ..base() }, "network.widths"),
            (NetworkConfig { widths: vec![8], strides: vec![0], ..base() }, "network.strides[0]: found 0"),
            (NetworkConfig { kernels: vec![5, 11], ..base() }, "network.kernels (how many): found 2"),
            (NetworkConfig { kernels: vec![5, 0, 3], ..base() }, "network.kernels[1]"),
            (NetworkConfig { kind: BlockKind::Cascade, ..base() }, "kernels = 16"),
            (NetworkConfig { dilations: vec![1], ..base() }, "network.dilations"),
            (NetworkConfig { dilations: vec![1, 0, 1], ..base() }, "network.dilations[1]"),
            (NetworkConfig { se_reduction: 5000, ..base() }, "network.se_reduction"),
            (NetworkConfig { dropout: 1.0, ..base() }, "network.dropout: found 1"),
            (NetworkConfig { dropout: f64::NAN, ..base() }, "network.dropout: found NaN"),
            (NetworkConfig { head_hidden: 0, ..base() }, "network.head_hidden"),
        ];
        for (config, part) in cases {
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(part) && message.contains("HINT"), "{message}");
        }
        assert!(NetworkConfig::from_json(r#"{"width": []}"#).unwrap_err().to_string().contains("width"));
        assert!(NetworkConfig::from_json("").is_err());
    }
}
