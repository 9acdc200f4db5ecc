//! The parts from the strip to the heads, one below the other.

use super::{NetworkDiagram, arrow, corners, fitting, outline, shown};
use crate::nn::network::{FEATURE_WIDTHS, FEATURES};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::style::{INK, INK_SOFT, OKABE_ITO, PT_AXIS, PT_MIN, PT_SMALL, Rgb};
use crate::plot::text::grouped;

/// Height of a box, and of the space below it, mm.
const BOX: f64 = 4.4;
const SPACE: f64 = 2.1;
/// Height of the column heads, and of the line above the parts that exist only while training.
const HEAD: f64 = 4.2;
const EXTRA: f64 = 4.6;
/// Room on the left for the line of the embedding.
const SIDE: f64 = 4.0;
/// Narrowest box, as a part of the widest.
const NARROWEST: f64 = 0.62;

/// Where a row belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Input,
    Stem,
    Block,
    Pool,
    Head,
    /// Of the parts that exist only while training: whether it reads the embedding, and the row before.
    Extra {
        embedding: bool,
        before: bool,
    },
}

/// A box with its numbers.
#[derive(Debug, Clone)]
pub(super) struct Row {
    kind: Kind,
    /// The same in ever fewer words.
    texts: Vec<String>,
    output: String,
    parameters: Option<usize>,
    /// Samples of input and output; 1 for vectors.
    samples: [usize; 2],
}

/// Kernels of a part's convolutions, each once and without those of one tap beside others, and its largest stride.
fn convolutions(n: &NetworkDiagram, part: &str) -> (String, usize) {
    let own = n.convolutions.iter().filter(|c| c.layer.split(' ').next() == Some(part));
    let mut kernels: Vec<usize> = Vec::new();
    for k in own.clone().map(|c| c.weight[2]) {
        if !kernels.contains(&k) {
            kernels.push(k);
        }
    }
    if kernels.iter().any(|k| *k > 1) {
        kernels.retain(|k| *k > 1);
    }
    let kernels: Vec<String> = kernels.iter().map(usize::to_string).collect();
    (kernels.join(", "), own.map(|c| c.stride).max().unwrap_or(1))
}

/// The rows of a network; blocks in the middle share one where all are higher than `most` mm.
pub(super) fn rows(n: &NetworkDiagram, most: f64) -> Vec<Row> {
    let row = |kind, texts: &[&str], output: String, parameters, samples| Row {
        kind,
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        output,
        parameters,
        samples,
    };
    let two_layers = n.parts.iter().find(|p| p.name == "head").is_some_and(|p| {
        let inputs = n.parts.iter().rev().find(|p| p.output.len() == 2).map_or(0, |p| p.output[0]);
        p.parameters != (inputs + 1) * p.output[0]
    });
    let mut rows = vec![row(Kind::Input, &["one ECG lead", "ECG"], shown(&[1, n.samples]), None, [n.samples; 2])];
    let (mut channels, mut samples) = (1, n.samples);
    for part in &n.parts {
        let (name, parameters) = (part.name.as_str(), Some(part.parameters));
        if let &[out, shorter] = part.output.as_slice() {
            let lengths = [samples, shorter];
            (channels, samples) = (out, shorter);
            let (kernels, stride) = convolutions(n, name);
            // what the convolutions leave
            let pool = lengths[0].div_ceil(stride) / shorter.max(1);
            let step = |by: usize, word: &str| if by > 1 { format!(", {word} {by}") } else { String::new() };
            let [strides, long, short] = [step(stride, "stride"), step(pool, "max pool"), step(pool, "pool")];
            let (kind, texts) = match (name.starts_with("blocks."), stride * pool.max(1)) {
                (false, _) => {
                    let long = format!("{name}: conv k {kernels}{strides}{long}");
                    let texts = [format!("{name}: k {kernels}{strides}{short}"), format!("{name}: k {kernels}")];
                    (Kind::Stem, [vec![long], texts.to_vec(), vec![name.to_owned()]].concat())
                }
                (true, 1) => (Kind::Block, vec![format!("{name}: k {kernels}"), name.into()]),
                (true, by) => {
                    let texts = [
                        format!("{name}: k {kernels}{strides}{long}"),
                        format!("{name}: k {kernels}{strides}{short}"),
                        format!("{name}: {}", format!("{strides}{short}").trim_start_matches(", ")),
                        format!("{name} /{by}"),
                    ];
                    (Kind::Block, texts.to_vec())
                }
            };
            rows.push(Row { texts, ..row(kind, &[], shown(&part.output), parameters, lengths) });
            continue;
        }
        let extra = |embedding, before| Kind::Extra { embedding, before };
        let features = format!("features {FEATURES} to {} to {} = g", FEATURE_WIDTHS[0], FEATURE_WIDTHS[1]);
        let (kind, texts): (Kind, &[&str]) = match name {
            "head" => {
                let pool = ["average over time = e", "average = e", "mean = e", "e"];
                rows.push(row(Kind::Pool, &pool, channels.to_string(), None, [samples, 1]));
                (
                    Kind::Head,
                    if two_layers { &["head: linear, ReLU, linear", "head"] } else { &["head: linear", "head"] },
                )
            }
            "feature" => (extra(false, false), &[&features, "features = g", "g"]),
            "joint" => (extra(true, true), &["joint head on e and g", "joint on e, g", "joint"]),
            _ => (extra(true, false), &["feature regressor on e", "regressor on e", "regressor"]),
        };
        rows.push(row(kind, texts, part.output[0].to_string(), parameters, [1, 1]));
    }
    let too_many = ((height(&rows) - most) / (BOX + SPACE)).ceil().max(0.0) as usize;
    fold(&mut rows, too_many);
    rows
}

