//! The network: what it is made of, shapes and parameters.

use super::canvas::{Canvas, Type};
use super::figure::Figure;
use super::style::{GRID, INK, INK_SOFT, Look, OKABE_ITO, PT_AXIS, PT_CURVE, PT_LABEL, PT_MIN, PT_SMALL, Rgb};
use crate::error::{Error, Result};

/// A part in the order of the signal.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its name in the model file.
    pub name: String,
    /// What it does, short.
    pub does: String,
    /// Channels and length of what comes out; of a head the number of outputs and 0.
    pub output: (usize, usize),
    /// Trainable parameters.
    pub parameters: usize,
}

/// A network.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Samples of a strip.
    pub samples: usize,
    /// Stem and blocks.
    pub trunk: Vec<Part>,
    /// What follows the average over time.
    pub head: Part,
    /// What exists only while training.
    pub train_only: Vec<Part>,
    /// The block that is guided, an index into the blocks; `None` without XAI guidance.
    pub guided: Option<usize>,
    /// The convolutions of a block: name of each branch.
    pub branches: Vec<String>,
    /// They follow one another, not beside each other.
    pub cascade: bool,
    /// Squeeze-and-excitation follows.
    pub squeeze: bool,
    /// Parameters in all, and those of the exported model.
    pub parameters: (usize, usize),
}

const SIGNAL: Rgb = OKABE_ITO[5];
const BLOCK: Rgb = OKABE_ITO[0];
const HEAD: Rgb = OKABE_ITO[2];
const TRAIN: Rgb = OKABE_ITO[4];

/// A count with its thousands set apart.
fn grouped(count: usize) -> String {
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

fn arrow(c: &mut Canvas, a: (f64, f64), b: (f64, f64)) {
    c.line(a, b, 0.9, INK_SOFT);
    let length = (b.0 - a.0).hypot(b.1 - a.1).max(1e-9);
    let (dx, dy) = ((b.0 - a.0) / length, (b.1 - a.1) / length);
    let foot = (b.0 - 1.5 * dx, b.1 - 1.5 * dy);
    c.convex(&[b, (foot.0 - 0.7 * dy, foot.1 + 0.7 * dx), (foot.0 + 0.7 * dy, foot.1 - 0.7 * dx)], INK_SOFT);
}

fn boxed(c: &mut Canvas, (x, y): (f64, f64), (w, h): (f64, f64), color: Rgb, dashed: bool) {
    let fill = c.tint(color, 0.28);
    c.rect((x, y), (x + w, y + h), fill);
    let corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)];
    if dashed {
        let edge = super::axes::Entry { name: String::new(), color, dash: 0.9 };
        corners.windows(2).for_each(|pair| super::axes::curve(c, pair, &edge));
    } else {
        corners.windows(2).for_each(|pair| c.line(pair[0], pair[1], PT_CURVE, color));
    }
}

/// A box with lines of text in its middle: the first bold.
fn worded(c: &mut Canvas, at: (f64, f64), size: (f64, f64), color: Rgb, dashed: bool, lines: &[String]) {
    boxed(c, at, size, color, dashed);
    const LINE: f64 = 3.3;
    let small = Type::new(PT_SMALL).middle();
    let from = at.1 + size.1 / 2.0 - LINE * (lines.len() as f64 - 1.0) / 2.0 + small.drop();
    for (i, text) in lines.iter().enumerate() {
        let style = if i == 0 { small.bold() } else { Type::new(PT_MIN).middle() };
        c.text((at.0 + size.0 / 2.0, from + LINE * i as f64), &style.shorten(text, size.0 - 0.8), &style);
    }
}

