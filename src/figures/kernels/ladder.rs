//! The ladder of a kernel: its versions in their order, each with its rate beside the ceiling that binds.

use super::{adapter_note, drawable, three};
use crate::lab::ceilings::Bound;
use crate::lab::ladder::{Ladder, Rung};
use crate::lab::measure::Status;
use crate::plot::axes::{Axis, Frame};
use crate::plot::canvas::{Canvas, Type};
use crate::plot::figure::Figure;
use crate::plot::style::{INK, INK_SOFT, Look, PT_AXIS, PT_LABEL, PT_MIN, PT_SMALL, WARN, WHITE, series_color};

/// Most lines of the sentence on what changed.
const MOST_LINES: usize = 3;
/// Height of a line of that sentence, and of the version's name above it, mm.
const LINE: f64 = 2.7;
const NAME: f64 = 3.6;
/// Between two rungs, mm.
const GAP: f64 = 2.2;
/// Half of a bar's height, mm.
const HALF: f64 = 1.9;
/// Left edge of the texts, mm.
const LEFT: f64 = 2.5;
/// Between a bar's end and its label, mm.
const APART: f64 = 1.2;

/// Whether the copy is the ceiling that binds, not the multiply-adds: rates are GB/s.
fn copies(ladder: &Ladder) -> bool {
    ladder.bound == Bound::Memory
}

/// The rate of a rung in the unit of the ladder.
fn rate(ladder: &Ladder, rung: &Rung) -> f64 {
    if copies(ladder) { rung.row.gb_per_s } else { rung.row.gflops }
}

/// Rates of the slowest and the fastest of nearly all rounds.
fn range(ladder: &Ladder, rung: &Rung) -> Option<(f64, f64)> {
    let ms = rung.row.ms?;
    let work = rate(ladder, rung) * ms.median;
    Some((work / ms.p95, work / ms.p5)).filter(|r| drawable(r.0) && drawable(r.1))
}

/// A text in lines of at most `width` mm, the last of `most` shortened.
fn lines(text: &str, style: &Type, width: f64, most: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut words = text.split_whitespace().peekable();
    while words.peek().is_some() && all.len() < most {
        let mut line = String::new();
        while let Some(word) = words.peek() {
            let longer = if line.is_empty() { (*word).to_owned() } else { format!("{line} {word}") };
            let last = all.len() + 1 == most;
            if !line.is_empty() && style.width(&longer) > width && !last {
                break;
            }
            line = longer;
            words.next();
        }
        all.push(style.shorten(&line, width));
    }
    all
}

/// One bar a version, a figure for each ladder; nothing without a version that has a rate.
pub fn ladder(adapter: &str, ladder: &Ladder, look: &Look) -> Vec<Figure<'static>> {
    let ladder = ladder.clone();
    let rates: Vec<f64> = ladder.rungs.iter().map(|r| rate(&ladder, r)).filter(|v| drawable(*v)).collect();
    let Some(best) = rates.iter().copied().reduce(f64::max) else { return Vec::new() };
    let ceilings = ladder.ceilings;
    let ceiling = Some(if copies(&ladder) { ceilings.gb_per_s } else { ceilings.gflops }).filter(|v| drawable(*v));
    let tiny = Type::new(PT_MIN).color(INK_SOFT);
    let column = look.width() * if look.is_wide() { 0.44 } else { 0.5 };
    let (x0, x1) = (LEFT + column + 1.5, look.width() - 4.0);
    let changes: Vec<Vec<String>> =
        ladder.rungs.iter().map(|r| lines(&r.row.change, &tiny, column - 1.0, MOST_LINES)).collect();
    let top = 13.0;
    let height = |change: &Vec<String>| NAME.max(2.0 * HALF) + LINE * change.len() as f64 + GAP;
    let heights: Vec<f64> = changes.iter().map(height).collect();
    let ranges = ladder.rungs.iter().filter_map(|r| range(&ladder, r)).map(|r| r.1);
    let most = if look.is_wide() { 6 } else { 4 };
    let x = Axis::linear([0.0].into_iter().chain(rates).chain(ceiling).chain(ranges), most);
    let (width, right) = (look.width(), look.width() - 1.0);
    let stem = format!("ladder-{}", ladder.operation);
    let heights_of = heights.clone();
    Figure::pages(
        look,
        &stem,
        &caption(adapter, &ladder, ceiling),
        (top, 11.0),
        &heights,
        move |c: &mut Canvas, parts| {
            let bottom = parts.last().map_or(top, |&(i, y)| y + heights_of[i]);
            let (small, label) = (Type::new(PT_SMALL), Type::new(PT_LABEL));
            let at = |v: f64| x0 + x.place(v).unwrap_or(0.0).clamp(0.0, 1.0) * (x1 - x0);
            let title = label.bold().shorten(&ladder.name, width - 2.0 * LEFT);
            c.text((LEFT, 5.0), &title, &label.bold());
            Frame { x0, y0: top, x1, y1: bottom }.bottom(c, &x, true, true);
            if let Some(value) = ceiling {
                dashes(c, at(value), top - 1.0, bottom);
                let kind = if copies(&ladder) { "copy" } else { "multiply-adds" };
                let text = format!("ceiling of {kind}: {}", three(value));
                let soft = small.color(INK_SOFT);
                let half = soft.width(&text) / 2.0;
                let middle = at(value).clamp(LEFT + half, width - LEFT - half);
                c.text((middle, top - 2.2), &text, &soft.middle());
            }
            for &(i, y) in parts {
                let (rung, change, y) = (&ladder.rungs[i], &changes[i], y + GAP / 2.0);
                let middle = y + NAME / 2.0;
                let number = rung.row.number.map(|n| format!("{n:02} ")).unwrap_or_default();
                let name = small.bold().shorten(&format!("{number}{}", rung.name), column - 1.0);
                c.text((LEFT, middle + small.drop()), &name, &small.bold());
                for (i, line) in change.iter().enumerate() {
                    c.text((LEFT, y + NAME + LINE * (i as f64 + 0.5) + tiny.drop()), line, &tiny);
                }
                let value = rate(&ladder, rung);
                if !drawable(value) {
                    let style = if wrong(rung) { small.bold().color(WARN) } else { small.color(INK_SOFT) };
                    let note = style.shorten(if wrong(rung) { "WRONG" } else { &rung.row.note }, x1 - x0 - 2.0);
                    // the broken line ends before a note
                    let (left, right) = (x0 + APART, x0 + APART + style.width(&note));
                    c.rect((left, middle - 1.6), (right + 0.6, middle + 1.6), WHITE);
                    c.text((left, middle + small.drop()), &note, &style);
                    continue;
                }
                let color = c.tint(series_color(0), if value >= best { 1.0 } else { 0.6 });
                c.rect((x0, middle - HALF), (at(value), middle + HALF), color);
                let (low, high) =
                    range(&ladder, rung).map_or((at(value), at(value)), |(low, high)| (at(low), at(high)));
                if high - low > 0.8 {
                    c.line((low, middle), (high, middle), PT_AXIS * 1.6, INK);
                    [low, high].iter().for_each(|&e| c.line((e, middle - 0.7), (e, middle + 0.7), PT_AXIS * 1.6, INK));
                }
                let text = match rung.row.times_faster {
                    f if (f - 1.0).abs() < 0.005 => format!("{}  (1×)", three(value)),
                    f if drawable(f) => format!("{}  ({}×)", three(value), three(f)),
                    _ => three(value),
                };
                let wide = small.width(&text);
                let inside = low.min(at(value)) - APART - wide;
                let beside = high.max(at(value)) + APART;
                // where the broken line does not cross it
                let crossed = ceiling.map(at).is_some_and(|line| (beside - 0.5..=beside + wide + 0.5).contains(&line));
                if inside > x0 + APART && (crossed || beside + wide > right || value >= best) {
                    let style = small.color(if value >= best { WHITE } else { INK });
                    c.text((inside, middle + small.drop()), &text, &style);
                } else {
                    let beside = if crossed { ceiling.map_or(beside, at) + APART } else { beside };
                    c.text((beside.min(right - wide), middle + small.drop()), &text, &small);
                }
            }
            c.line((x0, top), (x0, bottom), PT_AXIS, INK);
            let unit = if copies(&ladder) { "rate (GB/s)" } else { "rate (GFLOP/s)" };
            c.text(((x0 + x1) / 2.0, bottom + 8.4), unit, &label.middle());
            Ok(())
        },
    )
}

