//! What a record is to teach besides its class: its features, standardised, and its guidance target, pooled to the
//! resolution of the guided map.

use super::data::Strips;
use super::losses::{BatchTargets, LossWeights};
use crate::ecg::features::FeatureScale;
use crate::ecg::{Dataset, GuidanceConfig, guidance};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::ops;
use crate::tensor::Tensor;
use rayon::prelude::*;

/// Features and guidance targets of all records of a data set, on the host.
#[derive(Debug)]
pub struct Targets {
    features: Option<(FeatureScale, Vec<[f32; 17]>)>,
    /// Pooled target of each record, `None` where it is not valid.
    guidance: Option<Vec<Option<Vec<f32>>>>,
}

impl Targets {
    /// Of `data`, as far as `weights` ask for them. Features are standardised with `scale`, or with that of the records
    /// `train`; targets are those of the prepared file or made from the R peaks, pooled to `bins`.
    pub fn new(
        data: &Dataset,
        train: &[usize],
        scale: Option<&FeatureScale>,
        weights: &LossWeights,
        constants: &GuidanceConfig,
        bins: usize,
    ) -> Self {
        let features = weights.train_only().then(|| {
            let scale =
                scale.cloned().unwrap_or_else(|| FeatureScale::of(train.iter().map(|&r| &data.strips[r].features)));
            let rows = data.strips.iter().map(|s| scale.apply(&s.features)).collect();
            (scale, rows)
        });
        let pooled = |strip: &crate::ecg::Strip| {
            // a prepared target is used where it was made with the same constants
            let made = strip.target.clone().filter(|_| data.guidance == *constants);
            let target = made.map_or_else(
                || guidance(&strip.r_peaks, data.fs, strip.signal.len(), constants).target,
                |t| t.to_vec(),
            );
            target.iter().any(|v| *v > 0.0).then(|| guidance::pool(&target, bins))
        };
        let guided = (weights.xai > 0.0).then(|| data.strips.par_iter().map(pooled).collect());
        Self { features, guidance: guided }
    }

    /// The scale of the features, where there are any.
    pub fn scale(&self) -> Option<&FeatureScale> {
        self.features.as_ref().map(|(scale, _)| scale)
    }

    /// The targets of a batch; `class_weights` `[K]` and `smoothing` as in [`ops::cross_entropy_targets`].
    ///
    /// # Errors
    /// [`crate::Error::Shape`], [`crate::Error::Gpu`].
    pub fn batch(
        &self,
        gpu: &Gpu,
        strips: &Strips,
        records: &[usize],
        class_weights: &Tensor,
        smoothing: f64,
    ) -> Result<BatchTargets> {
        let classes = strips.batch_labels(gpu, records)?;
        let distribution = ops::cross_entropy_targets(&classes, class_weights, smoothing as f32)?;
        let features = match &self.features {
            Some((_, rows)) => {
                let values: Vec<f32> = records.iter().flat_map(|&r| rows[r]).collect();
                Some(Tensor::from_f32(gpu, &[records.len(), 17], &values)?)
            }
            None => None,
        };
        Ok(BatchTargets { classes, distribution, features, guidance: self.guidance(gpu, records)? })
    }

    fn guidance(&self, gpu: &Gpu, records: &[usize]) -> Result<Option<(Tensor, Tensor)>> {
        let Some(all) = &self.guidance else { return Ok(None) };
        let own: Vec<Option<&Vec<f32>>> = records.iter().map(|&r| all[r].as_ref()).collect();
        let valid = own.iter().flatten().count();
        let Some(bins) = own.iter().flatten().map(|t| t.len()).next() else { return Ok(None) };
        let zeros = vec![0.0; bins];
        let truth: Vec<f32> = own.iter().flat_map(|t| t.unwrap_or(&zeros).iter().copied()).collect();
        let weight = |t: &Option<&Vec<f32>>| if t.is_some() { 1.0 / valid as f32 } else { 0.0 };
        let weights: Vec<f32> = own.iter().map(weight).collect();
        let n = records.len();
        Ok(Some((Tensor::from_f32(gpu, &[n, bins], &truth)?, Tensor::from_f32(gpu, &[n], &weights)?)))
    }
}
