//! A block in detail: its nodes as boxes, with arrows from what they read.

use super::layout::{Lane, Layout, Place, is_sign};
use super::words::{Words, describe, words};
use super::{arrow, corners, fitting, outline, shown};
use crate::nn::graph::{Graph, What};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::style::{INK, INK_SOFT, PT_AXIS, PT_MIN, PT_SMALL};

/// Height of a box of one line, of a further line, and of the space below a box, mm.
const BOX: f64 = 4.4;
const LINE: f64 = 3.0;
const SPACE: f64 = 3.4;
/// Radius of a sign's circle, mm.
const SIGN: f64 = 1.5;
/// Width of a way at the side without boxes, mm, and where its line lies.
const WAY: f64 = 5.0;
const WAY_AT: f64 = 3.6;
/// Narrowest box that has a text of the usual size, mm.
const USUAL: f64 = 13.5;

/// A block laid out.
pub(super) struct Detail {
    graph: Graph,
    layout: Layout,
    boxes: Vec<Shape>,
    /// The middle of every column at the side, mm.
    sides: Vec<f64>,
    pub(super) height: f64,
}

/// A box, from the upper left corner of the drawing, mm.
struct Shape {
    x: [f64; 2],
    y: [f64; 2],
    words: Words,
    /// What it says, a line each.
    lines: Vec<String>,
}

impl Shape {
    fn middle(&self) -> Point {
        ((self.x[0] + self.x[1]) / 2.0, (self.y[0] + self.y[1]) / 2.0)
    }

    /// Whether an `x` lies above or below it, and not at its corners.
    fn has(&self, x: f64) -> bool {
        self.x[0] + 0.3 < x && x < self.x[1] - 0.3
    }

    fn style(&self) -> Type {
        Type::new(if self.x[1] - self.x[0] < USUAL { PT_MIN } else { PT_SMALL })
    }

    /// Room for a text, mm.
    fn room(&self) -> f64 {
        self.x[1] - self.x[0] - 0.6
    }

    /// What it says where one line is too narrow: lines that do not fit are broken between words.
    fn tall(&self) -> Vec<String> {
        let (style, room) = (self.style(), self.room());
        let mut all = Vec::new();
        for texts in &self.words.lines {
            if let Some(text) = texts.iter().find(|text| style.width(text) <= room) {
                all.push(text.clone());
                continue;
            }
            let from = all.len();
            for word in texts[0].split(' ') {
                let joined = all[from..].last().map(|line| format!("{line} {word}"));
                match joined.filter(|line| style.width(line) <= room) {
                    Some(line) => *all.last_mut().expect("a line") = line,
                    None => all.push(word.to_owned()),
                }
            }
        }
        all.iter().map(|line| style.shorten(line, room)).collect()
    }

    /// How many lines it needs.
    fn needs(&self) -> usize {
        let fits = self.words.short.iter().any(|text| self.style().width(text) <= self.room());
        if fits { 1 } else { self.tall().len().max(1) }
    }
}

/// Height of a box of n lines, mm.
fn high(lines: usize) -> f64 {
    BOX + LINE * lines.saturating_sub(1) as f64
}

/// From and to of every column, and of every one at the side, in `width` mm.
fn columns(layout: &Layout, width: f64) -> (Vec<[f64; 2]>, Vec<[f64; 2]>) {
    let gap = if width < 60.0 { 1.0 } else { 2.0 };
    let count = layout.lanes.iter().map(|lane| lane.column + 1).max().unwrap_or(0);
    let has_boxes = |column: usize| layout.lanes.iter().any(|l| l.column == column && !l.boxes.is_empty());
    let boxes = (0..count).filter(|&column| has_boxes(column)).count();
    // few columns are as wide as three, beside room for one at the side
    let main = layout.columns.max(3);
    let unit = |side: usize, ways: usize| {
        let gaps = gap * (main - 1) as f64 + (gap + 1.0) * side as f64;
        (width - gaps - WAY * ways as f64) / (main + side) as f64
    };
    let unit = unit(boxes, count - boxes).min(unit(usize::from(layout.columns <= 3), 0));
    let all = unit * main as f64 + gap * (main - 1) as f64;
    let own = (all - gap * (layout.columns - 1) as f64) / layout.columns as f64;
    let own = (0..layout.columns).map(|i| (own + gap) * i as f64).map(|x| [x, x + own]);
    let mut at = all;
    let side = |column: usize| {
        let (from, next) = match has_boxes(column) {
            true => ([at + gap + 1.0, at + gap + 1.0 + unit], at + gap + 1.0 + unit),
            false => ([at + WAY_AT; 2], at + WAY),
        };
        at = next;
        from
    };
    (own.collect(), (0..count).map(side).collect())
}

