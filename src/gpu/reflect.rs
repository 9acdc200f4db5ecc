//! What a WGSL text declares: parameters, buffers, constants; read off naga's module.

use crate::error::{Error, Result, nearest};
use naga::{
    AddressSpace, EntryPoint, Expression, Function, Handle, Module, ScalarKind, Statement, StorageAccess, TypeInner,
};
use std::collections::HashSet;

/// A storage buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) binding: u32,
    pub(super) name: String,
    pub(super) written: bool,
    /// Whether the entry uses it.
    pub(super) used: bool,
}

/// Global variables that a function uses, itself or by way of others.
fn used(module: &Module, function: &Function, seen: &mut HashSet<Handle<Function>>, all: &mut HashSet<u32>) {
    for (_, expression) in function.expressions.iter() {
        if let Expression::GlobalVariable(handle) = expression {
            all.insert(handle.index() as u32);
        }
    }
    let mut blocks = vec![&function.body];
    while let Some(block) = blocks.pop() {
        for statement in block.iter() {
            match statement {
                Statement::Block(b) => blocks.push(b),
                Statement::If { accept, reject, .. } => blocks.extend([accept, reject]),
                Statement::Switch { cases, .. } => blocks.extend(cases.iter().map(|c| &c.body)),
                Statement::Loop { body, continuing, .. } => blocks.extend([body, continuing]),
                Statement::Call { function, .. } if seen.insert(*function) => {
                    used(module, &module.functions[*function], seen, all);
                }
                _ => {}
            }
        }
    }
}

/// An entry point by its name.
fn point<'a>(module: &'a Module, entry: &str) -> Result<&'a EntryPoint> {
    module.entry_points.iter().find(|e| e.name == entry).ok_or_else(|| {
        let names = || module.entry_points.iter().map(|e| e.name.as_str());
        let near = nearest(entry, names()).map_or_else(String::new, |near| format!("is it `{near}`? "));
        Error::gpu(
            format!("found the entry points {}, expected `{entry}`", names().collect::<Vec<_>>().join(", ")),
            format!("{near}An entry is a function with @compute, called `main`, as its kernel, or as the header says"),
        )
    })
}

/// The module with one entry point alone: the others, which may be long, are not compiled with it.
pub(super) fn alone(module: &mut Module, entry: &str) -> Result<Module> {
    let own = point(module, entry)?.clone();
    let all = std::mem::take(&mut module.entry_points);
    let alone = Module { entry_points: vec![own], ..module.clone() };
    module.entry_points = all;
    Ok(alone)
}

/// Global variables that an entry uses.
pub(super) fn globals(module: &Module, entry: &str) -> Result<HashSet<u32>> {
    let mut all = HashSet::new();
    used(module, &point(module, entry)?.function, &mut HashSet::new(), &mut all);
    Ok(all)
}

/// Storage buffers of a module in the order of their bindings.
pub(super) fn slots(module: &Module, entry: &str) -> Result<Vec<Slot>> {
    let all = globals(module, entry)?;
    let mut slots = Vec::new();
    for (handle, variable) in module.global_variables.iter() {
        let (AddressSpace::Storage { access }, Some(place)) = (variable.space, &variable.binding) else { continue };
        slots.push(Slot {
            binding: place.binding,
            name: variable.name.clone().unwrap_or_default(),
            written: access.contains(StorageAccess::STORE),
            used: all.contains(&(handle.index() as u32)),
        });
    }
    slots.sort_by_key(|slot| slot.binding);
    Ok(slots)
}

/// A parameter's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Uint,
    Int,
    Float,
}

