//! Metrics per class as bars with intervals, and variants held against each other cell by cell (the ablation figure).

use crate::error::{Error, Result};
use crate::plot::axes::{Axis, Entry, Frame, legend, legend_height};
use crate::plot::canvas::{Canvas, Type};
use crate::plot::figure::Figure;
use crate::plot::panels::{Grid, Line, letter, line, title};
use crate::plot::style::{
    GRID, INK, INK_SOFT, Look, NONE, PT_AXIS, PT_CURVE, PT_GRID, PT_LABEL, PT_MIN, PT_SMALL, Rgb, arm_color,
    class_color,
};

/// A value with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// The value; NaN where there is none.
    pub value: f64,
    /// Its interval; NaN where there is none.
    pub interval: (f64, f64),
}

/// A metric of every variant and class.
#[derive(Debug, Clone, PartialEq)]
pub struct BarPanel {
    /// The metric.
    pub name: String,
    /// `bars[variant][class]`.
    pub bars: Vec<Vec<Bar>>,
}

/// Draws metrics, 0 to 1, per class. One variant has the colours of the classes, several have colours of their own.
///
/// # Errors
/// Without a panel, a variant or a class, and with more than 8 variants.
pub fn per_class<'a>(
    look: &Look,
    stem: &str,
    classes: &'a [String],
    variants: &[String],
    panels: Vec<BarPanel>,
    caption: &str,
) -> Result<Figure<'a>> {
    if panels.is_empty() || classes.is_empty() || variants.is_empty() || variants.len() > 8 {
        let what = format!("{} variants of {} classes, expected 1 to 8 of at least 1", variants.len(), classes.len());
        return Err(Error::data(stem, what, "give fewer folders"));
    }
    let width = look.width();
    let columns = if look.is_wide() { 2 } else { 1 };
    let entries: Vec<Entry> = variants.iter().enumerate().map(|(i, name)| Entry::bar(name, arm_color(i))).collect();
    let single = variants.len() == 1;
    let above = if single { 1.0 } else { 3.0 + legend_height(&entries, width - 16.0) };
    let grid = Grid { width, columns, left: 12.0, right: 3.0, top: 6.5, height: 32.0, bottom: 7.5 };
    let (frames, end) = grid.frames(panels.len(), above);
    let unit = Axis::with_ticks(0.0, 1.0, 0.25);
    let none = Axis { ticks: Vec::new(), ..Axis::with_ticks(0.0, classes.len() as f64, 1.0) };
    Ok(Figure::new(stem, look.page(end), caption, move |c: &mut Canvas| {
        let (small, least) = (Type::new(PT_SMALL), Type::new(PT_MIN));
        if !single {
            legend(c, &entries, (12.0, 2.0), width - 16.0);
        }
        for (panel, frame) in panels.iter().zip(&frames) {
            frame.draw(c, &none, &unit, None, "");
            title(c, frame, &panel.name);
            let pitch = (frame.x1 - frame.x0) / classes.len() as f64;
            for (k, class) in classes.iter().enumerate() {
                let from = frame.x0 + pitch * k as f64;
                let style = if small.width(class) > pitch - 1.0 { least } else { small };
                let name = style.shorten(class, pitch - 0.5);
                c.text((from + pitch / 2.0, frame.y1 + 2.0 + 2.0 * style.drop()), &name, &style.middle());
                let step = 0.8 * pitch / panel.bars.len() as f64;
                for (v, bars) in panel.bars.iter().enumerate() {
                    let color = if single { class_color(class, k) } else { arm_color(v) };
                    let x = from + 0.1 * pitch + step * (v as f64 + 0.5);
                    let half = (0.42 * step).min(5.0);
                    match bars.get(k).filter(|b| b.value.is_finite()) {
                        Some(bar) => draw_bar(c, frame, &unit, (x, half), bar, color),
                        None => c.text((x, frame.y1 - 0.8), "–", &small.color(INK_SOFT).middle()),
                    }
                }
            }
        }
        Ok(())
    }))
}