/// Draws the trunk with heights by length and widths by channels, and beneath one block and what exists only while
/// training.
///
/// # Errors
/// Without a block, and with more than 24.
pub fn draw<'a>(look: &Look, stem: &str, net: Network, caption: &str) -> Result<Figure<'a>> {
    let n = net.trunk.len();
    if !(2..=25).contains(&n) {
        let what = format!("{} blocks, expected 1 to 24", n.saturating_sub(1));
        return Err(Error::data(stem, what, "draw a smaller network"));
    }
    let width = look.width();
    // input, trunk, average, head
    let columns = n + 3;
    let per_row = ((width - 6.0) / 17.0) as usize;
    let rows = columns.div_ceil(per_row.max(3));
    let per_row = columns.div_ceil(rows);
    let pitch = (width - 6.0) / per_row as f64;
    const TALL: f64 = 24.0;
    let row_height = TALL + 19.0;
    let below = 4.0 + rows as f64 * row_height;
    let wide = look.is_wide();
    let detail: f64 = if net.cascade { 43.0 } else { 39.0 };
    let train: f64 = if net.train_only.is_empty() { 12.0 } else { 36.0 };
    let height = below + if wide { detail.max(train) } else { detail + train } + 8.0;
    Ok(Figure::new(stem, look.page(height), caption, move |c: &mut Canvas| {
        let longest = (net.samples.max(2) as f64).ln();
        let most = net.trunk.iter().map(|p| p.output.0).max().unwrap_or(1) as f64;
        let place = |i: usize| (3.0 + pitch * ((i % per_row) as f64 + 0.5), 4.0 + row_height * (i / per_row) as f64);
        let tall = |length: usize| (TALL * (length.max(1) as f64).ln() / longest).clamp(2.0, TALL);
        let broad = |channels: usize| 1.6 + (pitch - 6.5).max(1.0) * channels as f64 / most;
        let mut before: Option<(f64, f64, f64)> = None;
        for i in 0..columns {
            let (x, top) = place(i);
            let middle = top + TALL / 2.0;
            let (w, h, color, lines): (f64, f64, Rgb, Vec<String>) = match i {
                0 => (1.6, TALL, SIGNAL, vec!["strip".into(), format!("1 × {}", net.samples), "z-scored".into()]),
                i if i <= n => {
                    let part = &net.trunk[i - 1];
                    let shape = format!("{} × {}", part.output.0, part.output.1);
                    let told = vec![part.name.clone(), shape, part.does.clone(), grouped(part.parameters)];
                    let color = if i == 1 { SIGNAL } else { BLOCK };
                    (broad(part.output.0), tall(part.output.1), color, told)
                }
                i if i == n + 1 => {
                    let last = net.trunk[n - 1].output.0;
                    (broad(last), 2.0, BLOCK, vec!["average".into(), format!("{last}"), "over time".into()])
                }
                _ => {
                    let part = &net.head;
                    let told =
                        vec![part.name.clone(), part.output.0.to_string(), part.does.clone(), grouped(part.parameters)];
                    (5.0, 6.0, HEAD, told)
                }
            };
            if let Some((from, y, _)) = before.filter(|b| b.1 == middle) {
                arrow(c, (from + 0.5, y), (x - w / 2.0 - 0.5, middle));
            }
            boxed(c, (x - w / 2.0, middle - h / 2.0), (w, h), color, false);
            before = Some((x + w / 2.0, middle, w));
            for (k, text) in lines.iter().enumerate() {
                let style = if k == 0 { Type::new(PT_SMALL).bold() } else { Type::new(PT_MIN) }.middle();
                let style = if k == 3 { style.color(INK_SOFT) } else { style };
                let text = style.shorten(text, pitch - 0.6);
                c.text((x, top + TALL + 3.6 + 3.1 * k as f64), &text, &style);
            }
            if net.guided.is_some_and(|g| i == g + 2) {
                let style = Type::new(PT_MIN).bold().middle();
                c.text((x, middle - h / 2.0 - 1.0), "Grad-CAM", &style);
            }
        }
        c.line((3.0, below), (width - 3.0, below), PT_AXIS, GRID);
        let room = if wide { width * 0.56 } else { width };
        block(c, (3.0, below + 2.5), room - 6.0, &net);
        let corner = if wide { (room + 1.0, below + 2.5) } else { (3.0, below + detail + 2.5) };
        training(c, corner, width - corner.0 - 3.0, &net);
        Ok(())
    }))
}

