//! How the time of a step and of an inference batch grows.

use super::marks::log_axis;
use super::{KernelData, adapter_note, drawable, missing_note};
use crate::lab::Spread;
use crate::lab::suite::Scaled;
use crate::plot::axes::{Axis, Frame, number};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::figure::Figure;
use crate::plot::legend::{Entry, legend, legend_height};
use crate::plot::panels::letter;
use crate::plot::style::{INK_SOFT, Look, OKABE_ITO, PT_AXIS, PT_CURVE, PT_SMALL};

/// What the broken lines are.
const GUIDE: &str = "proportional";

/// Size and times: of training steps, of inference batches.
type Series = [Vec<(f64, Spread)>; 2];

/// What a panel shows.
struct Panel {
    frame: Frame,
    x: Axis,
    label: String,
    /// Whether it has the label of the times.
    first: bool,
    series: Series,
}

/// Time against the length of strips and against the batch, on logarithmic axes. `None` without a measured time.
pub fn scaling(data: &KernelData, look: &Look) -> Option<Figure<'static>> {
    let of = |all: &[Scaled], size: fn(&Scaled) -> usize| -> Series {
        [|s: &Scaled| s.train_ms, |s: &Scaled| s.infer_ms].map(|part| {
            let point = |s: &Scaled| (size(s) as f64, part(s));
            let mut points: Vec<_> =
                all.iter().map(point).filter(|(x, s)| drawable(*x) && drawable(s.median)).collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            points
        })
    };
    let series = [of(&data.lengths, |s| s.samples), of(&data.batches, |s| s.batch)];
    let drawn = series.iter().flatten().map(Vec::len).sum::<usize>();
    let missing = 2 * (data.lengths.len() + data.batches.len()) - drawn;
    let kept: Vec<(usize, Series)> =
        series.into_iter().enumerate().filter(|(_, s)| s.iter().any(|s| !s.is_empty())).collect();
    if kept.is_empty() {
        return None;
    }
    let fixed = [same(&data.lengths, |s| s.batch), same(&data.batches, |s| s.samples)];
    let labels = [
        fixed[0].map_or("samples per strip".into(), |b| format!("samples per strip (batch {b})")),
        fixed[1].map_or("strips per batch".into(), |s| format!("strips per batch ({s} samples)")),
    ];
    let marks: Vec<Entry> = ["training step", "inference batch"].into_iter().enumerate().map(series_mark).collect();
    let times = || kept.iter().flat_map(|(_, s)| s.iter().flatten()).flat_map(|p| [p.1.median, p.1.low, p.1.high]);
    let low = times().filter(|v| drawable(*v)).fold(f64::INFINITY, f64::min);
    let high = times().filter(|v| drawable(*v)).fold(0.0, f64::max);
    let side = look.is_wide() && kept.len() > 1;
    let (left, right, gap) = (16.0, look.width() - 4.0, 7.0);
    // the entry of the broken lines stands behind the marks where it has room, else below them
    let guide = Type::new(PT_SMALL).width(GUIDE) + 9.0;
    let beside = legend_height(&marks, right - left - guide - 4.0) < 4.5;
    let own = legend_height(&marks, right - left);
    let guide_at = if beside { (right - guide, 4.1) } else { (left, 2.0 + own + 2.1) };
    let top = 3.0 + own + if beside { 0.0 } else { 4.2 };
    let (width, height) = if side { ((right - left - gap) / 2.0, 56.0) } else { (right - left, 38.0) };
    let y = log_axis(low, high, 4.6 / height);
    let panels: Vec<Panel> = kept
        .into_iter()
        .enumerate()
        .map(|(i, (kind, series))| {
            let (dx, dy) = if side { ((width + gap) * i as f64, 0.0) } else { (0.0, (height + 12.5) * i as f64) };
            let frame = Frame { x0: left + dx, y0: top + dy, x1: left + dx + width, y1: top + dy + height };
            Panel { frame, x: sizes(&series, width), label: labels[kind].clone(), first: !side || i == 0, series }
        })
        .collect();
    let bottom = panels.iter().map(|p| p.frame.y1).fold(0.0, f64::max);
    let page = look.page(bottom + 10.8);
    let caption = caption(data, &panels, missing);
    Some(Figure::new("scaling", page, caption, move |c| {
        legend(c, &marks, (left, 2.0), if beside { right - left - guide } else { right - left });
        let small = Type::new(PT_SMALL);
        dashes(c, guide_at, (guide_at.0 + 6.6, guide_at.1));
        c.text((guide_at.0 + 8.0, guide_at.1 + small.drop()), GUIDE, &small);
        for (i, panel) in panels.iter().enumerate() {
            panel.draw(c, &y, &marks);
            if panels.len() > 1 {
                letter(c, (panel.frame.x0 - if panel.first { 14.0 } else { 4.0 }, panel.frame.y0 + 1.0), i);
            }
        }
        Ok(())
    }))
}

