//! Kernels: roofline, versions of a kernel at each shape, where a step's time goes, and time against length and batch.

use super::axes::{Axis, Entry, Frame, legend, legend_height, number};
use super::canvas::{Canvas, Type};
use super::figure::Figure;
use super::panels::{Grid, Line, bottom_axis, letter, line, title};
use super::style::{
    GRID, INK, INK_SOFT, Look, NONE, PT_AXIS, PT_GRID, PT_LABEL, PT_MIN, PT_SMALL, Rgb, series_color, text_on,
};
use crate::error::{Error, Result};

/// A kernel at a shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The operation.
    pub operation: String,
    /// Floating-point operations per byte that must move.
    pub intensity: f64,
    /// Rate, GFLOP/s.
    pub gflops: f64,
}

/// Measured ceilings of an adapter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceilings {
    /// GFLOP/s of multiply-adds.
    pub gflops: f64,
    /// GB/s of a copy.
    pub gb_per_s: f64,
}

/// A logarithmic axis that holds all values, with room.
fn log_axis(stem: &str, values: impl Iterator<Item = f64> + Clone) -> Result<Axis> {
    let there = values.filter(|v| (1e-12..1e12).contains(v));
    let (low, high) = there.fold((f64::MAX, 0.0_f64), |b, v| (b.0.min(v), b.1.max(v)));
    if high <= 0.0 {
        return Err(Error::data(stem, "no value above 0", "measure with exgnet bench"));
    }
    let (min, max) = (low / 1.3, (high * 1.3).max(low * 4.0));
    let steps: &[f64] = if max / min < 400.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let decades = min.log10().floor() as i32..=max.log10().ceil() as i32;
    let ticks = decades.flat_map(|e| steps.iter().map(move |m| m * 10f64.powi(e))).filter(|v| (min..=max).contains(v));
    Ok(Axis { min, max, log: true, ticks: ticks.map(|v| (v, number(v))).collect() })
}

/// Draws rates over intensities below the measured ceilings.
///
/// # Errors
/// Without a point, with more than 8 operations, and where the ceilings are not positive numbers.
pub fn roofline<'a>(
    look: &Look,
    stem: &str,
    points: Vec<Point>,
    ceilings: Ceilings,
    caption: &str,
) -> Result<Figure<'a>> {
    let Ceilings { gflops, gb_per_s } = ceilings;
    let mut names: Vec<String> = Vec::new();
    for point in &points {
        if !names.contains(&point.operation) {
            names.push(point.operation.clone());
        }
    }
    if names.is_empty() || names.len() > 8 || !(gflops > 0.0 && gb_per_s > 0.0) {
        let what = format!("{} operations below ceilings of {gflops} GFLOP/s and {gb_per_s} GB/s", names.len());
        return Err(Error::data(stem, what, "measure with exgnet bench --json or --suite"));
    }
    let width = look.width().min(120.0);
    let ridge = gflops / gb_per_s;
    let x = log_axis(stem, points.iter().map(|p| p.intensity).chain([ridge / 3.0, ridge * 4.0]))?;
    let y = log_axis(stem, points.iter().map(|p| p.gflops).chain([gflops * 1.15]))?;
    let entries: Vec<Entry> = names
        .iter()
        .enumerate()
        .map(|(i, name)| Entry { name: name.clone(), color: series_color(i), dash: 0.0 })
        .collect();
    let above = 3.0 + legend_height(&entries, width - 20.0);
    let frame = Frame { x0: 16.0, y0: above + 2.0, x1: width - 5.0, y1: above + 2.0 + (width * 0.56).min(66.0) };
    Ok(Figure::new(stem, look.narrow(120.0, frame.y1 + 11.0), caption, move |c: &mut Canvas| {
        legend(c, &entries, (16.0, 2.0), width - 20.0);
        frame.draw(c, &x, &y, Some("floating-point operations per byte"), "GFLOP/s");
        let memory = (y.min / gb_per_s).max(x.min);
        let roof = [(memory, memory * gb_per_s), (ridge, gflops), (x.max, gflops)];
        line(c, &frame, (&x, &y), &roof, Line { pt: 1.4, ..Line::new(INK) });
        for share in [0.5, 0.25] {
            let part = roof.map(|p| (p.0, p.1 * share)).map(|p| (p.0, p.1.max(y.min)));
            line(c, &frame, (&x, &y), &part, Line { dash: 0.8, ..Line::new(NONE) });
            if let Some(at) = frame.at(&x, &y, (x.max, gflops * share)) {
                let text = format!("{:.0} %", 100.0 * share);
                c.text((at.0 - 0.5, at.1 - 0.8), &text, &Type::new(PT_MIN).color(INK_SOFT).end());
            }
        }
        let small = Type::new(PT_SMALL);
        if let Some(at) = frame.at(&x, &y, (x.max, gflops)) {
            c.text((at.0 - 0.5, at.1 - 1.2), &format!("multiply-adds: {gflops:.1} GFLOP/s"), &small.end());
        }
        if let Some(at) = frame.at(&x, &y, (ridge, gflops)) {
            let text = format!("copy: {gb_per_s:.1} GB/s");
            c.text((at.0 + 0.5, at.1 + 4.4), &text, &small);
        }
        for point in &points {
            let index = names.iter().position(|n| *n == point.operation).unwrap_or(0);
            if let Some(at) = frame.at(&x, &y, (point.intensity, point.gflops)) {
                shape(c, at, index, series_color(index));
            }
        }
        for (i, entry) in entries.iter().enumerate() {
            let (dx, dy) = legend_place(&entries, width - 20.0, i);
            shape(c, (16.0 + dx + 3.0, 2.0 + dy + 2.0), i, entry.color);
        }
        Ok(())
    }))
}

