//! How the figures look: page, sizes, colours. Nothing else in `plot` and `figures` names a size in points or a colour.

/// A colour, sRGB.
pub type Rgb = [u8; 3];

/// Millimetres in a typographic point.
pub const MM_PER_PT: f64 = 25.4 / 72.0;

/// A page: physical size and resolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Page {
    /// Width, mm.
    pub width_mm: f64,
    /// Height, mm.
    pub height_mm: f64,
    /// Dots per inch of the bitmap (an SVG has none).
    pub dpi: f64,
    /// Colours, and how much larger than laid out it is drawn.
    pub theme: Theme,
}

/// For what a figure is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// A paper: sizes in points as they are, on white.
    #[default]
    Paper,
    /// A talk: letters and lines half as large again, on white.
    Slides,
    /// A dark page: sizes of a paper, light on dark.
    Dark,
}

impl Theme {
    /// Every theme.
    pub const ALL: [Self; 3] = [Self::Paper, Self::Slides, Self::Dark];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Slides => "slides",
            Self::Dark => "dark",
        }
    }

    /// A figure is laid out at its width divided by this, and drawn so much larger.
    pub fn scale(self) -> f64 {
        if self == Self::Slides { 1.5 } else { 1.0 }
    }

    /// The colour that stands for one of this file's on the theme's page: dark pages turn paper, ink and what lies
    /// between them around; colours of data stay.
    pub fn color(self, c: Rgb) -> Rgb {
        if self != Self::Dark {
            return c;
        }
        match c {
            WHITE => [0x12, 0x14, 0x18],
            INK => [0xee, 0xee, 0xee],
            INK_SOFT => [0xb4, 0xb8, 0xbe],
            GRID => [0x36, 0x3a, 0x40],
            NONE => [0x70, 0x74, 0x7a],
            PAPER => [0x20, 0x1a, 0x1c],
            PAPER_SMALL => [0x33, 0x26, 0x28],
            PAPER_LARGE => [0x58, 0x3a, 0x3c],
            SERIES_BLACK => [0xdd, 0xdd, 0xdd],
            TARGET => [0x7f, 0xb2, 0xf0],
            SERIES_BLUE => [0x2e, 0x7c, 0xd6],
            CLASS_NAVY => [0x5b, 0x86, 0xd6],
            CLASS_GREY => [0x9a, 0x9a, 0x9a],
            ARM_PLUM => [0xe0, 0x7a, 0xc0],
            ARM_CRIMSON => [0xe0, 0x52, 0x7f],
            ARM_FOREST => [0x7d, 0xa0, 0x5f],
            ARM_VIOLET => [0x9a, 0x66, 0xff],
            _ => c,
        }
    }
}

/// How figures are to look: the same for all of a command.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Width of the page, mm.
    pub width_mm: f64,
    /// Dots per inch of bitmaps.
    pub dpi: f64,
    /// Theme.
    pub theme: Theme,
}

impl Look {
    /// Width that a figure is laid out at, mm.
    pub fn width(&self) -> f64 {
        self.width_mm / self.theme.scale()
    }

    /// A page of a height as laid out, mm.
    pub fn page(&self, height: f64) -> Page {
        Page { width_mm: self.width(), height_mm: height, dpi: self.dpi, theme: self.theme }
    }

    /// The same page, narrower: of `width` mm as laid out, if that is less.
    pub fn narrow(&self, width: f64, height: f64) -> Page {
        Page { width_mm: self.width().min(width), ..self.page(height) }
    }

    /// Greatest height of a figure as laid out, mm: what a column, or a page, of a journal holds beside its caption.
    pub fn most_height(&self) -> f64 {
        if self.width_mm < 120.0 { 120.0 / self.theme.scale() } else { 235.0 / self.theme.scale() }
    }

    /// Whether a page holds two columns of panels.
    pub fn is_wide(&self) -> bool {
        self.width() >= 110.0
    }
}

impl Default for Look {
    fn default() -> Self {
        Self { width_mm: Page::WIDTH_MM, dpi: Page::DPI, theme: Theme::Paper }
    }
}

impl Page {
    /// Width of two columns of a journal, mm.
    pub const WIDTH_MM: f64 = 180.0;
    /// Resolution of a paper's bitmaps, dots per inch.
    pub const DPI: f64 = 300.0;

    /// Pixels of a length in mm.
    pub fn px(&self, mm: f64) -> f64 {
        mm * self.theme.scale() * self.dpi / 25.4
    }

    /// Pixels of a length in points.
    pub fn pt_px(&self, pt: f64) -> f64 {
        pt * self.theme.scale() * self.dpi / 72.0
    }

    /// Width and height of the bitmap, pixels; at least 1 x 1.
    pub fn pixels(&self) -> (u32, u32) {
        let n = |mm: f64| (self.px(mm).round().min(65_535.0) as u32).max(1);
        (n(self.width_mm), n(self.height_mm))
    }
}

