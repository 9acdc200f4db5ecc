//! Texts of kernels compiled by naga, for this adapter and for others that are supposed.

use crate::error::{Error, Result};
use crate::gpu::{Chosen, Facts, Gpu, Need, Number, Values, Version, embedded_shaders, entries, expand};
use crate::lab::counts::validated;
use crate::ops::family::Kernel;
use naga::valid::Capabilities;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Adapters that are supposed: a software one, a wide one, one with nothing.
const ADAPTERS: [Facts; 3] = [
    Facts { software: true, subgroups: true, f16: false, int64: true, lanes: 8 },
    Facts { software: false, subgroups: true, f16: true, int64: false, lanes: 32 },
    Facts { software: false, subgroups: false, f16: false, int64: false, lanes: 0 },
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

/// Compiles a text; `entry` is checked for its buffers.
fn compile(shown: &str, text: &str, entry: Option<&str>, allowed: Allowed) -> Result<()> {
    let hint = "`exgnet shader` prints the text that was compiled; compare it with the embedded one";
    let bad = |what: String| Error::gpu(format!("{shown}: {}", what.trim()), hint);
    let (module, info) = validated(text, allowed.capabilities).map_err(bad)?;
    for (i, point) in module.entry_points.iter().enumerate().filter(|(_, p)| entry.is_none_or(|e| e == p.name)) {
        let buffers = module.global_variables.iter().filter(|(handle, v)| {
            matches!(v.space, naga::AddressSpace::Storage { .. }) && !info.get_entry_point(i)[*handle].is_empty()
        });
        let n = buffers.count();
        if n > allowed.storage {
            return Err(bad(format!(
                "entry {}: found {n} storage buffers, expected at most {} (or a line `//@ needs: storage={n}`)",
                point.name, allowed.storage
            )));
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
    for kernel in kernels.iter().filter(|k| version.has(k.name)) {
        for (i, sample) in samples(kernel).into_iter().enumerate() {
            for facts in ADAPTERS {
                let mut sizes = sample.clone();
                sizes.extend(facts.values());
                let values = gpu.resolve(&chosen, &sizes)?;
                // a flag that it does not know in this place may lead to no text: only the sample itself must
                let all = match entries(gpu.shaders(), version, kernel.name, &values) {
                    Ok(_) if !version.fits(&values)? => continue,
                    Err(_) if i > 0 || !version.fits(&values).unwrap_or(true) => continue,
                    all => all?,
                };
                let native = matches!(values.get("native"), Some(Number::Int(1)));
                for entry in all {
                    let text = entry.text(gpu.shaders())?.into_owned();
                    if seen.insert((entry.name().to_owned(), text.clone())) {
                        let allowed = Allowed::to(&version.needs, native, facts.int64);
                        compile(&version.shown(), &text, Some(entry.name()), allowed)?;
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
            let text = expand(source, name, text, [])?;
            let mut allowed = Allowed::to(&[Need::Subgroups], true, false);
            allowed.storage = STORAGE;
            compile(&source.shown(name), &text, None, allowed)?;
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
