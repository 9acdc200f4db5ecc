//! Curves of one class against the rest: ROC, precision and recall, with areas and bands over resampled patients; and how
//! far probabilities are what they say.

use crate::stats::bootstrap::{draw, percentile};
use rayon::prelude::*;

/// Places at which a band is given, from 0 to 1.
pub const GRID: usize = 101;

/// A curve over 0 to 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// Its points.
    pub points: Vec<(f64, f64)>,
    /// At [`GRID`] equally spaced places the 2.5th and 97.5th percentile over the resamples; empty where there are none.
    pub band: Vec<(f64, f64, f64)>,
    /// Area under the curve (ROC), average precision (precision and recall).
    pub area: f64,
    /// 95 % interval of the area; NaN where there is none.
    pub interval: (f64, f64),
}

/// One class against the rest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ranking {
    /// Sensitivity over 1 - specificity.
    pub roc: Curve,
    /// Precision over recall.
    pub precision: Curve,
    /// Records of the class.
    pub positive: usize,
    /// All records.
    pub records: usize,
}

/// A record: its score, whether it is of the class, its patient (any number).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// Probability of the class.
    pub score: f64,
    /// Of the class.
    pub positive: bool,
    /// Patient.
    pub patient: usize,
}

/// The records by falling score; the ends of groups of equal scores.
struct Sorted {
    rows: Vec<Ranked>,
    ends: Vec<usize>,
}

impl Sorted {
    fn new(mut rows: Vec<Ranked>) -> Self {
        rows.sort_by(|a, b| b.score.total_cmp(&a.score));
        let last = |i: &usize| i + 1 == rows.len() || rows[*i].score != rows[i + 1].score;
        Self { ends: (0..rows.len()).filter(last).map(|i| i + 1).collect(), rows }
    }

    /// True and false positives after each group where patient `p` counts `weight(p)` times.
    fn counts(&self, weight: impl Fn(usize) -> f64) -> Vec<(f64, f64)> {
        let (mut tp, mut fp, mut start) = (0.0, 0.0, 0);
        let mut out = Vec::with_capacity(self.ends.len());
        for &end in &self.ends {
            for row in &self.rows[start..end] {
                *(if row.positive { &mut tp } else { &mut fp }) += weight(row.patient);
            }
            out.push((tp, fp));
            start = end;
        }
        out
    }
}

/// ROC points from (0, 0) to (1, 1), and recall with precision, of counts; `None` without either kind of record.
#[expect(clippy::type_complexity, reason = "two lists of points")]
fn curves(counts: &[(f64, f64)]) -> Option<(Vec<(f64, f64)>, Vec<(f64, f64)>)> {
    let &(tp, fp) = counts.last()?;
    if tp <= 0.0 || fp <= 0.0 {
        return None;
    }
    let roc = std::iter::once((0.0, 0.0)).chain(counts.iter().map(|c| (c.1 / fp, c.0 / tp))).collect();
    let precision = counts.iter().filter(|c| c.0 + c.1 > 0.0).map(|c| (c.0 / tp, c.0 / (c.0 + c.1))).collect();
    Some((roc, precision))
}

fn roc_area(points: &[(f64, f64)]) -> f64 {
    points.windows(2).map(|w| (w[1].0 - w[0].0) * f64::midpoint(w[0].1, w[1].1)).sum()
}

/// Average precision: the precision of each step of recall.
fn average_precision(points: &[(f64, f64)]) -> f64 {
    let mut before = 0.0;
    points.iter().map(|&(recall, precision)| (recall - std::mem::replace(&mut before, recall)) * precision).sum()
}

/// The ROC at `x`: where it is upright, its top.
fn roc_at(points: &[(f64, f64)], x: f64) -> f64 {
    let i = points.partition_point(|p| p.0 <= x);
    match (points.get(i.wrapping_sub(1)), points.get(i)) {
        (Some(a), Some(b)) => a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0),
        (Some(a), None) => a.1,
        _ => 0.0,
    }
}

/// The precision at a recall of `x`: that of the first threshold that reaches it.
fn precision_at(points: &[(f64, f64)], x: f64) -> f64 {
    let i = points.partition_point(|p| p.0 < x - 1e-12);
    points.get(i).or(points.last()).map_or(f64::NAN, |p| p.1)
}

/// Curves of `rows`, their bands and intervals over `resamples` draws of the patients; `None` where there are no records
/// of the class or none of another. Resamples without either are left out.
pub fn ranking(rows: Vec<Ranked>, seed: u64, resamples: usize) -> Option<Ranking> {
    let mut numbers = std::collections::BTreeMap::new();
    let mut rows: Vec<Ranked> = rows.into_iter().filter(|r| r.score.is_finite()).collect();
    for row in &mut rows {
        let next = numbers.len();
        row.patient = *numbers.entry(row.patient).or_insert(next);
    }
    let patients = u32::try_from(numbers.len()).ok()?;
    let (records, positive) = (rows.len(), rows.iter().filter(|r| r.positive).count());
    let sorted = Sorted::new(rows);
    let (roc, precision) = curves(&sorted.counts(|_| 1.0))?;
    let place = |i: usize| i as f64 / (GRID - 1) as f64;
    let resample = |b: usize| {
        let drawn = draw(patients, seed, b);
        let (roc, precision) = curves(&sorted.counts(|p| f64::from(drawn[p])))?;
        let at = |f: &dyn Fn(f64) -> f64| (0..GRID).map(|i| f(place(i))).collect::<Vec<f64>>();
        let own = at(&|x| roc_at(&roc, x));
        Some([(own, roc_area(&roc)), (at(&|x| precision_at(&precision, x)), average_precision(&precision))])
    };
    let found: Vec<_> =
        if patients < 2 { Vec::new() } else { (0..resamples).into_par_iter().filter_map(resample).collect() };
    let ends = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        if values.is_empty() { (f64::NAN, f64::NAN) } else { (percentile(&values, 0.025), percentile(&values, 0.975)) }
    };
    let curve = |k: usize, points: Vec<(f64, f64)>, area: f64| {
        let one = |i: usize| {
            let (low, high) = ends(found.iter().map(|f| f[k].0[i]).collect());
            (place(i), low, high)
        };
        let band = if found.is_empty() { Vec::new() } else { (0..GRID).map(one).collect() };
        Curve { points, band, area, interval: ends(found.iter().map(|f| f[k].1).collect()) }
    };
    let areas = (roc_area(&roc), average_precision(&precision));
    Some(Ranking { roc: curve(0, roc, areas.0), precision: curve(1, precision, areas.1), positive, records })
}

