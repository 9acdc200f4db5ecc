//! A page as a PDF: vectors in millimetres, and text in the figures' own font, of which the file holds the letters that it
//! needs. The bytes depend on nothing but what is drawn.

use crate::plot::canvas::{Anchor, Point, Type};
use crate::plot::style::{MM_PER_PT, Page, Rgb};
use crate::plot::text::{self, CAP_HEIGHT};
use pdf_writer::types::{
    CidFontType, FontFlags, LineCapStyle, LineJoinStyle, SystemInfo, TextRenderingMode, UnicodeCmap,
};
use pdf_writer::{Content, Filter, Finish, Name, Rect, Ref, Str};
use std::collections::{BTreeMap, BTreeSet};
use subsetter::GlyphRemapper;

const FONT: Name = Name(b"F");
/// The font's name, with the six letters that mark a part of a font.
const BASE_FONT: Name = Name(b"EXGNET+Ubuntu-Light");
const IDENTITY: SystemInfo = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// A PDF being drawn.
pub(crate) struct Pdf {
    content: Content,
    glyphs: GlyphRemapper,
    /// Of every glyph in the file: its character and its advance, 1/1000 em.
    used: BTreeMap<u16, (char, f32)>,
    /// Opacities, percent.
    alphas: BTreeSet<u32>,
}

/// Micrometres are fine enough.
fn mm(v: f64) -> f32 {
    ((v * 1000.0).round() / 1000.0) as f32
}

fn rgb(c: Rgb) -> [f32; 3] {
    c.map(|v| (f32::from(v) / 255.0 * 1000.0).round() / 1000.0)
}

fn alpha_name(percent: u32) -> String {
    format!("A{percent}")
}

impl Pdf {
    /// An empty page; what is drawn counts mm from its upper left corner.
    pub(crate) fn new(page: Page) -> Self {
        let mut content = Content::new();
        let scale = page.theme.scale() / MM_PER_PT;
        content.transform([scale as f32, 0.0, 0.0, -scale as f32, 0.0, (page.height_mm * scale) as f32]);
        content.set_line_cap(LineCapStyle::RoundCap).set_line_join(LineJoinStyle::RoundJoin);
        Self { content, glyphs: GlyphRemapper::new(), used: BTreeMap::new(), alphas: BTreeSet::new() }
    }

    fn points(&mut self, points: &[Point]) {
        let finite = points.iter().filter(|p| p.0.is_finite() && p.1.is_finite());
        for (i, p) in finite.enumerate() {
            match i {
                0 => self.content.move_to(mm(p.0), mm(p.1)),
                _ => self.content.line_to(mm(p.0), mm(p.1)),
            };
        }
    }

    /// Joined lines of a width, mm; a disc if there is but one point.
    pub(crate) fn stroke(&mut self, points: &[Point], width: f64, color: Rgb) {
        let [r, g, b] = rgb(color);
        self.content.set_stroke_rgb(r, g, b).set_line_width(mm(width));
        self.points(points);
        if let [p] = points {
            self.content.line_to(mm(p.0), mm(p.1));
        }
        self.content.stroke();
    }

    /// A filled polygon.
    pub(crate) fn fill(&mut self, points: &[Point], color: Rgb, alpha: f64) {
        let ([r, g, b], percent) = (rgb(color), (alpha.clamp(0.0, 1.0) * 100.0).round() as u32);
        if percent < 100 {
            self.alphas.insert(percent);
            self.content.save_state().set_parameters(Name(alpha_name(percent).as_bytes()));
        }
        self.content.set_fill_rgb(r, g, b);
        self.points(points);
        self.content.fill_nonzero();
        if percent < 100 {
            self.content.restore_state();
        }
    }

