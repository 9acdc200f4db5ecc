//! The `[network]` table of an experiment file and of a model file's metadata: the kind of network, and its sizes.

use crate::error::{Error, Result};
use std::fmt;

pub use super::models::NetworkConfig;

/// Most channels of any layer: with the longest strip an activation still counts its bytes in 64 bits.
pub(crate) const MOST_CHANNELS: usize = 4096;
/// Longest kernel, samples.
pub(crate) const MOST_KERNEL: usize = 1023;
/// Most blocks of a trunk.
pub(crate) const MOST_BLOCKS: usize = 64;

impl NetworkConfig {
    /// A named network: one of [`NetworkConfig::presets`].
    pub fn preset(name: &str) -> Result<Self> {
        let mut presets = Self::presets();
        let Some(place) = presets.iter().position(|(known, _)| *known == name) else {
            let known: Vec<&str> = presets.iter().map(|(known, _)| *known).collect();
            return Err(Error::config(
                format!("network.preset: found \"{name}\", expected one of {}", known.join(", ")),
                "or leave the preset out and give the sizes",
            ));
        };
        Ok(presets.swap_remove(place).1)
    }

    /// Checks every size.
    pub fn validate(&self) -> Result<()> {
        self.check().map_err(Problem::into_error)
    }

    /// As [`NetworkConfig::validate`], with the key still apart, for whoever knows the line it stands on.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        self.sizes().check()
    }

    /// Its value of `network.kind`.
    pub fn kind(&self) -> String {
        let table = serde_json::to_value(self).expect("names and numbers always serialise");
        table["kind"].as_str().unwrap_or_default().to_owned()
    }

    /// The keys of its table.
    pub fn keys(&self) -> Vec<String> {
        let table = serde_json::to_value(self).expect("names and numbers always serialise");
        table.as_object().into_iter().flat_map(|table| table.keys().cloned()).collect()
    }

    /// What it is called: a preset's name, or its kind.
    pub fn name(&self) -> String {
        self.sizes().name().unwrap_or_else(|| self.kind())
    }

    /// Names of its maps, which can be target layers of Grad-CAM, in their order.
    pub fn maps(&self) -> Vec<String> {
        self.sizes().maps()
    }

    /// The table as JSON on one line, as a model file's metadata holds it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("names and numbers always serialise")
    }

    /// Reads and checks a table written by [`NetworkConfig::to_json`], or by another framework.
    pub fn from_json(text: &str) -> Result<Self> {
        let config: Self = serde_json::from_str(text).map_err(|e| {
            Error::config(
                format!("the network's table as JSON: {e}"),
                "the keys are those of [network] in an experiment file; write the model file again",
            )
        })?;
        config.validate()?;
        Ok(config)
    }
}

impl Default for NetworkConfig {
    /// The first preset.
    fn default() -> Self {
        Self::presets().swap_remove(0).1
    }
}

/// A whole number of the table, in its range.
pub(crate) fn number(name: &str, value: usize, low: usize, high: usize, hint: &str) -> Result<(), Problem> {
    Problem::unless((low..=high).contains(&value), format!("network.{name}"), value, || {
        (whole_number(low, high), hint.into())
    })
}

/// A share of activations that dropout takes.
pub(crate) fn dropout(value: f64) -> Result<(), Problem> {
    Problem::unless((0.0..1.0).contains(&value), "network.dropout", value, || {
        ("a number from 0 to below 1".into(), "0 switches dropout off, 0.1 is usual".into())
    })
}

/// The words for a range of whole numbers.
pub(crate) fn whole_number(low: usize, high: usize) -> String {
    if low == high { format!("{low}") } else { format!("a whole number from {low} to {high}") }
}

/// A value that cannot be used, before it is known where it was written.
#[derive(Debug)]
pub struct Problem {
    /// Dotted key.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What may.
    pub expected: String,
    /// What helps.
    pub hint: String,
}

impl Problem {
    pub(crate) fn new(
        key: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), found: found.into(), expected: expected.into(), hint: hint.into() }
    }

    /// An error unless `ok`; `expectation` gives what was expected and the hint.
    pub(crate) fn unless(
        ok: bool,
        key: impl Into<String>,
        found: impl fmt::Display,
        expectation: impl FnOnce() -> (String, String),
    ) -> Result<(), Self> {
        if ok {
            return Ok(());
        }
        let (expected, hint) = expectation();
        Err(Self::new(key, found.to_string(), expected, hint))
    }

    /// `key: found this, expected that`.
    pub(crate) fn what(&self) -> String {
        format!("{}: found {}, expected {}", self.key, self.found, self.expected)
    }

    pub(crate) fn into_error(self) -> Error {
        Error::config(self.what(), self.hint)
    }
}
