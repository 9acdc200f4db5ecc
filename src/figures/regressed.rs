//! The 17 features, regressed from the strip against measured from the R peaks.

use super::features::{named, of};
use crate::ecg::features::{MEANINGS, NAMES};
use crate::figures::catalogue::{Drawn, count};
use crate::plot::axes::Axis;
use crate::plot::canvas::{Canvas, Type};
use crate::plot::legend::{Entry, legend, legend_height};
use crate::plot::panels::{Grid, Line, letter, line, remark};
use crate::plot::style::{GRID, INK_SOFT, PT_LABEL, PT_MIN, PT_SMALL, WHITE, class_color};
use crate::plot::{Figure, Look};
use crate::run::set::RunSet;

const STEM: &str = "features-regressed";
/// Points of a panel; of more every n-th is drawn.
const MOST: usize = 250;
/// Most ticks of an axis.
const MOST_TICKS: usize = 5;
/// A correlation below it says that a feature is hardly read from the strip.
const FLAT: f64 = 0.3;

/// Class, measured and regressed value.
type Point = (usize, f64, f64);

/// Pearson's correlation of the points whose values are finite; NaN where there is none.
fn correlation(points: &[Point]) -> f64 {
    let there: Vec<_> = points.iter().filter(|p| p.1.is_finite() && p.2.is_finite()).collect();
    let n = there.len() as f64;
    let (mx, my) = (there.iter().map(|p| p.1).sum::<f64>() / n, there.iter().map(|p| p.2).sum::<f64>() / n);
    let sum = |f: &dyn Fn(&Point) -> f64| there.iter().map(|p| f(p)).sum::<f64>();
    let (xy, xx, yy) =
        (sum(&|p| (p.1 - mx) * (p.2 - my)), sum(&|p| (p.1 - mx) * (p.1 - mx)), sum(&|p| (p.2 - my) * (p.2 - my)));
    xy / (xx * yy).sqrt()
}

/// Both axes of a feature, `side` mm long: the middle 98 % of the measured values, with the ticks that have room beside each other.
fn axis(points: &[Point], side: f64) -> Axis {
    let mut values: Vec<f64> = points.iter().map(|p| p.1).filter(|v| v.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let at = |q: f64| values.get((q * values.len().saturating_sub(1) as f64).round() as usize).copied();
    match (at(0.01), at(0.99)) {
        (Some(low), Some(high)) if high > low => {
            let pad = 0.04 * (high - low);
            let (power, small) = (10f64.powf((high - low).log10().floor() - 1.0), Type::new(PT_SMALL));
            let steps = [1.0, 2.0, 2.5, 5.0, 10.0, 20.0, 25.0, 50.0];
            let axes = steps.map(|step| Axis::with_ticks(low - pad, high + pad, step * power));
            let room = |axis: &Axis| axis.with_room(side, |text| small.width(text) + 1.8).len();
            let fits = |axis: &&Axis| (2..=MOST_TICKS).contains(&room(axis)) && room(axis) == axis.ticks.len();
            // of long numbers on a small page every other one stands below
            let some = |axis: &&Axis| (2..=MOST_TICKS).contains(&room(axis));
            let found = axes.iter().find(fits).or_else(|| axes.iter().rfind(some));
            found.unwrap_or(&axes[axes.len() - 1]).clone()
        }
        (one, _) => Axis::linear(one, 3),
    }
}

pub(super) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let regressed = |arm: &'a String| of(set, arm).filter_map(|r| Some((r.class, r.measured, r.regressed?)));
    // guided the most, if there are several
    let Some(arm) = set.variants.iter().rev().find(|arm| regressed(arm).next().is_some()) else {
        let why = "no network with a feature regressor: it is trained with losses.joint or losses.feature above 0";
        return drawn.miss(STEM, why);
    };
    let points = |j: usize| regressed(arm).map(|r| (r.0, f64::from(r.1[j]), f64::from(r.2[j]))).collect::<Vec<Point>>();
    let features: Vec<Vec<Point>> = (0..NAMES.len()).map(points).collect();
    let flat = features.iter().filter(|points| correlation(points) < FLAT).count();
    let caption = format!(
        "Features that the regressor of {arm} makes of the strip (upright) against those measured from the R peaks: {}, n = {}; \
         at most {MOST} evenly spaced ones are drawn. r: Pearson's correlation over all of them; {flat} of the {} features are \
         regressed hardly better than by their mean (r below {FLAT}). Grey: both equal. Axes hold the 1st to 99th percentile \
         of the measured values; what lies outside is drawn at the edge. The regressor exists only while training. {MEANINGS}",
        count(features[0].len(), "test record"),
        count(set.of(arm).count(), "run"),
        NAMES.len(),
    );
    drawn.add_pages(STEM, Ok(figures(look, &set.classes, features, &caption)));
}

