//! A page to draw on, in millimetres from its upper left corner, that becomes a `.png`, a `.svg` or a `.pdf`.

use crate::error::{Error, Result};
use crate::plot::output;
use crate::plot::pdf::Pdf;
use crate::plot::raster::Raster;
use crate::plot::style::{INK, MM_PER_PT, PT_LABEL, Page, Rgb, WHITE, mix};
use crate::plot::text::{self, Weight};
use plotters::prelude::{DrawingBackend, FontDesc, FontFamily, FontStyle, SVGBackend, TextStyle};
use plotters::style::{Color, RGBColor, text_anchor};

/// A point, mm.
pub type Point = (f64, f64);

/// SVG units per mm.
const UNITS: f64 = 100.0;
/// plotters writes a text's size into an SVG divided by this.
const SVG_SIZE: f64 = 1.24;

/// Where a text stands to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It starts there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// How a text is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Type {
    /// Size, pt.
    pub pt: f64,
    /// Colour.
    pub color: Rgb,
    /// Weight.
    pub weight: Weight,
    /// Where it stands.
    pub anchor: Anchor,
    /// Reads from the bottom to the top.
    pub upwards: bool,
}

impl Type {
    /// Regular ink of `pt` points, starting at its point.
    pub const fn new(pt: f64) -> Self {
        Self { pt, color: INK, weight: Weight::Regular, anchor: Anchor::Start, upwards: false }
    }

    /// The same, bold.
    pub const fn bold(self) -> Self {
        Self { weight: Weight::Bold, ..self }
    }

    /// The same in another colour.
    pub const fn color(self, color: Rgb) -> Self {
        Self { color, ..self }
    }

    /// The same, centred on its point.
    pub const fn middle(self) -> Self {
        Self { anchor: Anchor::Middle, ..self }
    }

    /// The same, ending at its point.
    pub const fn end(self) -> Self {
        Self { anchor: Anchor::End, ..self }
    }

    /// The same, reading upwards.
    pub const fn upwards(self) -> Self {
        Self { upwards: true, ..self }
    }

    /// Size, mm per em.
    pub fn em(&self) -> f64 {
        self.pt * MM_PER_PT
    }

    /// Width of a text set so, mm.
    pub fn width(&self, text: &str) -> f64 {
        text::width_em(text, self.weight) * self.em()
    }

    /// `text`, shortened with an ellipsis to at most `mm`.
    pub fn shorten(&self, text: &str, mm: f64) -> String {
        text::shorten(text, self.weight, mm / self.em())
    }

    /// How far below its middle a text's baseline lies, mm.
    pub fn drop(&self) -> f64 {
        text::CAP_HEIGHT * self.em() / 2.0
    }
}

impl Default for Type {
    fn default() -> Self {
        Self::new(PT_LABEL)
    }
}

enum Target<'a> {
    Bitmap(Raster),
    Svg(SVGBackend<'a>),
    Pdf(Box<Pdf>),
}

/// A page being drawn.
pub struct Canvas<'a> {
    page: Page,
    target: Target<'a>,
    /// Widths of the SVG's texts in the order of drawing, SVG units.
    widths: Vec<f64>,
    failed: Option<String>,
}

