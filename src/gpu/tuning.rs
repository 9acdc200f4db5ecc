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
    /// Workgroup tiles for wide adapters; needs no subgroups.
    Wide,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Tile, Self::Wide];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tile => "tile",
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

    /// Replaces the tuned choices.
    pub fn set_choices(&self, choices: Choices) {
        lock(&self.0.tuning).choices = choices;
    }

    /// The tuned choices in force.
    pub fn choices(&self) -> Choices {
        lock(&self.0.tuning).choices.clone()
    }

    /// What to run for a shape: what is forced, else what was tuned, else what suits the adapter.
    pub fn choice(&self, key: &str) -> Choice {
        let tuning = lock(&self.0.tuning);
        let plain = |variant| Choice { variant, settings: BTreeMap::new() };
        let tuned = tuning.choices.get(key);
        match (tuning.forced, tuned) {
            (None, Some(choice)) => choice.clone(),
            (Some(variant), Some(choice)) if choice.variant == variant => choice.clone(),
            (Some(variant), _) => plain(variant),
            (None, None) => plain(self.usual_variant()),
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
