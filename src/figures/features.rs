//! The 17 features: regressed against measured.

use crate::error::{Error, Result};
use crate::plot::axes::{Axis, Entry, legend, legend_height, nice};
use crate::plot::canvas::{Canvas, Type};
use crate::plot::figure::Figure;
use crate::plot::panels::{Grid, Line, line, remark};
use crate::plot::style::{GRID, INK_SOFT, Look, PT_LABEL, PT_MIN, PT_SMALL, class_color};

/// Points of a panel; of more every so many are drawn.
const MOST: usize = 250;

/// A feature of many records.
#[derive(Debug, Clone, PartialEq)]
pub struct Regressed {
    /// Its name and unit.
    pub name: String,
    /// Class, measured and regressed value.
    pub points: Vec<(usize, f64, f64)>,
}

/// Pearson's correlation of the points whose values are finite; NaN where there is none.
/// Pearson's correlation of the second with the third value of each point, of those that are numbers.
pub fn correlation(points: &[(usize, f64, f64)]) -> f64 {
    let there: Vec<_> = points.iter().filter(|p| p.1.is_finite() && p.2.is_finite()).collect();
    let n = there.len() as f64;
    let (mx, my) = (there.iter().map(|p| p.1).sum::<f64>() / n, there.iter().map(|p| p.2).sum::<f64>() / n);
    let sum = |f: &dyn Fn(&(usize, f64, f64)) -> f64| there.iter().map(|p| f(p)).sum::<f64>();
    let (xy, xx, yy) =
        (sum(&|p| (p.1 - mx) * (p.2 - my)), sum(&|p| (p.1 - mx) * (p.1 - mx)), sum(&|p| (p.2 - my) * (p.2 - my)));
    xy / (xx * yy).sqrt()
}

/// Draws a panel a feature, points in the colours of the classes, and the line on which both are equal. The axes hold the
/// middle 98 % of the measured values; what lies outside is drawn at the edge.
///
/// # Errors
/// Without a feature or a class.
pub fn regression<'a>(
    look: &Look,
    stem: &str,
    classes: &'a [String],
    features: Vec<Regressed>,
    caption: &str,
) -> Result<Figure<'a>> {
    if features.is_empty() || classes.is_empty() {
        return Err(Error::data(stem, "no feature was regressed", "train with feature guidance"));
    }
    let width = look.width();
    // a narrow page would be taller than a sheet with fewer
    let columns = ((width / if look.is_wide() { 36.0 } else { 28.0 }) as usize).max(1);
    let entries: Vec<Entry> =
        classes.iter().enumerate().map(|(k, name)| Entry::mark(name, 0, class_color(name, k))).collect();
    let above = 3.0 + legend_height(&entries, width - 14.0);
    let side = width / columns as f64 - 13.5;
    let grid = Grid { width, columns, left: 9.5, right: 4.0, top: 6.0, height: side, bottom: 6.0 };
    let (frames, end) = grid.frames(features.len(), above);
    let panels: Vec<(Regressed, Axis, f64)> = features
        .into_iter()
        .map(|mut feature| {
            let mut values: Vec<f64> = feature.points.iter().map(|p| p.1).filter(|v| v.is_finite()).collect();
            values.sort_by(f64::total_cmp);
            let at = |q: f64| values.get((q * values.len().saturating_sub(1) as f64).round() as usize).copied();
            let axis = match (at(0.01), at(0.99)) {
                (Some(low), Some(high)) if high > low => {
                    let pad = 0.04 * (high - low);
                    Axis::with_ticks(low - pad, high + pad, nice((high - low) / 4.0))
                }
                (one, _) => Axis::linear(one, 3),
            };
            let r = correlation(&feature.points);
            let every = feature.points.len().div_ceil(MOST).max(1);
            feature.points = feature.points.into_iter().step_by(every).collect();
            (feature, axis, r)
        })
        .collect();
    Ok(Figure::new(stem, look.page(end + 5.0), caption, move |c: &mut Canvas| {
        legend(c, &entries, (9.5, 2.0), width - 14.0);
        let least = Type::new(PT_MIN);
        for ((feature, axis, r), frame) in panels.iter().zip(&frames) {
            frame.draw(c, axis, axis, Some(""), "");
            let style = Type::new(PT_SMALL).bold();
            c.text((frame.x0, frame.y0 - 1.2), &style.shorten(&feature.name, side + 3.0), &style);
            let r = if r.is_finite() {
                format!("r = {r:.2}").replace("-0.00", "0.00").replace('-', "−")
            } else {
                "r unknown".into()
            };
            c.text((frame.x0 + 1.0, frame.y0 + 2.6), &r, &least.color(INK_SOFT));
            let ends = [(axis.min, axis.min), (axis.max, axis.max)];
            line(c, frame, (axis, axis), &ends, Line { pt: 0.6, ..Line::new(GRID) });
            let mut drawn = 0;
            for &(class, x, y) in &feature.points {
                let clamp = |v: f64| if v.is_finite() { v.clamp(axis.min, axis.max) } else { v };
                let Some(at) = frame.at(axis, axis, (clamp(x), clamp(y))) else { continue };
                let name = classes.get(class).map_or("", String::as_str);
                c.disc(at, 0.38, class_color(name, class));
                drawn += 1;
            }
            if drawn == 0 {
                remark(c, frame, "no value");
            }
        }
        let label = Type::new(PT_LABEL).middle();
        c.text((width / 2.0, end + 3.0), "measured from the R peaks (upright: regressed from the strip)", &label);
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations() {
        let points = |values: &[(f64, f64)]| values.iter().map(|v| (0, v.0, v.1)).collect::<Vec<_>>();
        assert!((correlation(&points(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0), (f64::NAN, 0.0)])) - 1.0).abs() < 1e-12);
        assert!(correlation(&points(&[(0.0, 1.0), (0.0, 2.0)])).is_nan() && correlation(&[]).is_nan());
    }
}