fn draw_bar(c: &mut Canvas, frame: &Frame, y: &Axis, (x, half): (f64, f64), bar: &Bar, color: Rgb) {
    let at = |v: f64| frame.y1 - y.place(v).unwrap_or(0.0).clamp(0.0, 1.0) * (frame.y1 - frame.y0);
    let fill = c.tint(color, 0.75);
    c.rect((x - half, at(bar.value)), (x + half, frame.y1), fill);
    let (low, high) = bar.interval;
    if low.is_finite() && high.is_finite() {
        whisker(c, x, (at(low), at(high)), half.min(1.0));
    }
}

fn whisker(c: &mut Canvas, x: f64, (low, high): (f64, f64), half: f64) {
    c.line((x, low), (x, high), 0.8, INK);
    for y in [low, high] {
        c.line((x - half, y), (x + half, y), 0.8, INK);
    }
}

/// How much lower every other name stands where they have no room side by side, mm.
const STAGGER: f64 = 3.2;

/// Values, and what lies a little beyond their ends, so that no mark is cut by the frame; not below 0 or above 1 where none
/// is.
fn roomy(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    let (low, high) = all.iter().fold((f64::MAX, f64::MIN), |b, &v| (b.0.min(v), b.1.max(v)));
    let room = 0.03 * (high - low);
    if room.is_finite() && room > 0.0 {
        all.push(if low >= 0.0 { (low - room).max(0.0) } else { low - room });
        all.push(if high <= 1.0 { (high + room).min(1.0) } else { high + room });
    }
    all
}

/// A metric of every variant in the cells of fold and seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The metric.
    pub name: String,
    /// `values[variant][cell]`; NaN where a cell has none.
    pub values: Vec<Vec<f64>>,
    /// Mean and interval of each variant.
    pub means: Vec<Bar>,
    /// p value of each variant against the reference; NaN for the reference itself.
    pub p: Vec<f64>,
    /// Values to hold them against: name and value, drawn as level lines.
    pub lines: Vec<(String, f64)>,
}