/// Where the line of a legend's entry begins; the same flow as [`legend`]'s.
fn legend_place(entries: &[Entry], width: f64, index: usize) -> (f64, f64) {
    let style = Type::new(PT_SMALL);
    let (mut x, mut y) = (0.0, 0.0);
    for (i, entry) in entries.iter().enumerate() {
        let wide = 8.0 + style.width(&style.shorten(&entry.name, width - 10.0));
        if x > 0.0 && x + wide > width {
            (x, y) = (0.0, y + 4.2);
        }
        if i == index {
            break;
        }
        x += wide + 4.0;
    }
    (x, y)
}

/// Marks that can be told apart without colour.
fn shape(c: &mut Canvas, at: (f64, f64), index: usize, color: Rgb) {
    let around = |corners: &[(f64, f64)]| corners.iter().map(|p| (at.0 + p.0, at.1 + p.1)).collect::<Vec<_>>();
    match index % 4 {
        0 => c.disc(at, 0.85, color),
        1 => c.convex(&around(&[(0.0, -1.1), (1.0, 0.75), (-1.0, 0.75)]), color),
        2 => c.rect((at.0 - 0.75, at.1 - 0.75), (at.0 + 0.75, at.1 + 0.75), color),
        _ => c.convex(&around(&[(0.0, -1.1), (1.0, 0.0), (0.0, 1.1), (-1.0, 0.0)]), color),
    }
}

/// Times of several versions at one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Versions {
    /// The shape.
    pub shape: String,
    /// Time of each version, ms; NaN where it was not measured.
    pub ms: Vec<f64>,
}

