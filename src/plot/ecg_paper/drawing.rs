//! What is drawn of a strip, and around it: squares, calibration pulse, trace, marks; classes, axis of time, colour bar.

use super::{Scale, Trace};
use crate::plot::axes::{Frame, color_bar, nice, number};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::color_maps::viridis;
use crate::plot::heading::mark;
use crate::plot::style::{INK, PAPER, PAPER_LARGE, PAPER_SMALL, PT_AXIS, PT_SMALL, Rgb, class_color, mix};
use crate::plot::thin::{simplified, thinned};
use std::ops::Range;

/// A large square, mm of true paper.
const LARGE: f64 = 5.0;
/// Small squares below this would run together, mm.
const FINEST: f64 = 0.45;
/// The trace, pt; and one that a map colours, with the rim behind it in its widths.
const TRACE: f64 = 0.8;
const MAPPED: f64 = 1.4;
const RIM: f64 = 1.75;
/// Colours in which a map is drawn.
const LEVELS: f64 = 24.0;
/// How strongly a map tints the paper at its maximum, 0..1.
const TINT: f64 = 0.55;

impl Trace<'_> {
    /// Stretches of samples of one level of the map; none without a map.
    fn levels(&self, row: &Range<usize>) -> Vec<(usize, usize, f64)> {
        let Some(map) = self.map else { return Vec::new() };
        let mut out: Vec<(usize, usize, f64)> = Vec::new();
        for i in row.clone() {
            let v = f64::from(map[i]);
            let level = if v.is_finite() { (v.clamp(0.0, 1.0) * LEVELS).round() / LEVELS } else { f64::NAN };
            match out.last_mut() {
                Some(last) if last.2.to_bits() == level.to_bits() => last.1 = i + 1,
                _ => out.push((i, i + 1, level)),
            }
        }
        out
    }

    /// Height of a sample above the baseline, mm, within the paper; nothing for a gap.
    fn height_of(&self, i: usize) -> Option<f64> {
        let v = f64::from(*self.strip.signal.get(i)?);
        let mv = (v - self.baseline) / self.unit;
        v.is_finite().then(|| mv.clamp(-self.below, self.above) * self.scale.gain())
    }

    /// Draws the strip on `seconds` of paper whose upper edge and start of time are at `at`.
    pub fn draw(&self, c: &mut Canvas, at: Point, seconds: f64) {
        self.draw_row(c, at, &(0..self.shown), seconds);
    }

    /// The same for a row of samples.
    pub fn draw_row(&self, c: &mut Canvas, at: Point, row: &Range<usize>, seconds: f64) {
        let (time, gain, pen) = (self.scale.time(), self.scale.gain(), self.scale.pen());
        let (left, right) = (at.0 - self.scale.lead_in(), at.0 + seconds * time);
        let (top, bottom, base) = (at.1, at.1 + self.height(), at.1 + self.above * gain);
        c.rect((left, top), (right, bottom), PAPER);
        let x = |i: usize| at.0 + (i as f64 - row.start as f64) / self.strip.fs * time;
        let levels = self.levels(row);
        for &(from, to, level) in levels.iter().filter(|l| l.2 > 0.0) {
            let tint = mix(c.page().theme.color(PAPER), viridis(level), TINT * level);
            c.rect((x(from), top), (x(to).min(right), bottom), tint);
        }
        let square = self.scale.factor;
        if square >= FINEST {
            grid(c, (left, top), (right, bottom), square, 0.2 * pen, PAPER_SMALL);
        }
        grid(c, (left, top), (right, bottom), LARGE * square, 0.6 * pen, PAPER_LARGE);
        // the calibration pulse: 1 mV high and 0.2 s long
        let pulse = [(-0.36, 0.0), (-0.3, 0.0), (-0.3, 1.0), (-0.1, 1.0), (-0.1, 0.0), (-0.04, 0.0)];
        c.polyline(&pulse.map(|(s, mv)| (at.0 + s * time, base - mv * gain)), TRACE, INK);
        let point = |i: usize| self.height_of(i).map(|mm| (x(i), base - mm));
        let mapped = (MAPPED * square).clamp(MAPPED / 2.0, MAPPED);
        let width = if levels.is_empty() { TRACE } else { RIM * mapped };
        for line in thinned(row.len(), |i| point(row.start + i)) {
            c.polyline(&simplified(&line), width, INK);
        }
        for &(from, to, level) in &levels {
            // each colour runs on to the next one's first sample
            for line in thinned((to + 1).min(row.end) - from, |i| point(from + i)) {
                c.polyline(&simplified(&line), mapped, viridis(level));
            }
        }
        for r in self.strip.r_peaks.iter().map(|r| *r as usize).filter(|r| row.contains(r)) {
            let near = (0.06 * self.strip.fs) as usize;
            let around = r.saturating_sub(near).max(row.start)..=(r + near).min(row.end - 1);
            // in a gap the mark stands above the baseline
            let highest = around.filter_map(|i| self.height_of(i)).reduce(f64::max).unwrap_or(0.0);
            let tip = (highest + 1.2 * pen).min(self.above * gain - 1.7 * pen);
            mark(c, (x(r), base - tip), pen, self.strip.expert_beats);
        }
    }
}

