//! How far the probability of the predicted class is the share of right predictions, arm by arm.

use super::shared::{no_predictions, pooled};
use crate::error::{Error, Result};
use crate::figures::catalogue::Drawn;
use crate::plot::axes::{Axis, Frame};
use crate::plot::canvas::{Canvas, Type};
use crate::plot::figure::Figure;
use crate::plot::legend::shape;
use crate::plot::panels::{Line, letter, line};
use crate::plot::style::{GRID, INK, Look, MM_PER_PT, PT_AXIS, PT_CURVE, PT_SMALL, Rgb, WHITE, arm_color};
use crate::run::databases::BINS;
use crate::run::predictions::Prediction;
use crate::run::set::RunSet;
use crate::stats::ranking::{Bin, Calibration, calibration};

/// Fewer predictions than make a full mark on the line: a share of as many has a standard error of 0.11 at most.
const FEW: usize = 20;

/// An arm.
struct Arm<'a> {
    name: &'a str,
    color: Rgb,
    found: Calibration,
    predictions: usize,
}

/// One diagram for all arms.
pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let arm = |(i, name): (usize, &'a String)| {
        let confidence = |p: &Prediction| p.probabilities.get(p.predicted()).copied().unwrap_or(f64::NAN);
        let rows = set.predictions(name)?.into_iter().map(|(_, p)| (confidence(p), p.predicted() == p.truth));
        let found = calibration(&rows.collect::<Vec<_>>(), BINS);
        let predictions = found.bins.iter().map(|b| b.count).sum();
        Some(Arm { name, color: arm_color(i), found, predictions })
    };
    let arms: Vec<Arm> = set.variants.iter().enumerate().filter_map(arm).collect();
    let Some(first) = arms.first() else {
        return drawn.miss("reliability", no_predictions(set, &set.variants[0]));
    };
    let caption = format!(
        "Reliability: share of right predictions over the mean probability of the predicted class, in {BINS} equal bins \
         (a; hollow and not joined: bins of fewer than {FEW} predictions; none of bins without); dashed: perfect calibration; and \
         share of the predictions in each bin (b). ECE: expected calibration error; n: predictions, {}.",
        pooled(set.of(first.name))
    );
    drawn.add("reliability", diagram(look, arms, &caption));
}

fn diagram<'a>(look: &Look, arms: Vec<Arm<'a>>, caption: &str) -> Result<Figure<'a>> {
    if arms.len() > 8 || arms.iter().all(|arm| arm.predictions == 0) {
        let what = format!("{} arms, expected 1 to 8 with predictions", arms.len());
        return Err(Error::data("reliability", what, "give fewer folders, or runs that tested"));
    }
    let width = look.width().min(85.0);
    let unit = Axis::with_ticks(0.0, 1.0, 0.2);
    let shares = |arm: &Arm| {
        let all = arm.predictions.max(1) as f64;
        arm.found.bins.iter().map(|b| b.count as f64 / all).collect::<Vec<f64>>()
    };
    let most = arms.iter().flat_map(shares).fold(0.0, f64::max);
    let share = Axis::linear([0.0, most], 2);
    let names = 4.0 * arms.len() as f64;
    let side = (width - 15.5 - 5.0).min(look.most_height() - 34.5 - names);
    let upper = Frame { x0: 15.5, y0: 4.0, x1: 15.5 + side, y1: 4.0 + side };
    let lower = Frame { y0: upper.y1 + 4.0, y1: upper.y1 + 18.0, ..upper };
    let height = lower.y1 + 11.5 + names;
    Ok(Figure::new("reliability", look.narrow(85.0, height + 1.0), caption, move |c: &mut Canvas| {
        let small = Type::new(PT_SMALL);
        upper.draw(c, &unit, &unit, None, "share that is right");
        lower.draw(c, &unit, &share, Some("probability of the predicted class"), "share");
        for (k, frame) in [&upper, &lower].into_iter().enumerate() {
            letter(c, (frame.x0 - 14.0, frame.y0 + 1.0), k);
        }
        line(c, &upper, (&unit, &unit), &[(0.0, 0.0), (1.0, 1.0)], Line { dash: 0.8, ..Line::new(GRID) });
        let n = arms.len() as f64;
        for (i, arm) in arms.iter().enumerate() {
            let there = arm.found.bins.iter().filter(|b| b.count > 0);
            let place = |b: &Bin| (b.confidence, b.accuracy);
            let joined = |b: &Bin| if b.count < FEW { (f64::NAN, f64::NAN) } else { place(b) };
            let points: Vec<(f64, f64)> = there.clone().map(joined).collect();
            line(c, &upper, (&unit, &unit), &points, Line { marks: true, shape: i, ..Line::new(arm.color) });
            // what few predictions say is no more than a hint
            for bin in there.filter(|b| b.count < FEW) {
                if let Some(at) = upper.at(&unit, &unit, place(bin)) {
                    shape(c, at, i, PT_CURVE * MM_PER_PT * 1.25, arm.color);
                    shape(c, at, i, 0.3, WHITE);
                }
            }
            for (b, part) in shares(arm).into_iter().enumerate() {
                let from = (b as f64 + 0.1 + 0.8 * i as f64 / n) / BINS as f64;
                let ends = [(from, 0.0), (from + 0.8 / n / BINS as f64, part)].map(|p| lower.at(&unit, &share, p));
                if let [Some(a), Some(z)] = ends {
                    c.rect(a, z, arm.color);
                }
            }
            let base = lower.y1 + 13.5 + 4.0 * i as f64;
            shape(c, (upper.x0 + 1.5, base - small.drop()), i, 1.1, arm.color);
            c.text((upper.x0 + 4.5, base), &small.shorten(arm.name, side / 2.0), &small);
            let text = format!("ECE {:.3}, n = {}", arm.found.ece, arm.predictions);
            c.text((upper.x1, base), &text, &small.end());
        }
        c.line((lower.x0, lower.y1), (lower.x1, lower.y1), PT_AXIS, INK);
        Ok(())
    }))
}
