//! The font of the figures: measured, and rasterised into coverage masks.
//!
//! Ubuntu Light comes with `epaint_default_fonts` (Ubuntu Font Licence 1.0), so figures look alike on every computer.
//! Its thin strokes are thickened a little when they are drawn: that gives the regular weight, and the bold one.
//! An SVG names the family and carries the measured width of every text; its viewer brings the letters.

use crate::error::{Error, Result};
use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};
use std::sync::OnceLock;

/// The family, as an SVG names it and as it is registered with plotters.
pub const FAMILY: &str = "Ubuntu, 'Noto Sans', 'DejaVu Sans', Helvetica, Arial, sans-serif";
/// The font file.
pub(crate) const FONT: &[u8] = epaint_default_fonts::UBUNTU_LIGHT;
/// Height of a capital letter, em.
pub const CAP_HEIGHT: f64 = 0.693;
/// Longest text drawn, characters; what is longer ends in an ellipsis.
const LONGEST: usize = 240;
/// Sub-pixels per pixel of a mask, in each direction.
const SUB: usize = 4;

/// A whole number, 0 or more, with its thousands set apart.
pub fn grouped(count: impl std::fmt::Display) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Weight of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// For all but titles.
    Regular,
    /// For titles.
    Bold,
}

impl Weight {
    /// By how much the strokes are thickened, em.
    pub(crate) fn thicken(self) -> f64 {
        match self {
            Self::Regular => 0.02,
            Self::Bold => 0.055,
        }
    }

    /// By how much the letters are set apart, em.
    pub(crate) fn spacing(self) -> f64 {
        match self {
            Self::Regular => 0.006,
            Self::Bold => 0.03,
        }
    }
}

/// Coverage of a text, one byte a pixel, row by row.
pub struct Mask {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Column of the pen's start.
    pub left: i32,
    /// Row of the baseline.
    pub baseline: i32,
    /// Coverage, 0..=255.
    pub coverage: Vec<u8>,
}

/// The text as it is drawn: one line, no control characters, not endless.
pub fn clean(text: &str) -> String {
    let mut out: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}

/// Width of a text, em.
pub fn width_em(text: &str, weight: Weight) -> f64 {
    let face = face();
    clean(text).chars().map(|c| face.advance(c) + weight.spacing()).sum()
}

/// `text`, shortened with an ellipsis until it is at most `max_em` wide.
pub fn shorten(text: &str, weight: Weight, max_em: f64) -> String {
    let mut out = clean(text);
    if width_em(&out, weight) <= max_em {
        return out;
    }
    while !out.is_empty() && width_em(&out, weight) + width_em("…", weight) > max_em {
        out.pop();
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// The glyph of a character, 0 if the font has none, and its advance, em.
pub(crate) fn glyph(c: char) -> (u16, f64) {
    (face().glyph(c) as u16, face().advance(c))
}

/// True if the font has a glyph for every character.
pub fn has_all(text: &str) -> bool {
    text.chars().all(|c| face().glyph(c) != 0)
}

/// Rasterises a line of text at `em` pixels per em; `shift` in 0..1 moves it right by a part of a pixel.
pub fn rasterise(text: &str, em: f64, weight: Weight, shift: f64) -> Result<Mask> {
    register()?;
    let text = clean(text);
    let face = face();
    // plotters measures a font by ascent minus descent, and sets the baseline half of that below the position.
    let size = ((em * SUB as f64 * face.line_em / 2.0).round().clamp(2.0, 4000.0) as i32) * 2;
    let sub_em = f64::from(size) / face.line_em;
    let pad = SUB * 2;
    let rows = ((1.4 * sub_em) as usize + 2 * pad).next_multiple_of(SUB);
    let columns = (((width_em(&text, weight) + 0.6) * sub_em) as usize + 2 * pad).next_multiple_of(SUB);
    let (left, baseline) = (pad + (0.2 * sub_em) as usize, pad + sub_em as usize);
    let (left, baseline) = (left.next_multiple_of(SUB), baseline.next_multiple_of(SUB));
    let mut fine = vec![0u8; rows * columns];
    let font = FontDesc::new(FontFamily::Name(FAMILY), f64::from(size), FontStyle::Normal);
    let (dx, dy) = (weight.thicken() * sub_em, weight.thicken() * 0.5 * sub_em);
    let (dx, dy) = (dx.round() as i32, dy.round() as i32);
    let mut pen = left as f64 + shift * SUB as f64;
    for c in text.chars() {
        let x = pen.round() as i32 + (face.bearing(c) * sub_em).floor() as i32 - dx / 2;
        let y = baseline as i32 - size / 2 - dy / 2;
        let mut put = |gx: i32, gy: i32, v: f32| -> std::result::Result<(), std::convert::Infallible> {
            let v = (v.clamp(0.0, 1.0) * 255.0) as u8;
            if v == 0 {
                return Ok(());
            }
            for oy in 0..=dy {
                for ox in 0..=dx {
                    let (px, py) = (gx + ox, gy + oy);
                    if px >= 0 && py >= 0 && (px as usize) < columns && (py as usize) < rows {
                        let cell = &mut fine[py as usize * columns + px as usize];
                        *cell = (*cell).max(v);
                    }
                }
            }
            Ok(())
        };
        let drawn = font.draw(c.encode_utf8(&mut [0; 4]), (x, y), &mut put);
        drawn
            .map_err(|e| Error::data("figures", format!("the font cannot be drawn: {e}"), "rebuild the program"))?
            .ok();
        pen += (face.advance(c) + weight.spacing()) * sub_em;
    }
    let (width, height) = (columns / SUB, rows / SUB);
    let mut coverage = vec![0u8; width * height];
    for (i, out) in coverage.iter_mut().enumerate() {
        let (x, y) = (i % width * SUB, i / width * SUB);
        let sum: usize = (0..SUB * SUB).map(|k| usize::from(fine[(y + k / SUB) * columns + x + k % SUB])).sum();
        *out = (sum / (SUB * SUB)) as u8;
    }
    Ok(Mask { width, height, left: (left / SUB) as i32, baseline: (baseline / SUB) as i32, coverage })
}

fn register() -> Result<()> {
    static DONE: OnceLock<bool> = OnceLock::new();
    if *DONE.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok()) {
        Ok(())
    } else {
        Err(Error::data("figures", "the built-in font cannot be read", "rebuild the program"))
    }
}

/// Advances and bearings from the font's own tables. (plotters places a glyph by its advance alone and forgets the
/// bearing; letters set that way stand unevenly.)
struct Face {
    data: &'static [u8],
    cmap: usize,
    hmtx: usize,
    metrics: usize,
    units: f64,
    line_em: f64,
}

fn face() -> &'static Face {
    static FACE: OnceLock<Face> = OnceLock::new();
    FACE.get_or_init(|| Face::read(FONT))
}