fn grid(c: &mut Canvas, (x0, y0): Point, (x1, y1): Point, every: f64, pt: f64, color: Rgb) {
    for i in 0..=((x1 - x0) / every + 1e-6) as usize {
        let x = x0 + i as f64 * every;
        c.line((x, y0), (x, y1), pt, color);
    }
    for i in 0..=((y1 - y0) / every + 1e-6) as usize {
        let y = y0 + i as f64 * every;
        c.line((x0, y), (x1, y), pt, color);
    }
}

/// Writes a class in bold letters behind a square of its colour, on the baseline through `at`, at most `most` mm wide;
/// gives its width, mm.
pub fn class_name(c: &mut Canvas, at: Point, name: &str, index: usize, style: &Type, most: f64) -> f64 {
    let (style, side) = (style.bold(), 0.8 * style.em());
    let middle = at.1 - style.drop();
    c.rect((at.0, middle - side / 2.0), (at.0 + side, middle + side / 2.0), class_color(name, index));
    let indent = side + 0.45 * style.em();
    let name = style.shorten(name, (most - indent).max(style.em()));
    c.text((at.0 + indent, at.1), &name, &style);
    indent + style.width(&name)
}

/// The axis of time under `seconds` of paper that begins at `at` with the time `start`, with its name below if `named`.
pub fn time_axis(c: &mut Canvas, at: Point, (start, seconds): (f64, f64), scale: Scale, named: bool) {
    let style = Type::new(PT_SMALL).middle();
    let text = |s: f64| number(((start + s) * 1000.0).round() / 1000.0);
    // numbers never touch
    let room = (style.width(&text(seconds)) + 1.0) / scale.time();
    let step = if seconds <= 1.5 { nice(room).max(0.2) } else { nice(room).max(1.0) };
    let number_at = at.1 + 1.6 + 2.0 * style.drop();
    for i in 0..=(seconds / step + 1e-6) as usize {
        let (s, x) = (i as f64 * step, at.0 + i as f64 * step * scale.time());
        c.line((x, at.1), (x, at.1 + 0.9), PT_AXIS, INK);
        c.text((x, number_at), &text(s), &style);
    }
    if named {
        c.text((at.0 + seconds * scale.time() / 2.0, number_at + 1.1 + 2.0 * style.drop()), "time (s)", &style);
    }
}

/// The colour bar of maps, its left edge at `left`, in the middle of what lies from `top` to `bottom`.
pub fn map_bar(c: &mut Canvas, left: f64, (top, bottom): (f64, f64)) {
    let (middle, half) = (f64::midpoint(top, bottom), ((bottom - top) / 2.0).min(32.0));
    let frame = Frame { x0: left, y0: middle - half, x1: left + 3.0, y1: middle + half };
    let name = if half < 11.0 { "map (0–1)" } else { "Grad-CAM (0–1)" };
    color_bar(c, frame, viridis, &[(0.0, "0"), (0.5, "0.5"), (1.0, "1")], name, PT_SMALL);
}
