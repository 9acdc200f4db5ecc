//! The text above the strips of a Grad-CAM figure: classes in their colours, the layer, the marks, the scale.

use super::gradcam::GradCamFigure;
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::paper::{ONE_ROW, ROW, Strip, mark};
use crate::plot::style::{INK_SOFT, PT_LABEL, PT_SMALL, PT_TITLE, WARN, class_color};

/// Where text begins, mm from the page's edge.
pub const LEFT: f64 = 5.0;
/// Letters of these wide pages are larger by this, so that they can be read on a page half as wide.
const LETTERS: f64 = 1.4;

const TITLE: Type = Type::new(PT_TITLE * LETTERS).bold();
const TEXT: Type = Type::new(PT_LABEL * LETTERS);
/// Small letters.
pub const SMALL: Type = Type::new(PT_SMALL * LETTERS);

/// Height of a line of text, mm.
pub const LINE: f64 = 5.6;
/// Pieces of text and their distance from the page's edge, mm.
pub type Line = Vec<(f64, Piece)>;

/// A piece of the text above a strip.
pub enum Piece {
    Text(String, Type),
    /// A class in its colour.
    Class(String),
    /// The mark of an expert's (true) or a detector's (false) beats.
    Mark(bool),
}

impl Piece {
    fn width(&self) -> f64 {
        match self {
            Self::Text(text, style) => style.width(text),
            Self::Class(name) => 4.2 + TEXT.bold().width(name),
            Self::Mark(_) => 2.4,
        }
    }
}

/// Lays groups of pieces out in lines of `width` mm; a group stays together. Gives each line's pieces and their x.
fn lines(groups: Vec<Vec<Piece>>, width: f64) -> Vec<Line> {
    const GAP: f64 = 7.0;
    let mut out: Vec<Line> = vec![Vec::new()];
    let mut x = 0.0;
    for group in groups {
        let wide: f64 = group.iter().map(|p| p.width() + 1.3).sum();
        if x > 0.0 && x + wide > width {
            out.push(Vec::new());
            x = 0.0;
        }
        for piece in group {
            let step = piece.width() + 1.3;
            if let Some(line) = out.last_mut() {
                line.push((LEFT + x, piece));
            }
            x += step;
        }
        x += GAP;
    }
    out.retain(|line| !line.is_empty());
    out
}

/// Draws lines of pieces `top` mm down the page.
pub fn set(c: &mut Canvas, lines: &[Line], top: f64) {
    for (i, line) in lines.iter().enumerate() {
        let base = top + (i as f64 + 1.0) * LINE - 1.6;
        for (x, piece) in line {
            match piece {
                Piece::Text(text, style) => c.text((*x, base), text, style),
                Piece::Class(name) => {
                    let at: Point = (x + 1.5, base - TEXT.drop());
                    c.rect((at.0 - 1.4, at.1 - 1.4), (at.0 + 1.4, at.1 + 1.4), class_color(name, 6));
                    c.text((x + 4.2, base), name, &TEXT.bold());
                }
                Piece::Mark(full) => mark(c, (x + 1.2, base - 0.1), 1.25, *full),
            }
        }
    }
}

fn text(text: impl Into<String>, style: Type) -> Piece {
    Piece::Text(text.into(), style)
}

fn class_groups(fig: &GradCamFigure, width: f64) -> Vec<Vec<Piece>> {
    let class = |name: &str| Piece::Class(TEXT.bold().shorten(name, width / 2.0));
    let soft = TEXT.color(INK_SOFT);
    let probability = match fig.probability.is_finite() {
        true => format!("(probability {:.2})", fig.probability),
        false => "(probability unknown)".to_owned(),
    };
    let mut groups = Vec::new();
    if let Some(name) = fig.true_class {
        groups.push(vec![text("true", soft), class(name)]);
    }
    groups.push(vec![text("predicted", soft), class(fig.predicted_class), text(probability, TEXT)]);
    groups
}

fn beats_group(expert: bool) -> Vec<Piece> {
    vec![Piece::Mark(expert), text(if expert { "expert beats" } else { "detected R peaks" }, TEXT)]
}

fn holes_group(strip: &Strip) -> Option<Vec<Piece>> {
    strip.has_holes().then(|| vec![text("grey: the map has no value", TEXT)])
}

/// Says that a map is zero everywhere: its colour means nothing.
fn dead_group(fig: &GradCamFigure) -> Option<Vec<Piece>> {
    let dead = fig.map.iter().all(|&v| v == 0.0);
    dead.then(|| vec![text("dead map: zero everywhere", TEXT.color(WARN))])
}

/// The lines above a strip, `width` mm wide.
pub fn heading(fig: &GradCamFigure, strip: &Strip, width: f64) -> Vec<Line> {
    let soft = TEXT.color(INK_SOFT);
    let mut groups = class_groups(fig, width);
    let layer = TEXT.shorten(fig.layer, width / 2.0);
    let target = Piece::Class(TEXT.bold().shorten(fig.target_class, width / 2.0));
    groups.push(vec![text("map for", soft), target, text("from layer", soft), text(layer, TEXT)]);
    if !fig.r_peaks.is_empty() {
        groups.push(beats_group(fig.expert_beats));
    }
    groups.push(vec![text(strip.scale_text(), TEXT)]);
    groups.extend(holes_group(strip));
    groups.extend(dead_group(fig));
    let mut out = match fig.title {
        Some(title) => lines(vec![vec![text(TITLE.shorten(title, width), TITLE)]], width),
        None => Vec::new(),
    };
    out.extend(lines(groups, width));
    out
}

/// The lines above a strip of a panel.
pub fn panel_heading(fig: &GradCamFigure, strip: &Strip, width: f64) -> Vec<Line> {
    let mut groups = class_groups(fig, width);
    if fig.target_class != fig.predicted_class {
        groups.push(vec![
            text("map for", TEXT.color(INK_SOFT)),
            Piece::Class(TEXT.bold().shorten(fig.target_class, width / 2.0)),
        ]);
    }
    if let Some(title) = fig.title {
        groups.push(vec![text(TEXT.shorten(title, width / 2.0), TEXT.color(INK_SOFT))]);
    }
    if !strip.in_mv {
        groups.push(vec![text(strip.scale_text(), TEXT)]);
    }
    if strip.seconds() > ONE_ROW {
        groups.push(vec![text(format!("first {ROW} s of {:.0} s", strip.seconds()), TEXT)]);
    }
    groups.extend(holes_group(strip));
    groups.extend(dead_group(fig));
    if let Some(cut) = strip.cut_text() {
        groups.push(vec![text(cut, SMALL.color(WARN))]);
    }
    lines(groups, width)
}

/// What holds for all strips of a panel.
pub fn panel_legend(figs: &[GradCamFigure], strips: &[Strip], width: f64) -> Vec<Line> {
    let mut groups = Vec::new();
    if let Some(strip) = strips.iter().find(|s| s.in_mv) {
        groups.push(vec![text(strip.scale_text(), TEXT)]);
    }
    for expert in [true, false] {
        if figs.iter().any(|f| !f.r_peaks.is_empty() && f.expert_beats == expert) {
            groups.push(beats_group(expert));
        }
    }
    let same = figs.iter().all(|f| f.layer == figs[0].layer);
    let layer = if same { TEXT.shorten(figs[0].layer, width / 2.0) } else { "several".to_owned() };
    groups.push(vec![text("map from layer", TEXT.color(INK_SOFT)), text(layer, TEXT)]);
    lines(groups, width)
}
