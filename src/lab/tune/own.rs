//! What became of the versions that somebody added to the built-in ones: tried or not, and why.

use super::Found;
use crate::gpu::{ChosenShape, Gpu, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What became of a version at a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is the choice.
    Chosen,
    /// It was timed, and is not worth leaving the rule of thumb for.
    Slower,
    /// The rule of thumb takes it, and nothing better was found.
    ByRule,
    /// It gives other values than the naive version, or does not run.
    Wrong,
    /// Its header, its layouts or its needs do not fit the shape here.
    Unfit,
    /// The rule of thumb takes too little time for any gain to be worth it.
    TooSmall,
    /// Time was up before.
    Late,
}

impl Fate {
    fn in_words(self) -> &'static str {
        match self {
            Self::Chosen => "chosen at",
            Self::Slower => "timed and not worth it at",
            Self::ByRule => "the rule of thumb's own at",
            Self::Wrong => {
                "WRONG (other values than the naive version, or does not run; `exgnet check` looks into it) at"
            }
            Self::Unfit => "does not fit at",
            Self::TooSmall => "not tried, as the rule of thumb takes less than a gain must be (--worth 0 tries it), at",
            Self::Late => "not tried, as time was up, at",
        }
    }
}

/// Which versions of a shape, by their places in [`ChosenShape::versions`], were tried.
#[derive(Debug, Default)]
pub(super) struct Tried {
    pub(super) timed: BTreeSet<usize>,
    pub(super) wrong: BTreeSet<usize>,
    /// None was: the rule of thumb takes too little time.
    pub(super) too_small: bool,
}

impl Tried {
    /// What became of the `i`th version.
    pub(super) fn fate(&self, i: usize, version: &Version, seen: &ChosenShape, found: &Found) -> Fate {
        let chosen = found.choice.as_ref().map(|choice| choice.version.as_str());
        match version == &*seen.chosen.version {
            _ if self.wrong.contains(&i) => Fate::Wrong,
            _ if chosen == Some(version.name.as_str()) => Fate::Chosen,
            true if chosen.is_none() => Fate::ByRule,
            _ if self.timed.contains(&i) => Fate::Slower,
            _ if self.too_small => Fate::TooSmall,
            true => Fate::Slower,
            false => Fate::Late,
        }
    }
}

/// A version of the folder that was given, and what became of it at the shapes of its kernels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Family and version, `conv1d/90_mine`.
    pub version: String,
    /// Shapes by what became of it there; none where no shape of its kernels was tuned.
    pub fates: BTreeMap<Fate, usize>,
}

impl Own {
    /// Those of a device.
    pub(super) fn all(gpu: &Gpu) -> Vec<Self> {
        let catalogue = gpu.catalogue();
        let versions = catalogue.families().flat_map(|family| catalogue.versions(family));
        let own = versions.filter(|version| version.path.is_some());
        own.map(|version| Self { version: version.file(), fates: BTreeMap::new() }).collect()
    }

    /// Notes what became of every version of a shape's family that has its kernel; of those that can run there, `fate` knows it.
    pub(super) fn note(all: &mut [Self], gpu: &Gpu, seen: &ChosenShape, fate: impl Fn(usize, &Arc<Version>) -> Fate) {
        for version in gpu.versions(&seen.family).iter().filter(|version| version.has(&seen.kernel)) {
            let Some(own) = all.iter_mut().find(|own| own.version == version.file()) else { continue };
            let fate = match seen.versions.iter().position(|v| v == version) {
                Some(i) => fate(i, version),
                None => Fate::Unfit,
            };
            *own.fates.entry(fate).or_default() += 1;
        }
    }

    /// What became of it, for people.
    pub fn in_words(&self) -> String {
        if self.fates.is_empty() {
            let why =
                "no shape of its kernels was tuned: they are in the table (--again), left out, or of other networks";
            return format!("{}: not tried: {why}", self.version);
        }
        let shapes = |n: usize| if n == 1 { "1 shape".to_owned() } else { format!("{n} shapes") };
        let parts: Vec<String> =
            self.fates.iter().map(|(fate, n)| format!("{} {}", fate.in_words(), shapes(*n))).collect();
        format!("{}: {}", self.version, parts.join("; "))
    }
}