/// Makes one row of n more of those of the blocks in the middle; the first and the last block stay.
fn fold(rows: &mut Vec<Row>, too_many: usize) {
    let blocks: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].kind == Kind::Block).collect();
    let count = (too_many + 1).min(blocks.len().saturating_sub(2));
    if too_many == 0 || count < 2 {
        return;
    }
    let from = blocks[0] + (blocks.len() - count).div_ceil(2);
    let name = |row: &Row| row.texts[0].split([':', ' ']).next().unwrap_or_default().to_owned();
    let (first, last) = (&rows[from], &rows[from + count - 1]);
    let short = format!("{} to {}", name(first), name(last).trim_start_matches("blocks."));
    let one = Row {
        kind: Kind::Block,
        texts: vec![format!("{} to {}: {count} blocks", name(first), name(last)), short, format!("{count} blocks")],
        output: last.output.clone(),
        parameters: Some(rows[from..from + count].iter().filter_map(|row| row.parameters).sum()),
        samples: [first.samples[0], last.samples[1]],
    };
    rows.splice(from..from + count, [one]);
}

impl Row {
    fn number(&self) -> String {
        self.parameters.map_or(String::new(), grouped)
    }
}

/// Widths of what stands beside each other, mm.
struct Columns {
    side: f64,
    box_width: f64,
    output_width: f64,
    number_width: f64,
    /// The longest bar; 0 where there is no room for bars.
    bars: f64,
}

impl Columns {
    fn new(rows: &[Row], width: f64) -> Self {
        let (small, tiny) = (Type::new(PT_SMALL), Type::new(PT_MIN));
        let output_width = rows.iter().map(|r| small.width(&r.output)).fold(9.0, f64::max);
        let numbers = rows.iter().map(|r| small.width(&r.number()));
        let number_width = numbers.fold(tiny.width("parameters"), f64::max);
        let side = if rows.iter().any(|r| matches!(r.kind, Kind::Extra { .. })) { SIDE } else { 0.0 };
        let room = width - side - output_width - number_width - 5.0;
        let bars = Some(room - 46.0).filter(|b| *b >= 6.0).map_or(0.0, |b| b.min(16.0));
        let box_width = (room - if bars > 0.0 { bars + 2.0 } else { 0.0 }).clamp(8.0, 46.0);
        Self { side, box_width, output_width, number_width, bars }
    }
}

/// Whether `width` mm leave room for bars of the parameters.
pub(super) fn has_bars(rows: &[Row], width: f64) -> bool {
    Columns::new(rows, width).bars > 0.0
}

/// Height of the rows, mm.
pub(super) fn height(rows: &[Row]) -> f64 {
    let extra = rows.iter().any(|r| matches!(r.kind, Kind::Extra { .. }));
    HEAD + (BOX + SPACE) * rows.len() as f64 + if extra { EXTRA } else { 0.0 }
}

fn fill(kind: Kind, shortens: bool) -> (Rgb, f64) {
    match kind {
        Kind::Input => (INK, 0.0),
        Kind::Stem => (OKABE_ITO[5], 0.4),
        Kind::Block => (OKABE_ITO[0], if shortens { 0.34 } else { 0.16 }),
        Kind::Pool => (INK, 0.1),
        Kind::Head => (OKABE_ITO[2], 0.3),
        Kind::Extra { .. } => (OKABE_ITO[4], 0.22),
    }
}

