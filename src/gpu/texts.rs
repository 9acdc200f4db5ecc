//! What was found out about the texts of kernels: the names that they take from outside, what their entry points declare, and
//! the modules of those that are not compiled yet.

use super::ShaderSource;
use super::expression::Number;
use super::kernel::{Key, Source};
use super::reflect::{self, Default as InFile, Scalar, Slot};
use super::template::{Template, names};
use super::version::Version;
use crate::error::Result;
use std::collections::HashMap;
use std::sync::Arc;

/// What an entry point declares.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) params: Vec<(String, Scalar)>,
    pub(super) overrides: Vec<(String, InFile)>,
    /// Storage buffers that are bound for it, in the order of their bindings.
    pub(super) slots: Vec<Slot>,
}

/// A source, an entry point, template variables.
type Of = (Source, String, Vec<(String, Number)>);

fn of(key: &Key) -> Of {
    (key.source.clone(), key.entry.clone(), key.settings.clone())
}

/// Of a device, and of those of shapes alone that describe work for it: a text is parsed once.
#[derive(Debug, Default)]
pub(super) struct Texts {
    names: HashMap<u64, Arc<Vec<String>>>,
    declared: HashMap<Of, Arc<Declared>>,
    modules: HashMap<Of, Waiting>,
}

/// The module of a text that is to be compiled.
#[derive(Debug)]
enum Waiting {
    /// For the first time: not kept, as it may be long.
    Once(naga::Module),
    /// Once more, with other override constants, and maybe again.
    Again(naga::Module),
}

impl Texts {
    /// Names that a version's text, or what it includes, takes from outside.
    pub(super) fn names(&mut self, shaders: &ShaderSource, version: &Version) -> Arc<Vec<String>> {
        let all = || Arc::new(names(shaders, &version.text).into_iter().collect());
        self.names.entry(version.hash).or_insert_with(all).clone()
    }

    /// What a key's entry point declares. `parsed` is the text's module, once an entry point of it was asked for.
    pub(super) fn declared(
        &mut self,
        (template, parsed): (&Template<'_>, &mut Option<naga::Module>),
        key: &Key,
    ) -> Result<Arc<Declared>> {
        let of = of(key);
        if let Some(declared) = self.declared.get(&of) {
            return Ok(declared.clone());
        }
        let all = match parsed {
            Some(all) => all,
            None => parsed.insert(template.module()?),
        };
        let own = reflect::alone(all, &key.entry).map_err(|e| template.about(e))?;
        let params = reflect::params(&own, &key.entry).map_err(|e| template.about(e))?;
        let mut slots = reflect::slots(&own, &key.entry)?;
        if matches!(key.source, Source::Version(_)) {
            slots.retain(|slot| slot.used);
        }
        let declared = Arc::new(Declared { params, overrides: reflect::overrides(&own), slots });
        self.declared.insert(of.clone(), declared.clone());
        self.modules.insert(of, Waiting::Once(own));
        Ok(declared)
    }

    /// The module of a key's entry point, to be compiled.
    pub(super) fn module(&mut self, template: &Template<'_>, key: &Key) -> Result<naga::Module> {
        let own = match self.modules.remove(&of(key)) {
            Some(Waiting::Once(module)) => return Ok(module),
            Some(Waiting::Again(module)) => module,
            None => reflect::alone(&mut template.module()?, &key.entry).map_err(|e| template.about(e))?,
        };
        self.modules.insert(of(key), Waiting::Again(own.clone()));
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use crate::gpu::{Gpu, lock};
    use crate::ops::{Branch, conv1d};
    use crate::tensor::{DType, Tensor};

    #[test]
    fn a_text_is_parsed_once_for_a_device_and_those_of_shapes_beside_it() {
        let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
        let gpu = gpu.beside(gpu.shaders().clone()).expect("with texts of its own");
        let work = |gpu: &Gpu| {
            let x = Tensor::empty(gpu, &[2, 3, 40], DType::F32).expect("allocated");
            let w = Tensor::empty(gpu, &[4, 3, 5], DType::F32).expect("allocated");
            conv1d(&x, &w, 1, 1, Branch::same(5, 1)).expect("launched");
            let texts = lock(&gpu.0.maker.texts);
            (texts.declared.len(), texts.modules.len())
        };
        let (declared, waiting) = work(&gpu.shapes().expect("a device of shapes"));
        assert!(waiting > 0 && declared == waiting, "{declared} {waiting}");
        assert_eq!(work(&gpu), (declared, 0), "what was parsed is what is compiled");
    }
}
