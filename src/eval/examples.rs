//! What the figures of a run need of its test.

use crate::ecg::{Strip, guidance};
use crate::eval::score::Scored;
use crate::eval::{Tested, chosen};
use crate::explain::perturbation::Curves;
use crate::explain::resize_map;
use crate::explain::scores::is_dead;
use crate::explain::{argmax, probabilities};
use crate::run::examples::{Beats, Example, ExampleCurves, ExampleFeatures, Examples, KEPT, aligned};
use rayon::prelude::*;

/// Of the tested records, what they scored on the map of block `block`, and their deletion and insertion.
pub(super) fn shown(tested: &Tested<'_>, block: usize, scored: &[Scored], found: &[Option<Curves>]) -> Examples {
    let Tested { data, records, experiment, scale, .. } = *tested;
    let strips: Vec<&Strip> = records.iter().map(|&r| &data.strips[r]).collect();
    let truth: Vec<usize> = strips.iter().map(|s| s.label).collect();
    let target = |strip: &Strip| {
        guidance(&strip.r_peaks, data.preprocessing.fs, strip.signal.len(), &experiment.guidance).target
    };
    let mut kept = chosen(&truth, data.classes.len(), KEPT);
    kept.sort_by_key(|&i| truth[i]);
    let kept = kept.into_iter().map(|i| Example {
        record: strips[i].id.clone(),
        class: truth[i],
        predicted: argmax(&scored[i].logits),
        probabilities: probabilities(&scored[i].logits).iter().map(|p| *p as f32).collect(),
        ncc: scored[i].scores.truth.map_or(f32::NAN, |s| s.ncc as f32),
        expert_beats: strips[i].expert_beats,
        r_peaks: strips[i].r_peaks.clone(),
        signal: strips[i].signal.to_vec(),
        target: target(strips[i]),
        maps: (0..data.classes.len()).map(|c| if c == truth[i] { scored[i].map.clone() } else { Vec::new() }).collect(),
        patient: strips[i].patient.clone(),
    });
    let live: Vec<usize> = (0..records.len()).filter(|&i| !is_dead(&scored[i].map)).collect();
    let curves = |i: usize| (resize_map(&scored[i].map, strips[i].signal.len()), target(strips[i]));
    let made: Vec<(Vec<f32>, Vec<f32>)> = live.par_iter().map(|&i| curves(i)).collect();
    let beats = live.iter().zip(&made).map(|(&i, (map, target))| {
        (truth[i], Beats { r_peaks: &strips[i].r_peaks, map, target, signal: &strips[i].signal })
    });
    let narrow = |curve: &[f64]| curve.iter().map(|p| *p as f32).collect();
    let taken_apart = found.iter().zip(&truth).filter_map(|(curves, &class)| {
        let Curves { deletion, insertion } = curves.as_ref()?;
        Some(ExampleCurves { class, deletion: narrow(deletion), insertion: narrow(insertion) })
    });
    let features = |(i, strip): (usize, &&Strip)| {
        let regressed = scored[i]
            .regressed
            .as_ref()
            .zip(scale)
            .map(|(row, scale)| std::array::from_fn(|j| (f64::from(row[j]) * scale.sd[j] + scale.mean[j]) as f32));
        ExampleFeatures { class: strip.label, measured: strip.features, regressed }
    };
    Examples {
        classes: data.classes.clone(),
        fs: data.preprocessing.fs,
        layer: format!("blocks.{block}"),
        strips: kept.collect(),
        aligned: aligned(beats, data.classes.len(), data.preprocessing.fs),
        curves: taken_apart.collect(),
        features: strips.iter().enumerate().map(features).collect(),
        embeddings: Vec::new(),
    }
}
