//! Which version of a kernel runs, and with what settings: a rule of thumb per adapter, and what a tuner found for a shape.

use super::{Gpu, lock};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A version of a kernel family. All give the same values up to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// Short, for every adapter and every shape; the one the others are compared with.
    Plain,
    /// Register tiles for adapters whose workgroup is best one subgroup (a CPU that plays the GPU).
    Tile,
    /// Register tiles over a transform that needs fewer multiplications, for convolutions of several taps.
    Fast,
    /// Workgroup tiles for wide adapters; needs no subgroups.
    Wide,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Tile, Self::Fast, Self::Wide];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tile => "tile",
            Self::Fast => "fast",
            Self::Wide => "wide",
        }
    }
}

/// What to run for one shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Version of the kernel.
    pub variant: Variant,
    /// Constants of its template that differ from the rule of thumb.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, usize>,
}

impl Choice {
    /// A version with the settings that its rule of thumb gives.
    pub fn usual(variant: Variant) -> Self {
        Self { variant, settings: BTreeMap::new() }
    }

    /// Version and settings, for people: `tile oc=5 p=16`.
    pub fn in_words(&self) -> String {
        let settings = self.settings.iter().map(|(name, v)| format!(" {name}={v}"));
        std::iter::once(self.variant.name().to_owned()).chain(settings).collect()
    }

    /// A setting, or what the rule of thumb says.
    pub fn get(&self, name: &str, rule: usize) -> usize {
        self.settings.get(name).copied().unwrap_or(rule)
    }
}

/// Choices by shape key.
pub type Choices = BTreeMap<String, Choice>;

#[derive(Default)]
pub(super) struct Tuning {
    choices: Choices,
    forced: Option<Variant>,
}

impl Gpu {
    /// Use one version of every kernel that has it, whatever was tuned, or (`None`) the adapter's again.
    pub fn force_variant(&self, variant: Option<Variant>) {
        lock(&self.0.tuning).forced = variant;
    }

    /// The version that [`Gpu::force_variant`] asks for.
    pub fn forced_variant(&self) -> Option<Variant> {
        lock(&self.0.tuning).forced
    }

    /// Replaces the tuned choices.
    pub fn set_choices(&self, choices: Choices) {
        lock(&self.0.tuning).choices = choices;
    }

    /// The tuned choices in force.
    pub fn choices(&self) -> Choices {
        lock(&self.0.tuning).choices.clone()
    }

    /// What is forced, or was tuned, for a shape.
    pub fn decided(&self, key: &str) -> Option<Choice> {
        let tuning = lock(&self.0.tuning);
        let tuned = tuning.choices.get(key);
        match tuning.forced {
            None => tuned.cloned(),
            Some(variant) => {
                Some(tuned.filter(|c| c.variant == variant).cloned().unwrap_or_else(|| Choice::usual(variant)))
            }
        }
    }

    /// Which kernels run, in words that differ where they do: a run's bits depend on them.
    pub fn kernels_in_words(&self) -> String {
        let tuning = lock(&self.0.tuning);
        let table = serde_json::to_string(&tuning.choices).unwrap_or_default();
        // FNV-1a
        let digest = table.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
        let tuned = match tuning.choices.len() {
            0 => "rules of thumb".to_owned(),
            n => format!("a table of {n} tuned shapes ({digest:08x})"),
        };
        match tuning.forced {
            Some(variant) => format!("{} by force, {tuned}", variant.name()),
            None => tuned,
        }
    }

    /// The version that suits the adapter where nothing was tuned.
    pub fn usual_variant(&self) -> Variant {
        if !self.0.report.is_software {
            Variant::Wide
        } else if self.tile_lanes().is_some() {
            Variant::Tile
        } else {
            Variant::Plain
        }
    }

    /// Lanes of a subgroup where [`Variant::Tile`] can run: with subgroups of one fixed size.
    pub fn tile_lanes(&self) -> Option<usize> {
        let r = &self.0.report;
        let [least, most] = r.subgroup_size;
        (r.subgroups && least == most && (4..=64).contains(&most)).then_some(most as usize)
    }
}
