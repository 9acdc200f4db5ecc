//! The lines of text above strips: facts beside each other, in as many lines as they need.

use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::legend::{LINE, flow};
use crate::plot::style::{INK, INK_SOFT, MM_PER_PT, PT_LABEL, PT_SMALL, PT_TITLE, Rgb, WHITE, class_color};

/// Between the pieces of a fact, mm.
const GAP: f64 = 1.1;
/// Side of the square of a class, and width of the mark of a beat, mm.
const SQUARE: f64 = 0.8 * PT_LABEL * MM_PER_PT;
const MARK: f64 = 1.8;

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String, Type),
    Square(Rgb),
    Mark(bool),
}

impl Piece {
    fn width(&self) -> f64 {
        match self {
            Self::Text(text, style) => style.width(text),
            Self::Square(_) => SQUARE,
            Self::Mark(_) => MARK,
        }
    }
}

/// Something that is said of a strip.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact(Vec<Piece>);

impl Fact {
    /// Words in a colour.
    pub fn words(text: impl Into<String>, color: Rgb) -> Self {
        Self(vec![Piece::Text(text.into(), Type::new(PT_SMALL).color(color))])
    }

    /// A title.
    pub fn title(text: &str) -> Self {
        Self(vec![Piece::Text(text.to_owned(), Type::new(PT_TITLE).bold())])
    }

    /// Soft words before a class (its name and place) in its colour, and words behind it; either may be empty.
    pub fn class(before: &str, (name, index): (&str, usize), behind: &str) -> Self {
        let small = Type::new(PT_SMALL);
        let words = |text: &str, style| Piece::Text(text.to_owned(), style);
        let square = Piece::Square(class_color(name, index));
        let name = words(name, Type::new(PT_LABEL).bold());
        let mut all = vec![words(before, small.color(INK_SOFT)), square, name, words(behind, small)];
        all.retain(|p| !matches!(p, Piece::Text(text, _) if text.is_empty()));
        Self(all)
    }

    /// The class that a network predicts, and its probability.
    pub fn predicted(class: (&str, usize), probability: f64) -> Self {
        let known = probability.is_finite().then(|| format!("({probability:.2})"));
        Self::class("predicted", class, &known.unwrap_or_else(|| "(probability unknown)".into()))
    }

    /// What the mark of an expert's (`true`) or a detector's beats means.
    pub fn beats(expert: bool) -> Self {
        let text = if expert { "annotated beats" } else { "detected R peaks" };
        Self(vec![Piece::Mark(expert), Piece::Text(text.into(), Type::new(PT_SMALL))])
    }

    fn width(&self) -> f64 {
        self.0.iter().map(|p| p.width() + GAP).sum::<f64>() - GAP
    }

    fn draw(&self, c: &mut Canvas, at: Point) {
        let mut x = at.0;
        for piece in &self.0 {
            match piece {
                Piece::Text(text, style) => c.text((x, at.1), text, style),
                Piece::Square(color) => {
                    let middle = at.1 - Type::new(PT_LABEL).drop();
                    c.rect((x, middle - SQUARE / 2.0), (x + SQUARE, middle + SQUARE / 2.0), *color);
                }
                Piece::Mark(full) => mark(c, (x + MARK / 2.0, at.1), 0.9, *full),
            }
            x += piece.width() + GAP;
        }
    }
}

/// Facts in lines.
#[derive(Debug, Clone)]
pub struct Heading {
    facts: Vec<Fact>,
    places: Vec<Point>,
    /// Height of all lines, mm.
    pub height: f64,
}

impl Heading {
    /// Sets facts in lines of `width` mm; what is longer than most of a line is shortened.
    pub fn new(facts: impl IntoIterator<Item = Fact>, width: f64) -> Self {
        let mut facts: Vec<Fact> = facts.into_iter().collect();
        for fact in &mut facts {
            let room = width / if fact.0.len() > 2 { 2.5 } else { 1.05 };
            for piece in &mut fact.0 {
                if let Piece::Text(text, style) = piece {
                    *text = style.shorten(text, room);
                }
            }
        }
        let (places, height) = flow(facts.iter().map(Fact::width), width);
        Self { facts, places, height }
    }

    /// Draws the lines below `corner`.
    pub fn draw(&self, c: &mut Canvas, corner: Point) {
        for (fact, at) in self.facts.iter().zip(&self.places) {
            fact.draw(c, (corner.0 + at.0, corner.1 + at.1 + LINE - 1.3));
        }
    }
}

/// The mark of an R peak, pointing down at `tip`: full for an expert's beat, open for a detector's.
pub(crate) fn mark(c: &mut Canvas, tip: Point, scale: f64, full: bool) {
    let triangle = |s: f64, drop: f64| {
        [(-0.95, -1.7), (0.95, -1.7), (0.0, 0.0)].map(|(x, y)| (tip.0 + x * s, tip.1 + y * s - drop))
    };
    c.convex(&triangle(scale, 0.0), INK);
    if !full {
        c.convex(&triangle(scale * 0.5, scale * 0.5), WHITE);
    }
}
