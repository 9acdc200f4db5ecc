//! One multiresolution block in detail.

use super::{Block, Conv, arrow, corners, outline, shape};
use crate::plot::axes::number;
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::style::{INK, INK_SOFT, OKABE_ITO, PT_AXIS, PT_MIN, PT_SMALL, Rgb};
use crate::plot::text::grouped;

/// Height of a box of one line, of a further line, and of the space below a box, mm.
const BOX: f64 = 4.4;
const LINE: f64 = 3.0;
const SPACE: f64 = 3.4;
/// Radius of the sum, mm.
const SUM: f64 = 1.5;

const CONV: (Rgb, f64) = (OKABE_ITO[0], 0.2);
const NORM: (Rgb, f64) = (INK, 0.1);
const PLAIN: (Rgb, f64) = (INK, 0.0);

/// What a convolution's box says, a line each.
fn lines(conv: &Conv) -> Vec<String> {
    let mut lines = vec![format!("conv k {}", conv.kernel)];
    for (name, value) in [("stride", conv.stride), ("dilation", conv.dilation)] {
        if value != 1 {
            lines.push(format!("{name} {value}"));
        }
    }
    lines.push(format!("{} to {}", conv.channels[0], conv.channels[1]));
    lines.push(grouped(conv.parameters));
    lines
}

/// Height of the convolutions' boxes, mm.
fn conv_height(block: &Block) -> f64 {
    let most = block.convs.iter().chain(&block.shortcut).map(|c| lines(c).len()).max().unwrap_or(1);
    BOX + LINE * (most - 1) as f64
}

/// Height of the drawing, mm.
pub(super) fn height(block: &Block) -> f64 {
    let squeeze = if block.squeeze.is_some() { BOX + SPACE } else { 0.0 };
    let boxes = 6.0 * BOX + conv_height(block) + 2.0 * SUM;
    boxes + squeeze + 7.0 * SPACE + 1.0
}

fn label(c: &mut Canvas, (x0, y0): Point, (x1, y1): Point, lines: &[String], fill: (Rgb, f64)) {
    outline(c, &corners((x0, y0), (x1, y1)), fill, false);
    let pt = if x1 - x0 < 13.5 { PT_MIN } else { PT_SMALL };
    let style = Type::new(pt);
    let first = (y0 + y1) / 2.0 - LINE * (lines.len().max(1) - 1) as f64 / 2.0;
    for (i, line) in lines.iter().enumerate() {
        let at = ((x0 + x1) / 2.0, first + LINE * i as f64 + style.drop());
        c.text(at, &style.shorten(line, x1 - x0 - 0.5), &style.middle());
    }
}