/// Names and types of an entry's parameters: the fields of the uniform that it uses, scalars of 32 bits.
pub(super) fn params(module: &Module, entry: &str) -> Result<Vec<(String, Scalar)>> {
    let all = globals(module, entry)?;
    let mut uniforms = module.global_variables.iter().filter(|(_, v)| v.space == AddressSpace::Uniform);
    let uniform = uniforms.find(|(handle, _)| all.contains(&(handle.index() as u32)));
    let Some((_, uniform)) = uniform else { return Ok(Vec::new()) };
    let TypeInner::Struct { members, .. } = &module.types[uniform.ty].inner else {
        return Err(Error::gpu("found parameters that are no struct, expected `struct Params`", HINT));
    };
    let mut all = Vec::new();
    for (i, member) in members.iter().enumerate() {
        let name = member.name.clone().unwrap_or_default();
        let scalar = match module.types[member.ty].inner {
            TypeInner::Scalar(scalar) if scalar.width == 4 && member.offset == 4 * i as u32 => match scalar.kind {
                ScalarKind::Uint => Some(Scalar::Uint),
                ScalarKind::Sint => Some(Scalar::Int),
                ScalarKind::Float => Some(Scalar::Float),
                _ => None,
            },
            _ => None,
        };
        let Some(scalar) = scalar else {
            return Err(Error::gpu(
                format!("found the parameter {name} of another type, expected u32, i32 or f32"),
                HINT,
            ));
        };
        all.push((name, scalar));
    }
    Ok(all)
}

const HINT: &str = "parameters are `struct Params { n: u32, ... }` at binding 0, filled by the names of their fields";

/// What an override constant is where nobody gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Default {
    Missing,
    Value,
    /// Made from others.
    Computed,
}

/// Names of override constants, and their defaults.
pub(super) fn overrides(module: &Module) -> Vec<(String, Default)> {
    let default = |init: Option<Handle<Expression>>| match init.map(|init| &module.global_expressions[init]) {
        None => Default::Missing,
        Some(Expression::Literal(_)) => Default::Value,
        Some(_) => Default::Computed,
    };
    module.overrides.iter().filter_map(|(_, o)| Some((o.name.clone()?, default(o.init)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read() {
        let text = "struct Params { n: u32, pad: i32, scale: f32 }
            @group(0) @binding(0) var<uniform> p: Params;
            @group(0) @binding(2) var<storage, read> x: array<f32>;
            @group(0) @binding(1) var<storage, read_write> y: array<f32>;
            override WG: u32 = 64u;
            override RELU: bool;
            override TWICE: u32 = 2u * WG;
            fn at(i: u32) -> f32 { return x[i]; }
            @compute @workgroup_size(WG) fn main(@builtin(global_invocation_id) id: vec3<u32>) { if RELU { y[id.x] = f32(p.n); } }
            @compute @workgroup_size(WG) fn both(@builtin(global_invocation_id) id: vec3<u32>) { y[id.x] = at(id.x); }";
        let module = naga::front::wgsl::parse_str(text).expect("parsed");
        let of = |entry: &str| -> Vec<(String, bool, bool)> {
            slots(&module, entry).expect("an entry").into_iter().map(|s| (s.name, s.written, s.used)).collect()
        };
        assert_eq!(of("main"), [("y".to_owned(), true, true), ("x".to_owned(), false, false)]);
        assert_eq!(of("both"), [("y".to_owned(), true, true), ("x".to_owned(), false, true)]);
        assert!(slots(&module, "none").is_err());
        let mut whole = module.clone();
        let both = alone(&mut whole, "both").expect("an entry");
        assert_eq!((both.entry_points.len(), whole.entry_points.len()), (1, 2));
        assert_eq!(slots(&both, "both").expect("kept"), slots(&module, "both").expect("an entry"));
        assert!(alone(&mut whole, "none").is_err() && slots(&both, "main").is_err());
        let names = ["n", "pad", "scale"].map(str::to_owned);
        let params = params(&module, "main").expect("scalars");
        assert_eq!(params, names.into_iter().zip([Scalar::Uint, Scalar::Int, Scalar::Float]).collect::<Vec<_>>());
        let defaults = [("WG", Default::Value), ("RELU", Default::Missing), ("TWICE", Default::Computed)];
        assert_eq!(overrides(&module), defaults.map(|(name, default)| (name.to_owned(), default)));
    }
}
