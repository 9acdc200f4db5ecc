//! Whether maps depend on what was learned: they are compared as the weights become random, from the output backwards.

use super::score::maps;
use super::{BATCH, Tested, chosen};
use crate::error::Result;
use crate::explain::scores::{is_dead, ncc};
use crate::gpu::in_halves;
use crate::nn::{Mode, Model, Outline};
use crate::run::predictions::short;
use crate::run::randomised::{Layer, Randomised};
use crate::run::sanity::RANDOM_SEED;
use crate::stats::spearman;
use std::collections::BTreeMap;

/// Most records whose maps are compared.
const MOST: usize = 64;

/// The cascading randomisation test: from the output backwards every part of the network takes the weights (and running
/// estimates) that a new network has, the one whose maps `sanity.json` scores; maps are those for the true class.
///
/// # Errors
/// Whatever keeps the network from running.
pub fn randomise(tested: &Tested<'_>) -> Result<Randomised> {
    let Tested { gpu, net, data, records, experiment, .. } = *tested;
    let (config, classes) = (net.config(), net.classes());
    let layer = experiment.losses.layer(config)?;
    let truth: Vec<usize> = records.iter().map(|&r| data.strips[r].label).collect();
    let there = (0..classes).filter(|c| truth.contains(c)).count();
    let places = chosen(&truth, classes, (MOST / there.max(1)).max(1));
    let seed = experiment.train.seed.wrapping_add(RANDOM_SEED);
    let fresh = Model::new(gpu, config, classes, false, seed)?;
    let random: BTreeMap<String, Vec<f32>> =
        fresh.params().read()?.into_iter().map(|(name, _, values)| (name, values)).collect();
    let trained = net.params().read()?.into_iter().map(|(name, _, values)| (name, values));
    // parts that only training has are no part of the maps
    let mut values: BTreeMap<String, Vec<f32>> = trained.filter(|(name, _)| random.contains_key(name)).collect();
    let picked: Vec<usize> = places.iter().take(MOST).map(|&i| records[i]).collect();
    let of = |net: &Model| -> Result<Vec<Vec<f32>>> {
        let mut all = Vec::with_capacity(picked.len());
        for part in picked.chunks(BATCH) {
            all.extend(in_halves(part, &mut |part| {
                let out = net.forward(&tested.strips.batch(gpu, part)?, &Mode::EVAL)?;
                maps(&out, layer, &tested.strips.batch_labels(gpu, part)?)
            })?);
        }
        Ok(all)
    };
    let before = of(net)?;
    let mut layers = Vec::new();
    for part in Outline::new(config, classes, false, data.samples())?.parts.iter().rev() {
        let own = format!("{}.", part.name);
        let of_part = random.iter().filter(|(name, _)| name.starts_with(&own));
        of_part.for_each(|(name, new)| drop(values.insert(name.clone(), new.clone())));
        let after = of(&Model::with_values(gpu, config, classes, false, seed, &values)?.folded()?)?;
        layers.push(compared(&part.name, &before, &after));
    }
    let dead = before.iter().filter(|map| is_dead(map)).count();
    Ok(Randomised { records: picked.len(), dead, seed, layers })
}

/// Means over the records that have a live map in both.
fn compared(layer: &str, before: &[Vec<f32>], after: &[Vec<f32>]) -> Layer {
    let live = || before.iter().zip(after).filter(|(a, _)| !is_dead(a));
    let wide = |map: &[f32]| map.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
    let both: Vec<[f64; 2]> = live().filter_map(|(a, b)| Some([spearman(&wide(a), &wide(b))?, ncc(b, a)])).collect();
    let mean = |of: usize| {
        (!both.is_empty()).then(|| short(both.iter().map(|pair| pair[of]).sum::<f64>() / both.len() as f64))
    };
    Layer { layer: layer.to_owned(), spearman: mean(0), ncc: mean(1), dead: live().count() - both.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_maps_are_counted_and_left_out() {
        let before = [vec![0.0, 1.0, 2.0], vec![0.0; 3], vec![3.0, 1.0, 2.0], vec![1.0, 2.0, 3.0]];
        let after = [vec![0.0, 2.0, 4.0], vec![1.0; 3], vec![0.0; 3], vec![3.0, 2.0, 1.0]];
        let found = compared("head", &before, &after);
        assert_eq!((found.spearman, found.dead), (Some(0.0), 1), "one alike, one reversed");
        assert!(found.ncc.is_some_and(|ncc| ncc.abs() < 1e-6));
        let none = compared("head", &before[1..2], &after[1..2]);
        assert_eq!((none.spearman, none.ncc, none.dead), (None, None, 0));
    }
}
