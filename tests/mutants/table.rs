//! The mutants: a file below `shaders/`, what is changed in it, and where it shows.

mod conv1d;
mod elementwise;
mod layouts;
mod sums;
mod training;
mod weight_grad;

/// A change of one file.
pub struct Mutant {
    /// The file, without `.wgsl`.
    pub file: &'static str,
    pub kind: Kind,
    /// What is wrong then.
    pub what: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    /// All occurrences; else there must be one.
    pub all: bool,
    /// Family and version that run it; none: those of the file.
    pub at: Option<(&'static str, &'static str)>,
    /// Why it computes the same for every input, where it does.
    pub equivalent: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Sign,
    Bound,
    Index,
    Barrier,
    OnePercent,
    SomeRecords,
    OneLane,
    Tail,
    Span,
    Constant,
    Forgotten,
    Padding,
    Header,
}

impl Kind {
    pub const ALL: &[Self] = &[
        Sign,
        Bound,
        Index,
        Barrier,
        OnePercent,
        SomeRecords,
        OneLane,
        Tail,
        Span,
        Constant,
        Forgotten,
        Padding,
        Header,
    ];
}

use Kind::*;

const fn m(file: &'static str, kind: Kind, what: &'static str, from: &'static str, to: &'static str) -> Mutant {
    Mutant { file, kind, what, from, to, all: false, at: None, equivalent: None }
}

impl Mutant {
    const fn at(self, family: &'static str, version: &'static str) -> Self {
        Self { at: Some((family, version)), ..self }
    }

    const fn all(self) -> Self {
        Self { all: true, ..self }
    }

    const fn equivalent(self, why: &'static str) -> Self {
        Self { equivalent: Some(why), ..self }
    }
}

/// All of them, family after family.
pub fn mutants() -> Vec<&'static Mutant> {
    let families = [
        conv1d::MUTANTS,
        weight_grad::MUTANTS,
        layouts::MUTANTS,
        sums::MUTANTS,
        elementwise::MUTANTS,
        training::MUTANTS,
    ];
    families.into_iter().flatten().collect()
}
