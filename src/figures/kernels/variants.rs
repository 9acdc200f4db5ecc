//! The versions of a kernel at each shape.

use super::marks::log_axis;
use super::{KernelData, adapter_note, drawable, layer, missing_note, name, pass, passes, sizes, three};
use crate::lab::measure::{Row, Table};
use crate::plot::axes::{Axis, Frame};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::figure::Figure;
use crate::plot::legend::{Entry, legend, legend_height};
use crate::plot::panels::letter;
use crate::plot::style::{INK, INK_SOFT, Look, NONE, PT_AXIS, PT_LABEL, PT_MIN, PT_SMALL, series_color};

/// Most shapes in the figure: of more the costliest.
const MOST: usize = 14;
/// Most versions with a mark of their own.
const MOST_VERSIONS: usize = 6;
/// The versions of files that do not number them, slowest first in most cases.
const KNOWN: [&str; 4] = ["plain", "wide", "tile", "fast"];

/// One line: a shape, and for each pass the rows of its versions.
struct Line {
    name: String,
    sizes: String,
    cost: f64,
    rows: Vec<Row>,
}

/// Rate of every version at every shape, a panel for each pass; nothing without operations in several versions.
pub fn variants(data: &KernelData, look: &Look) -> Vec<Figure<'static>> {
    let Some(table) = &data.variants else { return Vec::new() };
    let (mut lines, missing) = lines(table);
    let all = lines.len();
    if all > MOST {
        let mut costs: Vec<f64> = lines.iter().map(|l| l.cost).collect();
        costs.sort_by(|a, b| b.total_cmp(a));
        lines.retain(|l| l.cost >= costs[MOST - 1]);
        lines.truncate(MOST);
    }
    let rows: Vec<&Row> = lines.iter().flat_map(|l| &l.rows).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let passes = passes(rows.iter().copied());
    let mut names: Vec<String> = Vec::new();
    for row in &rows {
        if !names.contains(&row.variant) {
            names.push(row.variant.clone());
        }
    }
    let number = |n: &String| rows.iter().find(|r| r.variant == *n).and_then(|r| r.number).unwrap_or(0);
    names.sort_by_key(|n| (number(n), KNOWN.iter().position(|k| k == n).unwrap_or(KNOWN.len())));
    let marks: Vec<Entry> = names
        .iter()
        .enumerate()
        .map(|(i, name)| Entry::mark(name, i, series_color(i.min(MOST_VERSIONS - 1))))
        .collect();
    let ceiling = Some(table.ceilings.gflops).filter(|v| drawable(*v));
    let values = || rows.iter().flat_map(|r| rates(r)).chain(ceiling);
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(0.0, f64::max);
    let caption = caption(table, &lines, all, missing, ceiling);
    let layout = Layout::new(look, &lines, &passes);
    let x = log_axis(low, high, 6.5 / layout.width);
    let room = look.width() - 3.0 - layout.left;
    let top = 2.5 + legend_height(&marks, room);
    let panel = HEAD + layout.pitch * lines.len() as f64;
    let heights = if layout.wide { vec![panel] } else { vec![panel + 3.0; passes.len()] };
    Figure::pages(
        look,
        "variants",
        &caption,
        (top, FOOT - if layout.wide { 0.0 } else { 3.0 }),
        &heights,
        move |c: &mut Canvas, parts| {
            legend(c, &marks, (layout.left, 2.0), room);
            for (place, &(first, y)) in parts.iter().enumerate() {
                let shown = if layout.wide { 0..passes.len() } else { first..first + 1 };
                for i in shown {
                    let column = if layout.wide { i as f64 } else { 0.0 };
                    let corner = (layout.left + (layout.width + GAP) * column, y + HEAD);
                    letter(c, (corner.0 - 3.0, corner.1 - 1.6), i);
                    layout.panel(c, corner, pass(&passes[i]), (&x, place + 1 == parts.len()), ceiling, &lines);
                    for (k, line) in lines.iter().enumerate() {
                        let own: Vec<&Row> = line.rows.iter().filter(|r| r.operation == passes[i]).collect();
                        layout.marks(c, (corner.0, corner.1 + layout.pitch * (k as f64 + 0.5)), &x, &own, &marks);
                    }
                }
            }
            Ok(())
        },
    )
}

/// Rate at the median time, and where known at the longest and the shortest.
fn rates(row: &Row) -> impl Iterator<Item = f64> + use<> {
    let ms = row.ms.unwrap_or_default();
    let work = row.gflops * ms.median;
    [row.gflops, work / ms.high, work / ms.low].into_iter().filter(|v| drawable(*v))
}

/// False where another version takes the place of the one asked for, and would be drawn twice: weight gradients and
/// kernels of fewer than four taps a phase of the stride have no fast version.
fn exists(row: &Row) -> bool {
    row.variant != "fast"
        || (row.operation != "conv1d_weight_grad" && row.shape.k.div_ceil(row.shape.stride.max(1)) > 3)
}

/// The lines in the order of the table; the measurements without a rate are only counted.
fn lines(table: &Table) -> (Vec<Line>, usize) {
    let mut lines: Vec<Line> = Vec::new();
    let mut index = std::collections::HashMap::new();
    let mut missing = 0;
    for row in &table.rows {
        if !exists(row) {
            continue;
        }
        if !drawable(row.gflops) {
            missing += 1;
            continue;
        }
        let at = *index.entry((&row.layer, row.shape)).or_insert(lines.len());
        if at == lines.len() {
            let sizes = layer(row).map(|_| sizes(&row.shape)).unwrap_or_default();
            lines.push(Line { name: name(row), sizes, cost: 0.0, rows: Vec::new() });
        }
        let cost = row.gflops * row.ms.unwrap_or_default().median;
        lines[at].cost = lines[at].cost.max(if cost.is_finite() { cost } else { 0.0 });
        lines[at].rows.push(row.clone());
    }
    (lines, missing)
}