/// Draws the times of versions at every shape as points on a row, the slowest shapes first.
///
/// # Errors
/// Without a shape or a version, and with more than 8 versions.
pub fn versions<'a>(
    look: &Look,
    stem: &str,
    names: Vec<String>,
    mut shapes: Vec<Versions>,
    caption: &str,
) -> Result<Figure<'a>> {
    if shapes.is_empty() || names.is_empty() || names.len() > 8 {
        let what = format!("{} versions at {} shapes, expected 1 to 8 at 1 or more", names.len(), shapes.len());
        return Err(Error::data(stem, what, "measure with exgnet bench --variant all --json, or exgnet tune"));
    }
    let slowest = |s: &Versions| s.ms.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    shapes.sort_by(|a, b| slowest(b).total_cmp(&slowest(a)));
    shapes.truncate(48);
    let x = log_axis(stem, shapes.iter().flat_map(|s| s.ms.iter().copied()).collect::<Vec<_>>().into_iter())?;
    let (width, small) = (look.width().min(150.0), Type::new(PT_SMALL));
    let left = shapes.iter().map(|s| small.width(&s.shape)).fold(0.0, f64::max).min(width * 0.5) + 3.5;
    let entries: Vec<Entry> = names
        .iter()
        .enumerate()
        .map(|(i, name)| Entry { name: name.clone(), color: series_color(i), dash: 0.0 })
        .collect();
    let above = 3.0 + legend_height(&entries, width - left - 4.0);
    let pitch = 3.7;
    let frame = Frame { x0: left, y0: above + 1.0, x1: width - 5.0, y1: above + 2.0 + pitch * shapes.len() as f64 };
    Ok(Figure::new(stem, look.narrow(150.0, frame.y1 + 10.5), caption, move |c: &mut Canvas| {
        legend(c, &entries, (left, 2.0), width - left - 4.0);
        for (value, _) in &x.ticks {
            let Some(t) = x.place(*value).filter(|t| (0.0..=1.0).contains(t)) else { continue };
            let at = frame.x0 + t * (frame.x1 - frame.x0);
            c.line((at, frame.y0), (at, frame.y1), PT_GRID, GRID);
        }
        bottom_axis(c, &frame, &x, Some("time, ms (log scale)"));
        for (i, one) in shapes.iter().enumerate() {
            let middle = frame.y0 + 0.5 + pitch * (i as f64 + 0.5);
            c.text((left - 1.5, middle + small.drop()), &small.shorten(&one.shape, left - 2.5), &small.end());
            let places: Vec<Option<f64>> =
                one.ms.iter().map(|v| x.place(*v).map(|t| frame.x0 + t * (frame.x1 - frame.x0))).collect();
            let there = || places.iter().flatten().copied();
            let (low, high) = (there().fold(f64::MAX, f64::min), there().fold(f64::MIN, f64::max));
            if high > low {
                c.line((low, middle), (high, middle), 0.8, NONE);
            }
            for (v, at) in places.iter().enumerate() {
                if let Some(at) = at {
                    shape(c, (*at, middle), v, series_color(v));
                }
            }
        }
        for (i, entry) in entries.iter().enumerate() {
            let (dx, dy) = legend_place(&entries, width - left - 4.0, i);
            shape(c, (left + dx + 3.0, 2.0 + dy + 2.0), i, entry.color);
        }
        Ok(())
    }))
}

/// Device time of a family of kernels in a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The kernels.
    pub name: String,
    /// Time in each phase, ms.
    pub ms: Vec<f64>,
    /// Dispatches.
    pub count: usize,
}

/// Draws where a step goes: a bar a family of kernels, longest first, in the colours of the phases.
///
/// # Errors
/// Without a kernel that took time.
pub fn step<'a>(
    look: &Look,
    stem: &str,
    phases: Vec<String>,
    mut shares: Vec<Share>,
    caption: &str,
) -> Result<Figure<'a>> {
    let of = |s: &Share| s.ms.iter().copied().filter(|v| *v > 0.0).sum::<f64>();
    let total: f64 = shares.iter().map(of).sum();
    if total <= 0.0 || phases.is_empty() || phases.len() > 8 {
        let what = "no kernel with a time above 0";
        return Err(Error::data(stem, what, "profile on an adapter with timestamps"));
    }
    shares.sort_by(|a, b| of(b).total_cmp(&of(a)));
    let rest = shares.split_off(shares.len().min(14));
    if !rest.is_empty() {
        let ms = (0..phases.len()).map(|p| rest.iter().map(|s| s.ms.get(p).copied().unwrap_or(0.0)).sum()).collect();
        let count = rest.iter().map(|s| s.count).sum();
        shares.push(Share { name: format!("{} others", rest.len()), ms, count });
    }
    let (width, small) = (look.width().min(150.0), Type::new(PT_SMALL));
    let left = shares.iter().map(|s| small.width(&s.name)).fold(0.0, f64::max).min(width * 0.4) + 3.5;
    let entries: Vec<Entry> = phases
        .iter()
        .enumerate()
        .map(|(i, name)| Entry { name: name.clone(), color: series_color(i), dash: 0.0 })
        .collect();
    let above = 3.0 + legend_height(&entries, width - left - 4.0);
    let pitch = 5.0;
    let frame = Frame { x0: left, y0: above + 1.0, x1: width - 26.0, y1: above + 2.0 + pitch * shares.len() as f64 };
    let x = Axis::linear([0.0, shares.iter().map(of).fold(0.0, f64::max)], 5);
    Ok(Figure::new(stem, look.narrow(150.0, frame.y1 + 10.5), caption, move |c: &mut Canvas| {
        legend(c, &entries, (left, 2.0), width - left - 4.0);
        for (value, _) in &x.ticks {
            let Some(t) = x.place(*value).filter(|t| (0.0..=1.0).contains(t)) else { continue };
            let at = frame.x0 + t * (frame.x1 - frame.x0);
            c.line((at, frame.y0), (at, frame.y1), PT_GRID, GRID);
        }
        bottom_axis(c, &frame, &x, Some("device time of a training step, ms"));
        for (i, share) in shares.iter().enumerate() {
            let middle = frame.y0 + 0.5 + pitch * (i as f64 + 0.5);
            c.text((left - 1.5, middle + small.drop()), &small.shorten(&share.name, left - 2.5), &small.end());
            let mut at = frame.x0;
            for (p, ms) in share.ms.iter().enumerate() {
                let wide = x.place(ms.max(0.0)).unwrap_or(0.0) * (frame.x1 - frame.x0);
                let color = series_color(p);
                c.rect((at, middle - 1.7), (at + wide, middle + 1.7), color);
                let text = format!("{ms:.0}");
                let style = Type::new(PT_MIN).color(text_on(color)).middle();
                if wide > style.width(&text) + 2.0 {
                    c.text((at + wide / 2.0, middle + style.drop()), &text, &style);
                }
                at += wide;
            }
            let text = format!("{:.1} % ({}×)", 100.0 * of(share) / total, share.count);
            c.text((at + 1.2, middle + small.drop()), &text, &small);
        }
        c.line((frame.x0, frame.y0), (frame.x0, frame.y1), PT_AXIS, INK);
        Ok(())
    }))
}