    /// A line of text of a width, mm, whose baseline passes through `at`.
    pub(crate) fn text(&mut self, at: Point, text: &str, width: f64, style: &Type) {
        let back = match style.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => width / 2.0,
            Anchor::End => width,
        };
        let mut codes = Vec::new();
        for c in text.chars() {
            let (glyph, advance) = text::glyph(c);
            let code = self.glyphs.remap(glyph);
            self.used.entry(code).or_insert((c, (advance * 1000.0) as f32));
            codes.extend(code.to_be_bytes());
        }
        let [r, g, b] = rgb(style.color);
        let matrix = match style.upwards {
            true => [0.0, -1.0, -1.0, 0.0, mm(at.0), mm(at.1 + back)],
            false => [1.0, 0.0, 0.0, -1.0, mm(at.0 - back), mm(at.1)],
        };
        // the strokes are thickened as on bitmaps
        let (thicken, spacing) = (style.weight.thicken() * style.em(), style.weight.spacing() * style.em());
        self.content.set_fill_rgb(r, g, b).set_stroke_rgb(r, g, b).set_line_width(mm(thicken)).begin_text();
        self.content.set_font(FONT, mm(style.em())).set_char_spacing(mm(spacing));
        self.content.set_text_rendering_mode(TextRenderingMode::FillStroke).set_text_matrix(matrix);
        self.content.show(Str(&codes)).end_text();
    }

    /// The file's bytes; what is wrong with the font otherwise.
    pub(crate) fn finish(self, page: Page) -> Result<Vec<u8>, String> {
        let [catalog, pages, leaf, content, font, cid, descriptor, file, unicode] =
            std::array::from_fn(|i| Ref::new(i as i32 + 1));
        let mut pdf = pdf_writer::Pdf::new();
        pdf.catalog(catalog).pages(pages);
        pdf.pages(pages).kids([leaf]).count(1);
        let points = |mm: f64| (mm * page.theme.scale() / MM_PER_PT) as f32;
        let mut drawn = pdf.page(leaf);
        drawn.media_box(Rect::new(0.0, 0.0, points(page.width_mm), points(page.height_mm)));
        drawn.parent(pages).contents(content);
        let mut resources = drawn.resources();
        resources.fonts().pair(FONT, font);
        let mut states = resources.ext_g_states();
        for percent in &self.alphas {
            let name = alpha_name(*percent);
            states
                .insert(Name(name.as_bytes()))
                .start::<pdf_writer::writers::ExtGraphicsState>()
                .non_stroking_alpha(*percent as f32 / 100.0);
        }
        states.finish();
        resources.finish();
        drawn.finish();
        let packed = |bytes: &[u8]| miniz_oxide::deflate::compress_to_vec_zlib(bytes, 9);
        pdf.stream(content, &packed(&self.content.finish())).filter(Filter::FlateDecode);

        let subset = subsetter::subset(text::FONT, 0, &self.glyphs).map_err(|e| e.to_string())?;
        let letters = packed(&subset);
        let mut stream = pdf.stream(file, &letters);
        stream.filter(Filter::FlateDecode).pair(Name(b"Length1"), subset.len() as i32);
        stream.finish();
        pdf.type0_font(font)
            .base_font(BASE_FONT)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(cid)
            .to_unicode(unicode);
        let mut part = pdf.cid_font(cid);
        part.subtype(CidFontType::Type2).base_font(BASE_FONT).system_info(IDENTITY).font_descriptor(descriptor);
        part.cid_to_gid_map_predefined(Name(b"Identity")).default_width(0.0);
        let mut widths = part.widths();
        for (code, (_, advance)) in &self.used {
            widths.consecutive(*code, [*advance]);
        }
        widths.finish();
        part.finish();
        let (ascent, descent) = (932.0, -189.0);
        pdf.font_descriptor(descriptor)
            .name(BASE_FONT)
            .flags(FontFlags::SYMBOLIC)
            .bbox(Rect::new(-200.0, -250.0, 1500.0, 1000.0))
            .italic_angle(0.0)
            .ascent(ascent)
            .descent(descent)
            .cap_height((CAP_HEIGHT * 1000.0) as f32)
            .stem_v(60.0)
            .font_file2(file);
        let mut map = UnicodeCmap::new(Name(b"Letters"), IDENTITY);
        self.used.iter().filter(|(code, _)| **code != 0).for_each(|(code, (c, _))| map.pair(*code, *c));
        pdf.cmap(unicode, &map.finish());
        Ok(pdf.finish())
    }
}
