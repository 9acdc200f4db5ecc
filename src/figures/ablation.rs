//! Arms compared with each other, cell by cell of fold and seed.

use super::shared::{Estimate, Panel, heading, panels, tested, whisker};
use crate::error::{Error, Result};
use crate::figures::catalogue::{Drawn, count};
use crate::plot::axes::{Axis, Frame};
use crate::plot::canvas::Type;
use crate::plot::figure::Figure;
use crate::plot::panels::{Grid, Line, line};
use crate::plot::style::{
    GRID, INK, INK_SOFT, Look, NONE, PT_AXIS, PT_CURVE, PT_GRID, PT_LABEL, PT_MIN, PT_SMALL, WHITE, arm_color,
};
use crate::run::metrics::Metrics;
use crate::run::read::Run;
use crate::run::set::{RunSet, folds_and_seeds};
use crate::stats::{Cells, fold_means, mean_sd, paired_test};
use std::collections::BTreeSet;

const STEM: &str = "ablation";
/// How much lower every other name stands where they have no room side by side, mm.
const STAGGER: f64 = 3.2;

type Of = fn(&Metrics) -> Option<f64>;
/// What to compare a metric with: its name, and the value of a run.
type Reference = Option<(&'static str, fn(&Run) -> Option<f64>)>;
/// A metric: its name, value and least value, which all but NCC have at 0; and its reference.
const METRICS: [(&str, Of, f64, Reference); 6] = [
    (
        "macro-F1",
        |m| Some(m.macro_f1),
        0.0,
        Some(("17 features alone", |r| Some(r.sanity.as_ref()?.features.as_ref()?.macro_f1))),
    ),
    (
        "accuracy",
        |m| Some(m.accuracy),
        0.0,
        Some(("17 features alone", |r| Some(r.sanity.as_ref()?.features.as_ref()?.accuracy))),
    ),
    (
        "NCC of map and target",
        |m| m.explanation.ncc,
        -1.0,
        Some(("|dx/dt|", |r| Some(r.sanity.as_ref()?.slope.overall.means?.ncc))),
    ),
    (
        "pointing game",
        |m| m.explanation.pointing,
        0.0,
        Some(("chance", |r| r.sanity.as_ref()?.pointing_chance.overall)),
    ),
    ("deletion AUC (low is good)", |m| m.explanation.deletion_auc, 0.0, None),
    ("insertion AUC (high is good)", |m| m.explanation.insertion_auc, 0.0, None),
];

/// A metric of every arm in the cells of fold and seed.
struct Compared {
    name: &'static str,
    /// `values[arm][cell]`; NaN where a cell has none.
    values: Vec<Vec<f64>>,
    means: Vec<Estimate>,
    /// p value of each arm against the reference; NaN for the reference itself.
    p: Vec<f64>,
    /// What to compare them with, drawn as a level line.
    against: Option<(&'static str, f64)>,
}

/// For every metric a point a cell, joined across the arms, and each arm's mean with its interval.
pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    match tested(set).len() {
        0 => {}
        1 => drawn.only_one(STEM, "one arm only; give the folder of a sweep with several"),
        _ => drawn.add_pages(STEM, compared(set, look)),
    }
}

fn compared<'a>(set: &'a RunSet<'a>, look: &Look) -> Result<Vec<Figure<'a>>> {
    let arms = &set.variants;
    let n = arms.len();
    let reference = &arms[0];
    let grouped = set.grouped();
    let cells: BTreeSet<(usize, u64)> = set.runs.iter().filter_map(|r| r.fold_and_seed()).collect();
    let made: Vec<Compared> = METRICS
        .iter()
        .filter_map(|(name, of, least, against)| {
            let all: Vec<Cells> = arms.iter().map(|arm| set.cells(arm, |r| of(r.metrics.as_ref()?))).collect();
            if all.iter().all(Cells::is_empty) {
                return None;
            }
            let test = |cells: &Cells| paired_test(cells, &all[0], grouped).map_or(f64::NAN, |test| test.p_value);
            let mean = |of: fn(&Run) -> Option<f64>| mean_sd(&set.of(reference).filter_map(of).collect::<Vec<_>>()).0;
            Some(Compared {
                name,
                values: all
                    .iter()
                    .map(|own| cells.iter().map(|c| own.get(c).copied().unwrap_or(f64::NAN)).collect())
                    .collect(),
                means: all.iter().map(|own| Estimate::mean(&fold_means(own), *least)).collect(),
                p: all.iter().enumerate().map(|(i, own)| if i == 0 { f64::NAN } else { test(own) }).collect(),
                against: against.map(|(name, of)| (name, mean(of))).filter(|(_, mean)| mean.is_finite()),
            })
        })
        .collect();
    if made.is_empty() || n > 12 {
        let what = format!("arms with finished runs: {n}, expected 2 to 12");
        return Err(Error::data(STEM, what, "give the folder of a sweep with several arms"));
    }
    let caption = caption(set, &made, grouped, &cells);
    // of one run an arm the mean is the run
    let single = cells.len() == 1;
    let (width, wide) = (look.width(), look.is_wide());
    let grid = match wide {
        true => Grid { width, columns: 2, left: 14.0, right: 4.0, top: 10.5, height: 40.0, bottom: 8.0 },
        // names of the arms stand under the lowest alone
        false => Grid { width, columns: 2, left: 11.0, right: 2.0, top: 10.5, height: 22.0, bottom: 2.0 },
    };
    // names that have no room side by side stand on two lines
    let pitch = (width / 2.0 - grid.left - grid.right) / n as f64;
    let least = Type::new(PT_MIN);
    let fits = arms.iter().all(|arm| Type::new(PT_SMALL).width(arm) <= pitch - 1.0);
    let staggered = arms.iter().any(|arm| least.width(arm) > pitch - 0.5);
    let stagger = if staggered { STAGGER } else { 0.0 };
    let (grid, foot) = match wide {
        true => (Grid { bottom: grid.bottom + stagger, ..grid }, 0.0),
        false => (grid, 4.0 + stagger),
    };
    // and p values that have none lose their letter, which then stands once at the side
    let short = least.width("p = 0.000") > pitch - 0.5;
    let words = move |p: f64| match (p < 0.001, short) {
        (true, true) => "< 0.001".to_owned(),
        (true, false) => "p < 0.001".to_owned(),
        (false, true) => format!("{p:.3}"),
        (false, false) => format!("p = {p:.3}"),
    };
    let none = Axis { ticks: Vec::new(), ..Axis::with_ticks(0.0, n as f64, 1.0) };
    let count = made.len();
    Ok(panels(
        look,
        STEM,
        &caption,
        (grid, count),
        (0.0, foot),
        |_| {},
        move |c, frame, Panel { index, lowest }| {
            let panel = &made[index];
            let small = Type::new(PT_SMALL);
            let ends = panel.means.iter().flat_map(|m| [m.value, m.low, m.high]);
            let all = panel.values.iter().flatten().copied().chain(ends).chain(panel.against.map(|l| l.1));
            let y = Axis::linear(roomy(all), if wide { 5 } else { 4 });
            frame.draw(c, &none, &y, None, "");
            heading(c, &Frame { y0: frame.y0 - 4.4, ..*frame }, grid.left - 0.5, Some(index), panel.name);
            if let Some((name, value)) = panel.against {
                let free = frame.x1 - frame.x0 - Type::new(PT_LABEL).bold().width(panel.name) - 3.0;
                let full = format!("dashed: {name}");
                let text = if small.width(&full) > free { name.to_owned() } else { full };
                // where it has no room the caption says it
                if small.width(&text) <= free {
                    c.text((frame.x1, frame.y0 - 6.2), &text, &small.color(INK_SOFT).end());
                }
                let dashes = Line { dash: 0.9, ..Line::new(NONE) };
                line(c, frame, (&none, &y), &[(0.0, value), (n as f64, value)], dashes);
            }
            let middle = |v: usize| v as f64 + 0.5;
            let beside = if single { 0.0 } else { 0.12 };
            for cell in 0..if single { 0 } else { panel.values[0].len() } {
                let points: Vec<(f64, f64)> = (0..n).map(|v| (middle(v) - beside, panel.values[v][cell])).collect();
                let thin = Line { pt: PT_GRID, ..Line::new(NONE) };
                for pair in points.windows(2).filter(|p| p[0].1.is_finite() && p[1].1.is_finite()) {
                    line(c, frame, (&none, &y), pair, thin);
                }
            }
            for (v, arm) in set.variants.iter().enumerate() {
                let color = arm_color(v);
                for value in &panel.values[v] {
                    if let Some(at) = frame.at(&none, &y, (middle(v) - beside, *value)) {
                        let (radius, color) = if single { (1.0, color) } else { (0.75, c.tint(color, 0.6)) };
                        c.disc(at, radius, color);
                    }
                }
                let mean = &panel.means[v];
                let level = |value: f64| frame.at(&none, &y, (middle(v) + 0.14, value));
                if let Some(at) = level(mean.value).filter(|_| !single) {
                    if let (Some(low), Some(high)) = (level(mean.low), level(mean.high)) {
                        whisker(c, (low, high), 0.8, (PT_CURVE, color));
                    }
                    c.disc(at, 1.2, color);
                    c.disc(at, 0.5, WHITE);
                }
                let x = frame.x0 + pitch * middle(v);
                if wide || lowest {
                    let style = if fits { small } else { least };
                    let (room, lower) = match staggered {
                        true => (2.0 * pitch - 1.0, if v % 2 == 1 { STAGGER } else { 0.0 }),
                        false => (pitch - 0.5, 0.0),
                    };
                    let name = style.shorten(arm, room);
                    c.text((x, frame.y1 + 2.0 + 2.0 * style.drop() + lower), &name, &style.middle());
                }
                if panel.p[v].is_finite() {
                    let text = words(panel.p[v]);
                    let style = if small.width(&text) > pitch - 0.5 { least } else { small };
                    c.text((x, frame.y0 - 2.0), &text, &style.color(INK_SOFT).middle());
                }
            }
            if short && panel.p.iter().any(|p| p.is_finite()) {
                c.text((frame.x0 - 1.5, frame.y0 - 2.0), "p", &least.color(INK_SOFT).end());
            }
            c.line((frame.x0, frame.y0), (frame.x1, frame.y0), PT_GRID, GRID);
            c.line((frame.x0, frame.y1), (frame.x1, frame.y1), PT_AXIS, INK);
            Ok(())
        },
    ))
}

fn caption(set: &RunSet, made: &[Compared], grouped: bool, cells: &BTreeSet<(usize, u64)>) -> String {
    let (folds, seeds) = folds_and_seeds(cells.iter().copied());
    let test = if grouped { "means of the folds (patients are on one side each)" } else { "cells of fold and seed" };
    let against: Vec<String> = (made.iter().zip('a'..))
        .filter_map(|(panel, letter)| Some(format!("{} in ({letter})", panel.against?.0)))
        .collect();
    let reference = &set.variants[0];
    let shown = match (cells.len(), folds) {
        (1, _) => "points are n = 1 run of each arm, which has no interval".to_owned(),
        (_, folds) => format!(
            "pale points are single runs ({}, {}), joined across the arms; circles are means of the folds (seeds averaged \
             within){}",
            count(folds, "fold"),
            count(seeds, "seed"),
            match folds {
                1 => ", of one fold without an interval",
                _ => " with their 95 % t interval (cut at the ends of a metric's range)",
            }
        ),
    };
    // two differences are the least that a test can be made of
    let test = match if grouped { folds } else { cells.len() } {
        0 | 1 => String::new(),
        n => format!(
            " p: Wilcoxon's signed-rank test against {reference} over the {test}, which cannot give less than {:.3} here; not \
             corrected for the number of comparisons.",
            2.0 / 2f64.powi(n.min(60) as i32)
        ),
    };
    format!(
        "Arms on the same test folds: {shown}.{test} NCC: normalised cross-correlation; AUC: area under the curve.{}{}",
        if against.is_empty() {
            String::new()
        } else {
            format!(" Dashed lines: {} (means over the runs of {reference}).", against.join(", "))
        },
        set.lacking().map_or(String::new(), |folds| format!(
            " No test record in {folds}: macro-F1 is over the classes that occur in a fold, true or predicted."
        )),
    )
}

/// Values, and what lies a little beyond their ends, so that no mark is cut by the frame; not below 0 or above 1 where none
/// is.
fn roomy(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    let (low, high) = all.iter().fold((f64::MAX, f64::MIN), |b, &v| (b.0.min(v), b.1.max(v)));
    let room = 0.03 * (high - low);
    if room.is_finite() && room > 0.0 {
        all.push(if low >= 0.0 { (low - room).max(0.0) } else { low - room });
        all.push(if high <= 1.0 { (high + room).min(1.0) } else { high + room });
    }
    all
}
