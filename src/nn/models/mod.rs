//! The networks, one file each: their sizes ([`Sizes`]) and what they do ([`super::Network`]). A new one is a file of this
//! folder and a line in the table below.

pub mod cnn;
pub mod exgnet;
pub mod inceptiontime;
pub mod resnet1d;

use super::config::{MOST_CHANNELS, Problem, number};
use super::{Linear, Mode, Network, Output, ParamBuilder, Params};
use crate::error::Result;
use crate::ops;
use crate::tensor::Tensor;
use serde::{Deserialize, Deserializer, Serialize, de};

/// The sizes of a network: its keys in the `[network]` table.
pub trait Sizes: std::fmt::Debug {
    /// What it is called where its kind does not say all.
    fn name(&self) -> Option<String> {
        None
    }

    /// Checks every size.
    fn check(&self) -> Result<(), Problem>;

    /// Names of the maps that its forward pass gives, in their order: what Grad-CAM can take as target layer.
    fn maps(&self) -> Vec<String>;

    /// Share of activations dropped while training.
    fn dropout(&self) -> f64;

    /// Channels of the embedding.
    fn embedding(&self) -> usize;

    /// Declares all parameters of the signal part under the names of the model file.
    fn declare(&self, classes: usize, p: &mut ParamBuilder);

    /// The network with these parameters.
    fn build(&self, p: &Params) -> Result<Box<dyn Network>>;

    /// Sizes that have a name: values of `network.preset`.
    fn presets() -> Vec<(&'static str, Self)>
    where
        Self: Sized,
    {
        Vec::new()
    }

    /// The same sizes as another of its kinds has them.
    fn of(self, kind: &str) -> Self
    where
        Self: Sized,
    {
        let _ = kind;
        self
    }
}

/// Names of maps: the outputs of `count` blocks.
fn blocks(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|i| format!("blocks.{i}"))
}

/// Names of maps: the output of the stem, and those of `count` blocks.
fn stem_and_blocks(count: usize) -> Vec<String> {
    std::iter::once("stem".to_owned()).chain(blocks(count)).collect()
}

/// A linear layer on the global average, which is the embedding, after dropout.
#[derive(Debug, Clone)]
struct AverageHead {
    linear: Linear,
    dropout: f64,
}

impl AverageHead {
    /// Where dropout draws its numbers.
    const SITE: u32 = 1;

    fn declare(sizes: &impl Sizes, classes: usize, p: &mut ParamBuilder) {
        Linear::declare(p, "head", sizes.embedding(), classes);
    }

    fn new(sizes: &impl Sizes, p: &Params) -> Result<Self> {
        Ok(Self { linear: Linear::new(p, "head")?, dropout: sizes.dropout() })
    }

    /// What a network gives whose maps are these, of which the last is averaged.
    fn output(&self, maps: Vec<Tensor>, mode: &Mode<'_>) -> Result<Output> {
        let embedding = ops::global_avg_pool(maps.last().expect("a network has a map"))?;
        let logits = self.linear.forward(&mode.drop(&embedding, self.dropout, Self::SITE)?)?;
        Ok(Output { logits, embedding, maps })
    }
}

/// The key that gives the number of blocks of networks that have it, and those of lists with a value for each of its values.
pub(crate) const WIDTHS: &str = "widths";
pub(crate) const PER_BLOCK: &[&str] = &["strides"];

/// A list with a value for each of `blocks` blocks: `values`, of which the last is repeated.
pub(crate) fn for_blocks<T: Clone>(values: &[T], blocks: usize) -> Vec<T> {
    let last = values.last().into_iter().cycle();
    values.iter().chain(last).take(blocks).cloned().collect()
}

/// Checks widths and strides, one of each for every block; a block has `least` channels or more.
fn check_blocks(widths: &[usize], strides: &[usize], most: usize, least: usize) -> Result<(), Problem> {
    number("widths (its length)", widths.len(), 1, most, "give one width a block")?;
    for (i, &width) in widths.iter().enumerate() {
        number(&format!("widths[{i}]"), width, least, MOST_CHANNELS, "every branch of a block needs a channel")?;
    }
    if strides.len() != widths.len() {
        let fitting = if strides.is_empty() { vec![1; widths.len()] } else { for_blocks(strides, widths.len()) };
        let fitting: Vec<String> = fitting.iter().map(ToString::to_string).collect();
        return Err(Problem::new(
            "network.strides",
            format!("a list of length {}", strides.len()),
            format!("length {}, one stride for every block of network.widths", widths.len()),
            format!("e.g. network.strides=[{}]; left out, strides follow the widths", fitting.join(",")),
        ));
    }
    for (i, &stride) in strides.iter().enumerate() {
        number(&format!("strides[{i}]"), stride, 1, 16, "1 keeps the length, 2 halves it")?;
    }
    Ok(())
}

macro_rules! networks {
    ($($name:ident($module:ident) $kinds:expr;)*) => {
        /// The `[network]` table: sizes of one kind of network.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum NetworkConfig {
            $(
                #[doc = concat!("See [`mod@", stringify!($module), "`].")]
                $name($module::Sizes),
            )*
        }

        /// Values of `network.kind`.
        pub const KINDS: &[&[&str]] = &[$(&$kinds),*];

        impl NetworkConfig {
            /// Its sizes as far as a kind of [`KINDS`] has them too, else the usual ones of that kind.
            pub fn of(self, kind: &str) -> Self {
                $(
                    if $kinds.contains(&kind) {
                        return Self::$name(match self {
                            Self::$name(sizes) => sizes.of(kind),
                            #[allow(unreachable_patterns)]
                            _ => $module::Sizes::default().of(kind),
                        });
                    }
                )*
                self
            }

            /// Networks that have a name, see [`NetworkConfig::preset`].
            pub fn presets() -> Vec<(&'static str, Self)> {
                let mut all = Vec::new();
                $(all.extend($module::Sizes::presets().into_iter().map(|(name, sizes)| (name, Self::$name(sizes))));)*
                all
            }

            /// Its sizes.
            pub fn sizes(&self) -> &dyn Sizes {
                match self {
                    $(Self::$name(sizes) => sizes,)*
                }
            }
        }

        impl<'de> Deserialize<'de> for NetworkConfig {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let table = serde_json::Map::<String, serde_json::Value>::deserialize(deserializer)?;
                let kind = table.get("kind").cloned().unwrap_or_else(|| KINDS[0][0].into());
                $(
                    if $kinds.iter().any(|known| kind == *known) {
                        return serde_json::from_value(table.into()).map(Self::$name).map_err(de::Error::custom);
                    }
                )*
                let all: Vec<String> = KINDS.iter().copied().flatten().map(|kind| format!("`{kind}`")).collect();
                Err(de::Error::custom(format!("unknown variant {kind}, expected one of {}", all.join(", "))))
            }
        }
    };
}

networks! {
    Exgnet(exgnet) ["parallel", "cascade"];
    Resnet1d(resnet1d) ["resnet1d"];
    InceptionTime(inceptiontime) ["inceptiontime"];
    Cnn(cnn) ["cnn"];
}
