//! Texts of kernels compiled by naga, for this adapter and for others that are supposed.

use crate::error::{Error, Result};
use crate::gpu::{Chosen, Facts, Given, Gpu, Need, Number, Template, Values, Version, embedded_shaders, entries};
use crate::ops::family::{Kernel, is_given};
use naga::valid::Capabilities;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Adapters that are supposed: software ones, a wide one, one with nothing.
const ADAPTERS: [Facts; 5] = [
    Facts { software: true, intel: false, registers: 32, subgroups: true, f16: false, int64: true, lanes: 8 },
    Facts { software: true, intel: false, registers: 16, subgroups: true, f16: false, int64: true, lanes: 8 },
    Facts { software: true, intel: true, registers: 32, subgroups: true, f16: false, int64: true, lanes: 8 },
    Facts { software: false, intel: false, registers: 0, subgroups: true, f16: true, int64: false, lanes: 32 },
    Facts { software: false, intel: false, registers: 0, subgroups: false, f16: false, int64: false, lanes: 0 },
];
/// Storage buffers of a kernel that every adapter has.
const STORAGE: usize = 8;

/// What a text must pass.
#[derive(Debug, Clone, Copy)]
struct Allowed {
    capabilities: Capabilities,
    storage: usize,
}

impl Allowed {
    fn to(needs: &[Need], native: bool, int64: bool) -> Self {
        // pack2x16float and its inverse are in WebGPU's core
        let mut capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
        let mut storage = STORAGE;
        for need in needs {
            match *need {
                Need::Subgroups => capabilities |= Capabilities::SUBGROUP,
                Need::F16 => capabilities |= Capabilities::SHADER_FLOAT16,
                Need::Int64 => capabilities |= Capabilities::SHADER_INT64,
                Need::Storage(n) => storage = n as usize,
                Need::Shared(_) | Need::Threads(_) => {}
            }
        }
        if int64 {
            // where the adapter has them, words of two values may be moved (include/quad.wgsl)
            capabilities |= Capabilities::SHADER_INT64;
        }
        if native {
            capabilities |= Capabilities::SHADER_FLOAT16;
        }
        Self { capabilities, storage }
    }
}

/// Compiles a text. Of `entry`, or of all entries, the number of buffers is checked, and that they are among `given`.
fn compile(template: &Template<'_>, entry: Option<&str>, given: Option<&[&str]>, allowed: Allowed) -> Result<()> {
    let module = template.module()?;
    let info = template.validate_for(&module, allowed.capabilities)?;
    for (i, point) in module.entry_points.iter().enumerate().filter(|(_, p)| entry.is_none_or(|e| e == p.name)) {
        let buffers = module.global_variables.iter().filter(|(handle, v)| {
            matches!(v.space, naga::AddressSpace::Storage { .. }) && !info.get_entry_point(i)[*handle].is_empty()
        });
        let buffers: Vec<&str> = buffers.filter_map(|(_, v)| v.name.as_deref()).collect();
        let n = buffers.len();
        if n > allowed.storage {
            let (name, most) = (&point.name, allowed.storage);
            return Err(template.about(Error::gpu(
                format!("entry {name}: found {n} storage buffers, expected at most {most}"),
                format!("bind fewer, or say what the adapter must have: `//@ needs: storage={n}`"),
            )));
        }
        if let Some((given, name)) = given.and_then(|g| Some((g, buffers.iter().find(|name| !g.contains(name))?))) {
            return Err(template.not_given(Given::Buffer, name, given.iter().copied()));
        }
    }
    Ok(())
}

/// Sizes to compile a kernel's text for: the kernel's own sample, and the same with one of its flags (what is 0 there) set.
fn samples(kernel: &Kernel) -> Vec<Values> {
    let own = kernel.sample();
    let flags = kernel.sizes.iter().filter(|(_, v)| *v == 0).map(|(name, _)| {
        let mut values = own.clone();
        values.insert((*name).to_owned(), Number::Int(1));
        values
    });
    std::iter::once(own.clone()).chain(flags).collect()
}

/// Compiles every text of a version for every kernel, under sample sizes that it fits; the number of different ones.
pub(super) fn compile_all(gpu: &Gpu, version: &Arc<Version>, kernels: &[&'static Kernel]) -> Result<usize> {
    let chosen = Chosen { version: version.clone(), settings: BTreeMap::new() };
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    let elsewhere = |name: &str| is_given(version, name);
    for kernel in kernels.iter().filter(|k| version.has(k.name)) {
        let operands = kernel.operands.iter().map(|(name, _)| *name);
        let given: Vec<&str> = operands.chain(version.scratch()).collect();
        for (i, sample) in samples(kernel).into_iter().enumerate() {
            for facts in ADAPTERS {
                let mut sizes = sample.clone();
                sizes.extend(facts.values());
                let values = gpu.resolve(&chosen, &sizes)?;
                // a flag that it does not know in this place may lead to no text: only the sample itself must
                let all = match entries(gpu.shaders(), version, kernel.name, &values, &elsewhere) {
                    Ok(_) if !version.fits(&values)? => continue,
                    Err(_) if i > 0 || !version.fits(&values).unwrap_or(true) => continue,
                    all => all?,
                };
                let native = matches!(values.get("native"), Some(Number::Int(1)));
                for entry in all {
                    let template = entry.template(gpu.shaders())?;
                    if seen.insert((entry.name().to_owned(), template.expand()?.into_owned())) {
                        let allowed = Allowed::to(&version.needs, native, facts.int64);
                        // where a flag is set that no launch of this kernel sets, there may be none of its buffers
                        let given = (i == 0).then_some(given.as_slice());
                        compile(&template, Some(entry.name()), given, allowed)?;
                    }
                }
            }
        }
    }
    Ok(seen.len())
}

/// Compiles what belongs to no version: the kernels of the measurements. And text that versions share must be shared.
pub(super) fn compile_others(gpu: &Gpu) -> Result<usize> {
    let source = gpu.shaders();
    let mut texts: Vec<String> = Vec::new();
    let catalogue = gpu.catalogue();
    texts.extend(catalogue.families().flat_map(|f| catalogue.versions(f)).map(|v| v.text.clone()));
    let mut n = 0;
    for (file, _) in embedded_shaders() {
        let name = file.trim_end_matches(".wgsl");
        if name.starts_with("lab/") || !name.contains('/') {
            let text = source.text(name)?;
            texts.push(text.clone().into_owned());
            let template = Template::new(source, name, text, BTreeMap::new());
            compile(&template, None, None, Allowed::to(&[Need::Subgroups], true, false))?;
            n += 1;
        } else if name.starts_with("include/") {
            texts.push(source.text(name)?.into_owned());
        }
    }
    for (file, _) in embedded_shaders().iter().filter(|(file, _)| file.starts_with("include/")) {
        if !texts.iter().any(|t| t.contains(&format!("\"{file}\""))) {
            return Err(Error::gpu(
                format!("{}: nobody includes it", source.shown(file.trim_end_matches(".wgsl"))),
                "text that is not used is not checked: include it, or take the file away",
            ));
        }
    }
    Ok(n)
}
