//! A launch by names: the sizes of a shape and the header of a version give what is compiled, its parameters and its
//! groups. Plans are kept by shape.

use super::expression::{Number, Sizes, Values};
use super::kernel::{Kernel, Key, Source, fold};
use super::record::StandsFor;
use super::reflect::{Default as InFile, Scalar};
use super::template::{Given, Template};
use super::texts::Texts;
use super::tuning::{Chosen, Wanted};
use super::version::{Geometry, Version};
use super::{Gpu, ShaderSource, Storage, lock};
use crate::error::Result;
use std::collections::HashMap;
use std::sync::Arc;

/// An entry point of a version, ready to be compiled and launched.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Workgroups.
    groups: usize,
    /// Words of the parameters.
    params: Vec<u32>,
    key: Key,
}

impl Entry {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.key.entry
    }

    /// Its override constants, by name.
    pub fn constants(&self) -> Vec<(String, f64)> {
        self.key.overrides()
    }

    /// The text that it is compiled from.
    pub fn template<'a>(&self, shaders: &'a ShaderSource) -> Result<Template<'a>> {
        self.key.template(shaders)
    }
}

/// Whether an override constant that a launch does not give is one of another kernel of the family: then the default that
/// the file has for it holds.
pub type Elsewhere<'a> = &'a dyn Fn(&str) -> bool;

impl Texts {
    /// Entries of a kernel under `values`, see [`entries`].
    fn entries(
        &mut self,
        shaders: &ShaderSource,
        version: &Arc<Version>,
        kernel: &str,
        values: &Values,
        elsewhere: Elsewhere<'_>,
    ) -> Result<Vec<Entry>> {
        let used = self.names(shaders, version);
        let settings: Vec<_> = used.iter().filter_map(|name| Some((name.clone(), *values.get(name)?))).collect();
        let mut parsed = None;
        let one = |name: String| {
            let Some(geometry) = version.geometry.get(&name) else {
                let what = format!(
                    "found no `//@ threads {name}: ...` or `//@ groups {name}: ...`, expected one for every entry"
                );
                return Err(version.wrong(&name, &what));
            };
            let count = |e: &super::expression::Expression| e.count(values).map_err(|what| version.wrong(&name, &what));
            let (n, groups) = match geometry {
                Geometry::Groups(e) => {
                    let n = count(e)?;
                    (n, n)
                }
                Geometry::Threads(e) => match (count(e)?, values.get("WG")) {
                    (n, Some(Number::Int(width @ 1..))) => (n, n.div_ceil(*width as usize)),
                    (_, Some(width)) => {
                        let what = format!("found {width}, expected the threads of a group, 1 or more");
                        return Err(version.wrong("knob WG", &what));
                    }
                    _ => {
                        let what = "found no knob WG, expected the threads of a group, such as `//@ knob WG: 64`";
                        return Err(version.wrong(&name, what));
                    }
                },
            };
            let mut key = Key {
                source: Source::Version(version.clone()),
                entry: name,
                constants: Vec::new(),
                settings: settings.clone(),
            };
            let template = key.template(shaders)?.given(values.keys());
            let declared = self.declared((&template, &mut parsed), &key)?;
            let unknown = |kind: Given, name: &str| {
                let why = version.why_unknown(name, values);
                why.unwrap_or_else(|| template.not_given(kind, name, values.keys().map(String::as_str)))
            };
            for (name, in_file) in &declared.overrides {
                match (values.get(name), in_file) {
                    (Some(v), _) => key.constants.push((name.clone(), *v)),
                    (None, InFile::Missing) => return Err(unknown(Given::Override, name)),
                    // misspelt, it would stay as the file has it
                    (None, InFile::Value) if !elsewhere(name) => return Err(unknown(Given::Override, name)),
                    (None, InFile::Value | InFile::Computed) => {}
                }
            }
            let mut params = Vec::new();
            for (name, scalar) in &declared.params {
                let value = values.get(name).copied().or((name == "n").then_some(Number::Int(n as i64)));
                let value = value.ok_or_else(|| unknown(Given::Parameter, name))?;
                let word = match (scalar, value) {
                    (Scalar::Float, v) => Some((v.float() as f32).to_bits()),
                    (Scalar::Uint, Number::Int(v)) => u32::try_from(v).ok(),
                    (Scalar::Int, Number::Int(v)) => i32::try_from(v).ok().map(|v| v as u32),
                    _ => None,
                };
                params.push(word.ok_or_else(|| {
                    let what = format!("found {value} for the parameter {name}, expected a number of its type");
                    version.wrong(name, &what)
                })?);
            }
            Ok(Entry { groups, params, key })
        };
        version.entries(kernel, values)?.into_iter().map(one).collect()
    }
}

