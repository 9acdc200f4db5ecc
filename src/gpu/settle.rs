//! Override constants put in place before a kernel goes to the driver, and what they rule out taken away: a text may have a case
//! for every operation, and its kernel is compiled from one.

use super::template::CAPABILITIES;
use naga::back::PipelineConstants;
use naga::back::pipeline_constants::process_overrides;
use naga::compact::{KeepUnused, compact};
use naga::valid::{ValidationFlags, Validator};
use naga::{Arena, Block, Constant, Expression, Handle, Literal, Module, Statement, SwitchValue};

/// A module of one entry point with its override constants in place, and those that are left for the device: all where there is
/// nothing to do or where they do not fit, which the device says.
pub(super) fn settled(module: Module, values: PipelineConstants) -> (Module, PipelineConstants) {
    if module.overrides.is_empty() {
        return (module, values);
    }
    // naga may panic where a module is not valid
    let Ok(info) = Validator::new(ValidationFlags::all(), CAPABILITIES).validate(&module) else {
        return (module, values);
    };
    let put = process_overrides(&module, &info, None, &values).map(|(module, _)| module.into_owned());
    let Ok(mut module) = put else { return (module, values) };
    let Module { constants, global_expressions: globals, functions, entry_points, .. } = &mut module;
    let entries = entry_points.iter_mut().map(|entry| &mut entry.function);
    for function in functions.iter_mut().map(|(_, function)| function).chain(entries) {
        let known = Known { constants, globals, own: &function.expressions };
        known.prune(&mut function.body);
        // what has a name is kept, also where nothing computes it any more
        function.named_expressions.clear();
    }
    compact(&mut module, KeepUnused::No);
    (module, PipelineConstants::default())
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

    fn of(constants: &[(&str, f64)]) -> Module {
        let constants = constants.iter().map(|&(name, v)| (name.to_owned(), v)).collect();
        let (module, left) = settled(naga::front::wgsl::parse_str(TEXT).expect("parsed"), constants);
        assert!(left.is_empty());
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
    fn constants_that_do_not_fit_are_left_to_the_device() {
        let text = "override WG: u32;\n@compute @workgroup_size(WG) fn main() {}";
        let values = PipelineConstants::from_iter([("OTHER".to_owned(), 1.0)]);
        let (module, left) = settled(naga::front::wgsl::parse_str(text).expect("parsed"), values);
        assert_eq!((module.overrides.len(), left.len()), (1, 1), "it has no value");
    }
}
