//! Override constants put in place before a kernel goes to the driver, and what they rule out taken away: a text may have a case
//! for every operation, and its kernel is compiled from one. What the device would accept and cannot run is found here.

use super::reflect::globals;
use super::template::{CAPABILITIES, with_causes};
use crate::error::Result;
use naga::back::PipelineConstants;
use naga::back::pipeline_constants::process_overrides;
use naga::compact::{KeepUnused, compact};
use naga::proc::Layouter;
use naga::valid::{ValidationFlags, Validator};
use naga::{AddressSpace, Arena, Block, Constant, Expression, Handle, Literal, Module, Statement, SwitchValue};

/// A module of one or more entry points with its override constants in place, those of `values` by their names, and without what
/// they rule out; one that has none as it is.
///
/// # Errors
/// In naga's words, where the module is not valid, or a constant has no value or one that does not fit.
pub(crate) fn settled(module: Module, values: &PipelineConstants) -> std::result::Result<Module, String> {
    if module.overrides.is_empty() && values.is_empty() {
        return Ok(module);
    }
    // naga may panic where a module is not valid
    let info = Validator::new(ValidationFlags::all(), CAPABILITIES).validate(&module);
    let info = info.map_err(|e| with_causes(e.as_inner()))?;
    let put = process_overrides(&module, &info, None, &by_id(&module, values)).map_err(|e| with_causes(&e))?;
    let mut module = put.0.into_owned();
    let Module { constants, global_expressions: globals, functions, entry_points, .. } = &mut module;
    let entries = entry_points.iter_mut().map(|entry| &mut entry.function);
    for function in functions.iter_mut().map(|(_, function)| function).chain(entries) {
        let known = Known { constants, globals, own: &function.expressions };
        known.prune(&mut function.body);
        // what has a name is kept, also where nothing computes it any more
        function.named_expressions.clear();
    }
    compact(&mut module, KeepUnused::No);
    Ok(module)
}

/// Values as naga asks for them: by `@id`, where a constant has one.
fn by_id(module: &Module, values: &PipelineConstants) -> PipelineConstants {
    let mut all = values.clone();
    for (_, constant) in module.overrides.iter() {
        let Some((id, name)) = constant.id.zip(constant.name.as_ref()) else { continue };
        if let Some(v) = all.remove(name) {
            all.insert(id.to_string(), v);
        }
    }
    all
}

/// Bytes of workgroup memory that an entry of a settled module takes, as WebGPU counts them: every variable in steps of 16.
pub(super) fn shared_bytes(module: &Module, entry: &str) -> Result<u64> {
    let (used, mut layouter) = (globals(module, entry)?, Layouter::default());
    // of types that are not valid the device speaks
    if layouter.update(module.to_ctx()).is_err() {
        return Ok(0);
    }
    let shared = module.global_variables.iter().filter(|(_, v)| v.space == AddressSpace::WorkGroup);
    let shared = shared.filter(|(handle, _)| used.contains(&(handle.index() as u32)));
    Ok(shared.map(|(_, v)| u64::from(layouter[v.ty].size).next_multiple_of(16)).sum())
}

/// What is known of a function's expressions.
struct Known<'a> {
    constants: &'a Arena<Constant>,
    globals: &'a Arena<Expression>,
    own: &'a Arena<Expression>,
}

impl Known<'_> {
    /// The value of an expression that is a constant.
    fn value(&self, expression: Handle<Expression>) -> Option<Literal> {
        let constant = match self.own[expression] {
            Expression::Literal(literal) => return Some(literal),
            Expression::Constant(constant) => constant,
            _ => return None,
        };
        match self.globals[self.constants[constant].init] {
            Expression::Literal(literal) => Some(literal),
            _ => None,
        }
    }

    /// The branch of a statement that is always taken, out of it.
    fn taken(&self, statement: &mut Statement) -> Option<Block> {
        match statement {
            Statement::If { condition, accept, reject } => {
                let Literal::Bool(taken) = self.value(*condition)? else { return None };
                Some(std::mem::take(if taken { accept } else { reject }))
            }
            Statement::Switch { selector, cases } => {
                let value = match self.value(*selector)? {
                    Literal::U32(v) => SwitchValue::U32(v),
                    Literal::I32(v) => SwitchValue::I32(v),
                    _ => return None,
                };
                let at = |value: SwitchValue| cases.iter().position(|case| case.value == value);
                let first = at(value).or_else(|| at(SwitchValue::Default))?;
                let last = cases.iter().skip(first).position(|case| !case.fall_through)?;
                let cases = &mut cases[first..=first + last];
                // a break would have nothing to break out of
                if cases.iter().any(|case| breaks(&case.body)) {
                    return None;
                }
                let mut taken = Block::new();
                cases.iter_mut().for_each(|case| taken.append(&mut case.body));
                Some(taken)
            }
            _ => None,
        }
    }

    /// Puts branches that are always taken in the place of their conditions.
    fn prune(&self, block: &mut Block) {
        block.iter_mut().for_each(|statement| self.prune_statement(statement));
        if let Some(last) = block.iter().position(returns) {
            block.cull(last + 1..);
        }
    }

    fn prune_statement(&self, statement: &mut Statement) {
        if let Some(taken) = self.taken(statement) {
            *statement = Statement::Block(taken);
        }
        match statement {
            Statement::Block(block) => self.prune(block),
            Statement::If { accept, reject, .. } => {
                self.prune(accept);
                self.prune(reject);
            }
            Statement::Switch { cases, .. } => {
                for case in cases {
                    self.prune(&mut case.body);
                }
            }
            Statement::Loop { body, continuing, .. } => {
                self.prune(body);
                self.prune(continuing);
            }
            _ => {}
        }
    }
}

