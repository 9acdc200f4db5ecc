//! Small multiples: where panels stand, and the lines and bands in them.

use crate::plot::axes::{Axis, Frame};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::legend::{Entry, curve, shape};
use crate::plot::style::{INK_SOFT, MM_PER_PT, PT_CURVE, PT_LABEL, PT_MIN, PT_SMALL, Rgb};
use crate::plot::thin::thinned;

/// With at most this many points every one gets a mark.
const MARKED: usize = 40;

/// How panels are laid out, mm.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    /// Width of the page.
    pub width: f64,
    /// Columns.
    pub columns: usize,
    /// Left of every panel: numbers and labels.
    pub left: f64,
    /// Right of every panel.
    pub right: f64,
    /// Above every panel: its title.
    pub top: f64,
    /// Height of a panel.
    pub height: f64,
    /// Below every panel: numbers and labels.
    pub bottom: f64,
}

impl Grid {
    /// The frames of `n` panels that begin `from` mm down the page, and where the last ones end.
    pub fn frames(&self, n: usize, from: f64) -> (Vec<Frame>, f64) {
        let columns = self.columns.clamp(1, n.max(1));
        let pitch = (self.width / columns as f64, self.top + self.height + self.bottom);
        let frame = |i: usize| {
            let (x, y) = ((i % columns) as f64 * pitch.0, from + (i / columns) as f64 * pitch.1);
            Frame { x0: x + self.left, y0: y + self.top, x1: x + pitch.0 - self.right, y1: y + self.top + self.height }
        };
        ((0..n).map(frame).collect(), from + n.div_ceil(columns) as f64 * pitch.1)
    }
}

/// A line in a panel.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Width, pt.
    pub pt: f64,
    /// Colour.
    pub color: Rgb,
    /// Length of dashes, mm; 0 for none.
    pub dash: f64,
    /// A mark at every value, if there are few.
    pub marks: bool,
    /// Which shape the marks have.
    pub shape: usize,
}

impl Line {
    /// A full line of a curve's width.
    pub const fn new(color: Rgb) -> Self {
        Self { pt: PT_CURVE, color, dash: 0.0, marks: false, shape: 0 }
    }

    /// The line that a legend shows so.
    pub fn of(entry: &Entry) -> Self {
        let (marks, shape) = (entry.shape.is_some(), entry.shape.unwrap_or(0));
        Self { dash: entry.dash, marks, shape, ..Self::new(entry.color) }
    }
}

/// Draws a curve, broken where a value has no place; a value without a neighbour gets a mark.
pub fn line(c: &mut Canvas, frame: &Frame, (x, y): (&Axis, &Axis), points: &[(f64, f64)], line: Line) {
    let at = |i: usize| frame.at(x, y, points[i]);
    let marks = line.marks && points.len() <= MARKED;
    for part in thinned(points.len(), at) {
        if line.dash > 0.0 {
            curve(c, &part, (line.color, line.dash));
        } else {
            c.polyline(&part, line.pt, line.color);
        }
        if marks || part.len() == 1 {
            for &p in &part {
                shape(c, p, line.shape, PT_CURVE * MM_PER_PT * 1.25, line.color);
            }
        }
    }
}

/// Draws the area between two curves, broken where one has no place.
pub fn band(c: &mut Canvas, frame: &Frame, (x, y): (&Axis, &Axis), points: &[(f64, f64, f64)], color: Rgb, alpha: f64) {
    let clamp = |p: Point| (p.0, p.1.clamp(frame.y0, frame.y1));
    let place = |p: &(f64, f64, f64)| {
        let (low, high) = (clamp(frame.at(x, y, (p.0, p.1))?), clamp(frame.at(x, y, (p.0, p.2))?));
        Some((low.0, high.1, low.1))
    };
    let placed: Vec<Option<(f64, f64, f64)>> = points.iter().map(place).collect();
    for part in placed.split(Option::is_none) {
        let part: Vec<_> = part.iter().flatten().copied().collect();
        // points closer than can be seen are left out
        let mut kept: Vec<(f64, f64, f64)> = Vec::new();
        for (i, p) in part.iter().enumerate() {
            if i + 1 == part.len() || kept.last().is_none_or(|last| p.0 - last.0 > 0.1) {
                kept.push(*p);
            }
        }
        c.band(&kept, color, alpha);
    }
}

/// Writes a panel's name above it, bold.
pub fn title(c: &mut Canvas, frame: &Frame, text: &str) {
    let style = Type::new(PT_LABEL).bold();
    c.text((frame.x0, frame.y0 - 1.8), &style.shorten(text, frame.x1 - frame.x0 + 4.0), &style);
}

/// Writes a panel's letter at its upper left corner, outside.
pub fn letter(c: &mut Canvas, at: Point, index: usize) {
    let name = char::from(b'a' + (index % 26) as u8).to_string();
    c.text(at, &name, &Type::new(PT_LABEL + 1.0).bold());
}

/// Draws the lower axis alone: ticks, numbers, the line, and a name.
pub fn bottom_axis(c: &mut Canvas, frame: &Frame, x: &Axis, name: Option<&str>) {
    frame.bottom(c, x, true, false);
    if let Some(name) = name {
        let style = Type::new(PT_SMALL).middle();
        c.text((f64::midpoint(frame.x0, frame.x1), frame.y1 + 2.8 + 4.0 * style.drop()), name, &style);
    }
}

/// Writes what a panel cannot show in its middle, small.
pub fn remark(c: &mut Canvas, frame: &Frame, text: &str) {
    let style = Type::new(PT_MIN).color(INK_SOFT).middle();
    let at = (f64::midpoint(frame.x0, frame.x1), f64::midpoint(frame.y0, frame.y1));
    c.text(at, &style.shorten(text, frame.x1 - frame.x0), &style);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_fill_the_page() {
        let grid = Grid { width: 180.0, columns: 3, left: 10.0, right: 2.0, top: 5.0, height: 30.0, bottom: 8.0 };
        let (frames, end) = grid.frames(4, 7.0);
        assert_eq!((frames[0].x0, frames[2].x1, frames[3].x0, end), (10.0, 178.0, 10.0, 93.0));
        assert_eq!(grid.frames(1, 0.0).0[0].x1, 178.0, "a panel alone takes the width");
        assert_eq!(grid.frames(0, 0.0), (Vec::new(), 0.0));
    }
}