fn series_mark((i, name): (usize, &str)) -> Entry {
    // blue and orange differ in grey, too
    Entry::mark(name, i, [OKABE_ITO[0], OKABE_ITO[4]][i % 2])
}

/// The value that all have in common.
fn same(all: &[Scaled], of: fn(&Scaled) -> usize) -> Option<usize> {
    let first = of(all.first()?);
    all.iter().all(|s| of(s) == first).then_some(first)
}

/// A logarithmic axis whose ticks are the sizes measured, as far as their numbers have room on `mm`.
fn sizes(series: &Series, mm: f64) -> Axis {
    let mut all: Vec<f64> = series.iter().flatten().map(|p| p.0).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    let (low, high) = (all.first().copied().unwrap_or(1.0), all.last().copied().unwrap_or(1.0));
    let margin = (high / low).powf(0.04).max(1.1);
    let mut axis = Axis { min: low / margin, max: high * margin, log: true, ticks: Vec::new() };
    let small = Type::new(PT_SMALL);
    let mut end = f64::NEG_INFINITY;
    for size in all {
        let text = number(size);
        let (Some(t), half) = (axis.place(size), small.width(&text) / 2.0) else { continue };
        if t * mm - half > end + 1.5 {
            end = t * mm + half;
            axis.ticks.push((size, text));
        }
    }
    axis
}

fn dashes(c: &mut Canvas, a: Point, b: Point) {
    let length = (b.0 - a.0).hypot(b.1 - a.1);
    let at = |s: f64| (a.0 + (b.0 - a.0) * s / length, a.1 + (b.1 - a.1) * s / length);
    let mut s = 0.0;
    while s < length {
        c.polyline(&[at(s), at((s + 1.1).min(length))], PT_AXIS * 1.4, INK_SOFT);
        s += 2.2;
    }
}

impl Panel {
    fn draw(&self, c: &mut Canvas, y: &Axis, marks: &[Entry]) {
        let Self { frame, x, .. } = self;
        let bare = Axis { ticks: y.ticks.iter().map(|t| (t.0, String::new())).collect(), ..y.clone() };
        let (axis, label) = if self.first { (y, "time (ms)") } else { (&bare, "") };
        frame.draw(c, x, axis, Some(&self.label), label);
        for (points, mark) in self.series.iter().zip(marks) {
            // in proportion to the largest
            if let (Some(first), Some(last)) = (points.first(), points.last()) {
                let slope = last.1.median / last.0;
                let from = first.0.max(y.min / slope);
                if let (Some(a), Some(b)) =
                    (frame.at(x, y, (from, slope * from)), frame.at(x, y, (last.0, last.1.median)))
                    && from < last.0
                {
                    dashes(c, a, b);
                }
            }
            let at = |x_value: f64, v: f64| Some(v).filter(|v| drawable(*v)).and_then(|v| frame.at(x, y, (x_value, v)));
            let line: Vec<Point> = points.iter().filter_map(|p| at(p.0, p.1.median)).collect();
            c.polyline(&line, PT_CURVE, mark.color);
            for (size, spread) in points {
                if let (Some(low), Some(high)) = (at(*size, spread.low), at(*size, spread.high)) {
                    c.line(low, high, PT_AXIS * 2.0, INK_SOFT);
                }
            }
            line.into_iter().for_each(|p| mark.draw_mark(c, p));
        }
    }
}

fn caption(data: &KernelData, panels: &[Panel], missing: usize) -> String {
    let sizes: Vec<String> = panels
        .iter()
        .map(|p| {
            let n = p.series.iter().map(Vec::len).max().unwrap_or(0);
            format!("{n} {} of {}", if n == 1 { "size" } else { "sizes" }, p.label)
        })
        .collect();
    format!(
        "Growth of the time of a training step and of an inference batch: {}. Marks: medians of the rounds; upright bars: from \
         the shortest to the longest round, where longer than a mark. Broken lines: time in proportion to the size, through \
         the largest. Both axes are logarithmic. {}{}",
        sizes.join(" and "),
        adapter_note(&data.adapter),
        missing_note(missing)
    )
}
