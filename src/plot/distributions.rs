//! Distributions: a row a group, as a violin with its box, as a box alone, or as single points.

use crate::error::{Error, Result};
use crate::plot::axes::{Axis, Frame};
use crate::plot::canvas::{Canvas, Type};
use crate::plot::figure::Figure;
use crate::plot::panels::{letter, remark};
use crate::plot::style::{GRID, INK, INK_SOFT, Look, PT_GRID, PT_LABEL, PT_MIN, PT_SMALL, Rgb, WHITE};

/// Places at which a density is computed.
const PLACES: usize = 80;
/// With fewer values every one is drawn, and no density.
const FEW: usize = 12;

/// The values of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its colour.
    pub color: Rgb,
    /// Its values; those that are not finite are left out.
    pub values: Vec<f64>,
}

/// A score of several groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// The score, with its unit.
    pub name: String,
    /// Groups, from the top.
    pub groups: Vec<Group>,
    /// Values to compare them with: name and value, drawn as upright lines.
    pub lines: Vec<(String, f64)>,
    /// The axis must hold these.
    pub range: Vec<f64>,
}

/// How distributions are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A violin with a box.
    Violin,
    /// A box.
    Box,
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    finite.sort_by(f64::total_cmp);
    finite
}

/// The linear quantile of sorted values.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// Silverman's width of a Gaussian kernel for sorted values; 0 where they do not differ.
fn width(sorted: &[f64]) -> f64 {
    let n = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / n;
    let sd = (sorted.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let spread = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 1.34;
    0.9 * if spread > 0.0 { sd.min(spread) } else { sd } * n.powf(-0.2)
}

/// One width for all violins of a panel, the mean of theirs: groups that are nearly equal look it, whichever side of a step between
/// frequent values their quartiles lie on.
fn common_width(groups: &[Group]) -> f64 {
    let own =
        groups.iter().map(|g| sorted(&g.values)).filter(|values| values.len() >= FEW).map(|values| width(&values));
    let own: Vec<f64> = own.filter(|h| *h > 0.0).collect();
    own.iter().sum::<f64>() / own.len() as f64
}

/// A Gaussian kernel density of width `h` between the least and the largest of sorted values: place and density, the highest being 1.
fn density(sorted: &[f64], h: f64) -> Vec<(f64, f64)> {
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    if h.is_nan() || h <= 0.0 || high <= low {
        return Vec::new();
    }
    let at = |i: usize| low + (high - low) * i as f64 / (PLACES - 1) as f64;
    let weight = |x: f64| sorted.iter().map(|v| (-0.5 * ((x - v) / h).powi(2)).exp()).sum::<f64>();
    let raw: Vec<(f64, f64)> = (0..PLACES).map(|i| (at(i), weight(at(i)))).collect();
    let top = raw.iter().map(|p| p.1).fold(0.0, f64::max);
    raw.into_iter().map(|(x, w)| (x, w / top)).collect()
}

/// Draws distributions, a panel a score, `columns` of them beside each other; groups are named left of a row of panels.
///
/// # Errors
/// Without a panel or a group, and with more than 24 groups.
pub fn distributions<'a>(
    look: &Look,
    stem: &str,
    panels: Vec<Distribution>,
    (shape, columns): (Shape, usize),
    caption: &str,
) -> Result<Vec<Figure<'a>>> {
    let groups = panels.iter().map(|p| p.groups.len()).max().unwrap_or(0);
    if groups == 0 || groups > 24 {
        let what = format!("{groups} groups, expected 1 to 24");
        return Err(Error::data(stem, what, "give runs that tested, and fewer folders"));
    }
    let wide = look.is_wide();
    let small = Type::new(PT_SMALL);
    let label = Type::new(if wide { PT_LABEL } else { PT_SMALL }).bold();
    let names = panels.iter().flat_map(|p| &p.groups).map(|g| small.width(&g.name)).fold(0.0, f64::max);
    let left = names.min(look.width() * 0.2) + 3.0;
    const BETWEEN: f64 = 7.0;
    let side = (look.width() - left - 4.0 - BETWEEN * (columns - 1) as f64) / columns as f64;
    let pitch = match (shape, wide) {
        (Shape::Violin, true) => 7.0,
        (Shape::Violin, false) => 5.0,
        (Shape::Box, _) => 3.8,
    };
    let has_lines = panels.iter().any(|p| !p.lines.is_empty());
    let (top, height) = (if has_lines { 8.6 } else { 5.6 }, pitch * groups as f64 + 1.0);
    let rows = vec![top + height + 6.4; panels.len().div_ceil(columns)];
    Ok(Figure::pages(look, stem, caption, (0.5, 0.5), &rows, move |c: &mut Canvas, parts| {
        for &(row, y) in parts {
            let own = panels.iter().enumerate().skip(row * columns).take(columns);
            for (column, (index, panel)) in own.enumerate() {
                let x0 = left + column as f64 * (side + BETWEEN);
                let frame = &Frame { x0, y0: y + top, x1: x0 + side, y1: y + top + height };
                let above = frame.y0 - if panel.lines.is_empty() { 1.6 } else { 4.6 };
                if panels.len() > 1 {
                    letter(c, (frame.x0 - 3.8, above), index);
                }
                c.text((frame.x0, above), &label.shorten(&panel.name, side + BETWEEN - 4.0), &label);
                let all = panel.groups.iter().flat_map(|g| g.values.iter().copied());
                let most = if side < 35.0 { 3 } else { 5 };
                let drawn: Vec<f64> = if shape == Shape::Violin { all.collect() } else { whiskers(&panel.groups) };
                let held = drawn.into_iter().chain(panel.range.iter().copied()).chain(panel.lines.iter().map(|l| l.1));
                let x = Axis::linear(held, most);
                let h = common_width(&panel.groups);
                reference_lines(c, frame, &x, &panel.lines);
                frame.bottom(c, &x, true, false);
                for (i, group) in panel.groups.iter().enumerate() {
                    let middle = frame.y0 + 0.5 + pitch * (i as f64 + 0.5);
                    if column == 0 {
                        let name = small.shorten(&group.name, left - 2.5);
                        c.text((frame.x0 - 1.5, middle + small.drop()), &name, &small.end());
                    }
                    draw_group(c, frame, &x, (middle, pitch), group, (shape, h));
                }
            }
        }
        Ok(())
    }))
}

