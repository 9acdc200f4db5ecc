//! Which version of a kernel runs, and with what settings: one that is forced, what a tuner found for a shape, or the
//! versions' own rules of thumb.

use super::expression::{Number, Values};
use super::version::Version;
use super::{Gpu, lock};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What to run for one shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Version of the kernel: its name, number or alias.
    #[serde(alias = "variant")]
    pub version: String,
    /// Knobs that differ from the rule of thumb.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, i64>,
}

impl Choice {
    /// A version with the settings that its rule of thumb gives.
    pub fn usual(version: impl Into<String>) -> Self {
        Self { version: version.into(), settings: BTreeMap::new() }
    }

    /// Version and settings, for people: `subgroup_shuffle oc=5 p=16`.
    pub fn in_words(&self) -> String {
        let settings = self.settings.iter().map(|(name, v)| format!(" {name}={v}"));
        std::iter::once(self.version.clone()).chain(settings).collect()
    }
}

/// Choices by shape key.
pub type Choices = BTreeMap<String, Choice>;

/// Versions that are asked for, whatever was tuned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forced {
    /// In every family that has a version of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everywhere: Option<String>,
    /// By family.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub families: BTreeMap<String, String>,
}

impl Forced {
    /// One version for all families.
    pub fn everywhere(version: impl Into<String>) -> Self {
        Self { everywhere: Some(version.into()), families: BTreeMap::new() }
    }

    /// One version of one family.
    pub fn family(family: impl Into<String>, version: impl Into<String>) -> Self {
        Self { everywhere: None, families: BTreeMap::from([(family.into(), version.into())]) }
    }

    /// Reads `tile`, `conv1d=mine` or `naive,conv1d=mine,batch_norm=3`.
    ///
    /// # Errors
    /// [`Error::Config`] for two versions of one family.
    pub fn parse(text: &str) -> Result<Self> {
        let mut all = Self::default();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let before = match part.split_once('=') {
                Some((family, version)) => all.families.insert(family.trim().into(), version.trim().into()),
                None => all.everywhere.replace(part.into()),
            };
            if let Some(before) = before {
                return Err(Error::config(
                    format!("--kernels {text}: found both {before} and {part}, expected one version a family"),
                    "for example --kernels tile, or --kernels conv1d=naive,batch_norm=subgroup",
                ));
            }
        }
        Ok(all)
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.everywhere.is_none() && self.families.is_empty()
    }
}

impl std::fmt::Display for Forced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let families = self.families.iter().map(|(family, version)| format!("{family}={version}"));
        let all: Vec<String> = self.everywhere.iter().cloned().chain(families).collect();
        f.write_str(&all.join(","))
    }
}

/// A version that runs, with the knobs that are set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chosen {
    /// The version.
    pub version: Arc<Version>,
    /// Knobs that differ from the rule of thumb.
    pub settings: BTreeMap<String, i64>,
}

#[derive(Default)]
pub(super) struct Tuning {
    choices: Choices,
    forced: Forced,
    /// What was logged already.
    logged: BTreeSet<String>,
    /// What was asked for since somebody watches.
    seen: Option<Vec<ChosenShape>>,
}

/// A shape that a version was chosen for, see [`Gpu::watched`].
#[derive(Debug, Clone)]
pub struct ChosenShape {
    /// The family.
    pub family: String,
    /// One of its kernels.
    pub kernel: String,
    /// The shape, as tuning tables name it.
    pub key: String,
    /// Its sizes.
    pub sizes: Values,
    /// The versions that can run it here, in order of their numbers.
    pub versions: Vec<Arc<Version>>,
    /// What was chosen.
    pub chosen: Chosen,
    /// How often.
    pub calls: usize,
}