impl Detail {
    /// Lays a block out in `width` mm; `dropout` is the share that is dropped, `is_target` whether Grad-CAM looks at its map.
    pub(super) fn new(graph: &Graph, is_target: bool, dropout: f64, width: f64) -> Self {
        let layout = Layout::new(&graph.nodes);
        let (columns, sides) = columns(&layout, width);
        let shape = |(i, place): (usize, &Place)| {
            let x = match place.columns {
                Some([first, last]) if is_sign(&graph.nodes[i]) => {
                    let middle = (columns[first][0] + columns[last][1]) / 2.0;
                    [middle - SIGN, middle + SIGN]
                }
                Some([first, last]) => [columns[first][0], columns[last][1]],
                None => sides[layout.lanes.iter().find(|l| l.boxes.contains(&i)).map_or(0, |l| l.column)],
            };
            Shape { x, y: [0.0; 2], words: words(graph, i, is_target, dropout), lines: Vec::new() }
        };
        let mut boxes: Vec<Shape> = layout.places.iter().enumerate().map(shape).collect();
        let mut top = 0.0;
        for row in 0..layout.rows() {
            let own: Vec<usize> = (0..boxes.len()).filter(|&i| layout.places[i].row == row).collect();
            // what stands at the side may reach down beside the next rows
            let free = |i: usize| high(boxes[i].needs()) <= BOX + (2.0 * SIGN + SPACE) * layout.rows_below(i) as f64;
            let is_tall = |i: &usize| !is_sign(&graph.nodes[*i]) && (layout.places[*i].columns.is_some() || !free(*i));
            let most = own.iter().filter(|i| is_tall(i)).map(|&i| boxes[i].needs()).max();
            let height = most.map_or(2.0 * SIGN, high);
            for i in own {
                let shape = &mut boxes[i];
                let (lines, tall) = (shape.needs().max(most.unwrap_or(1)), shape.tall());
                // a row of tall boxes has no single lines where there is more to say
                shape.lines = match (2..=lines).contains(&tall.len()) {
                    true => tall,
                    false => vec![fitting(&shape.words.short, &shape.style(), shape.room())],
                };
                shape.y = match is_sign(&graph.nodes[i]) {
                    true => [top + height / 2.0 - SIGN, top + height / 2.0 + SIGN],
                    false => [top, top + high(lines)],
                };
            }
            top += height + SPACE;
        }
        let sides = sides.iter().map(|[from, to]| (from + to) / 2.0).collect();
        Self { graph: graph.clone(), layout, boxes, sides, height: top - SPACE + 0.5 }
    }

    /// What it does, for a caption.
    pub(super) fn describe(&self) -> String {
        let Graph { name, nodes, .. } = &self.graph;
        let [from, to] = [nodes.first(), nodes.last()].map(|n| n.map_or(String::new(), |n| shown(&n.output)));
        format!("{name}, from {from} to {to}: {}", describe(&self.graph, &self.layout))
    }

    /// Draws it below `(x, y)`.
    pub(super) fn draw(&self, c: &mut Canvas, (x, y): Point) {
        let moved = |(a, b): Point| (x + a, y + b);
        let line = |c: &mut Canvas, points: &[Point], ends: bool| {
            for (i, pair) in points.windows(2).enumerate() {
                match ends && i + 2 == points.len() {
                    true => arrow(c, moved(pair[0]), moved(pair[1])),
                    false => c.line(moved(pair[0]), moved(pair[1]), PT_AXIS, INK),
                }
            }
        };
        for &[u, v] in &self.layout.edges {
            let (from, to) = (&self.boxes[u], &self.boxes[v]);
            let (a, b) = (from.middle().0, to.middle().0);
            let straight = if to.has(a) && !is_sign(&self.graph.nodes[v]) { Some(a) } else { from.has(b).then_some(b) };
            match straight.or((a - b).abs().lt(&0.01).then_some(a)) {
                Some(x) => line(c, &[(x, from.y[1]), (x, to.y[0])], true),
                None => {
                    let bus = to.y[0] - SPACE / 2.0;
                    line(c, &[(a, from.y[1]), (a, bus), (b, bus), (b, to.y[0])], true);
                }
            }
        }
        for lane in &self.layout.lanes {
            self.lane(lane).iter().for_each(|(points, ends)| line(c, points, *ends));
            if let Some((at, text)) = self.label(lane) {
                c.text(moved(at), &text, &Type::new(PT_MIN).color(INK_SOFT).middle().upwards());
            }
        }
        for (shape, node) in self.boxes.iter().zip(&self.graph.nodes) {
            if is_sign(node) {
                sign(c, moved(shape.middle()), node.what == What::Product);
                continue;
            }
            outline(
                c,
                &corners(moved((shape.x[0], shape.y[0])), moved((shape.x[1], shape.y[1]))),
                shape.words.fill,
                shape.words.train_only,
            );
            let (middle, style) = (shape.middle(), shape.style());
            let first = middle.1 - LINE * (shape.lines.len().max(1) - 1) as f64 / 2.0;
            for (i, text) in shape.lines.iter().enumerate() {
                c.text(moved((middle.0, first + LINE * i as f64 + style.drop())), text, &style.middle());
            }
        }
    }

