//! Series: the lines, dashes and marks that distinguish them, and the legend that names them.

use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::style::{MM_PER_PT, PT_CURVE, PT_SMALL, Rgb, WHITE, arm_color, series_dash};

/// What stands before a name in a legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// A line, with a mark on it if the entry has a shape.
    Line,
    /// A mark alone.
    Mark,
    /// A filled box: of bars, areas and bands.
    Bar,
}

/// One series of a legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its colour.
    pub color: Rgb,
    /// Length of its line's dashes, mm; 0 for an unbroken line.
    pub dash: f64,
    /// Which shape its marks have; `None` for no marks.
    pub shape: Option<usize>,
    /// Its sign.
    pub sign: Sign,
}

impl Entry {
    /// A full line without marks.
    pub fn line(name: impl Into<String>, color: Rgb) -> Self {
        Self { name: name.into(), color, dash: 0.0, shape: None, sign: Sign::Line }
    }

    /// Bars, or an area.
    pub fn bar(name: impl Into<String>, color: Rgb) -> Self {
        Self { sign: Sign::Bar, ..Self::line(name, color) }
    }

    /// Marks of one of eight shapes, distinguished without colour.
    pub fn mark(name: impl Into<String>, shape: usize, color: Rgb) -> Self {
        Self { shape: Some(shape), sign: Sign::Mark, ..Self::line(name, color) }
    }

    /// Arm `index` of several as a curve, distinguished without colour: by the shapes of its marks, or else by its dashes.
    pub fn arm(name: impl Into<String>, index: usize, marks: bool) -> Self {
        let line = Self::line(name, arm_color(index));
        match marks {
            true => Self { shape: Some(index), ..line },
            false => Self { dash: series_dash(index), ..line },
        }
    }

    /// Width of the sign and the space behind it, mm.
    fn indent(&self) -> f64 {
        match self.sign {
            Sign::Line => 7.5,
            Sign::Mark => 2.8,
            Sign::Bar => 4.2,
        }
    }

    /// Draws the mark of a point with a rim of the page's colour, so that marks on each other stay apart.
    pub fn draw_mark(&self, c: &mut Canvas, at: Point) {
        let index = self.shape.unwrap_or(0);
        shape(c, at, index, MARK + 0.2, WHITE);
        shape(c, at, index, MARK, self.color);
    }
}

/// Half the size of a mark, mm.
pub(crate) const MARK: f64 = 0.78;
/// Height of a line of a legend, mm.
pub(crate) const LINE: f64 = 4.2;

/// Sets things of the given widths in lines of `width` mm: the upper left corner of each, and the height of all, mm.
pub(crate) fn flow(widths: impl IntoIterator<Item = f64>, width: f64) -> (Vec<Point>, f64) {
    let (mut at, mut x, mut y) = (Vec::new(), 0.0, 0.0);
    for wide in widths {
        if x > 0.0 && x + wide > width {
            (x, y) = (0.0, y + LINE);
        }
        at.push((x, y));
        x += wide + 4.0;
    }
    let height = if at.is_empty() { 0.0 } else { y + LINE };
    (at, height)
}

fn places(entries: &[Entry], width: f64) -> (Vec<Point>, f64) {
    let style = Type::new(PT_SMALL);
    flow(entries.iter().map(|e| e.indent() + style.width(&style.shorten(&e.name, width - 10.0))), width)
}

/// Height of a legend set in lines of `width` mm.
pub fn legend_height(entries: &[Entry], width: f64) -> f64 {
    places(entries, width).1
}

/// Draws a legend in lines of `width` mm below (`x`, `y`).
pub fn legend(c: &mut Canvas, entries: &[Entry], (x, y): Point, width: f64) {
    let style = Type::new(PT_SMALL);
    for (entry, (dx, dy)) in entries.iter().zip(places(entries, width).0) {
        let (left, middle) = (x + dx, y + dy + LINE / 2.0);
        match entry.sign {
            Sign::Mark => entry.draw_mark(c, (left + MARK, middle)),
            Sign::Bar => c.rect((left, middle - 1.1), (left + 3.2, middle + 1.1), entry.color),
            Sign::Line => {
                curve(c, &[(left, middle), (left + 6.0, middle)], (entry.color, entry.dash));
                if let Some(index) = entry.shape {
                    shape(c, (left + 3.0, middle), index, 0.85, entry.color);
                }
            }
        }
        let name = style.shorten(&entry.name, width - 10.0);
        c.text((left + entry.indent(), middle + style.drop()), &name, &style);
    }
}

/// Draws one of eight shapes, distinguished without colour, `r` mm in half.
pub(crate) fn shape(c: &mut Canvas, (x, y): Point, index: usize, r: f64, color: Rgb) {
    let mut polygon = |points: &[Point]| {
        c.convex(&points.iter().map(|p| (x + p.0 * r, y + p.1 * r)).collect::<Vec<_>>(), color);
    };
    match index % 8 {
        0 => c.disc((x, y), r, color),
        1 => polygon(&[(-1.15, 0.9), (1.15, 0.9), (0.0, -1.15)]),
        2 => polygon(&[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]),
        3 => polygon(&[(-1.25, 0.0), (0.0, -1.25), (1.25, 0.0), (0.0, 1.25)]),
        4 => polygon(&[(-1.15, -0.9), (1.15, -0.9), (0.0, 1.15)]),
        5 => polygon(&[(-0.9, -1.15), (-0.9, 1.15), (1.15, 0.0)]),
        6 => {
            let pt = 0.9 * r / MM_PER_PT;
            c.line((x - r, y), (x + r, y), pt, color);
            c.line((x, y - r), (x, y + r), pt, color);
        }
        _ => polygon(&[(0.9, -1.15), (0.9, 1.15), (-1.15, 0.0)]),
    }
}

/// Draws one unbroken stretch of a series, in dashes of `dash` mm unless that is 0.
pub fn curve(c: &mut Canvas, points: &[Point], (color, dash): (Rgb, f64)) {
    if dash <= 0.0 {
        return c.polyline(points, PT_CURVE, color);
    }
    let mut along = 0.0;
    for pair in points.windows(2) {
        let (p, q) = (pair[0], pair[1]);
        let length = (q.0 - p.0).hypot(q.1 - p.1);
        let at = |s: f64| (p.0 + (q.0 - p.0) * s / length, p.1 + (q.1 - p.1) * s / length);
        let mut s = 0.0;
        while s < length {
            // The gap is as long as the dash, and wide enough to be seen between round ends.
            let (phase, whole) = ((along + s) % (2.0 * dash + 0.3), 2.0 * dash + 0.3);
            let end = (s + if phase < dash { dash - phase } else { whole - phase }.max(0.01)).min(length);
            if phase < dash {
                c.polyline(&[at(s), at(end)], PT_CURVE, color);
            }
            s = end;
        }
        along += length;
    }
}