/// Predictions of about the same confidence.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bin {
    /// Predictions.
    pub count: usize,
    /// Their mean probability.
    pub confidence: f64,
    /// The share that is right.
    pub accuracy: f64,
}

/// How far the probability of the predicted class is the share of right predictions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calibration {
    /// Equal parts of 0 to 1; those without a prediction have count 0.
    pub bins: Vec<Bin>,
    /// Expected calibration error (Naeini et al. 2015): mean distance of the two, weighed by the counts; NaN without a
    /// prediction.
    pub ece: f64,
}

/// Of confidence and rightness of every prediction, in `bins` equal parts.
pub fn calibration(predictions: &[(f64, bool)], bins: usize) -> Calibration {
    let mut sums = vec![(0usize, 0.0, 0usize); bins];
    for &(p, right) in predictions.iter().filter(|p| p.0.is_finite()) {
        let bin = &mut sums[((p * bins as f64) as usize).min(bins - 1)];
        *bin = (bin.0 + 1, bin.1 + p, bin.2 + usize::from(right));
    }
    let all: usize = sums.iter().map(|b| b.0).sum();
    let bin = |&(count, p, right): &(usize, f64, usize)| match count {
        0 => Bin::default(),
        n => Bin { count, confidence: p / n as f64, accuracy: right as f64 / n as f64 },
    };
    let bins: Vec<Bin> = sums.iter().map(bin).collect();
    let ece = bins.iter().map(|b| b.count as f64 * (b.confidence - b.accuracy).abs()).sum::<f64>() / all as f64;
    Calibration { bins, ece }
}

/// Brier score of several classes (Brier 1950): mean over the predictions of the squared distance of the probabilities from 1
/// for the true class and 0 for others, 0 to 2; NaN without a prediction.
pub fn brier<'a>(predictions: impl ExactSizeIterator<Item = (&'a [f64], usize)>) -> f64 {
    let n = predictions.len() as f64;
    let one = |(p, truth): (&[f64], usize)| {
        p.iter().enumerate().map(|(c, p)| (p - f64::from(u8::from(c == truth))).powi(2)).sum::<f64>()
    };
    predictions.map(one).sum::<f64>() / n
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[(f64, bool)]) -> Vec<Ranked> {
        values.iter().enumerate().map(|(patient, &(score, positive))| Ranked { score, positive, patient }).collect()
    }

    #[test]
    fn areas_by_hand() {
        // sklearn: roc_auc_score 0.75, average_precision_score 0.8333
        let found = ranking(rows(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]), 1, 200).unwrap();
        assert!((found.roc.area - 0.75).abs() < 1e-12 && (found.precision.area - 0.833_333_333).abs() < 1e-6);
        assert_eq!((found.positive, found.records, found.roc.band.len()), (2, 4, GRID));
        assert!(found.roc.interval.0 <= 0.75 && found.roc.interval.1 >= 0.75);
        let tied = ranking(rows(&[(0.5, true), (0.5, false)]), 1, 0).unwrap();
        assert_eq!((tied.roc.area, tied.roc.points.len(), tied.roc.band.len()), (0.5, 2, 0));
    }

    #[test]
    fn a_class_alone_has_no_curve_and_one_patient_no_band() {
        assert!(ranking(rows(&[(0.5, true), (0.2, true)]), 1, 10).is_none() && ranking(Vec::new(), 1, 10).is_none());
        let mut one = rows(&[(0.5, true), (0.2, false), (f64::NAN, true)]);
        one.iter_mut().for_each(|r| r.patient = 7);
        let found = ranking(one, 1, 10).unwrap();
        assert!(found.records == 2 && found.roc.band.is_empty() && found.roc.interval.0.is_nan());
    }

    #[test]
    fn calibration_by_hand() {
        let found = calibration(&[(0.95, true), (0.95, false), (0.55, true), (1.0, true), (f64::NAN, true)], 10);
        assert_eq!((found.bins[9].count, found.bins[5].count, found.bins[0].count), (3, 1, 0));
        let expected = (3.0 * (2.9_f64 / 3.0 - 2.0 / 3.0).abs() + (0.55_f64 - 1.0).abs()) / 4.0;
        assert!((found.ece - expected).abs() < 1e-12);
        assert!(calibration(&[], 10).ece.is_nan());
    }
}