/// Entries that make a kernel in a version, in order, where its header's numbers have been added to the sizes and the facts
/// of an adapter (this one, or one that is supposed).
///
/// # Errors
/// [`crate::Error::Gpu`] or [`crate::Error::File`] with the line for a name that nobody gives, and for what the header says wrong.
pub fn entries(
    shaders: &ShaderSource,
    version: &Arc<Version>,
    kernel: &str,
    values: &Values,
    elsewhere: Elsewhere<'_>,
) -> Result<Vec<Entry>> {
    Texts::default().entries(shaders, version, kernel, values, elsewhere)
}

/// What runs for a shape.
pub struct Plan {
    /// Version and settings.
    pub chosen: Chosen,
    /// Sizes, facts, knobs and numbers.
    pub values: Values,
    /// Buffers that the stages share, and their values.
    pub scratch: Vec<(String, usize)>,
    stages: Vec<Stage>,
}

struct Stage {
    kernel: Arc<Kernel>,
    params: Vec<u32>,
    groups: [u32; 2],
}

/// What was found out for shapes, until other versions are asked for.
#[derive(Default)]
pub(super) struct Plans {
    /// By family, kernel, name of the shape, sizes.
    chosen: HashMap<(&'static str, &'static str, String, Sizes), Chosen>,
    resolved: HashMap<(Chosen, Sizes), Arc<Values>>,
    plans: HashMap<(&'static str, Chosen, Sizes), Arc<Plan>>,
}

impl Gpu {
    pub(super) fn forget_plans(&self) {
        let mut plans = lock(&self.0.plans);
        plans.chosen.clear();
        plans.resolved.clear();
        plans.plans.clear();
    }

    /// Kernels that were launched since [`Gpu::force`] or [`Gpu::set_choices`] was called last, by family and name, with
    /// what ran.
    pub fn planned(&self) -> Vec<(String, Arc<Plan>)> {
        let plans = lock(&self.0.plans);
        let mut all: Vec<_> =
            plans.plans.iter().map(|((kernel, ..), plan)| ((*kernel).to_owned(), plan.clone())).collect();
        all.sort_by_cached_key(|(kernel, plan)| (plan.chosen.version.file(), kernel.clone()));
        all
    }

    /// Sizes with the adapter's facts, the version's knobs and its numbers.
    pub fn resolve(&self, chosen: &Chosen, sizes: &Values) -> Result<Values> {
        chosen.version.resolve(self.with_facts(sizes), &chosen.settings)
    }

    /// As [`Gpu::choose`], which is asked once for a shape.
    pub(crate) fn chosen(
        &self,
        (family, kernel): (&'static str, &'static str),
        key: &str,
        layouts: &dyn Fn(&Version) -> bool,
        sizes: &Sizes,
    ) -> Result<Chosen> {
        let wanted = Wanted { family, kernel, key, layouts };
        if self.is_watched() {
            return self.choose(&wanted, &sizes.values());
        }
        let of = (family, kernel, key.to_owned(), sizes.clone());
        if let Some(chosen) = lock(&self.0.plans).chosen.get(&of) {
            return Ok(chosen.clone());
        }
        let chosen = self.choose(&wanted, &sizes.values())?;
        lock(&self.0.plans).chosen.insert(of, chosen.clone());
        Ok(chosen)
    }