/// A series of times.
#[derive(Debug, Clone, PartialEq)]
pub struct Times {
    /// What was timed.
    pub name: String,
    /// Size, median, low and high, ms.
    pub points: Vec<(f64, f64, f64, f64)>,
}

/// A panel of times over a size.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    /// What grows, with its unit.
    pub x: String,
    /// What is fixed.
    pub name: String,
    /// The series.
    pub series: Vec<Times>,
}

/// Draws times over sizes, both axes logarithmic, with lines of linear growth.
///
/// # Errors
/// Without a time above 0.
pub fn growth<'a>(look: &Look, stem: &str, panels: Vec<Growth>, caption: &str) -> Result<Figure<'a>> {
    let panels: Vec<Growth> = panels.into_iter().filter(|p| p.series.iter().any(|s| !s.points.is_empty())).collect();
    if panels.is_empty() {
        return Err(Error::data(stem, "no time against length or batch", "measure with exgnet bench --suite"));
    }
    let width = look.width();
    let columns = if look.is_wide() { 2 } else { 1 };
    let entries: Vec<Entry> = panels[0]
        .series
        .iter()
        .enumerate()
        .map(|(i, s)| Entry { name: s.name.clone(), color: series_color(i), dash: 0.0 })
        .chain([Entry { name: "linear growth".into(), color: NONE, dash: 0.8 }])
        .collect();
    let above = 3.0 + legend_height(&entries, width - 20.0);
    let grid = Grid { width, columns, left: 16.0, right: 5.0, top: 7.0, height: 44.0, bottom: 11.0 };
    let (frames, end) = grid.frames(panels.len(), above);
    let values = |p: &Growth| p.series.iter().flat_map(|s| s.points.clone()).collect::<Vec<_>>();
    let all: Vec<f64> = panels.iter().flat_map(values).flat_map(|p| [p.1, p.2, p.3]).collect();
    let y = log_axis(stem, all.into_iter())?;
    let axes = panels
        .iter()
        .map(|p| {
            let sizes: Vec<f64> = values(p).iter().map(|v| v.0).collect();
            let mut x = log_axis(stem, sizes.iter().copied())?;
            let mut ticks: Vec<f64> = sizes.into_iter().filter(|v| *v > 0.0).collect();
            ticks.sort_by(f64::total_cmp);
            ticks.dedup();
            if ticks.len() <= 7 {
                x.min = ticks[0] / 1.2;
                x.max = ticks[ticks.len() - 1] * 1.2;
                x.ticks = ticks.into_iter().map(|v| (v, format!("{v}"))).collect();
            }
            Ok(x)
        })
        .collect::<Result<Vec<Axis>>>()?;
    Ok(Figure::new(stem, look.page(end), caption, move |c: &mut Canvas| {
        legend(c, &entries, (16.0, 2.0), width - 20.0);
        for (k, ((panel, frame), x)) in panels.iter().zip(&frames).zip(&axes).enumerate() {
            frame.draw(c, x, &y, Some(&panel.x), "time, ms");
            title(c, frame, &panel.name);
            letter(c, (frame.x0 - 14.0, frame.y0 - 1.8), k);
            for (i, series) in panel.series.iter().enumerate() {
                let color = series_color(i);
                if let Some(last) = series.points.last() {
                    // cut where it leaves the panel below
                    let from = x.min.max(last.0 * y.min / last.1);
                    let linear = [(from, last.1 * from / last.0), (last.0, last.1)];
                    line(c, frame, (x, &y), &linear, Line { dash: 0.8, ..Line::new(NONE) });
                }
                let points: Vec<_> = series.points.iter().map(|p| (p.0, p.1)).collect();
                line(c, frame, (x, &y), &points, Line { marks: true, ..Line::new(color) });
                for p in &series.points {
                    let ends = [frame.at(x, &y, (p.0, p.2)), frame.at(x, &y, (p.0, p.3))];
                    if let [Some(low), Some(high)] = ends {
                        c.line(low, high, 0.8, color);
                    }
                }
            }
        }
        Ok(())
    }))
}

