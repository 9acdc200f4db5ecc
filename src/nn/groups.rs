//! Parameter groups: learning rate and weight decay of their own.

use crate::error::{Error, Result};

/// What a group of parameters has of its own, see [`Optimizer::with_group`](super::Optimizer::with_group); what is `None` is as it
/// was.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Group {
    /// The step's learning rate is multiplied with it.
    pub lr_factor: Option<f64>,
    /// Weight decay.
    pub weight_decay: Option<f64>,
}

/// Settings of one parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Settings {
    pub(super) lr_factor: f64,
    pub(super) weight_decay: f64,
}

/// Groups of all parameters: those with the same settings are one.
#[derive(Debug, Clone)]
pub(super) struct Grouped {
    groups: Vec<Settings>,
    /// The group of each parameter.
    of: Vec<usize>,
}

impl Grouped {
    /// All of `n` parameters in one.
    pub(super) fn one(n: usize, weight_decay: f64) -> Self {
        Self { groups: vec![Settings { lr_factor: 1.0, weight_decay }], of: vec![0; n] }
    }

    /// With other settings for some parameters.
    pub(super) fn with(&self, members: &[usize], group: Group) -> Result<Self> {
        for (what, value) in [("lr_factor", group.lr_factor), ("weight_decay", group.weight_decay)] {
            if let Some(v) = value.filter(|v| !(v.is_finite() && *v >= 0.0)) {
                return Err(Error::config(
                    format!("{what} {v} of a group of parameters, expected a finite number of at least 0"),
                    "lr_factor multiplies the rate of each step; Params::freeze keeps parameters as they are",
                ));
            }
        }
        let mut each: Vec<Settings> = self.of.iter().map(|&g| self.groups[g]).collect();
        for &i in members {
            each[i].lr_factor = group.lr_factor.unwrap_or(each[i].lr_factor);
            each[i].weight_decay = group.weight_decay.unwrap_or(each[i].weight_decay);
        }
        let mut groups: Vec<Settings> = Vec::new();
        let place = |settings: &Settings| {
            groups.iter().position(|known| known == settings).unwrap_or_else(|| {
                groups.push(*settings);
                groups.len() - 1
            })
        };
        let of = each.iter().map(place).collect();
        Ok(Self { groups, of })
    }

    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Calls `f` for each group, with the steps of its parameters and 0 for those of others.
    pub(super) fn each(&self, steps: &[u32], mut f: impl FnMut(usize, &Settings, &[u32]) -> Result<()>) -> Result<()> {
        for (group, settings) in self.groups.iter().enumerate() {
            let own = steps.iter().zip(&self.of).map(|(&step, &of)| if of == group { step } else { 0 });
            f(group, settings, &own.collect::<Vec<_>>())?;
        }
        Ok(())
    }
}