/// What headers may ask for of an adapter, this one or one that is supposed.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// A software adapter.
    pub software: bool,
    /// One that an Intel CPU plays.
    pub intel: bool,
    /// Vector registers of the CPU that plays a software adapter, as its code generator has them; 0: none plays it.
    pub registers: usize,
    /// Subgroup operations.
    pub subgroups: bool,
    /// 16-bit arithmetic.
    pub f16: bool,
    /// 64-bit integers.
    pub int64: bool,
    /// Lanes of a subgroup of one fixed size, or 0.
    pub lanes: usize,
}

impl Facts {
    /// By the names that headers know them by.
    pub fn values(&self) -> Values {
        let all = [
            ("software", i64::from(self.software)),
            ("intel", self.intel.into()),
            ("registers", self.registers as i64),
            ("subgroups", self.subgroups.into()),
            ("f16", self.f16.into()),
            ("int64", self.int64.into()),
            ("lanes", self.lanes as i64),
        ];
        all.into_iter().map(|(name, v)| (name.to_owned(), Number::Int(v))).collect()
    }
}

/// What versions are chosen for.
pub struct Wanted<'a> {
    /// The family.
    pub family: &'a str,
    /// One of its kernels.
    pub kernel: &'a str,
    /// The shape, as tuning tables name it.
    pub key: &'a str,
    /// Whether operands can be laid out as a version wants them.
    pub layouts: &'a dyn Fn(&Version) -> bool,
}

impl Gpu {
    /// Versions of a family in order of their numbers; none for an unknown one.
    pub fn versions(&self, family: &str) -> &[Arc<Version>] {
        self.0.catalogue.versions(family)
    }

    /// All families and their versions.
    pub fn catalogue(&self) -> &super::Catalogue {
        &self.0.catalogue
    }

    /// Uses these versions, whatever was tuned, from here on.
    ///
    /// # Errors
    /// [`Error::Config`] for a version that is not there.
    pub fn force(&self, forced: Forced) -> Result<()> {
        self.0.catalogue.check(&forced)?;
        lock(&self.0.tuning).forced = forced;
        self.forget_plans();
        Ok(())
    }

    /// The versions that [`Gpu::force`] asks for.
    pub fn forced(&self) -> Forced {
        lock(&self.0.tuning).forced.clone()
    }

    /// Replaces the tuned choices.
    pub fn set_choices(&self, choices: Choices) {
        lock(&self.0.tuning).choices = choices;
        self.forget_plans();
    }

    /// The tuned choices in force.
    pub fn choices(&self) -> Choices {
        lock(&self.0.tuning).choices.clone()
    }

    /// Sizes with what headers may ask for of the adapter.
    pub(super) fn with_facts(&self, sizes: &Values) -> Values {
        let r = &self.0.report;
        let lanes = self.fixed_lanes().unwrap_or(0);
        let (f16, int64) = (r.shader_f16, r.shader_int64);
        let intel = r.cpu.is_some_and(|cpu| cpu.starts_with("intel"));
        let registers = r.cpu.map_or(0, super::adapter::vector_registers);
        let facts = Facts { software: r.is_software, intel, registers, subgroups: r.subgroups, f16, int64, lanes };
        let mut values = facts.values();
        values.extend(sizes.iter().map(|(n, v)| (n.clone(), *v)));
        values
    }

    /// Whether a version can run these sizes here.
    fn can_run(&self, wanted: &Wanted<'_>, version: &Version, values: &Values) -> Result<bool> {
        Ok(version.lacks(&self.0.report).is_none() && (wanted.layouts)(version) && version.fits(values)?)
    }

    /// Lanes of a subgroup where they are of one fixed size that kernels can rely on.
    pub fn fixed_lanes(&self) -> Option<usize> {
        let r = &self.0.report;
        let [least, most] = r.subgroup_size;
        (r.subgroups && least == most && (4..=64).contains(&most)).then_some(most as usize)
    }

    /// The version to run: the one that is forced, else the tuned one, else the highest whose rule holds. One that cannot
    /// run these sizes leaves it to the next.
    pub fn choose(&self, wanted: &Wanted<'_>, sizes: &Values) -> Result<Chosen> {
        let chosen = self.decide(wanted, sizes)?;
        if self.is_watched() {
            self.note(wanted, sizes, &chosen)?;
        }
        Ok(chosen)
    }