/// Draws a block in `width` mm below `(x, y)`.
pub(super) fn draw(c: &mut Canvas, block: &Block, dropout: f64, (x, y): Point, width: f64) {
    let count = block.convs.len().max(1);
    let gap = match (block.cascade, width < 60.0) {
        (true, _) => 3.4,
        (false, true) => 1.0,
        (false, false) => 2.0,
    };
    // a column for the shortcut at the right, wider than the others by nothing
    let column = (width - gap * count as f64 - 1.0) / (count + 1) as f64;
    let left = |i: usize| x + (column + gap) * i as f64;
    let end = left(count - 1) + column;
    let (middle, side) = ((x + end) / 2.0, left(count) + 1.0 + column / 2.0);
    let norm = |channels: usize| vec![format!("BatchNorm ({})", grouped(2 * channels))];

    let mut top = y;
    label(c, (x, top), (end, top + BOX), &[format!("input {}", shape(block.shapes[0]))], PLAIN);
    top += BOX;
    // the input splits
    let bus = top + SPACE / 2.0;
    let tall = conv_height(block);
    let convs_top = top + SPACE;
    c.line((middle, top), (middle, bus), PT_AXIS, INK);
    let first = left(0) + column / 2.0;
    c.line((first.min(middle), bus), (side, bus), PT_AXIS, INK);
    for (i, conv) in block.convs.iter().enumerate() {
        let (from, centre) = (left(i), left(i) + column / 2.0);
        let half = convs_top + tall / 2.0;
        if block.cascade && i > 0 {
            arrow(c, (from - gap, half), (from, half));
        } else {
            arrow(c, (centre, bus), (centre, convs_top));
        }
        label(c, (from, convs_top), (from + column, convs_top + tall), &lines(conv), CONV);
        arrow(c, (centre, convs_top + tall), (centre, convs_top + tall + SPACE));
    }
    top = convs_top + tall + SPACE;
    label(c, (x, top), (end, top + BOX), &[format!("concatenate: {}", shape(block.shapes[1]))], PLAIN);
    arrow(c, (middle, top + BOX), (middle, top + BOX + SPACE));
    top += BOX + SPACE;
    let norm_top = top;
    label(c, (x, top), (end, top + BOX), &norm(block.shapes[1][0]), NORM);
    top += BOX;
    if let Some([hidden, parameters]) = block.squeeze {
        arrow(c, (middle, top), (middle, top + SPACE));
        top += SPACE;
        let style = Type::new(PT_SMALL);
        let long = format!("squeeze-and-excitation, {hidden} hidden ({})", grouped(parameters));
        let short = format!("squeeze-excite {hidden} ({})", grouped(parameters));
        let text = if style.width(&long) < end - x - 2.0 { long } else { short };
        label(c, (x, top), (end, top + BOX), &[text], (OKABE_ITO[3], 0.25));
        top += BOX;
    }
    let sum = (middle, top + SPACE + SUM);
    arrow(c, (middle, top), (middle, top + SPACE));
    shortcut(c, block, (side, column), [bus, convs_top, tall, norm_top, sum.1]);
    arrow(c, (side, sum.1), (middle + SUM, sum.1));
    plus(c, sum);
    top = sum.1 + SUM;
    let mut next = |c: &mut Canvas, text: String, fill: (Rgb, f64)| {
        arrow(c, (middle, top), (middle, top + SPACE));
        label(c, (x, top + SPACE), (end, top + SPACE + BOX), &[text], fill);
        top += SPACE + BOX;
    };
    next(c, "ReLU (where Grad-CAM looks)".into(), PLAIN);
    let share = if dropout.is_finite() { number(dropout) } else { "unknown".into() };
    next(c, format!("dropout {share}, only while training"), PLAIN);
    next(c, format!("output {}", shape(block.shapes[1])), PLAIN);
}

/// The way around the convolutions, from the split to the height of the sum.
fn shortcut(c: &mut Canvas, block: &Block, (side, column): (f64, f64), [bus, convs, tall, norm, sum]: [f64; 5]) {
    let Some(conv) = &block.shortcut else {
        c.line((side, bus), (side, sum), PT_AXIS, INK);
        let style = Type::new(PT_MIN).color(INK_SOFT);
        c.text((side - 1.0, convs + tall / 2.0), "shortcut", &style.middle().upwards());
        return;
    };
    let (x0, x1) = (side - column / 2.0, side + column / 2.0);
    arrow(c, (side, bus), (side, convs));
    label(c, (x0, convs), (x1, convs + tall), &lines(conv), CONV);
    arrow(c, (side, convs + tall), (side, norm));
    label(c, (x0, norm), (x1, norm + BOX), &[format!("BN ({})", grouped(2 * block.shapes[1][0]))], NORM);
    c.line((side, norm + BOX), (side, sum), PT_AXIS, INK);
}

fn plus(c: &mut Canvas, (x, y): Point) {
    c.disc((x, y), SUM, INK_SOFT);
    let page = c.tint(INK, 0.0);
    c.disc((x, y), SUM - 0.2, page);
    c.line((x - 0.8, y), (x + 0.8, y), PT_AXIS * 1.5, INK);
    c.line((x, y - 0.8), (x, y + 0.8), PT_AXIS * 1.5, INK);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_say_what_is_not_usual() {
        let conv = Conv { channels: [256, 85], kernel: 21, stride: 2, dilation: 1, parameters: 456_960 };
        assert_eq!(lines(&conv), ["conv k 21", "stride 2", "256 to 85", "456,960"]);
        assert_eq!(lines(&Conv { stride: 1, dilation: 4, ..conv })[1], "dilation 4");
    }
}