// ---- sizes ----

/// Titles, pt.
pub const PT_TITLE: f64 = 9.0;
/// Axis labels and text lines, pt.
pub const PT_LABEL: f64 = 8.0;
/// Tick labels, legends, notes, pt.
pub const PT_SMALL: f64 = 7.0;
/// The smallest text that a figure may hold, pt.
pub const PT_MIN: f64 = 6.0;
/// Axes, ticks and frames, pt.
pub const PT_AXIS: f64 = 0.5;
/// Grid lines behind curves, pt.
pub const PT_GRID: f64 = 0.35;
/// Curves, pt.
pub const PT_CURVE: f64 = 1.1;

// ---- colours ----

/// Text and axes.
pub const INK: Rgb = [0x1a, 0x1a, 0x1a];
/// Secondary text.
pub const INK_SOFT: Rgb = [0x55, 0x55, 0x55];
/// Grid lines behind curves.
pub const GRID: Rgb = [0xdd, 0xdd, 0xdd];
/// The page.
pub const WHITE: Rgb = [0xff; 3];
/// What has no value: map samples that are not finite, rows without records.
pub const NONE: Rgb = [0xb4, 0xb4, 0xb4];
/// The guidance target.
pub const TARGET: Rgb = [0x24, 0x55, 0x9e];
/// Warnings in a figure (what is cut off).
pub const WARN: Rgb = [0xd5, 0x5e, 0x00];
/// ECG paper.
pub const PAPER: Rgb = [0xff, 0xfa, 0xf8];
/// Its 1 mm lines.
pub const PAPER_SMALL: Rgb = [0xfb, 0xdf, 0xda];
/// Its 5 mm lines.
pub const PAPER_LARGE: Rgb = [0xf2, 0xaf, 0xa6];

const SERIES_BLUE: Rgb = [0x00, 0x72, 0xb2];
const SERIES_BLACK: Rgb = [0x00, 0x00, 0x00];
const CLASS_NAVY: Rgb = [0x20, 0x3e, 0x75];
const CLASS_GREY: Rgb = [0x5c, 0x5c, 0x5c];
const ARM_PLUM: Rgb = [0x4a, 0x0a, 0x44];
const ARM_CRIMSON: Rgb = [0xb0, 0x2a, 0x55];
const ARM_FOREST: Rgb = [0x24, 0x40, 0x1a];
const ARM_VIOLET: Rgb = [0x66, 0x00, 0xcc];
/// Ink and white on a colour of data, which no theme turns around.
const INK_ON: Rgb = [0x1a, 0x1a, 0x1b];
const WHITE_ON: Rgb = [0xff, 0xff, 0xfe];

/// The colours of Okabe and Ito (2008), distinguished by the colour-blind: for what is neither a class nor an arm.
pub const OKABE_ITO: [Rgb; 8] = [
    SERIES_BLUE,
    [0xd5, 0x5e, 0x00], // vermillion
    [0x00, 0x9e, 0x73], // bluish green
    [0xcc, 0x79, 0xa7], // reddish purple
    [0xe6, 0x9f, 0x00], // orange
    [0x56, 0xb4, 0xe9], // sky blue
    SERIES_BLACK,
    [0xf0, 0xe4, 0x42], // yellow: last, it is pale on white
];

/// Colours of classes. Each of the first six is at least 8 units of lightness (L*) from the others, and 0.12 in Oklab as those see
/// it who lack one kind of cones (Machado et al., 2009): grey prints and the colour-blind distinguish them.
const CLASSES: [Rgb; 8] = [
    CLASS_NAVY,
    [0x94, 0xd1, 0xf7], // sky blue
    [0xf2, 0xa1, 0x08], // orange
    [0x4b, 0xa5, 0x8b], // green
    [0xd1, 0x58, 0x00], // vermillion
    [0x9d, 0x3d, 0xb8], // purple
    CLASS_GREY,
    [0xcd, 0xbb, 0x9f], // sand
];

/// Colours of arms, none of which is like a class's; all at least 0.07 in Oklab apart, the first four 0.11 and 14 units of lightness,
/// as above.
const ARMS: [Rgb; 12] = [
    [0x75, 0x87, 0x9a], // slate
    [0xb0, 0xb0, 0x21], // olive
    ARM_CRIMSON,
    ARM_PLUM,
    [0x00, 0x71, 0x84], // teal
    [0x8a, 0x5f, 0x00], // brown
    [0xb8, 0x7f, 0xe8], // lilac
    ARM_FOREST,
    [0x55, 0xcc, 0xcc], // turquoise
    ARM_VIOLET,
    [0xcc, 0x00, 0xff], // magenta
    [0xaa, 0xdd, 0x77], // light green
];

/// The colour of series `index` of what is neither a class nor an arm; starts over after eight.
pub fn series_color(index: usize) -> Rgb {
    OKABE_ITO[index % OKABE_ITO.len()]
}