/// Draws the rows in `width` mm below `(x, y)`.
pub(super) fn draw(c: &mut Canvas, rows: &[Row], (x, y): Point, width: f64) {
    let small = Type::new(PT_SMALL);
    let soft = Type::new(PT_MIN).color(INK_SOFT);
    let Columns { side, box_width, output_width, number_width, bars } = Columns::new(rows, width);
    let middle = x + side + box_width / 2.0;
    let output_x = x + side + box_width + 2.5;
    let number_x = output_x + output_width + 2.5 + number_width;
    c.text((output_x, y + 2.4), &soft.shorten("output", output_width + 2.0), &soft);
    c.text((number_x, y + 2.4), "parameters", &soft.end());
    let most = rows.iter().filter_map(|r| r.parameters).max().unwrap_or(1).max(1) as f64;
    let longest = (rows.iter().map(|r| r.samples[0]).max().unwrap_or(1).max(2) as f64).ln();
    let half = |samples: usize| {
        let t = (samples.max(1) as f64).ln() / longest;
        box_width / 2.0 * (NARROWEST + (1.0 - NARROWEST) * t)
    };
    let mut top = y + HEAD;
    let mut pool = None;
    let mut before_extra = true;
    for (i, row) in rows.iter().enumerate() {
        let extra = matches!(row.kind, Kind::Extra { .. });
        if extra && before_extra {
            before_extra = false;
            c.text((x + side, top + 3.0), &soft.shorten("only while training:", width - side), &soft);
            top += EXTRA;
        }
        let from_above = match row.kind {
            Kind::Input => false,
            Kind::Extra { before, .. } => before,
            _ => i > 0,
        };
        if from_above {
            arrow(c, (middle, top - SPACE), (middle, top));
        }
        let (upper, lower) = (half(row.samples[0]), half(row.samples[1]));
        let shape =
            [(middle - upper, top), (middle + upper, top), (middle + lower, top + BOX), (middle - lower, top + BOX)];
        // vectors of the heads as wide as the text needs
        let shape = match row.kind {
            Kind::Head | Kind::Extra { .. } => {
                corners((middle - box_width / 2.0, top), (middle + box_width / 2.0, top + BOX))
            }
            _ => shape,
        };
        let fits = match row.kind {
            Kind::Head | Kind::Extra { .. } => box_width,
            _ => upper + lower,
        };
        outline(c, &shape, fill(row.kind, row.samples[1] < row.samples[0]), extra);
        let baseline = top + BOX / 2.0 + small.drop();
        c.text((middle, baseline), &fitting(&row.texts, &small, fits - 1.6), &small.middle());
        c.text((output_x, baseline), &row.output, &small);
        c.text((number_x, baseline), &row.number(), &small.end());
        if let Some(p) = row.parameters.filter(|_| bars > 0.0) {
            let tint = c.tint(INK, 0.45);
            let (at, long) = (number_x + 1.8, bars * p as f64 / most);
            c.rect((at, top + 0.9), (at + long.max(0.12), top + BOX - 0.9), tint);
        }
        match row.kind {
            Kind::Pool => pool = Some((middle - (upper + lower) / 2.0, top + BOX / 2.0)),
            Kind::Extra { embedding: true, .. } => {
                let at = top + BOX / 2.0;
                if let Some((_, from)) = pool {
                    c.line((x + 1.0, from), (x + 1.0, at), PT_AXIS, INK);
                }
                arrow(c, (x + 1.0, at), (middle - box_width / 2.0, at));
            }
            _ => {}
        }
        top += BOX + SPACE;
    }
    if let (Some((left, at)), true) = (pool, !before_extra) {
        c.line((x + 1.0, at), (left, at), PT_AXIS, INK);
        c.text((x + 1.6, at + 1.0 + 2.0 * small.drop()), "e", &small);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::network::diagram::tests::of;

    #[test]
    fn many_blocks_share_a_row() {
        let network = of(&["network.kind='inceptiontime'", "network.depth=40", "network.filters=2"], 5);
        let (all, few) = (rows(&network, 1e9), rows(&network, 110.0));
        assert!(height(&few) <= 110.0 && height(&few) > 100.0, "{}", height(&few));
        let sum = |rows: &[Row]| rows.iter().filter_map(|row| row.parameters).sum::<usize>();
        assert_eq!((all.len() - few.len(), sum(&few)), (31, sum(&all)));
        let texts: Vec<&str> = few.iter().map(|row| row.texts[0].as_str()).collect();
        assert!(texts.iter().any(|text| text.ends_with("blocks")) && texts.iter().any(|t| t.starts_with("blocks.39:")));
        let pooled = of(&["network.kind='cnn'"], 5);
        assert_eq!(rows(&pooled, 1e9)[2].texts[0], "blocks.1: k 9, max pool 2");
    }
}
