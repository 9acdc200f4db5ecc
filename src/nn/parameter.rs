//! What a layer holds of its parameters: filled when they are built, so that a layer is declared and made at once.

use super::params::Params;
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use std::sync::{Arc, OnceLock};

/// A parameter or running estimate in a layer: a name, and, once [`ParamBuilder::init`](super::ParamBuilder::init) has run,
/// its tensor. A clone is the same parameter.
#[derive(Debug, Clone)]
pub struct Parameter(Arc<Slot>);

#[derive(Debug)]
struct Slot {
    name: String,
    tensor: OnceLock<Tensor>,
}

impl Parameter {
    /// One that a builder is going to fill.
    pub(super) fn declared(name: String) -> Self {
        Self(Arc::new(Slot { name, tensor: OnceLock::new() }))
    }

    /// The one that was built under this name.
    pub(super) fn built(params: &Params, name: &str) -> Result<Self> {
        let parameter = Self::declared(name.into());
        parameter.fill(params)?;
        Ok(parameter)
    }

    pub(super) fn fill(&self, params: &Params) -> Result<()> {
        let tensor = params.get(&self.0.name)?;
        let _ = self.0.tensor.set(tensor);
        Ok(())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its tensor.
    ///
    /// # Errors
    /// [`Error::Shape`] before the parameters are built.
    pub fn get(&self) -> Result<&Tensor> {
        self.0.tensor.get().ok_or_else(|| {
            Error::shape(
                "parameters",
                format!("'{}' before it was built", self.0.name),
                "a parameter with values",
                "call ParamBuilder::init after the last layer is declared and before the first forward pass",
            )
        })
    }
}

/// Whether a name is of a pattern, in which each `*` stands for any characters.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(tail) = name.strip_prefix(head) else { return false };
    let mut starts = tail.char_indices().map(|(i, _)| i).chain([tail.len()]);
    starts.any(|i| matches(rest, &tail[i..]))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name) in [
            ("head.weight", "head.weight"),
            ("*", "head.weight"),
            ("*", ""),
            ("*.bias", "blocks.0.bn.bias"),
            ("blocks.*.bn.*", "blocks.0.bn.bias"),
            ("h*d*t", "head.weight"),
            ("*é", "éé"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("head", "head.weight"), ("*.bias", "head.weight"), ("*bias*s", "bias"), ("", "a"), ("a*a", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