fn figures<'a>(look: &Look, classes: &'a [String], features: Vec<Vec<Point>>, caption: &str) -> Vec<Figure<'a>> {
    let width = look.width();
    let columns = ((width / if look.is_wide() { 36.0 } else { 28.0 }) as usize).max(1);
    let there = |k: usize| features[0].iter().any(|p| p.0 == k);
    let entry = |(k, name): (usize, &String)| there(k).then(|| Entry::mark(name, 0, class_color(name, k)));
    let entries: Vec<Entry> = classes.iter().enumerate().filter_map(entry).collect();
    let head = 2.5 + legend_height(&entries, width - 14.0);
    let side = width / columns as f64 - 13.5;
    let grid = Grid { width, columns, left: 9.5, right: 4.0, top: 5.6, height: side, bottom: 5.4 };
    let pitch = grid.top + grid.height + grid.bottom;
    let rows = vec![pitch; features.len().div_ceil(columns)];
    Figure::pages(look, STEM, caption, (head, 5.0), &rows, move |c: &mut Canvas, parts| {
        legend(c, &entries, (9.5, 1.5), width - 14.0);
        for &(row, top) in parts {
            let own = features.iter().enumerate().skip(row * columns).take(columns);
            for ((j, points), frame) in own.zip(grid.frames(columns, top).0) {
                let axis = axis(points, side);
                frame.draw(c, &axis, &axis, Some(""), "");
                let style = Type::new(PT_SMALL).bold();
                letter(c, (frame.x0 - 4.0, frame.y0 - 1.2), j);
                c.text((frame.x0, frame.y0 - 1.2), &style.shorten(&named(NAMES[j]), side + 7.0), &style);
                let r = match correlation(points) {
                    r if r.is_finite() => format!("r = {r:.2}").replace("-0.00", "0.00").replace('-', "−"),
                    _ => "r unknown".into(),
                };
                let ends = [(axis.min, axis.min), (axis.max, axis.max)];
                line(c, &frame, (&axis, &axis), &ends, Line { pt: 0.6, ..Line::new(GRID) });
                // no grid line through it
                let least = Type::new(PT_MIN).color(INK_SOFT);
                c.rect((frame.x0 + 0.6, frame.y0 + 0.6), (frame.x0 + 1.4 + least.width(&r), frame.y0 + 3.2), WHITE);
                let mut drawn = 0;
                for &(class, x, y) in points.iter().step_by(points.len().div_ceil(MOST).max(1)) {
                    let clamp = |v: f64| if v.is_finite() { v.clamp(axis.min, axis.max) } else { v };
                    let Some(at) = frame.at(&axis, &axis, (clamp(x), clamp(y))) else { continue };
                    c.disc(at, 0.38, class_color(&classes[class], class));
                    drawn += 1;
                }
                c.text((frame.x0 + 1.0, frame.y0 + 2.6), &r, &least);
                if drawn == 0 {
                    remark(c, &frame, "no value");
                }
            }
        }
        let bottom = parts.last().map_or(0.0, |part| part.1 + pitch);
        let label = "measured from the R peaks (upright: regressed from the strip)";
        c.text((width / 2.0, bottom + 3.4), label, &Type::new(PT_LABEL).middle());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two or more ticks that have room beside each other, the same on both axes.
    #[test]
    fn ticks_have_room() {
        let small = Type::new(PT_SMALL);
        for (low, high) in
            [(300.0, 1500.0), (0.0, 950.0), (0.0, 0.61), (0.5, 1.52), (-3.0, 4.0), (40.0, 113.0), (0.0, 2700.0)]
        {
            let points: Vec<Point> = (0..200).map(|i| (0, low + (high - low) * f64::from(i) / 199.0, 0.0)).collect();
            for side in [14.5, 22.5] {
                let axis = axis(&points, side);
                let there = axis.with_room(side, |text| small.width(text) + 1.8).len();
                assert!((2..=MOST_TICKS).contains(&there), "{low} {high} {side} {axis:?}");
                assert!(side < 20.0 || there == axis.ticks.len(), "{low} {high} {axis:?}");
            }
        }
    }

    #[test]
    fn correlations() {
        let points = |values: &[(f64, f64)]| values.iter().map(|v| (0, v.0, v.1)).collect::<Vec<_>>();
        assert!((correlation(&points(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0), (f64::NAN, 0.0)])) - 1.0).abs() < 1e-12);
        assert!(correlation(&points(&[(0.0, 1.0), (0.0, 2.0)])).is_nan() && correlation(&[]).is_nan());
    }
}