impl Face {
    fn read(data: &'static [u8]) -> Self {
        let mut face = Self { data, cmap: 0, hmtx: 0, metrics: 1, units: 1000.0, line_em: 1.2 };
        let table = |tag: &[u8; 4]| {
            let records = (0..face.u16(4) as usize).map(|i| 12 + 16 * i);
            records.into_iter().find(|&r| data.get(r..r + 4) == Some(tag)).map_or(0, |r| face.u32(r + 8))
        };
        let (head, hhea, hmtx, cmap) = (table(b"head"), table(b"hhea"), table(b"hmtx"), table(b"cmap"));
        let units = f64::from(face.u16(head + 18)).max(1.0);
        let line = f64::from(face.u16(hhea + 4) as i16) - f64::from(face.u16(hhea + 6) as i16);
        let tables = (0..face.u16(cmap + 2) as usize).map(|i| cmap + face.u32(cmap + 8 + 8 * i));
        let format4 = tables.into_iter().find(|&t| face.u16(t) == 4).unwrap_or(0);
        face.metrics = usize::from(face.u16(hhea + 34)).max(1);
        (face.cmap, face.hmtx, face.units, face.line_em) = (format4, hmtx, units, (line / units).max(0.5));
        face
    }

    fn u16(&self, at: usize) -> u16 {
        self.data.get(at..at + 2).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]))
    }

    fn u32(&self, at: usize) -> usize {
        usize::from(self.u16(at)) << 16 | usize::from(self.u16(at + 2))
    }

    /// The glyph of a character by the cmap's format 4 table; 0 if the font has none.
    fn glyph(&self, c: char) -> usize {
        let Ok(code) = u16::try_from(u32::from(c)) else { return 0 };
        let twice = usize::from(self.u16(self.cmap + 6));
        let (ends, starts) = (self.cmap + 14, self.cmap + 16 + twice);
        let Some(i) = (0..twice / 2).find(|i| self.u16(ends + 2 * i) >= code) else { return 0 };
        let start = self.u16(starts + 2 * i);
        if code < start {
            return 0;
        }
        let (delta, range_at) = (self.u16(starts + twice + 2 * i), starts + 2 * twice + 2 * i);
        match self.u16(range_at) {
            0 => usize::from(code.wrapping_add(delta)),
            range => match self.u16(range_at + usize::from(range) + 2 * usize::from(code - start)) {
                0 => 0,
                glyph => usize::from(glyph.wrapping_add(delta)),
            },
        }
    }

    fn advance(&self, c: char) -> f64 {
        f64::from(self.u16(self.hmtx + 4 * self.glyph(c).min(self.metrics - 1))) / self.units
    }

    fn bearing(&self, c: char) -> f64 {
        let glyph = self.glyph(c);
        let tail = glyph.saturating_sub(self.metrics - 1);
        let at = if tail == 0 { 4 * glyph + 2 } else { 4 * self.metrics + 2 * (tail - 1) };
        f64::from(self.u16(self.hmtx + at) as i16) / self.units
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_what_the_figures_write() {
        assert!(has_all("abcXYZ0123456789.,:;()/%+-=<>_−–·×…µ±≥éüρ"));
        assert!(!has_all("心"));
    }

    #[test]
    fn widths_and_shortening() {
        assert!((width_em("0", Weight::Regular) - 0.57).abs() < 0.03);
        assert!(width_em("mm", Weight::Bold) > width_em("mm", Weight::Regular));
        let short = shorten("a very long record name", Weight::Regular, 5.0);
        assert!(short.ends_with('…') && width_em(&short, Weight::Regular) <= 5.0, "{short}");
        assert_eq!(shorten("SR", Weight::Regular, 5.0), "SR");
        assert_eq!(clean("a\nb"), "a b");
        assert_eq!(clean(&"x".repeat(10_000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn letters_are_drawn_above_the_baseline() {
        let mask = rasterise("H", 40.0, Weight::Regular, 0.0).unwrap();
        let rows: Vec<usize> = (0..mask.height)
            .filter(|y| mask.coverage[y * mask.width..(y + 1) * mask.width].iter().any(|&v| v > 127))
            .collect();
        assert_eq!(rows.len(), rows[rows.len() - 1] - rows[0] + 1);
        assert!((rows.len() as f64 - CAP_HEIGHT * 40.0).abs() <= 2.0, "{}", rows.len());
        assert!((rows[rows.len() - 1] as i32 - mask.baseline).abs() <= 1);
        assert!(
            rasterise("", 0.0, Weight::Bold, 0.5).is_ok() && rasterise("心\u{1F493}", 9.0, Weight::Bold, 0.5).is_ok()
        );
    }
}
