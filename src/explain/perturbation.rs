//! Deletion and insertion (Petsiuk et al. 2018, "RISE"): what becomes of a prediction as the samples that a map calls
//! most relevant are taken away, or as only they are left. This file makes the strips; the network's probabilities
//! of them, in order, are a curve over the share 0 to 1, and [`area`] its area. A good map has a small area under
//! deletion and a large one under insertion.
//!
//! Removed stretches are bridged by a straight line between the kept samples beside them. Images are blurred or
//! filled with a mean; in an ECG a jump to the mean makes an edge as steep as a QRS complex, in other words a new
//! beat for the network to see. A line has no edge. Where a removed stretch reaches the end of the strip, the nearest
//! kept sample is held; where nothing is kept, all is 0, the mean of a z-scored strip.
//!
//! A dead map ([`is_dead`](super::scores::is_dead)) has no order but that of time, and its areas say nothing: leave
//! it out and say how many there were. In particular a 0 would be the best of all deletion areas.

use super::probabilities;
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, in_halves};
use crate::nn::{Mode, Model};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Default number of steps of a curve.
pub const STEPS: usize = 10;

/// Most strips of one forward pass of [`curves`].
const STRIPS: usize = 64;

/// Most steps of a curve; all its strips are held in memory together.
pub const MAX_STEPS: usize = 200;

/// The strips of a deletion curve, `steps + 1` of them: strip `k` lacks the `floor(k L / steps)` most relevant
/// samples of the z-scored `signal` `[L]`. So the first is the signal, the last all 0. Relevance is `map` `[L]`,
/// resized to the signal's length; the earlier of equally relevant samples goes first.
///
/// # Errors
/// [`Error::Data`] for an empty signal, a map of another length, a value that is not finite (naming where), and steps
/// not from 1 to [`MAX_STEPS`].
pub fn deletion_steps(signal: &[f32], map: &[f32], steps: usize) -> Result<Vec<Vec<f32>>> {
    let order = order(signal, map, steps)?;
    Ok(strips(signal, &order, steps, false))
}

/// The strips of an insertion curve, `steps + 1` of them: strip `k` has nothing but the `floor(k L / steps)` most
/// relevant samples. So the first is all 0, the last the signal. Everything else is as in [`deletion_steps`].
pub fn insertion_steps(signal: &[f32], map: &[f32], steps: usize) -> Result<Vec<Vec<f32>>> {
    let order = order(signal, map, steps)?;
    Ok(strips(signal, &order, steps, true))
}

/// Area under a curve of equally spaced points over 0 to 1, by trapezoids. A single point is a constant; no point
/// has area 0; a value that is not finite makes the area not finite.
pub fn area(probabilities: &[f64]) -> f64 {
    match probabilities {
        [] => 0.0,
        [one] => *one,
        [first, .., last] => {
            let ends = 0.5 * (first + last);
            (probabilities.iter().sum::<f64>() - ends) / (probabilities.len() - 1) as f64
        }
    }
}

/// A strip whose prediction is taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// The z-scored strip `[L]`; the same length for all.
    pub signal: Vec<f32>,
    /// Relevance of each sample `[L]`.
    pub map: Vec<f32>,
    /// The class whose probability is followed.
    pub class: usize,
}

/// Areas under the curves of one strip, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Areas {
    /// Under deletion: small for a good map.
    pub deletion: f64,
    /// Under insertion: large for a good map.
    pub insertion: f64,
}

/// The curves of one strip: the probability of its class at `steps + 1` equally spaced shares, 0 to 1, of its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// As the most relevant samples are taken away.
    pub deletion: Vec<f64>,
    /// As only they are left.
    pub insertion: Vec<f64>,
}

impl Curves {
    /// The areas under them.
    pub fn areas(&self) -> Areas {
        Areas { deletion: area(&self.deletion), insertion: area(&self.insertion) }
    }
}

/// Curves of `steps` steps of each subject: `net` in evaluation mode, without a history. `2 steps` forward passes a
/// subject: the curves share their ends.
pub fn curves(gpu: &Gpu, net: &Model, probes: &[Probe], steps: usize) -> Result<Vec<Curves>> {
    let (each, k) = (2 * steps, net.classes());
    let mut found = Vec::with_capacity(probes.len());
    for group in probes.chunks((STRIPS / each.max(1)).max(1)) {
        let mut x = Vec::new();
        for s in group {
            x.extend(deletion_steps(&s.signal, &s.map, steps)?);
            x.extend(insertion_steps(&s.signal, &s.map, steps)?.drain(1..steps));
        }
        let logits = in_halves(&x, &mut |x| {
            let x = Tensor::from_f32(gpu, &[x.len(), 1, group[0].signal.len()], &x.concat())?;
            no_grad(|| net.forward(&x, &Mode::EVAL))?.logits.to_vec()
        })?;
        for (s, rows) in group.iter().zip(logits.chunks(each * k)) {
            let p: Vec<f64> = rows.chunks(k).map(|row| probabilities(row)[s.class]).collect();
            let (deletion, inner) = p.split_at(steps + 1);
            let insertion = [&deletion[steps..], inner, &deletion[..1]].concat();
            found.push(Curves { deletion: deletion.to_vec(), insertion });
        }
    }
    Ok(found)
}

