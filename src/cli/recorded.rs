//! A measurement with what made it.

use crate::gpu::cpu;
use crate::run::record::program;
use serde::Serialize;

/// What a measurement found, as its file has it: the program (version and commit) and the CPU stand beside it.
#[derive(Serialize)]
pub(super) struct Recorded<'a, T> {
    pub(super) program: String,
    pub(super) cpu: String,
    #[serde(flatten)]
    pub(super) found: &'a T,
}

impl<'a, T: Serialize> Recorded<'a, T> {
    /// A measurement of this program on this machine.
    pub(super) fn of(found: &'a T) -> Self {
        Self { program: program(), cpu: cpu(), found }
    }

    /// The same as a sentence, for the tables beside the file; `adapter` is its title.
    pub(super) fn sentence(&self, adapter: &str) -> String {
        // the kind of CPU is part of both
        let adapter = adapter.split(", CPU: ").next().unwrap_or_default();
        format!("Measured on {adapter}; {}; program {}.", self.cpu, self.program)
    }
}
