//! What a record is to teach besides its class: its features, standardised, and its guidance target, pooled to the
//! resolution of the guided map.

use super::augment::shift;
use super::losses::BatchTargets;
use crate::ecg::features::FeatureScale;
use crate::ecg::{Dataset, GuidanceConfig, Strip, guidance};
use crate::error::Result;
use crate::experiment::data::Strips;
use crate::experiment::{Experiment, LossConfig, XaiGoal};
use crate::explain::scores::slope_curve;
use crate::gpu::Gpu;
use crate::ops;
use crate::tensor::Tensor;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// What all records of a data set teach, on the host.
#[derive(Debug)]
pub struct Targets<'a> {
    data: &'a Dataset,
    scale: Option<FeatureScale>,
    guided: Option<Guided<'a>>,
}

/// What XAI guidance pulls the map of each record towards.
#[derive(Debug)]
struct Guided<'a> {
    data: &'a Dataset,
    constants: &'a GuidanceConfig,
    losses: &'a LossConfig,
    bins: usize,
    /// Some record is marked in a part of it alone, see [`Strip::marked`](crate::ecg::Strip::marked).
    parts: bool,
    /// The record whose target each is guided by, see [`partners`]; empty where that is its own.
    partners: Vec<Option<usize>>,
    /// Pooled; `None` where a record is not valid.
    goals: Vec<Option<Goal>>,
}

/// What one map is pulled towards.
#[derive(Debug, Clone)]
struct Goal {
    /// Weight of the record among the valid ones of a batch.
    weight: f32,
    /// Curves, and the share of each in the record's loss; the shares sum to 1.
    curves: Vec<(Vec<f32>, f32)>,
    /// The bins that are compared.
    inside: Range<usize>,
}

impl Guided<'_> {
    /// The goal of a record, its curves one value a sample, moved by `by` samples; `None` where it is not valid. Controls guide
    /// the records that `mixed` guides, with the weights that it gives them.
    fn goal(&self, record: usize, by: isize) -> Option<Goal> {
        let mut goal = self.own(record)?;
        if !self.partners.is_empty() {
            goal.curves = self.own(self.partners[record]?)?.curves;
        }
        goal.curves.iter_mut().filter(|_| by != 0).for_each(|(curve, _)| shift(curve, by, [0.0; 2]));
        // a target that was moved out of the strip says nothing
        goal.curves.iter().any(|(curve, _)| curve.iter().any(|v| *v > 0.0)).then_some(goal)
    }

    /// The goal that a record makes by itself.
    fn own(&self, record: usize) -> Option<Goal> {
        let (data, strip) = (self.data, &self.data.strips[record]);
        let plain = matches!(self.losses.xai_goal, XaiGoal::Mixed | XaiGoal::Other) && self.losses.xai_irregular == 0.0;
        // that of the prepared file, where it was made with the same constants
        if let Some(target) = strip.target.as_ref().filter(|_| plain && data.guidance == *self.constants) {
            return Some(Goal { weight: 1.0, curves: vec![(target.to_vec(), 1.0)], inside: 0..0 });
        }
        let g = guidance(&strip.r_peaks, data.preprocessing.fs, data.samples(), self.constants);
        let rho = g.irregularity as f32;
        let curves = match self.losses.xai_goal {
            _ if !g.valid => return None,
            XaiGoal::Mixed | XaiGoal::Other => vec![(g.target, 1.0)],
            XaiGoal::Separate => vec![(g.beats, 1.0 - rho), (g.intervals, rho)],
            XaiGoal::Slope => vec![(slope_curve(&strip.zscored()), 1.0)],
        };
        Some(Goal { weight: 1.0 + self.losses.xai_irregular as f32 * rho, curves, inside: 0..0 })
    }

    /// The record whose part [`Strip::marked`](crate::ecg::Strip::marked) is compared: the one that the curves are of.
    fn source(&self, record: usize) -> usize {
        self.partners.get(record).copied().flatten().unwrap_or(record)
    }

    /// The same, averaged over `bins` parts. In a data set with records that are marked in a part alone, curves are of mean 0 in
    /// the bins of that part and 0 outside.
    fn pooled(&self, record: usize, by: isize) -> Option<Goal> {
        let (mut goal, bins, samples) = (self.goal(record, by)?, self.bins, self.data.samples());
        goal.curves.iter_mut().for_each(|(curve, _)| *curve = guidance::pool(curve, bins));
        goal.inside = 0..bins;
        if self.parts {
            let moved = |at: u32| (at as isize + by).clamp(0, samples as isize) as u32;
            let marked = self.data.strips[self.source(record)].marked.map(|ends| ends.map(moved));
            goal.inside = guidance::marked_bins(marked, samples, bins);
            goal.curves.iter_mut().for_each(|(curve, _)| centre(curve, &goal.inside));
            goal.curves.iter().any(|(curve, _)| curve.iter().any(|v| *v != 0.0)).then_some(())?;
        }
        Some(goal)
    }
}

/// A record of another patient for each of the records `valid` of `strips`, `None` for all others and where there is none: the
/// next such in an order that `seed` alone shuffles.
fn partners(strips: &[Strip], valid: &[usize], seed: u64) -> Vec<Option<usize>> {
    let mut order = valid.to_vec();
    // a stream of its own: the seed itself orders batches
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from_le_bytes(*b"partners"));
    order.shuffle(&mut rng);
    let mut partners = vec![None; strips.len()];
    for (i, &record) in order.iter().enumerate() {
        let mut next = order[i + 1..].iter().chain(&order[..i]);
        partners[record] = next.find(|&&other| strips[other].patient != strips[record].patient).copied();
    }
    partners
}