/// Where panels and lines stand, mm.
struct Layout {
    /// Panels beside each other.
    wide: bool,
    left: f64,
    width: f64,
    pitch: f64,
}

/// Space between panels beside each other, and below a panel for its axis.
const GAP: f64 = 5.0;
const FOOT: f64 = 10.5;
/// Height of a panel's name.
const HEAD: f64 = 5.0;

impl Layout {
    fn new(look: &Look, lines: &[Line], passes: &[String]) -> Self {
        let wide = look.is_wide() && passes.len() <= 4;
        let (small, tiny) = (Type::new(PT_SMALL), Type::new(PT_MIN));
        let names = lines.iter().map(|l| small.width(&l.name).max(if wide { tiny.width(&l.sizes) } else { 0.0 }));
        let left = 3.0 + names.fold(8.0, f64::max).min(look.width() * 0.28) + 2.0;
        let (room, count) = (look.width() - 3.0 - left, passes.len().max(1) as f64);
        let width = if wide { (room - GAP * (count - 1.0)) / count } else { room };
        Self { wide, left, width, pitch: if wide { 6.2 } else { 4.4 } }
    }

    /// A panel whose lines begin at a corner; its axis has numbers if the flag says so.
    fn panel(
        &self,
        c: &mut Canvas,
        (x0, y0): Point,
        name: &str,
        (x, numbered): (&Axis, bool),
        ceiling: Option<f64>,
        lines: &[Line],
    ) {
        let (x1, y1) = (x0 + self.width, y0 + self.pitch * lines.len() as f64);
        let (small, tiny, label) = (Type::new(PT_SMALL), Type::new(PT_MIN).color(INK_SOFT), Type::new(PT_LABEL));
        c.text((x0, y0 - 1.6), &label.bold().shorten(name, self.width), &label.bold());
        Frame { x0, y0, x1, y1 }.bottom(c, x, numbered, true);
        if let Some(t) = ceiling.and_then(|v| x.place(v)) {
            let at = x0 + t * self.width;
            let mut y = y0;
            while y < y1 {
                c.line((at, y), (at, (y + 1.2).min(y1)), PT_AXIS * 1.6, INK_SOFT);
                y += 2.4;
            }
        }
        c.line((x0, y0), (x0, y1), PT_AXIS, INK);
        if numbered {
            c.text(((x0 + x1) / 2.0, y1 + 8.2), "rate (GFLOP/s)", &label.middle());
        }
        if x0 > self.left {
            return;
        }
        for (k, line) in lines.iter().enumerate() {
            let (right, middle) = (x0 - 1.8, y0 + self.pitch * (k as f64 + 0.5));
            let room = right - 2.0;
            let lift = if self.wide && !line.sizes.is_empty() { 1.25 } else { 0.0 };
            c.text((right, middle + small.drop() - lift), &small.shorten(&line.name, room), &small.end());
            if lift > 0.0 {
                c.text((right, middle + tiny.drop() + lift + 0.1), &tiny.shorten(&line.sizes, room), &tiny.end());
            }
        }
    }

    /// The marks of a line's versions, from the left edge of its panel.
    fn marks(&self, c: &mut Canvas, (x0, middle): Point, x: &Axis, rows: &[&Row], marks: &[Entry]) {
        let at = |v: f64| x.place(v).map(|t| x0 + t * self.width);
        let found: Vec<(f64, &&Row)> = rows.iter().filter_map(|r| Some((at(r.gflops)?, r))).collect();
        let (low, high) = found.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), f| (l.min(f.0), h.max(f.0)));
        if low < high {
            c.line((low, middle), (high, middle), PT_AXIS, NONE);
        }
        for (_, row) in &found {
            let ends: Vec<f64> = rates(row).filter_map(at).collect();
            if let [_, slow, quick] = ends[..]
                && quick - slow > 2.2
            {
                // only where it stands out of the mark
                c.line((slow, middle), (quick, middle), PT_AXIS * 2.4, INK_SOFT);
            }
        }
        for (centre, row) in found {
            if let Some(mark) = marks.iter().find(|m| m.name == row.variant) {
                mark.draw_mark(c, (centre, middle));
            }
        }
    }
}

fn caption(table: &Table, lines: &[Line], all: usize, missing: usize, ceiling: Option<f64>) -> String {
    let shown = if lines.len() < all { format!("the {} costliest of {all} shapes", lines.len()) } else { shapes(all) };
    let sizes: Vec<String> =
        lines.iter().filter(|l| !l.sizes.is_empty()).map(|l| format!("{} {}", l.name, l.sizes)).collect();
    let sizes = if sizes.is_empty() {
        String::new()
    } else {
        format!(" Sizes (channels × samples to channels): {}.", sizes.join("; "))
    };
    let ceiling = ceiling.map_or(String::new(), |v| {
        format!(
            " Broken line: most multiply-adds that kernels reach on this adapter, {} GFLOP/s; rates count the \
             multiplications of the direct sum, of which fast (Toom-Cook) kernels do fewer.",
            three(v)
        )
    });
    format!(
        "Versions of the kernels: rate of each at {shown}, a panel for every pass. Marks: medians over the rounds; thick bars, \
         where they are longer than a mark: from the slowest to the fastest round. Weight \
         gradients and kernels of few taps have no fast version; a line without marks was not measured in that pass.{ceiling}{sizes} {}{}",
        adapter_note(&table.adapter),
        missing_note(missing)
    )
}

fn shapes(n: usize) -> String {
    if n == 1 { "one shape".into() } else { format!("{n} shapes") }
}