fn wrong(rung: &Rung) -> bool {
    rung.row.status == Status::Wrong
}

/// A broken line upright.
fn dashes(c: &mut Canvas, x: f64, from: f64, to: f64) {
    let mut y = from;
    while y < to {
        c.line((x, y), (x, (y + 1.2).min(to)), PT_AXIS * 1.6, INK_SOFT);
        y += 2.4;
    }
}

fn caption(adapter: &str, ladder: &Ladder, ceiling: Option<f64>) -> String {
    let unit = if copies(ladder) { "GB/s" } else { "GFLOP/s" };
    let counted = match copies(ladder) {
        true => "bytes that must be moved at least (inputs and outputs once)",
        false => "floating-point operations of the direct computation, also where a version needs fewer",
    };
    let line = match (ceiling, copies(ladder)) {
        (Some(v), true) => format!(
            " Broken line: the copy of the same process, {} GB/s, the ceiling that binds at this shape.",
            three(v)
        ),
        (Some(v), false) => format!(
            " Broken line: the multiply-adds of the same process, {} GFLOP/s, the ceiling that binds at this shape.",
            three(v)
        ),
        (None, _) => " The ceiling was not recorded.".to_owned(),
    };
    let changes: Vec<String> = ladder
        .rungs
        .iter()
        .filter(|r| !r.row.change.is_empty())
        .map(|r| format!("{}: {}", r.name, r.row.change))
        .collect();
    let changes = if changes.is_empty() { String::new() } else { format!(" Versions: {}.", changes.join("; ")) };
    let left_out: Vec<String> = ladder
        .rungs
        .iter()
        .filter(|r| !drawable(rate(ladder, r)))
        .map(|r| format!("{} ({})", r.name, if wrong(r) { "wrong" } else { &r.row.note }))
        .collect();
    let left_out =
        if left_out.is_empty() { String::new() } else { format!(" Without a bar: {}.", left_out.join(", ")) };
    format!(
        "The versions of {} in their order. Bars: rate in {unit} at the median time, counting {counted}; whiskers, where they \
         can be told from a bar's end: 5 % to 95 % of the rounds; in brackets: times faster than the first, median of the \
         ratios round by round.{line}{changes}{left_out} {}",
        ladder.name,
        adapter_note(adapter)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_break_into_lines() {
        let style = Type::new(PT_MIN);
        let text = "one output a thread, the formula as loops over channels and taps";
        let all = lines(text, &style, 30.0, 9);
        assert!(all.len() > 1 && all.iter().all(|l| style.width(l) <= 30.0), "{all:?}");
        assert_eq!(all.join(" "), text);
        let two = lines(text, &style, 30.0, 2);
        assert!(two.len() == 2 && two[1].ends_with('…') && style.width(&two[1]) <= 30.0, "{two:?}");
        assert!(lines("", &style, 30.0, 3).is_empty());
        assert_eq!(lines("unbreakable_and_much_too_long_for_a_line", &style, 10.0, 3).len(), 1);
    }
}