/// Whether nothing behind a statement is reached.
fn returns(statement: &Statement) -> bool {
    match statement {
        Statement::Return { .. } => true,
        Statement::Block(block) => block.last().is_some_and(returns),
        _ => false,
    }
}

/// Whether a block leaves the switch that it belongs to.
fn breaks(block: &Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Break => true,
        Statement::Block(block) => breaks(block),
        Statement::If { accept, reject, .. } => breaks(accept) || breaks(reject),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
        override OP: u32 = 0u;
        override twice: bool = false;
        override WG: u32 = 8u;
        @group(0) @binding(0) var<storage, read_write> y: array<f32>;
        fn long(v: f32) -> f32 { return exp(v) + 1.0; }
        fn done(v: f32) -> f32 {
            switch OP {
                case 0u: { return -v; }
                case 1u, 2u: { return long(v); }
                default: { if v > 2.0 { break; } }
            }
            return v;
        }
        @compute @workgroup_size(WG)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if !twice { y[id.x] = done(y[id.x]); return; }
            loop { if OP == 1u { break; } y[id.x] = 2.0 * done(y[id.x]); if OP != 1u { break; } }
        }";

    fn with(text: &str, constants: &[(&str, f64)]) -> std::result::Result<Module, String> {
        let constants = constants.iter().map(|&(name, v)| (name.to_owned(), v)).collect();
        settled(naga::front::wgsl::parse_str(text).expect("parsed"), &constants)
    }

    fn of(constants: &[(&str, f64)]) -> Module {
        let module = with(TEXT, constants).expect("settled");
        Validator::new(ValidationFlags::all(), CAPABILITIES).validate(&module).expect("valid");
        module
    }

    fn names(module: &Module) -> Vec<&str> {
        module.functions.iter().filter_map(|(_, f)| f.name.as_deref()).collect()
    }

    #[test]
    fn what_constants_rule_out_is_gone() {
        let statements = |module: &Module| module.functions.iter().map(|(_, f)| f.body.len()).max();
        let negated = of(&[("WG", 16.0)]);
        assert_eq!(names(&negated), ["done"]);
        assert!(negated.overrides.is_empty() && negated.entry_points[0].workgroup_size[0] == 16);
        assert_eq!(statements(&negated), Some(1), "what follows a return is not reached");
        let main = &negated.entry_points[0].function.body;
        assert!(!main.iter().any(|s| matches!(s, Statement::Loop { .. } | Statement::If { .. })), "{main:?}");
        assert_eq!(names(&of(&[("OP", 2.0)])), ["long", "done"], "cases that fall through");
        let kept = of(&[("OP", 7.0)]);
        let done = kept.functions.iter().find(|(_, f)| f.name.as_deref() == Some("done")).expect("kept").1;
        assert!(done.body.iter().any(|s| matches!(s, Statement::Switch { .. })), "a break stays within its switch");
        let looped = of(&[("twice", 1.0), ("OP", 1.0)]);
        assert!(looped.entry_points[0].function.body.iter().any(|s| matches!(s, Statement::Loop { .. })));
    }

    #[test]
    fn constants_that_do_not_fit_are_refused() {
        let text = "override WG: u32;\n@compute @workgroup_size(WG) fn main() {}";
        assert!(with(text, &[]).is_err_and(|e| e.contains("WG")), "it has no value");
        assert!(with(text, &[("WG", 1.0), ("OTHER", 1.0)]).is_err_and(|e| e.contains("OTHER")), "it is not there");
        assert!(with(text, &[("WG", -1.0)]).is_err() && with(text, &[("WG", 2.0)]).is_ok());
        let wrong = "override N: u32 = 1u;\nfn f() -> f32 { }\n@compute @workgroup_size(1) fn main() { _ = f(); }";
        assert!(with(wrong, &[]).is_err_and(|e| e.contains("return")), "it is not valid");
    }

    #[test]
    fn a_constant_with_an_id_is_set_by_its_name() {
        let text = "@id(7) override WG: u32 = 4u;\n@compute @workgroup_size(WG) fn main() {}";
        let size = |values: &[(&str, f64)]| with(text, values).expect("settled").entry_points[0].workgroup_size[0];
        assert_eq!((size(&[]), size(&[("WG", 16.0)])), (4, 16));
    }

    #[test]
    fn workgroup_memory_is_counted_under_the_constants() {
        let text = "override N: u32 = 3u;\nvar<workgroup> a: array<f32, N>;\nvar<workgroup> b: u32;\n\
            var<workgroup> unused: array<f32, 1000>;\n@compute @workgroup_size(1) fn other() { unused[2] = 1.0; }\n@compute @workgroup_size(1) fn main() { a[1] = f32(b); }";
        let bytes = |n: f64| shared_bytes(&with(text, &[("N", n)]).expect("settled"), "main").expect("an entry");
        assert_eq!((bytes(3.0), bytes(5.0), bytes(10_000.0)), (16 + 16, 32 + 16, 40_000 + 16));
    }
}