/// Draws groups of times as bars on rows: programs against each other, or guidance on top of a plain step.
///
/// # Errors
/// Without a time above 0.
pub fn times<'a>(look: &Look, stem: &str, panels: Vec<(String, Vec<Times>)>, caption: &str) -> Result<Figure<'a>> {
    let panels: Vec<(String, Vec<Times>)> = panels.into_iter().filter(|p| !p.1.is_empty()).collect();
    if panels.is_empty() {
        return Err(Error::data(stem, "no time", "measure with exgnet bench --suite"));
    }
    let (width, small) = (look.width(), Type::new(PT_SMALL));
    let columns = if look.is_wide() { 2 } else { 1 };
    let names = panels.iter().flat_map(|p| &p.1).map(|t| small.width(&t.name)).fold(0.0, f64::max);
    let left = names.min(width / columns as f64 * 0.35) + 3.5;
    let rows = panels.iter().map(|p| p.1.len()).max().unwrap_or(1) as f64;
    let pitch = 5.6;
    let grid = Grid { width, columns, left, right: 22.0, top: 7.0, height: pitch * rows + 1.0, bottom: 10.5 };
    let (frames, end) = grid.frames(panels.len(), 0.0);
    Ok(Figure::new(stem, look.page(end), caption, move |c: &mut Canvas| {
        for ((name, rows), frame) in panels.iter().zip(&frames) {
            let style = Type::new(PT_LABEL).bold();
            c.text((frame.x0, frame.y0 - 1.8), &style.shorten(name, frame.x1 - frame.x0 + 18.0), &style);
            let values = || rows.iter().flat_map(|t| t.points.iter()).flat_map(|p| [p.1, p.3]);
            let x = Axis::linear(values().chain([0.0]), 4);
            for (value, _) in &x.ticks {
                let at = frame.x0 + x.place(*value).unwrap_or(0.0) * (frame.x1 - frame.x0);
                c.line((at, frame.y0), (at, frame.y1), PT_GRID, GRID);
            }
            bottom_axis(c, frame, &x, Some("ms"));
            for (i, one) in rows.iter().enumerate() {
                let middle = frame.y0 + 0.5 + pitch * (i as f64 + 0.5);
                c.text((frame.x0 - 1.5, middle + small.drop()), &small.shorten(&one.name, left - 2.5), &small.end());
                let Some(p) = one.points.first() else { continue };
                let at = |v: f64| frame.x0 + x.place(v).unwrap_or(0.0) * (frame.x1 - frame.x0);
                let fill = c.tint(series_color(i), 0.75);
                c.rect((frame.x0, middle - 1.8), (at(p.1), middle + 1.8), fill);
                c.line((at(p.2), middle), (at(p.3), middle), 0.8, INK);
                for end in [p.2, p.3] {
                    c.line((at(end), middle - 0.8), (at(end), middle + 0.8), 0.8, INK);
                }
                let text = if p.1 < 100.0 { format!("{:.1} ms", p.1) } else { format!("{:.0} ms", p.1) };
                c.text((at(p.3.max(p.1)) + 1.2, middle + small.drop()), &text, &small);
            }
            c.line((frame.x0, frame.y0), (frame.x0, frame.y1), PT_AXIS, INK);
        }
        Ok(())
    }))
}