/// What boxes show: the 5th and 95th percentile of each group, or all values of a small one.
fn whiskers(groups: &[Group]) -> Vec<f64> {
    let ends = |g: &Group| match sorted(&g.values) {
        few if few.len() < FEW => few,
        many => vec![quantile(&many, 0.05), quantile(&many, 0.95)],
    };
    groups.iter().flat_map(ends).collect()
}

fn reference_lines(c: &mut Canvas, frame: &Frame, x: &Axis, lines: &[(String, f64)]) {
    let style = Type::new(PT_MIN).color(INK_SOFT);
    let mut right = f64::NEG_INFINITY;
    let mut placed: Vec<(f64, &str)> =
        lines.iter().filter_map(|(name, v)| Some((frame.x0 + x.place(*v)? * (frame.x1 - frame.x0), &**name))).collect();
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (at, name) in placed {
        c.line((at, frame.y0 - 0.5), (at, frame.y1), 0.6, INK_SOFT);
        let half = style.width(name) / 2.0;
        let x = at.max(right + half + 1.0).min(frame.x1 + 3.0 - half);
        c.text((x, frame.y0 - 1.2), name, &style.middle());
        right = x + half;
    }
}

fn draw_group(
    c: &mut Canvas,
    frame: &Frame,
    x: &Axis,
    (middle, pitch): (f64, f64),
    group: &Group,
    (shape, h): (Shape, f64),
) {
    let at = |v: f64| x.place(v).map(|t| frame.x0 + t * (frame.x1 - frame.x0));
    c.line((frame.x0, middle), (frame.x1, middle), PT_GRID, GRID);
    let values = sorted(&group.values);
    if values.is_empty() {
        let row = Frame { y0: middle - 1.0, y1: middle + 1.6, ..*frame };
        return remark(c, &row, "no value");
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let half = 0.42 * pitch;
    if values.len() < FEW {
        let pale = c.tint(group.color, 0.6);
        values.iter().filter_map(|v| at(*v)).for_each(|x| c.disc((x, middle), 0.8, pale));
    } else {
        if shape == Shape::Violin {
            let outline: Vec<(f64, f64, f64)> = density(&values, h)
                .iter()
                .filter_map(|(v, w)| Some((at(*v)?, middle - half * w, middle + half * w)))
                .collect();
            c.band(&outline, group.color, 0.35);
        }
        let high = if shape == Shape::Violin { 0.9 } else { 0.3 * pitch };
        let [low, first, median, third, top] =
            [0.05, 0.25, 0.5, 0.75, 0.95].map(|q| at(quantile(&values, q)).unwrap_or(frame.x0));
        c.line((low, middle), (top, middle), 0.8, group.color);
        c.rect((first, middle - high), (third.max(first + 0.2), middle + high), group.color);
        // a median in a narrow box is seen only where it stands out of it
        let (reach, pt, color) = if third - first > 2.0 { (0.0, 1.2, WHITE) } else { (0.5, 0.9, INK) };
        c.line((median, middle - high - reach), (median, middle + high + reach), pt, color);
    }
    if let Some(x) = at(mean).filter(|_| shape == Shape::Violin || values.len() < FEW) {
        c.disc((x, middle), 1.0, INK);
        c.disc((x, middle), 0.6, WHITE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn densities_and_quantiles() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!([0.0, 0.25, 0.5, 1.0].map(|q| quantile(&values, q)), [0.0, 25.0, 50.0, 100.0]);
        let found = density(&values, width(&values));
        assert!(found.len() == PLACES && found.iter().all(|p| p.1 > 0.0 && p.1 <= 1.0));
        assert!(density(&[2.0; 20], width(&[2.0; 20])).is_empty(), "equal values have no density");
        // two values more at the top move a quartile by half the axis, and hardly a violin
        let value = |i: usize, top: usize| if i < top { 1.0 - 0.001 * (i % 10) as f64 } else { 0.5 };
        let arm = |top: usize| -> Vec<f64> { (0..80).map(|i| value(i, top)).collect() };
        let groups = [59, 61].map(|ones| Group { name: String::new(), color: INK, values: arm(ones) });
        let [a, b] = [&groups[0], &groups[1]].map(|g| sorted(&g.values));
        assert!(width(&a) > 1.5 * width(&b), "{} {}", width(&a), width(&b));
        let [a, b] = [a, b].map(|values| density(&values, common_width(&groups)));
        assert!(a.iter().zip(&b).all(|(a, b)| (a.1 - b.1).abs() < 0.1), "{a:?} {b:?}");
        assert_eq!(sorted(&[f64::NAN, 2.0, 1.0]), [1.0, 2.0]);
    }
}