/// Draws for every metric a point a cell, joined across the variants, and each variant's mean with its interval.
///
/// # Errors
/// Without a panel, with fewer than 2 or more than 12 variants.
pub fn ablation<'a>(
    look: &Look,
    stem: &str,
    variants: &'a [String],
    panels: Vec<Compared>,
    caption: &str,
) -> Result<Figure<'a>> {
    let n = variants.len();
    if panels.is_empty() || !(2..=12).contains(&n) {
        let what = format!("variants with finished runs: {n}, expected 2 to 12");
        return Err(Error::data(stem, what, "give the folder of a sweep with several variants"));
    }
    let width = look.width();
    let columns = if look.is_wide() { 2 } else { 1 };
    // under each other they would be taller than a page
    let height = if columns > 1 { 40.0 } else { 26.0 };
    let grid = Grid { width, columns, left: 14.0, right: 4.0, top: 10.5, height, bottom: 8.0 };
    // names that have no room side by side stand on two lines
    let pitch = (width / columns as f64 - grid.left - grid.right) / n as f64;
    let least = Type::new(PT_MIN);
    let staggered = variants.iter().any(|v| least.width(v) > pitch - 0.5);
    let grid = Grid { bottom: grid.bottom + if staggered { STAGGER } else { 0.0 }, ..grid };
    // and p values that have none lose their letter, which then stands once at the side
    let short = least.width("p = 0.000") > pitch - 0.5;
    let words = move |p: f64| match (p < 0.001, short) {
        (true, true) => "< 0.001".to_owned(),
        (true, false) => "p < 0.001".to_owned(),
        (false, true) => format!("{p:.3}"),
        (false, false) => format!("p = {p:.3}"),
    };
    let (frames, end) = grid.frames(panels.len(), 0.0);
    let none = Axis { ticks: Vec::new(), ..Axis::with_ticks(0.0, n as f64, 1.0) };
    Ok(Figure::new(stem, look.page(end), caption, move |c: &mut Canvas| {
        let (small, least) = (Type::new(PT_SMALL), Type::new(PT_MIN));
        for (k, (panel, frame)) in panels.iter().zip(&frames).enumerate() {
            let ends = panel.means.iter().flat_map(|m| [m.value, m.interval.0, m.interval.1]);
            let all = panel.values.iter().flatten().copied().chain(ends).chain(panel.lines.iter().map(|l| l.1));
            let y = Axis::linear(roomy(all), 5);
            frame.draw(c, &none, &y, None, "");
            letter(c, (frame.x0 - 12.5, frame.y0 - 6.2), k);
            let style = Type::new(PT_LABEL).bold();
            c.text((frame.x0, frame.y0 - 6.2), &style.shorten(&panel.name, frame.x1 - frame.x0), &style);
            if let Some((name, _)) = panel.lines.first() {
                let free = frame.x1 - frame.x0 - style.width(&panel.name) - 3.0;
                let full = format!("dashed: {name}");
                let text = if small.width(&full) > free { name.clone() } else { full };
                c.text((frame.x1, frame.y0 - 6.2), &small.shorten(&text, free), &small.color(INK_SOFT).end());
            }
            let pitch = (frame.x1 - frame.x0) / n as f64;
            let middle = |v: usize| v as f64 + 0.5;
            for (_, value) in &panel.lines {
                let dashes = Line { dash: 0.9, ..Line::new(NONE) };
                line(c, frame, (&none, &y), &[(0.0, *value), (n as f64, *value)], dashes);
            }
            let cells = panel.values.iter().map(Vec::len).max().unwrap_or(0);
            let place = |v: usize, cell: usize| panel.values[v].get(cell).copied().unwrap_or(f64::NAN);
            for cell in 0..cells {
                let points: Vec<(f64, f64)> = (0..n).map(|v| (middle(v) - 0.12, place(v, cell))).collect();
                let thin = Line { pt: PT_GRID, ..Line::new(NONE) };
                for pair in points.windows(2).filter(|p| p[0].1.is_finite() && p[1].1.is_finite()) {
                    line(c, frame, (&none, &y), pair, thin);
                }
            }
            for (v, variant) in variants.iter().enumerate() {
                let color = arm_color(v);
                for cell in 0..cells {
                    if let Some(at) = frame.at(&none, &y, (middle(v) - 0.12, place(v, cell))) {
                        let pale = c.tint(color, 0.6);
                        c.disc(at, 0.75, pale);
                    }
                }
                let mean = &panel.means[v];
                let level = |value: f64| frame.at(&none, &y, (middle(v) + 0.14, value));
                if let Some(at) = level(mean.value) {
                    if let (Some(low), Some(high)) = (level(mean.interval.0), level(mean.interval.1)) {
                        c.line((at.0, low.1), (at.0, high.1), PT_CURVE, color);
                        for end in [low, high] {
                            c.line((end.0 - 0.8, end.1), (end.0 + 0.8, end.1), PT_CURVE, color);
                        }
                    }
                    c.disc(at, 1.2, color);
                    c.disc(at, 0.5, crate::plot::style::WHITE);
                }
                let x = frame.x0 + pitch * middle(v);
                let style = if small.width(variant) > pitch - 1.0 { least } else { small };
                let (room, lower) = match staggered {
                    true => (2.0 * pitch - 1.0, if v % 2 == 1 { STAGGER } else { 0.0 }),
                    false => (pitch - 0.5, 0.0),
                };
                let name = style.shorten(variant, room);
                c.text((x, frame.y1 + 2.0 + 2.0 * style.drop() + lower), &name, &style.middle());
                let p = panel.p.get(v).copied().unwrap_or(f64::NAN);
                if p.is_finite() {
                    let text = words(p);
                    let style = if small.width(&text) > pitch - 0.5 { least } else { small };
                    c.text((x, frame.y0 - 2.0), &text, &style.color(INK_SOFT).middle());
                }
            }
            if short && panel.p.iter().any(|p| p.is_finite()) {
                c.text((frame.x0 - 1.5, frame.y0 - 2.0), "p", &least.color(INK_SOFT).end());
            }
            c.line((frame.x0, frame.y0), (frame.x1, frame.y0), PT_GRID, GRID);
            c.line((frame.x0, frame.y1), (frame.x1, frame.y1), PT_AXIS, INK);
        }
        Ok(())
    }))
}