    /// Whether nothing stands between a node and the side.
    fn is_last(&self, node: usize) -> bool {
        let row = self.layout.places[node].row;
        let own = (0..self.boxes.len()).filter(|&i| self.layout.places[i].row == row);
        own.filter(|&i| self.layout.places[i].columns.is_some()).all(|i| self.boxes[i].x[0] <= self.boxes[node].x[0])
    }

    /// The lines of a way at the side, and whether each ends in an arrow.
    fn lane(&self, lane: &Lane) -> Vec<(Vec<Point>, bool)> {
        let (side, to) = (self.sides[lane.column], &self.boxes[lane.to]);
        let mut lines = Vec::new();
        let end = match self.is_last(lane.to) {
            true => vec![(side, to.middle().1), (to.x[1], to.middle().1)],
            false => {
                let (bus, x) = (to.y[0] - 0.6 * SPACE, to.middle().0.max(to.x[1] - 2.5));
                vec![(side, bus), (x, bus), (x, to.y[0])]
            }
        };
        let first = lane.boxes.first().map(|&i| &self.boxes[i]);
        for &u in &lane.from {
            let from = &self.boxes[u];
            let mut points = match self.is_last(u) && !is_sign(&self.graph.nodes[u]) {
                true => vec![(from.x[1], from.middle().1), (side, from.middle().1)],
                false => {
                    let (bus, x) = (from.y[1] + 0.4 * SPACE, from.middle().0);
                    vec![(x, from.y[1]), (x, bus), (side, bus)]
                }
            };
            points.push((side, first.map_or(end[0].1, |shape| shape.y[0])));
            lines.push((points, first.is_some()));
        }
        for pair in lane.boxes.windows(2) {
            lines.push((vec![(side, self.boxes[pair[0]].y[1]), (side, self.boxes[pair[1]].y[0])], true));
        }
        let last = lane.boxes.last().map(|&i| (side, self.boxes[i].y[1]));
        lines.push((last.into_iter().chain(end).collect(), true));
        lines
    }

    /// What stands beside a way without boxes to a sum, and where.
    fn label(&self, lane: &Lane) -> Option<(Point, String)> {
        let from =
            lane.from.first().filter(|_| lane.boxes.is_empty() && self.graph.nodes[lane.to].what == What::Sum)?;
        let (top, bottom) = (self.boxes[*from].middle().1, self.boxes[lane.to].middle().1);
        let text = Type::new(PT_MIN).shorten("shortcut", bottom - top - 2.0);
        Some(((self.sides[lane.column] - 1.0, (top + bottom) / 2.0), text))
    }
}

fn sign(c: &mut Canvas, (x, y): Point, times: bool) {
    c.disc((x, y), SIGN, INK_SOFT);
    let page = c.tint(INK, 0.0);
    c.disc((x, y), SIGN - 0.2, page);
    let (a, b) = if times { (0.6, 0.6) } else { (0.8, 0.0) };
    c.line((x - a, y - b), (x + a, y + b), PT_AXIS * 1.5, INK);
    c.line((x + b, y - a), (x - b, y + a), PT_AXIS * 1.5, INK);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::network::diagram::tests::{KINDS, of};

    #[test]
    fn boxes_stand_apart_and_inside() {
        for sets in KINDS {
            let graph = of(sets, 5).last;
            for width in [50.7, 79.0, 80.2] {
                let detail = Detail::new(&graph, true, 0.1, width);
                for (i, a) in detail.boxes.iter().enumerate() {
                    assert!(a.x[0] >= 0.0 && a.x[0] < a.x[1] && a.x[1] <= width + 1e-9, "{sets:?} {width}");
                    assert!(a.y[1] <= detail.height, "{sets:?} {width}");
                    for line in &a.lines {
                        assert!(a.style().width(line) <= a.room() && !line.contains('…'), "{sets:?} {width}: {line}");
                    }
                    for b in &detail.boxes[..i] {
                        let apart = a.x[0] >= b.x[1] || b.x[0] >= a.x[1] || a.y[0] >= b.y[1] || b.y[0] >= a.y[1];
                        assert!(apart, "{sets:?} {width}: {:?} lies on {:?}", a.lines, b.lines);
                    }
                }
                assert!(detail.sides.iter().all(|side| *side <= width), "{sets:?} {width}");
            }
        }
    }
}
