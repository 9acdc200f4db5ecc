//! What a record is to teach besides its class: its features, standardised, and its guidance target, pooled to the
//! resolution of the guided map.

use super::augment::shift;
use super::data::Strips;
use super::losses::{BatchTargets, LossWeights};
use crate::ecg::features::FeatureScale;
use crate::ecg::{Dataset, GuidanceConfig, Samples, Strip, guidance};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::ops;
use crate::tensor::Tensor;
use rayon::prelude::*;
use std::borrow::Cow;

/// Features and guidance targets of all records of a data set, on the host.
#[derive(Debug)]
pub struct Targets {
    features: Option<(FeatureScale, Vec<[f32; 17]>)>,
    /// Pooled target of each record, `None` where it is not valid.
    guidance: Option<Vec<Option<Vec<f32>>>>,
    /// What shifted targets are made from.
    origin: Option<Origin>,
}

/// What the targets of all records are made from.
#[derive(Debug)]
struct Origin {
    /// Target of the prepared file, where it was made with the same constants, and R peaks.
    records: Vec<(Option<Samples>, Vec<u32>)>,
    fs: f64,
    samples: usize,
    constants: GuidanceConfig,
}

impl Origin {
    fn new(data: &Dataset, constants: &GuidanceConfig) -> Self {
        let usable = |strip: &Strip| strip.target.clone().filter(|_| data.guidance == *constants);
        let records = data.strips.iter().map(|s| (usable(s), s.r_peaks.clone())).collect();
        Self { records, fs: data.fs, samples: data.samples(), constants: constants.clone() }
    }

    /// The target of a record, one value a sample.
    fn target(&self, record: usize) -> Vec<f32> {
        let (made, r_peaks) = &self.records[record];
        made.as_ref().map_or_else(|| guidance(r_peaks, self.fs, self.samples, &self.constants).target, |t| t.to_vec())
    }
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
        let origin = (weights.xai > 0.0).then(|| Origin::new(data, constants));
        let guided = origin
            .as_ref()
            .map(|origin| (0..data.strips.len()).into_par_iter().map(|r| pooled(&origin.target(r), bins)).collect());
        Self { features, guidance: guided, origin }
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
        self.batch_shifted(gpu, strips, (records, &vec![0; records.len()]), class_weights, smoothing)
    }

    /// [`Targets::batch`] with the guidance target of each record moved by so many samples, to the right where positive,
    /// before it is pooled; zero where it does not reach. A target that is moved out of the strip is not valid.
    ///
    /// # Errors
    /// As [`Targets::batch`].
    pub fn batch_shifted(
        &self,
        gpu: &Gpu,
        strips: &Strips,
        (records, shifts): (&[usize], &[isize]),
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
        Ok(BatchTargets { classes, distribution, features, guidance: self.guidance(gpu, records, shifts)? })
    }

    fn guidance(&self, gpu: &Gpu, records: &[usize], shifts: &[isize]) -> Result<Option<(Tensor, Tensor)>> {
        let (Some(all), Some(origin)) = (&self.guidance, &self.origin) else { return Ok(None) };
        let moved = |(&r, &by): (&usize, &isize)| {
            let at_rest = all[r].as_ref()?;
            if by == 0 {
                return Some(Cow::Borrowed(at_rest));
            }
            let mut target = origin.target(r);
            shift(&mut target, by, [0.0; 2]);
            pooled(&target, at_rest.len()).map(Cow::Owned)
        };
        let own: Vec<Option<Cow<'_, Vec<f32>>>> = records.iter().zip(shifts).map(moved).collect();
        let valid = own.iter().flatten().count();
        let Some(bins) = own.iter().flatten().map(|t| t.len()).next() else { return Ok(None) };
        let zeros = vec![0.0; bins];
        let truth: Vec<f32> = own.iter().flat_map(|t| t.as_deref().unwrap_or(&zeros).iter().copied()).collect();
        let weight = |t: &Option<Cow<'_, Vec<f32>>>| if t.is_some() { 1.0 / valid as f32 } else { 0.0 };
        let weights: Vec<f32> = own.iter().map(weight).collect();
        let n = records.len();
        Ok(Some((Tensor::from_f32(gpu, &[n, bins], &truth)?, Tensor::from_f32(gpu, &[n], &weights)?)))
    }
}

/// A target averaged over `bins` parts; `None` where it is zero everywhere.
fn pooled(target: &[f32], bins: usize) -> Option<Vec<f32>> {
    target.iter().any(|v| *v > 0.0).then(|| guidance::pool(target, bins))
}