    /// What versions are chosen for while `f` describes its work, each shape once.
    pub fn watched(&self, f: impl FnOnce() -> Result<()>) -> Result<Vec<ChosenShape>> {
        lock(&self.0.tuning).seen = Some(Vec::new());
        let done = f();
        let seen = lock(&self.0.tuning).seen.take().unwrap_or_default();
        done.map(|()| seen)
    }

    pub(super) fn is_watched(&self) -> bool {
        lock(&self.0.tuning).seen.is_some()
    }

    fn note(&self, wanted: &Wanted<'_>, sizes: &Values, chosen: &Chosen) -> Result<()> {
        let values = self.with_facts(sizes);
        let mut versions = Vec::new();
        for v in self.versions(wanted.family).iter().filter(|v| v.has(wanted.kernel)) {
            if self.can_run(wanted, v, &values)? {
                versions.push(v.clone());
            }
        }
        let mut tuning = lock(&self.0.tuning);
        let Some(all) = &mut tuning.seen else { return Ok(()) };
        let same = |s: &&mut ChosenShape| s.kernel == wanted.kernel && s.key == wanted.key && s.family == wanted.family;
        match all.iter_mut().find(same) {
            Some(seen) => seen.calls += 1,
            None => all.push(ChosenShape {
                family: wanted.family.to_owned(),
                kernel: wanted.kernel.to_owned(),
                key: wanted.key.to_owned(),
                sizes: sizes.clone(),
                versions,
                chosen: chosen.clone(),
                calls: 1,
            }),
        }
        Ok(())
    }

    /// See [`Gpu::choose`].
    fn decide(&self, wanted: &Wanted<'_>, sizes: &Values) -> Result<Chosen> {
        let values = self.with_facts(sizes);
        let versions = self.versions(wanted.family);
        let can = |v: &Version| self.can_run(wanted, v, &values);
        let provider = |number: u32| versions.iter().rev().find(|v| v.number <= number && v.has(wanted.kernel));
        let (forced, tuned) = {
            let tuning = lock(&self.0.tuning);
            let own = tuning.forced.families.get(wanted.family).or(tuning.forced.everywhere.as_ref());
            (own.cloned(), tuning.choices.get(wanted.key).cloned())
        };
        let called = |name: &str| versions.iter().find_map(|v| Some((v, v.called(name)?)));
        let tuned = tuned.and_then(|choice| {
            let (version, mut settings) = called(&choice.version)?;
            settings.extend(choice.settings);
            Some((version.clone(), settings))
        });
        if let Some((asked, mut settings)) = forced.as_deref().and_then(called)
            && let Some(version) = provider(asked.number)
        {
            if can(version)? {
                settings.retain(|name, _| version.knobs.iter().any(|k| k.name == *name));
                if let Some((_, own)) = tuned.as_ref().filter(|(v, _)| v == version && settings.is_empty()) {
                    settings = own.clone();
                }
                return Ok(Chosen { version: version.clone(), settings });
            }
            let what =
                format!("{} {}: {} does not fit, the rule of thumb decides", wanted.family, wanted.key, asked.label());
            if lock(&self.0.tuning).logged.insert(format!("{} {}", wanted.family, asked.label())) {
                log::warn!("{what}");
            }
        } else if let Some((version, settings)) = tuned.filter(|(v, _)| v.has(wanted.kernel))
            && can(&version)?
        {
            return Ok(Chosen { version, settings });
        }
        for version in versions.iter().rev().filter(|v| v.has(wanted.kernel)) {
            if can(version)? && version.by_rule(&values)? {
                return Ok(Chosen { version: version.clone(), settings: BTreeMap::new() });
            }
        }
        Err(Error::gpu(
            format!("{} {}: found no version that fits {}", wanted.family, wanted.kernel, wanted.key),
            "01_naive.wgsl should fit every shape: compare it with the built-in one",
        ))
    }
}
