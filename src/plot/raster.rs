//! A bitmap with antialiased round-ended strokes, convex areas and text, in pixels.

use crate::plot::style::Rgb;
use crate::plot::text::Mask;

/// An RGB bitmap, white at first. What lies outside of it is not drawn.
pub struct Raster {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Three bytes a pixel, row by row.
    pub rgb: Vec<u8>,
}

impl Raster {
    /// A white bitmap.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, rgb: vec![255; width * height * 3] }
    }

    fn blend(&mut self, x: usize, y: usize, color: Rgb, alpha: f64) {
        let at = (y * self.width + x) * 3;
        let cells = &mut self.rgb[at..at + 3];
        if alpha >= 1.0 {
            cells.copy_from_slice(&color);
            return;
        }
        for (cell, c) in cells.iter_mut().zip(color) {
            let v = f64::from(*cell) + (f64::from(c) - f64::from(*cell)) * alpha;
            // rounded: `round` is a call where the CPU may be of any kind
            let whole = v as u8;
            *cell = whole.saturating_add(u8::from(v - f64::from(whole) >= 0.5));
        }
    }

    /// Rows or columns touched by `low..high`, within `0..limit`.
    fn span(low: f64, high: f64, limit: usize) -> std::ops::Range<usize> {
        let end = (high.ceil().max(0.0) as usize).min(limit);
        (low.floor().max(0.0) as usize).min(end)..end
    }

    /// A stroke from `p` to `q` with round ends; a disc if they are the same.
    pub fn stroke(&mut self, p: (f64, f64), q: (f64, f64), width: f64, color: Rgb) {
        if ![p.0, p.1, q.0, q.1, width].iter().all(|v| v.is_finite()) {
            return;
        }
        // Strokes thinner than a pixel keep a pixel's width and get paler.
        let (r, strength) = (width.max(1.0) / 2.0, width.clamp(0.0, 1.0));
        let (dx, dy) = (q.0 - p.0, q.1 - p.1);
        let length2 = dx * dx + dy * dy;
        let columns = Self::span(p.0.min(q.0) - r - 1.0, p.0.max(q.0) + r + 1.0, self.width);
        for y in Self::span(p.1.min(q.1) - r - 1.0, p.1.max(q.1) + r + 1.0, self.height) {
            for x in columns.clone() {
                let (px, py) = (x as f64 + 0.5 - p.0, y as f64 + 0.5 - p.1);
                let t = if length2 > 0.0 { ((px * dx + py * dy) / length2).clamp(0.0, 1.0) } else { 0.0 };
                let coverage = (r + 0.5 - (px - t * dx).hypot(py - t * dy)).clamp(0.0, 1.0);
                if coverage > 0.0 {
                    self.blend(x, y, color, coverage * strength);
                }
            }
        }
    }

    /// A rectangle; its edges may lie between pixels.
    pub fn rect(&mut self, (x0, y0): (f64, f64), (x1, y1): (f64, f64), color: Rgb) {
        if ![x0, y0, x1, y1].iter().all(|v| v.is_finite()) {
            return;
        }
        let overlap = |i: usize, low: f64, high: f64| (high.min(i as f64 + 1.0) - low.max(i as f64)).clamp(0.0, 1.0);
        let columns: Vec<_> = Self::span(x0, x1, self.width).map(|x| (x, overlap(x, x0, x1))).collect();
        for y in Self::span(y0, y1, self.height) {
            let rows = overlap(y, y0, y1);
            for &(x, share) in &columns {
                self.blend(x, y, color, rows * share);
            }
        }
    }

    /// The area between two curves: at every `x`, ascending, from one `y` to the other.
    pub fn band(&mut self, points: &[(f64, f64, f64)], color: Rgb, alpha: f64) {
        for pair in points.windows(2) {
            let ((x0, a0, b0), (x1, a1, b1)) = (pair[0], pair[1]);
            if ![x0, a0, b0, x1, a1, b1].iter().all(|v| v.is_finite()) || x1 <= x0 {
                continue;
            }
            for x in Self::span(x0, x1, self.width) {
                // the part of this column between the two points, and the curves in its middle
                let (from, to) = (x0.max(x as f64), x1.min(x as f64 + 1.0));
                let t = (f64::midpoint(from, to) - x0) / (x1 - x0);
                let (a, b) = (a0 + (a1 - a0) * t, b0 + (b1 - b0) * t);
                let (top, bottom) = (a.min(b), a.max(b));
                for y in Self::span(top, bottom, self.height) {
                    let rows = (bottom.min(y as f64 + 1.0) - top.max(y as f64)).clamp(0.0, 1.0);
                    self.blend(x, y, color, alpha * rows * (to - from));
                }
            }
        }
    }

    /// A convex polygon.
    pub fn convex(&mut self, points: &[(f64, f64)], color: Rgb) {
        if points.len() < 3 || !points.iter().all(|p| p.0.is_finite() && p.1.is_finite()) {
            return;
        }
        let edges = || points.iter().zip(points.iter().cycle().skip(1));
        let turn = edges().map(|(p, q)| p.0 * q.1 - q.0 * p.1).sum::<f64>().signum();
        // each edge's begin, direction and length: once, not for every pixel
        let sides: Vec<_> = edges().map(|(p, q)| (p, q.0 - p.0, q.1 - p.1, (q.0 - p.0).hypot(q.1 - p.1))).collect();
        let bounds = |f: fn(&(f64, f64)) -> f64| {
            points.iter().map(f).fold((f64::MAX, f64::MIN), |b, v| (b.0.min(v), b.1.max(v)))
        };
        let ((x0, x1), (y0, y1)) = (bounds(|p| p.0), bounds(|p| p.1));
        for y in Self::span(y0 - 1.0, y1 + 1.0, self.height) {
            for x in Self::span(x0 - 1.0, x1 + 1.0, self.width) {
                let centre = (x as f64 + 0.5, y as f64 + 0.5);
                let inside = sides.iter().map(|&(p, dx, dy, length)| {
                    if length == 0.0 {
                        1.0
                    } else {
                        turn * (dx * (centre.1 - p.1) - dy * (centre.0 - p.0)) / length + 0.5
                    }
                });
                let coverage = inside.fold(1.0, f64::min);
                if coverage > 0.0 {
                    self.blend(x, y, color, coverage);
                }
            }
        }
    }

    /// Sets a text mask's pen start at (`x`, `y`); `upwards` turns it to read from the bottom to the top.
    pub fn stamp(&mut self, mask: &Mask, x: i32, y: i32, upwards: bool, color: Rgb) {
        for (i, &coverage) in mask.coverage.iter().enumerate().filter(|(_, c)| **c > 0) {
            let along = (i % mask.width) as i32 - mask.left;
            let down = (i / mask.width) as i32 - mask.baseline;
            let (px, py) = if upwards { (x + down, y - along) } else { (x + along, y + down) };
            if px >= 0 && py >= 0 && (px as usize) < self.width && (py as usize) < self.height {
                self.blend(px as usize, py as usize, color, f64::from(coverage) / 255.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ink(r: &Raster) -> f64 {
        r.rgb.chunks(3).map(|p| 1.0 - f64::from(p[0]) / 255.0).sum()
    }

    #[test]
    fn areas_are_right() {
        let mut r = Raster::new(50, 50);
        r.rect((10.25, 10.0), (20.5, 14.0), [0; 3]);
        assert!((ink(&r) - 41.0).abs() < 0.1, "{}", ink(&r));
        let mut r = Raster::new(50, 50);
        r.stroke((10.0, 10.0), (40.0, 30.0), 3.0, [0; 3]);
        let area = 3.0 * 30f64.hypot(20.0) + std::f64::consts::PI * 2.25;
        assert!((ink(&r) - area).abs() < 0.03 * area, "{} {area}", ink(&r));
        for points in [[(5.0, 5.0), (45.0, 5.0), (25.0, 45.0)], [(5.0, 5.0), (25.0, 45.0), (45.0, 5.0)]] {
            let mut r = Raster::new(50, 50);
            r.convex(&points, [0; 3]);
            assert!((ink(&r) - 800.0).abs() < 12.0, "{}", ink(&r));
        }
    }

    #[test]
    fn colours_are_rounded() {
        let mut r = Raster::new(1, 1);
        for (start, color, alpha) in (0..=255u8).flat_map(|a| [0, 7, 128, 255].map(|c| (a, c, f64::from(a) / 255.0))) {
            for alpha in [alpha, 0.5, 1.0 / 3.0, 0.0, 1.0] {
                r.rgb.fill(start);
                r.blend(0, 0, [color; 3], alpha);
                let v = f64::from(start) + (f64::from(color) - f64::from(start)) * alpha;
                assert_eq!(r.rgb, [v.round() as u8; 3], "{start} {color} {alpha}");
            }
        }
    }

    #[test]
    fn nothing_outside_and_nothing_odd() {
        let mut r = Raster::new(4, 4);
        r.stroke((-9.0, -9.0), (-5.0, 1e18), 1.0, [0; 3]);
        r.stroke((f64::NAN, 0.0), (1.0, 1.0), 1.0, [0; 3]);
        r.rect((9.0, 9.0), (2.0, f64::INFINITY), [0; 3]);
        r.rect((3.0, 3.0), (1.0, 1.0), [0; 3]);
        r.convex(&[(1.0, 1.0); 2], [0; 3]);
        assert_eq!(ink(&r), 0.0);
    }
}