/// Sample indices, most relevant first, the earlier of equals first.
fn order(signal: &[f32], map: &[f32], steps: usize) -> Result<Vec<usize>> {
    let wrong = |what: String, hint: &str| Err(Error::data("deletion and insertion", what, hint));
    if signal.is_empty() || map.len() != signal.len() {
        return wrong(
            format!("a map of {} values for {} samples, expected one value a sample", map.len(), signal.len()),
            "resize the map to the length of the strip",
        );
    }
    if !(1..=MAX_STEPS).contains(&steps) {
        return wrong(format!("{steps} steps, expected 1 to {MAX_STEPS}"), "take the default, 10");
    }
    for (name, values) in [("signal", signal), ("map", map)] {
        if let Some((i, v)) = values.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return wrong(format!("{name}: found {v} at sample {i}, expected a finite number"), "leave this strip out");
        }
    }
    let mut order: Vec<usize> = (0..map.len()).collect();
    // a stable sort; finite values are always ordered, and 0 equals -0
    order.sort_by(|&a, &b| map[b].partial_cmp(&map[a]).unwrap_or(Ordering::Equal));
    Ok(order)
}

fn strips(signal: &[f32], order: &[usize], steps: usize, insert: bool) -> Vec<Vec<f32>> {
    let mut kept = vec![!insert; signal.len()];
    let mut done = 0;
    (0..=steps)
        .map(|k| {
            let next = k * signal.len() / steps;
            for &i in &order[done..next] {
                kept[i] = insert;
            }
            done = next;
            bridge(signal, &kept)
        })
        .collect()
}

/// The signal with straight lines across what is not kept.
fn bridge(signal: &[f32], kept: &[bool]) -> Vec<f32> {
    let anchors: Vec<usize> = (0..signal.len()).filter(|&i| kept[i]).collect();
    let (Some(&first), Some(&last)) = (anchors.first(), anchors.last()) else { return vec![0.0; signal.len()] };
    let mut filled = signal.to_vec();
    filled[..first].fill(signal[first]);
    filled[last + 1..].fill(signal[last]);
    for w in anchors.windows(2) {
        let (from, to) = (f64::from(signal[w[0]]), f64::from(signal[w[1]]));
        let width = (w[1] - w[0]) as f64;
        for (i, v) in filled[w[0]..w[1]].iter_mut().enumerate().skip(1) {
            let part = i as f64 / width;
            *v = (from * (1.0 - part) + to * part) as f32;
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zeros_of_either_sign_are_equal_relevance() {
        assert_eq!(deletion_steps(&[1.0, 2.0, 4.0], &[-0.0, 0.0, 0.0], 3).unwrap()[1], [2.0, 2.0, 4.0]);
    }

    #[test]
    fn a_deleted_beat_leaves_no_edge() {
        // a bump on a slope that the mean would tear
        let signal: Vec<f32> = (0..100).map(|i| 3.0 - 0.06 * i as f32 + if i == 30 { 9.0 } else { 0.0 }).collect();
        let map: Vec<f32> = (0..100_i32).map(|i| 1.0 / (1.0 + (i - 30).abs() as f32)).collect();
        let found = &deletion_steps(&signal, &map, 10).unwrap()[1];
        assert!(found.windows(2).all(|w| (w[1] - w[0] + 0.06).abs() < 1e-5), "{found:?}");
    }

    #[test]
    fn what_does_not_fit_is_reported() {
        let message = |signal: &[f32], map: &[f32], steps| {
            let text = deletion_steps(signal, map, steps).unwrap_err().to_string();
            assert_eq!(text, insertion_steps(signal, map, steps).unwrap_err().to_string());
            assert!(text.contains("HINT"), "{text}");
            text
        };
        assert!(message(&[1.0, 2.0], &[1.0], 2).contains("a map of 1 values for 2 samples"));
        assert!(message(&[], &[], 2).contains("0 samples"));
        assert!(message(&[1.0], &[1.0], 0).contains("0 steps, expected 1 to 200"));
        assert!(message(&[1.0], &[1.0], usize::MAX).contains("steps"));
        assert!(message(&[1.0, f32::NAN], &[1.0, 0.0], 2).contains("signal: found NaN at sample 1"));
        assert!(message(&[1.0, 2.0], &[f32::INFINITY, 0.0], 2).contains("map: found inf at sample 0"));
    }

    #[test]
    fn areas_by_hand() {
        assert_eq!((area(&[]), area(&[0.3]), area(&[1.0, 0.0])), (0.0, 0.3, 0.5));
        assert!(area(&[1.0, f64::NAN, 0.0]).is_nan());
    }

    proptest! {
        #[test]
        fn what_is_kept_is_the_signal_and_the_rest_lies_between(
            pairs in proptest::collection::vec((-9.0..9.0_f32, prop_oneof![Just(0.0_f32), 0.0..1.0_f32]), 1..80),
            steps in 1..30_usize,
        ) {
            let (signal, map): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let n = signal.len();
            let (deleted, inserted) =
                (deletion_steps(&signal, &map, steps).unwrap(), insertion_steps(&signal, &map, steps).unwrap());
            prop_assert!(deleted.len() == steps + 1 && inserted.len() == steps + 1);
            prop_assert!(deleted[0] == signal && inserted[steps] == signal);
            prop_assert!(deleted[steps] == vec![0.0; n] && inserted[0] == vec![0.0; n]);
            let order = order(&signal, &map, steps).unwrap();
            prop_assert!(order.windows(2).all(|w| map[w[0]] > map[w[1]] || (map[w[0]] == map[w[1]] && w[0] < w[1])));
            let (least, most) = signal.iter().fold((0.0_f32, 0.0_f32), |(l, m), &v| (l.min(v), m.max(v)));
            for k in 0..=steps {
                let (taken, left) = order.split_at(k * n / steps);
                prop_assert!(left.iter().all(|&i| deleted[k][i] == signal[i]));
                prop_assert!(taken.iter().all(|&i| inserted[k][i] == signal[i]));
                let all = deleted[k].iter().chain(&inserted[k]);
                prop_assert!(all.clone().count() == 2 * n && all.clone().all(|v| (least..=most).contains(v)));
            }
        }
    }
}