impl Canvas<'_> {
    /// The page.
    pub fn page(&self) -> Page {
        self.page
    }

    fn scaled(&self, points: &[Point], by: f64) -> Vec<(i32, i32)> {
        points.iter().map(|p| ((p.0 * by).round() as i32, (p.1 * by).round() as i32)).collect()
    }

    fn note<E: std::fmt::Display>(&mut self, result: std::result::Result<(), E>) {
        if let Err(e) = result {
            self.failed.get_or_insert_with(|| e.to_string());
        }
    }

    /// `color` mixed with the page: 0 is the page, 1 the colour.
    pub fn tint(&self, color: Rgb, strength: f64) -> Rgb {
        let theme = self.page.theme;
        mix(theme.color(WHITE), theme.color(color), strength)
    }

    /// A filled rectangle between two corners.
    pub fn rect(&mut self, a: Point, b: Point, color: Rgb) {
        let color = self.page.theme.color(color);
        let ((x0, x1), (y0, y1)) = ((a.0.min(b.0), a.0.max(b.0)), (a.1.min(b.1), a.1.max(b.1)));
        let page = self.page;
        let corners = self.scaled(&[(x0, y0), (x1, y1)], UNITS);
        match &mut self.target {
            Target::Bitmap(r) => r.rect((page.px(x0), page.px(y0)), (page.px(x1), page.px(y1)), color),
            Target::Pdf(pdf) => pdf.fill(&[(x0, y0), (x1, y0), (x1, y1), (x0, y1)], color, 1.0),
            Target::Svg(svg) => {
                let drawn = svg.draw_rect(corners[0], corners[1], &rgb(color), true);
                self.note(drawn);
            }
        }
    }

    /// A line of `pt` points; level and upright ones are set sharply on the bitmap's pixels.
    pub fn line(&mut self, a: Point, b: Point, pt: f64, color: Rgb) {
        let page = self.page;
        if let Target::Bitmap(r) = &mut self.target
            && (a.0 == b.0 || a.1 == b.1)
        {
            let width = page.pt_px(pt).round().max(1.0);
            let edge = |v: f64| (page.px(v) - width / 2.0).round();
            let (x0, x1) = (edge(a.0.min(b.0)), edge(a.0.max(b.0)) + width);
            let (y0, y1) = (edge(a.1.min(b.1)), edge(a.1.max(b.1)) + width);
            let color = page.theme.color(color);
            return r.rect((x0, y0), (x1, y1), color);
        }
        self.polyline(&[a, b], pt, color);
    }

    /// Joined lines of `pt` points; a dot if there is but one point.
    pub fn polyline(&mut self, points: &[Point], pt: f64, color: Rgb) {
        let Some(&first) = points.first() else { return };
        if points.iter().all(|p| *p == first) {
            return self.disc(first, pt * MM_PER_PT / 2.0, color);
        }
        let page = self.page;
        let color = page.theme.color(color);
        let path = self.scaled(points, UNITS);
        match &mut self.target {
            Target::Bitmap(r) => {
                for pair in points.windows(2) {
                    let end = |p: Point| (page.px(p.0), page.px(p.1));
                    r.stroke(end(pair[0]), end(pair[1]), page.pt_px(pt), color);
                }
            }
            Target::Pdf(pdf) => pdf.stroke(points, pt * MM_PER_PT, color),
            Target::Svg(svg) => {
                let width = (pt * MM_PER_PT * UNITS).round().max(1.0) as u32;
                let drawn = svg.draw_path(path, &rgb(color).stroke_width(width));
                self.note(drawn);
            }
        }
    }

    /// The area between two curves, `alpha` (0 to 1) opaque: at every `x`, ascending, from one `y` to the other.
    pub fn band(&mut self, points: &[(f64, f64, f64)], color: Rgb, alpha: f64) {
        if points.len() < 2 {
            return;
        }
        let page = self.page;
        let color = page.theme.color(color);
        let there = points.iter().map(|p| (p.0, p.1));
        let outline: Vec<Point> = there.chain(points.iter().rev().map(|p| (p.0, p.2))).collect();
        let path = self.scaled(&outline, UNITS);
        match &mut self.target {
            Target::Bitmap(r) => {
                let points: Vec<_> = points.iter().map(|p| (page.px(p.0), page.px(p.1), page.px(p.2))).collect();
                r.band(&points, color, alpha);
            }
            Target::Pdf(pdf) => pdf.fill(&outline, color, alpha),
            Target::Svg(svg) => {
                let drawn = svg.fill_polygon(path, &rgb(color).mix(alpha));
                self.note(drawn);
            }
        }
    }

    /// A filled convex polygon.
    pub fn convex(&mut self, points: &[Point], color: Rgb) {
        let page = self.page;
        let color = page.theme.color(color);
        let path = self.scaled(points, UNITS);
        match &mut self.target {
            Target::Bitmap(r) => {
                let points: Vec<Point> = points.iter().map(|p| (page.px(p.0), page.px(p.1))).collect();
                r.convex(&points, color);
            }
            Target::Pdf(pdf) => pdf.fill(points, color, 1.0),
            Target::Svg(svg) => {
                let drawn = svg.fill_polygon(path, &rgb(color));
                self.note(drawn);
            }
        }
    }

    /// A filled disc of radius `mm`.
    pub fn disc(&mut self, centre: Point, mm: f64, color: Rgb) {
        let page = self.page;
        let color = page.theme.color(color);
        let at = self.scaled(&[centre], UNITS)[0];
        match &mut self.target {
            Target::Bitmap(r) => {
                let p = (page.px(centre.0), page.px(centre.1));
                r.stroke(p, p, page.px(2.0 * mm), color);
            }
            Target::Pdf(pdf) => pdf.stroke(&[centre], 2.0 * mm, color),
            Target::Svg(svg) => {
                let drawn = svg.draw_circle(at, (mm * UNITS).round().max(1.0) as u32, &rgb(color), true);
                self.note(drawn);
            }
        }
    }

    /// A line of text whose baseline passes through `at`.
    pub fn text(&mut self, at: Point, text: &str, style: &Type) {
        let text = text::clean(text);
        if text.trim().is_empty() || !at.0.is_finite() || !at.1.is_finite() {
            return;
        }
        let (page, width) = (self.page, style.width(&text));
        let style = &style.color(page.theme.color(style.color));
        let svg_at = self.scaled(&[at], UNITS)[0];
        match &mut self.target {
            Target::Bitmap(r) => {
                let back = match style.anchor {
                    Anchor::Start => 0.0,
                    Anchor::Middle => width / 2.0,
                    Anchor::End => width,
                };
                let (x, y) = if style.upwards { (at.0, at.1 + back) } else { (at.0 - back, at.1) };
                let (x, y) = (page.px(x), page.px(y));
                let shift = if style.upwards { y.ceil() - y } else { x - x.floor() };
                let pen = if style.upwards { (x.round(), y.ceil()) } else { (x.floor(), y.round()) };
                let drawn = text::rasterise(&text, page.pt_px(style.pt), style.weight, shift)
                    .map(|mask| r.stamp(&mask, pen.0 as i32, pen.1 as i32, style.upwards, style.color));
                self.note(drawn);
            }
            Target::Pdf(pdf) => pdf.text(at, &text, width, style),
            Target::Svg(svg) => {
                let h_pos = match style.anchor {
                    Anchor::Start => text_anchor::HPos::Left,
                    Anchor::Middle => text_anchor::HPos::Center,
                    Anchor::End => text_anchor::HPos::Right,
                };
                let size = style.em() * UNITS * SVG_SIZE;
                let slant = if style.weight == Weight::Bold { FontStyle::Bold } else { FontStyle::Normal };
                let mut font = FontDesc::new(FontFamily::Name(text::FAMILY), size, slant);
                if style.upwards {
                    font = font.transform(plotters::style::FontTransform::Rotate270);
                }
                let centred = text_anchor::Pos::new(h_pos, text_anchor::VPos::Center);
                let drawn = svg.draw_text(&text, &TextStyle { pos: centred, ..font.color(&rgb(style.color)) }, svg_at);
                self.widths.push(width * UNITS);
                self.note(drawn);
            }
        }
    }
}