/// The colour of arm `index` of an experiment, in all figures; starts over after twelve. With the eight shapes of marks 24 arms are
/// told apart.
pub fn arm_color(index: usize) -> Rgb {
    ARMS[index % ARMS.len()]
}

/// Length of the dashes of series `index`, mm, for lines without marks: 0 is an unbroken line.
pub fn series_dash(index: usize) -> f64 {
    [0.0, 1.6, 0.5, 3.2][index % 4]
}

/// The colour of a rhythm class: fixed by name for the classes of EXGnet, so that it is the same in every figure, and
/// by `index` for any other name.
pub fn class_color(name: &str, index: usize) -> Rgb {
    CLASSES[match name {
        "SR" | "N" => 0,
        "SB" => 1,
        "ST" => 2,
        "SI" => 3,
        "AFIB/AFL" | "AFIB" | "AFL" | "A" => 4,
        "SVT/AT" | "GSVT" => 5,
        _ => index % CLASSES.len(),
    }]
}

/// `a` and `b` mixed, `t` = 0 giving `a`, 1 giving `b`.
pub fn mix(a: Rgb, b: Rgb, t: f64) -> Rgb {
    std::array::from_fn(|i| (f64::from(a[i]) + (f64::from(b[i]) - f64::from(a[i])) * t).round().clamp(0.0, 255.0) as u8)
}

/// Relative luminance of a colour, 0..1 (WCAG 2).
pub fn luminance(c: Rgb) -> f64 {
    let lin = |v: u8| {
        let v = f64::from(v) / 255.0;
        if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * lin(c[0]) + 0.7152 * lin(c[1]) + 0.0722 * lin(c[2])
}

/// Ink or white, whichever stands out more from `background`.
pub fn text_on(background: Rgb) -> Rgb {
    let l = luminance(background) + 0.05;
    if 1.05 / l > l / (luminance(INK) + 0.05) { WHITE_ON } else { INK_ON }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_points() {
        let page = Look::default().page(60.0);
        assert_eq!(page.pixels(), (2126, 709));
        assert!((page.pt_px(7.2) - 30.0).abs() < 1e-9);
        assert_eq!(
            Page { width_mm: f64::NAN, height_mm: -3.0, dpi: 300.0, theme: Theme::Paper }.pixels().1,
            1,
            "never an empty bitmap"
        );
    }

    #[test]
    fn classes_and_arms_have_colours_of_their_own() {
        let names = ["SR", "SB", "ST", "SI", "AFIB/AFL", "SVT/AT"];
        assert_eq!(names.map(|n| class_color(n, 9)), CLASSES[..6]);
        assert_eq!((class_color("SR", 5), class_color("other", 11)), (CLASSES[0], CLASSES[3]));
        assert!(CLASSES.iter().all(|c| !ARMS.contains(c) && !OKABE_ITO.contains(c)));
        let mut marked: Vec<(Rgb, usize)> = (0..24).map(|i| (arm_color(i), i % 8)).collect();
        marked.sort_unstable();
        assert!(marked.windows(2).all(|w| w[0] != w[1]), "24 arms have a mark each");
        assert!((0..12).all(|i| (0..i).all(|j| arm_color(i) != arm_color(j))));
        // lightness, as a grey print has it
        let grey = |c: &Rgb| 116.0 * luminance(*c).cbrt() - 16.0;
        for (palette, apart) in [(&CLASSES[..6], 8.0), (&ARMS[..4], 14.0)] {
            let mut all: Vec<f64> = palette.iter().map(grey).collect();
            all.sort_by(f64::total_cmp);
            assert!(all.windows(2).all(|w| w[1] - w[0] > apart), "{all:?}");
        }
    }

    #[test]
    fn text_stands_out_from_its_background() {
        assert_eq!((text_on([255; 3]), text_on([0, 20, 90])), (INK_ON, WHITE_ON));
        assert_eq!([INK_ON, WHITE_ON].map(|c| Theme::Dark.color(c)), [INK_ON, WHITE_ON]);
    }

    #[test]
    fn themes_keep_contrast_and_true_sizes() {
        for theme in Theme::ALL {
            let (page, ink) = (luminance(theme.color(WHITE)), luminance(theme.color(INK)));
            assert!((page.max(ink) + 0.05) / (page.min(ink) + 0.05) > 12.0, "{theme:?}");
            let look = Look { width_mm: 85.0, theme, ..Look::default() };
            assert_eq!(look.page(30.0).pixels().0, 1004, "{theme:?}: a page has the width that was asked for");
        }
        let slides = Look { theme: Theme::Slides, ..Look::default() }.page(30.0);
        assert!((slides.pt_px(8.0) - 1.5 * Look::default().page(30.0).pt_px(8.0)).abs() < 1e-9);
    }
}
