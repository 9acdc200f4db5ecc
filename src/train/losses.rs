//! The training loss: cross-entropy, feature guidance (joint head and feature regressor) and XAI guidance (the Grad-CAM
//! map against a target), after section 3 of the method: `L = CE + a_joint CE_joint + a_feature SmoothL1 + a_xai L_xai`.

use crate::error::{Error, Result};
use crate::experiment::LossConfig;
use crate::explain::grad_cam;
use crate::nn::{Mode, Model, Output};
use crate::ops;
use crate::tensor::Tensor;

/// What a batch is to learn.
#[derive(Debug)]
pub struct BatchTargets {
    /// True classes, integers `[B]`.
    pub classes: Tensor,
    /// Their distribution, see [`ops::cross_entropy_targets`].
    pub distribution: Tensor,
    /// Standardised features `[B, 17]`; needed with a weight of `joint` or `feature`.
    pub features: Option<Tensor>,
    /// What the maps are pulled towards, one term or several: a curve pooled to the map's resolution `[B, T]`, and the weight of
    /// each record in it `[B]`, 0 where it is not valid; all weights sum to 1. Empty where no record is valid or XAI
    /// guidance is off.
    pub guidance: Vec<(Tensor, Tensor)>,
    /// 1 where a bin is compared and 0 elsewhere, `[B, T]`, at least one of each record; the curves are then of mean 0 in those
    /// bins and 0 outside. `None` where all of every record is.
    pub inside: Option<Tensor>,
}

impl BatchTargets {
    /// All tensors, in a fixed order.
    pub fn tensors(&self) -> Vec<&Tensor> {
        let guidance = self.guidance.iter().flat_map(|(truth, weight)| [truth, weight]);
        [&self.classes, &self.distribution]
            .into_iter()
            .chain(&self.features)
            .chain(guidance)
            .chain(&self.inside)
            .collect()
    }

    /// Empty targets of the same shapes.
    pub fn empty_like(&self) -> Result<Self> {
        let like = |t: &Tensor| Tensor::empty(t.gpu(), t.shape(), t.dtype());
        Ok(Self {
            classes: like(&self.classes)?,
            distribution: like(&self.distribution)?,
            features: self.features.as_ref().map(like).transpose()?,
            guidance: self.guidance.iter().map(|(a, b)| Ok((like(a)?, like(b)?))).collect::<Result<_>>()?,
            inside: self.inside.as_ref().map(like).transpose()?,
        })
    }
}

/// The terms of the loss that were computed.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Scalars `[1]` before their weights, by the names that logs use: `ce` and `joint` (cross-entropy of the signal head and of
    /// the joint one), `feature` (smooth-L1 distance of regressed and measured features), `xai` (mean of 1 - NCC over the
    /// valid records), `entropy` (of the map over time).
    pub list: Vec<(&'static str, Tensor)>,
    /// The guided map of each record, `[B, T]`.
    pub map: Option<Tensor>,
    /// The weighted sum.
    pub total: Tensor,
}

/// The loss of a forward pass `out` of `net` in `mode`; a term of weight 0 is not computed.
///
/// # Errors
/// [`Error::Config`] where a term needs targets that are not given, or a train-only part that is not there.
pub fn losses(
    net: &Model,
    out: &Output,
    targets: &BatchTargets,
    config: &LossConfig,
    mode: &Mode<'_>,
) -> Result<Terms> {
    let ce = ops::cross_entropy(&out.logits, &targets.distribution)?;
    let mut terms = Terms { total: ce.clone(), list: vec![("ce", ce)], map: None };
    if config.train_only() {
        let features = targets.features.as_ref().ok_or_else(|| {
            Error::config(
                "losses.joint, losses.feature: found a batch without features, expected 17 a record",
                "give them, or set losses.joint and losses.feature to 0",
            )
        })?;
        let (joint, regressed) = net.train_only(&out.embedding, features, mode)?;
        if config.joint > 0.0 {
            terms.add("joint", ops::cross_entropy(&joint, &targets.distribution)?, config.joint)?;
        }
        if config.feature > 0.0 {
            terms.add("feature", ops::smooth_l1(&regressed, features)?, config.feature)?;
        }
    }
    let guided = config.xai > 0.0 && !targets.guidance.is_empty();
    if guided || config.entropy > 0.0 {
        let cam = grad_cam(out, config.layer(net.config())?, &targets.classes, !config.detach_alpha)?;
        let compared = targets.inside.as_ref().map(|inside| centred(&cam.map, inside)).transpose()?;
        let compared = compared.as_ref().unwrap_or(&cam.map);
        let mut xai: Option<Tensor> = None;
        for (truth, weight) in targets.guidance.iter().filter(|_| guided) {
            // sum of w (1 - NCC)
            let gap = ops::add_scalar(&ops::neg(&ops::ncc(compared, truth)?)?, 1.0)?;
            let term = ops::sum(&ops::mul(&gap, weight)?, &[0])?;
            xai = Some(match xai {
                Some(sum) => ops::add(&sum, &term)?,
                None => term,
            });
        }
        if let Some(term) = xai {
            terms.add("xai", term, config.xai)?;
        }
        if config.entropy > 0.0 {
            terms.add("entropy", entropy(&cam.map)?, config.entropy)?;
        }
        terms.map = Some(cam.map);
    }
    Ok(terms)
}

/// Mean entropy of the maps `[B, T]` as distributions over time, `-sum p ln p / ln T` with `p = M / sum M`; 0 for a dead map.
fn entropy(map: &Tensor) -> Result<Tensor> {
    const LEAST: f32 = 1e-6;
    let whole = ops::add_scalar(&ops::sum(map, &[1])?, LEAST)?;
    let p = ops::div(map, &whole)?;
    let terms = ops::mul(&p, &ops::log(&ops::add_scalar(&p, LEAST)?)?)?;
    let bins = map.dim(1).max(2) as f32;
    let sum = ops::sum(&ops::reshape(&terms, &[terms.numel()])?, &[0])?;
    ops::scale(&sum, -1.0 / (map.dim(0) as f32 * bins.ln()))
}

/// A map `[B, T]` without the mean of the bins `inside` and 0 outside: its NCC with a curve that is alike is that over these bins
/// alone.
fn centred(map: &Tensor, inside: &Tensor) -> Result<Tensor> {
    let mean = ops::div(&ops::sum(&ops::mul(map, inside)?, &[1])?, &ops::sum(inside, &[1])?)?;
    ops::mul(&ops::sub(map, &mean)?, inside)
}

impl Terms {
    fn add(&mut self, name: &'static str, term: Tensor, weight: f64) -> Result<()> {
        self.total = ops::add(&self.total, &ops::scale(&term, weight as f32)?)?;
        self.list.push((name, term));
        Ok(())
    }

    /// The values without their history.
    pub fn detached(&self) -> Self {
        Self {
            list: self.list.iter().map(|(name, term)| (*name, term.detach())).collect(),
            map: self.map.as_ref().map(Tensor::detach),
            total: self.total.detach(),
        }
    }

    /// The terms by name, `total` last.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        self.list.iter().map(|(name, term)| (*name, term)).chain([("total", &self.total)])
    }

    /// A term by name, `None` where it was not computed.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.named().find(|(n, _)| *n == name).map(|(_, term)| term)
    }
}