fn rgb(c: Rgb) -> RGBColor {
    RGBColor(c[0], c[1], c[2])
}

/// Subject of errors that know no file.
pub(crate) const FIGURE: &str = "figure";

fn check(page: Page) -> Result<()> {
    let sized = |mm: f64| (1.0..=5000.0).contains(&mm);
    let (width, height) = page.pixels();
    if sized(page.width_mm)
        && sized(page.height_mm)
        && page.dpi > 0.0
        && u64::from(width) * u64::from(height) <= 200_000_000
    {
        return Ok(());
    }
    let what = format!("a page of {} x {} mm at {} dpi cannot be drawn", page.width_mm, page.height_mm, page.dpi);
    Err(Error::data(FIGURE, what, "draw fewer strips, classes or series in one figure"))
}

fn fault(what: String) -> Error {
    Error::data(FIGURE, what, "this is a fault of the figure code: please report it")
}

/// Draws a figure as an SVG document.
///
/// # Errors
/// If the page is not one, and whatever `draw` says.
pub fn svg(page: Page, draw: impl FnOnce(&mut Canvas) -> Result<()>) -> Result<String> {
    check(page)?;
    let mut document = String::new();
    let size = ((page.width_mm * UNITS).round() as u32, (page.height_mm * UNITS).round() as u32);
    let target = Target::Svg(SVGBackend::with_string(&mut document, size));
    let mut canvas = Canvas { page, target, widths: Vec::new(), failed: None };
    canvas.rect((0.0, 0.0), (page.width_mm, page.height_mm), WHITE);
    draw(&mut canvas)?;
    if let Target::Svg(backend) = &mut canvas.target {
        let done = backend.present();
        canvas.note(done);
    }
    let (widths, failed) = (std::mem::take(&mut canvas.widths), canvas.failed.take());
    drop(canvas);
    match failed {
        Some(what) => Err(fault(what)),
        None => Ok(output::finish_svg(&document, page, size, &widths)),
    }
}

/// Draws a figure as the bytes of a PNG.
pub fn png(page: Page, draw: impl FnOnce(&mut Canvas) -> Result<()>) -> Result<Vec<u8>> {
    check(page)?;
    let (width, height) = page.pixels();
    let target = Target::Bitmap(Raster::new(width as usize, height as usize));
    let mut canvas = Canvas { page, target, widths: Vec::new(), failed: None };
    // to the last pixel, of which the page may hold but a part
    canvas.rect((0.0, 0.0), (page.width_mm + 1.0, page.height_mm + 1.0), WHITE);
    draw(&mut canvas)?;
    if let Some(what) = canvas.failed.take() {
        return Err(fault(what));
    }
    let Target::Bitmap(raster) = canvas.target else { return Err(fault("not a bitmap".into())) };
    output::png(&raster, page.dpi).map_err(|e| fault(format!("cannot be encoded: {e}")))
}

/// Draws a figure as the bytes of a PDF, with the letters of its font that it uses.
pub fn pdf(page: Page, draw: impl FnOnce(&mut Canvas) -> Result<()>) -> Result<Vec<u8>> {
    check(page)?;
    let target = Target::Pdf(Box::new(Pdf::new(page)));
    let mut canvas = Canvas { page, target, widths: Vec::new(), failed: None };
    canvas.rect((0.0, 0.0), (page.width_mm, page.height_mm), WHITE);
    draw(&mut canvas)?;
    let Target::Pdf(pdf) = canvas.target else { return Err(fault("not a PDF".into())) };
    pdf.finish(page).map_err(|e| fault(format!("its font cannot be embedded: {e}")))
}

#[cfg(test)]
mod tests;