    /// As [`Gpu::resolve`], which is asked once for a shape.
    pub(crate) fn resolved(&self, chosen: &Chosen, sizes: &Sizes) -> Result<Arc<Values>> {
        let key = (chosen.clone(), sizes.clone());
        if let Some(values) = lock(&self.0.plans).resolved.get(&key) {
            return Ok(values.clone());
        }
        let values = Arc::new(self.resolve(chosen, &sizes.values())?);
        lock(&self.0.plans).resolved.insert(key, values.clone());
        Ok(values)
    }

    /// Settings that the tuner may try for these sizes, beside the default ones.
    pub fn candidates(
        &self,
        version: &Version,
        sizes: &Values,
    ) -> Result<Vec<std::collections::BTreeMap<String, i64>>> {
        version.candidates(&self.with_facts(sizes))
    }

    /// What runs for these sizes, compiled.
    pub fn plan(
        &self,
        kernel: &'static str,
        chosen: &Chosen,
        sizes: &Sizes,
        elsewhere: Elsewhere<'_>,
    ) -> Result<Arc<Plan>> {
        let key = (kernel, chosen.clone(), sizes.clone());
        if let Some(plan) = lock(&self.0.plans).plans.get(&key) {
            return Ok(plan.clone());
        }
        let version = &chosen.version;
        let values = self.resolve(chosen, &sizes.values())?;
        let entries = lock(&self.0.maker.texts).entries(&self.0.shaders, version, kernel, &values, elsewhere)?;
        let mut stages = Vec::new();
        for entry in entries.into_iter().filter(|entry| entry.groups > 0) {
            let groups = fold(&version.file(), entry.groups)?;
            stages.push(Stage { kernel: self.kernel(entry.key)?, params: entry.params, groups });
        }
        let size = |(name, e): &(String, super::expression::Expression)| {
            let n = e.count(&values).map_err(|what| version.wrong(&format!("scratch {name}"), &what))?;
            Ok((name.clone(), n.max(1)))
        };
        // what the file's other kernels share stays out
        let used = |name: &str| stages.iter().any(|s| s.kernel.slots.iter().any(|slot| slot.used && slot.name == name));
        let scratch = version.scratch.iter().filter(|(name, _)| used(name)).map(size).collect::<Result<_>>()?;
        let plan = Arc::new(Plan { chosen: chosen.clone(), values, scratch, stages });
        lock(&self.0.plans).plans.insert(key, plan.clone());
        Ok(plan)
    }

    /// Records a plan's stages with buffers by name. `cost` is the work of all of them, floating-point operations and bytes, and
    /// `shape` what tuning tables call it: both for profiles.
    pub fn run_plan(&self, plan: &Plan, buffers: &[(&str, &Storage)], shape: &str, cost: [f64; 2]) -> Result<()> {
        let shape: Arc<str> = shape.into();
        let last = plan.stages.len().saturating_sub(1);
        for (i, stage) in plan.stages.iter().enumerate() {
            let bound = stage.kernel.slots.iter().map(|slot| {
                let found = buffers.iter().find(|(name, _)| *name == slot.name);
                found.map(|(_, storage)| *storage).ok_or_else(|| {
                    let names = buffers.iter().map(|(name, _)| *name);
                    match stage.kernel.key.template(&self.0.shaders) {
                        Ok(template) => template.not_given(Given::Buffer, &slot.name, names),
                        Err(e) => e,
                    }
                })
            });
            let bound = bound.collect::<Result<Vec<_>>>()?;
            // by convention the last stage is the one that stands for all
            let cost = if i == last { cost } else { [0.0; 2] };
            let stands_for = StandsFor { cost, shape: Some(shape.clone()) };
            self.record_dispatch(stage.kernel.clone(), &stage.params, &bound, stage.groups, stands_for)?;
        }
        Ok(())
    }
}
