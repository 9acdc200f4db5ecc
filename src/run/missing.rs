//! What runs do not have, and how it is had.

use crate::error::Error;
use serde::Serialize;

/// Something that a run does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The run, or the part of the page.
    pub place: String,
    /// What is missing, and why.
    pub what: String,
    /// The command that makes it, where there is one.
    pub command: Option<String>,
    /// The file of a run that it is about.
    pub file: Option<&'static str>,
    /// It is there and cannot be used.
    pub damaged: bool,
    /// Why a table of results does without a run, where that is what is said.
    pub left_out: Option<LeftOut>,
}

/// Why a table of results does without a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// Its sweep lists it, with this fold and seed, and it has no folder.
    NeverBegun(usize, u64),
    /// It has no results of a test, yet.
    Untested,
    /// Another variant has no finished run of its fold and seed.
    Alone,
    /// Its sweep's file does not have it any more.
    Unlisted,
}

impl Missing {
    /// Something that is not there, and no command makes it.
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), command: None, file: None, damaged: false, left_out: None }
    }

    /// The same, of a run that tables of results do without.
    #[must_use]
    pub fn leaves_out(self, why: LeftOut) -> Self {
        Self { left_out: Some(why), ..self }
    }

    /// As an error.
    pub(super) fn error(&self) -> Error {
        let hint =
            self.command.as_ref().map_or("take the run out of the folder".into(), |c| format!("write it again: {c}"));
        Error::data(&self.place, &self.what, hint)
    }
}

/// Something that is missing, with all that lack it.
#[derive(Debug, Serialize)]
pub struct Lack<'a> {
    /// What it is, and why.
    pub what: &'a str,
    /// Where: by name, or how many runs.
    pub places: String,
    /// The commands that make it.
    pub commands: Vec<&'a str>,
}

/// What is missing, each kind once with all that lack it.
pub fn by_kind<'a>(missing: &'a [Missing]) -> Vec<Lack<'a>> {
    let mut kinds: Vec<(&str, Vec<&'a Missing>)> = Vec::new();
    for one in missing {
        match kinds.iter_mut().find(|(what, _)| *what == one.what) {
            Some((_, of)) => of.push(one),
            None => kinds.push((&one.what, vec![one])),
        }
    }
    let places = |of: &[&Missing]| match of.len() {
        0..=3 => of.iter().map(|m| m.place.as_str()).collect::<Vec<_>>().join("; "),
        n => format!("{n} runs"),
    };
    let one = |(what, of): &(&'a str, Vec<&'a Missing>)| {
        let commands = of.iter().filter_map(|m| m.command.as_deref()).collect();
        Lack { what, places: places(of), commands }
    };
    kinds.iter().map(one).collect()
}
