//! What the figures of a run need of its test.

use crate::ecg::Strip;
use crate::error::Result;
use crate::eval::score::{Scored, maps};
use crate::eval::{BATCH, Tested};
use crate::explain::perturbation::Curves;
use crate::explain::scores::is_dead;
use crate::explain::{probabilities, resize_map};
use crate::gpu::in_halves;
use crate::nn::Mode;
use crate::run::examples::{Beats, Example, ExampleCurves, ExampleFeatures, Examples, aligned};
use crate::tensor::Tensor;
use rayon::prelude::*;

/// Of the tested records, what they scored on the map at place `layer`, and their deletion and insertion.
pub(super) fn examples(
    tested: &Tested<'_>,
    layer: usize,
    scored: &[Scored],
    found: &[Option<Curves>],
) -> Result<Examples> {
    let Tested { data, records, experiment, scale, .. } = *tested;
    let strips: Vec<&Strip> = records.iter().map(|&r| &data.strips[r]).collect();
    let truth: Vec<usize> = strips.iter().map(|s| s.label).collect();
    let right: Vec<bool> = scored.iter().zip(&truth).map(|(s, truth)| s.predicted == *truth).collect();
    let target = |strip: &Strip| strip.guidance(data.preprocessing.fs, &experiment.guidance).target;
    let kept = kept(&truth, &right, data.classes.len(), experiment.output.examples);
    let every = maps_of_every_class(tested, &kept, layer)?;
    let example = |(&i, mut maps): (&usize, Vec<Vec<f32>>)| {
        // the one that was scored, and not the same of another batch
        maps[truth[i]].clone_from(&scored[i].map);
        Example {
            record: strips[i].id.clone(),
            patient: strips[i].patient.clone(),
            class: truth[i],
            predicted: scored[i].predicted,
            probabilities: probabilities(&scored[i].logits).iter().map(|p| *p as f32).collect(),
            ncc: scored[i].scores.truth.map_or(f32::NAN, |s| s.ncc as f32),
            expert_beats: strips[i].expert_beats,
            r_peaks: strips[i].r_peaks.clone(),
            marked: strips[i].marked,
            signal: strips[i].signal.to_vec(),
            in_mv: strips[i].in_mv,
            target: target(strips[i]),
            maps,
        }
    };
    let live: Vec<usize> = (0..records.len()).filter(|&i| !is_dead(&scored[i].map)).collect();
    let curves = |i: usize| (resize_map(&scored[i].map, strips[i].signal.len()), target(strips[i]));
    let made: Vec<(Vec<f32>, Vec<f32>)> = live.par_iter().map(|&i| curves(i)).collect();
    let beats = live.iter().zip(&made).map(|(&i, (map, target))| {
        let Strip { r_peaks, marked, signal, in_mv, .. } = strips[i];
        (truth[i], Beats { r_peaks, marked: *marked, map, target, signal, in_mv: *in_mv })
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
    Ok(Examples {
        classes: data.classes.clone(),
        fs: data.preprocessing.fs,
        layer: tested.net.config().maps().swap_remove(layer),
        strips: kept.iter().zip(every).map(example).collect(),
        aligned: aligned(beats, data.classes.len(), data.preprocessing.fs),
        curves: taken_apart.collect(),
        features: strips.iter().enumerate().map(features).collect(),
        embeddings: scored.iter().map(|s| s.embedding.clone()).collect(),
    })
}

/// Places of the kept records: of every true class, in order, at most `most` that are predicted right and `most` that are
/// not. They are taken by their place among the records of the class (the first, then the middle, the quarters, and so on),
/// so that the variants of a sweep keep the same ones as far as they agree.
fn kept(truth: &[usize], right: &[bool], classes: usize, most: usize) -> Vec<usize> {
    let of_class = |class: usize| {
        let own: Vec<usize> = (0..truth.len()).filter(|&i| truth[i] == class).collect();
        let mut order: Vec<usize> = (0..own.len()).collect();
        order.sort_by_key(|place| place.reverse_bits());
        [true, false].into_iter().flat_map(move |wanted| {
            let fit = order.iter().map(|&place| own[place]).filter(|&i| right[i] == wanted);
            let mut taken: Vec<usize> = fit.take(most).collect();
            taken.sort_unstable();
            taken
        })
    };
    (0..classes).flat_map(of_class).collect()
}

/// Maps at place `layer` of the records at `places`, one for every class `[K, T]`.
fn maps_of_every_class(tested: &Tested<'_>, places: &[usize], layer: usize) -> Result<Vec<Vec<Vec<f32>>>> {
    let Tested { gpu, net, strips, records, .. } = *tested;
    let mut all = Vec::with_capacity(places.len());
    for part in places.chunks(BATCH) {
        all.extend(in_halves(part, &mut |part| {
            let own: Vec<usize> = part.iter().map(|&i| records[i]).collect();
            let out = net.forward(&strips.batch(gpu, &own)?, &Mode::EVAL)?;
            let mut of_records = vec![Vec::new(); part.len()];
            for class in 0..net.classes() as u32 {
                let class = Tensor::from_u32(gpu, &[part.len()], &vec![class; part.len()])?;
                of_records.iter_mut().zip(maps(&out, layer, &class)?).for_each(|(all, map)| all.push(map));
            }
            Ok(of_records)
        })?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_and_wrong_ones_of_every_class_by_their_place() {
        // class 0 at the even places, class 2 once, class 1 never; every third record is predicted wrong
        let truth: Vec<usize> = (0..40).map(|i| if i == 39 { 2 } else { 3 * (i % 2) }).collect();
        let right: Vec<bool> = (0..40).map(|i| i % 3 != 0).collect();
        let found = kept(&truth, &right, 4, 2);
        // of 20: the 0th, 16th, 8th, 4th, ... are the records 0, 32, 16, 8, 24, ...
        assert_eq!(found[..4], [16, 32, 0, 24]);
        assert_eq!((found[4..].len(), found[4]), (5, 39));
        // one record more that is wrong changes nothing for those that both get right
        let mut other = right.clone();
        other[16] = false;
        assert_eq!(kept(&truth, &other, 1, 2), [8, 32, 0, 16]);
        assert_eq!(kept(&truth, &right, 4, 100).len(), 40);
        assert!(kept(&truth, &right, 4, 0).is_empty() && kept(&[], &[], 2, 3).is_empty());
    }
}
