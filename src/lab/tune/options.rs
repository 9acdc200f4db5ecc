//! What somebody may ask of the tuner.

use std::time::Duration;

/// How to tune.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only these families, and shapes whose names begin with one of these in whole words; none: all.
    pub only: Vec<String>,
    /// Times that a candidate is measured.
    pub rounds: usize,
    /// Shapes that are in the table already too.
    pub again: bool,
    /// Time after which no further candidate is begun.
    pub budget: Option<Duration>,
    /// What a candidate must save of the rule of thumb's time, ms a call. Without it: on a software adapter, where a kernel
    /// takes seconds to compile, 2 for a convolution and 0.3 for others; else nothing.
    pub worth_ms: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { only: Vec::new(), rounds: 3, again: false, budget: None, worth_ms: None }
    }
}

impl Options {
    /// Whether a shape of a family is asked for.
    pub(super) fn takes(&self, key: &str, family: &str) -> bool {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let begins = |only: &str| key.strip_prefix(only).is_some_and(|rest| !rest.starts_with(is_word));
        self.only.is_empty() || self.only.iter().any(|only| family == only || begins(only))
    }
}