/// One block: branches, concatenation, normalisation, sum.
fn block(c: &mut Canvas, (x, y): (f64, f64), width: f64, net: &Network) {
    let title = Type::new(PT_LABEL).bold();
    let kind = if net.cascade { "cascade" } else { "parallel" };
    c.text((x, y + 3.0), &format!("one block ({kind})"), &title);
    let top = y + 6.0;
    let n = net.branches.len().max(1) as f64;
    let (high, gap) = (6.4, 1.8);
    let middle = top + (n * high + (n - 1.0) * gap) / 2.0;
    let unit = (width - 8.0) / 100.0;
    let at = |share: f64| x + share * unit;
    c.text((x, middle - 0.8), "in", &Type::new(PT_MIN));
    let conv = (at(13.0), 27.0 * unit);
    for (i, name) in net.branches.iter().enumerate() {
        let y = top + i as f64 * (high + gap);
        worded(c, (conv.0, y), (conv.1, high), BLOCK, false, std::slice::from_ref(name));
        if net.cascade && i > 0 {
            arrow(c, (conv.0 + conv.1 * 0.3, y - gap), (conv.0 + conv.1 * 0.3, y));
        } else {
            c.line((at(7.0), middle), (at(7.0), y + high / 2.0), 0.9, INK_SOFT);
            arrow(c, (at(7.0), y + high / 2.0), (conv.0 - 0.3, y + high / 2.0));
        }
        let out = at(45.0);
        c.line((conv.0 + conv.1, y + high / 2.0), (out, y + high / 2.0), 0.9, INK_SOFT);
        c.line((out, y + high / 2.0), (out, middle), 0.9, INK_SOFT);
    }
    c.line((x, middle), (at(7.0), middle), 0.9, INK_SOFT);
    arrow(c, (at(45.0), middle), (at(48.5), middle));
    let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let norm =
        if net.squeeze { words(&["concat", "BatchNorm", "squeeze-exc."]) } else { words(&["concat", "BatchNorm"]) };
    let tall = 10.5;
    worded(c, (at(49.0), middle - tall / 2.0), (20.0 * unit, tall), BLOCK, false, &norm);
    arrow(c, (at(69.0), middle), (at(73.5), middle));
    c.disc((at(76.0), middle), 2.1, BLOCK);
    c.text((at(76.0), middle + 1.1), "+", &Type::new(PT_LABEL).bold().color(super::style::text_on(BLOCK)).middle());
    arrow(c, (at(76.0) + 2.2, middle), (at(83.5), middle));
    worded(c, (at(84.0), middle - tall / 2.0), (18.0 * unit, tall), BLOCK, false, &words(&["ReLU", "dropout"]));
    arrow(c, (at(102.0), middle), (at(107.0), middle));
    // the shortcut runs beneath
    let low = top + n * high + (n - 1.0) * gap + 2.6;
    c.line((at(4.0), middle), (at(4.0), low), 0.9, INK_SOFT);
    c.line((at(4.0), low), (at(76.0), low), 0.9, INK_SOFT);
    arrow(c, (at(76.0), low), (at(76.0), middle + 2.2));
    let style = Type::new(PT_MIN).color(INK_SOFT);
    c.text((at(8.0), low + 2.8), "shortcut: as it is, or 1-tap convolution and BatchNorm", &style);
}

/// What exists only while training, and the counts.
fn training(c: &mut Canvas, (x, y): (f64, f64), width: f64, net: &Network) {
    let small = Type::new(PT_SMALL);
    let counts = format!("{} parameters, {} exported", grouped(net.parameters.0), grouped(net.parameters.1));
    if net.train_only.is_empty() {
        return c.text((x, y + 3.0), &small.shorten(&counts, width), &small);
    }
    c.text((x, y + 3.0), "while training only", &Type::new(PT_LABEL).bold());
    let (top, high, gap) = (y + 6.0, 6.4, 1.8);
    for (i, part) in net.train_only.iter().enumerate() {
        let at = top + i as f64 * (high + gap);
        boxed(c, (x, at), (width, high), TRAIN, true);
        let base = at + high / 2.0 + small.drop();
        c.text((x + 1.2, base), &part.name, &small.bold());
        let from = x + 1.2 + small.bold().width(&part.name) + 2.0;
        let count = grouped(part.parameters);
        let least = Type::new(PT_MIN);
        c.text((x + width - 1.0, base), &count, &least.color(INK_SOFT).end());
        let room = x + width - 2.5 - least.width(&count) - from;
        c.text((from, base), &least.shorten(&part.does, room), &least.color(INK));
    }
    let base = top + net.train_only.len() as f64 * (high + gap) + 2.4;
    c.text((x, base), &small.shorten(&counts, width), &small);
}