/// Takes the mean of the bins `inside` out of them; the others are 0.
fn centre(curve: &mut [f32], inside: &Range<usize>) {
    let mean = curve[inside.clone()].iter().map(|v| f64::from(*v)).sum::<f64>() / inside.len() as f64;
    for (t, v) in curve.iter_mut().enumerate() {
        *v = if inside.contains(&t) { (f64::from(*v) - mean) as f32 } else { 0.0 };
    }
}

/// Target and weight of each goal of a batch.
type GoalTensors = Vec<(Tensor, Tensor)>;

impl<'a> Targets<'a> {
    /// Of `data`, as far as the losses of `experiment` ask for them. Features are standardised with `scale`, or with that of the
    /// records `train`; targets are those of the prepared file or made from the R peaks, pooled to `bins`. With
    /// [`XaiGoal::Other`] the records `train` alone have targets: those of each other.
    pub fn new(
        data: &'a Dataset,
        train: &[usize],
        scale: Option<&FeatureScale>,
        experiment: &'a Experiment,
        bins: usize,
    ) -> Self {
        let (losses, constants) = (&experiment.losses, &experiment.guidance);
        let own = || FeatureScale::of(train.iter().map(|&r| &data.strips[r].features));
        let scale = losses.train_only().then(|| scale.cloned().unwrap_or_else(own));
        let guided = (losses.xai > 0.0).then(|| {
            let parts = data.strips.iter().any(|s| s.marked.is_some());
            let (partners, goals) = (Vec::new(), Vec::new());
            let mut guided = Guided { data, constants, losses, bins, parts, partners, goals };
            if losses.xai_goal == XaiGoal::Other {
                let valid: Vec<bool> = train.par_iter().map(|&r| guided.own(r).is_some()).collect();
                let valid: Vec<usize> = train.iter().zip(valid).filter_map(|(&r, valid)| valid.then_some(r)).collect();
                guided.partners = self::partners(&data.strips, &valid, experiment.train.seed);
            }
            guided.goals = (0..data.strips.len()).into_par_iter().map(|r| guided.pooled(r, 0)).collect();
            guided
        });
        Self { data, scale, guided }
    }

    /// The scale of the features, where there are any.
    pub fn scale(&self) -> Option<&FeatureScale> {
        self.scale.as_ref()
    }

    /// The targets of a batch, the guidance target of each record moved by its shift (samples, to the right where positive)
    /// before it is pooled; zero where it does not reach. A target that is moved out of the strip is not valid. `class_weights`
    /// `[K]` and `smoothing` as in [`ops::cross_entropy_targets`].
    pub fn batch(
        &self,
        gpu: &Gpu,
        strips: &Strips,
        (records, shifts): (&[usize], &[isize]),
        class_weights: &Tensor,
        smoothing: f64,
    ) -> Result<BatchTargets> {
        let classes = strips.batch_labels(gpu, records)?;
        let distribution = ops::cross_entropy_targets(&classes, class_weights, smoothing as f32)?;
        let features = |scale: &FeatureScale| {
            let rows = records.iter().flat_map(|&r| scale.apply(&self.data.strips[r].features));
            Tensor::from_f32(gpu, &[records.len(), 17], &rows.collect::<Vec<f32>>())
        };
        let features = self.scale.as_ref().map(features).transpose()?;
        let (guidance, inside) = self.guidance(gpu, records, shifts)?;
        Ok(BatchTargets { classes, distribution, features, guidance, inside })
    }

    /// [`BatchTargets::guidance`] and [`BatchTargets::inside`].
    fn guidance(&self, gpu: &Gpu, records: &[usize], shifts: &[isize]) -> Result<(GoalTensors, Option<Tensor>)> {
        let Some(guided) = &self.guided else { return Ok((Vec::new(), None)) };
        let Guided { bins, goals, .. } = guided;
        let moved = |(&r, &by): (&usize, &isize)| match by {
            0 => goals[r].as_ref().map(Cow::Borrowed),
            _ => guided.pooled(r, by).map(Cow::Owned),
        };
        let own: Vec<Option<Cow<'_, Goal>>> = records.iter().zip(shifts).map(moved).collect();
        let total: f32 = own.iter().flatten().map(|g| g.weight).sum();
        let terms = own.iter().flatten().map(|g| g.curves.len()).max().unwrap_or(0);
        let zeros = vec![0.0; *bins];
        let n = records.len();
        let term = |k: usize| {
            let part = |g: &Option<Cow<'_, Goal>>| g.as_ref().map(|g| g.weight * g.curves[k].1 / total).unwrap_or(0.0);
            let curve = |g| Option::as_ref(g).map_or(&zeros, |g: &Cow<'_, Goal>| &g.curves[k].0).iter().copied();
            let truth: Vec<f32> = own.iter().flat_map(curve).collect();
            let weights: Vec<f32> = own.iter().map(part).collect();
            Ok((Tensor::from_f32(gpu, &[n, *bins], &truth)?, Tensor::from_f32(gpu, &[n], &weights)?))
        };
        let part = |g: &Option<Cow<'_, Goal>>| {
            let inside = g.as_ref().map_or(0..*bins, |g| g.inside.clone());
            (0..*bins).map(move |t| if inside.contains(&t) { 1.0 } else { 0.0 })
        };
        let inside = || Tensor::from_f32(gpu, &[n, *bins], &own.iter().flat_map(part).collect::<Vec<f32>>());
        let inside = if guided.parts { Some(inside()?) } else { None };
        Ok(((0..terms).map(term).collect::<Result<_>>()?, inside))
    }
}
