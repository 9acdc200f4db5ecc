//! How many records of every class are in training and test of each fold.

use super::shared::{FILL, legend_above};
use crate::figures::catalogue::{Drawn, EVALUATE};
use crate::plot::canvas::{Canvas, Type};
use crate::plot::figure::Figure;
use crate::plot::legend::Entry;
use crate::plot::style::{INK_SOFT, Look, PT_MIN, PT_SMALL, class_color, text_on};
use crate::plot::text::grouped;
use crate::run::metrics::Metrics;
use crate::run::set::{RunSet, count, fold};
use std::collections::BTreeMap;

const STEM: &str = "balance";
/// Height of a bar, of the space below it, and below those of a fold, mm.
const BAR: f64 = 3.6;
const SPACE: f64 = 0.5;
const BETWEEN: f64 = 2.2;

/// The bars of a fold: what they are of, and records by class.
type Bars = Vec<(&'static str, Vec<usize>)>;

fn bars(metrics: &Metrics) -> Bars {
    let training: Option<Vec<usize>> = metrics.per_class.iter().map(|(_, class)| class.training).collect();
    let test = metrics.per_class.iter().map(|(_, class)| class.support).collect();
    let all = training.map(|training| ("training", training)).into_iter().chain([("test", test)]);
    // no empty place for a part without a record
    all.filter(|(_, records)| records.iter().any(|n| *n > 0)).collect()
}

/// Bars of a fold below each other, as long as each other, divided by the shares of the classes.
pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let mut folds: BTreeMap<String, Bars> = BTreeMap::new();
    for run in &set.runs {
        let Some(metrics) = &run.metrics else { continue };
        let own = folds.entry(fold(run)).or_default();
        // arms have the same folds; an older run does not have the training's counts
        if own.len() < 2 {
            *own = bars(metrics);
        }
    }
    if folds.is_empty() {
        return drawn.miss(STEM, format!("no metrics.json: no run tested; {EVALUATE}"));
    }
    let known = folds.values().flatten().any(|bar| bar.0 == "training");
    let lacking = set.lacking();
    let caption = format!(
        "Records of every class in {} of {}: bars are divided by the shares of the classes; numbers are records where they have room, \
         at the right those of all classes.{}{}",
        if known { "training and test" } else { "the test" },
        count(folds.len(), "fold"),
        if known { "" } else { " How many records of a class trained is not known of these runs." },
        lacking.map_or(String::new(), |lacking| format!(" No test record in {lacking}.")),
    );
    let entry = |(k, class): (usize, &String)| Entry::bar(class, class_color(class, k));
    let entries: Vec<Entry> = set.classes.iter().enumerate().map(entry).collect();
    let colors: Vec<_> = entries.iter().map(|entry| entry.color).collect();
    let (small, least) = (Type::new(PT_SMALL), Type::new(PT_MIN));
    let folds: Vec<(String, Bars)> = folds.into_iter().collect();
    let names = folds.iter().map(|f| small.width(&f.0)).fold(0.0, f64::max);
    let of = if known { least.width("training") + 2.0 } else { 0.0 };
    let left = 2.0 + names + 2.0 + of;
    let width = look.width();
    let right = width - 12.0;
    let (above, head) = legend_above(entries, (left, width));
    let heights: Vec<f64> = folds.iter().map(|f| f.1.len() as f64 * (BAR + SPACE) + BETWEEN).collect();
    let pages = Figure::pages(look, STEM, &caption, (above + 1.0, 0.0), &heights, move |c: &mut Canvas, parts| {
        head(c);
        for &(i, y) in parts {
            let (name, bars) = &folds[i];
            c.text((2.0, y + BAR / 2.0 + small.drop()), name, &small);
            for (b, (part, records)) in bars.iter().enumerate() {
                let top = y + b as f64 * (BAR + SPACE);
                let base = top + BAR / 2.0;
                if known {
                    c.text((left - 2.0, base + least.drop()), part, &least.color(INK_SOFT).end());
                }
                let all = records.iter().sum::<usize>();
                let mut before = 0;
                let place = |n: usize| left + (right - left) * n as f64 / all.max(1) as f64;
                for (&n, color) in records.iter().zip(&colors) {
                    let (x0, x1) = (place(before), place(before + n));
                    let fill = c.tint(*color, FILL);
                    c.rect((x0, top), (x1, top + BAR), fill);
                    let text = grouped(n);
                    if n > 0 && least.width(&text) < x1 - x0 - 0.8 {
                        let style = least.color(text_on(fill)).middle();
                        c.text((f64::midpoint(x0, x1), base + least.drop()), &text, &style);
                    }
                    before += n;
                }
                c.text((right + 1.5, base + least.drop()), &grouped(all), &least);
            }
        }
        Ok(())
    });
    drawn.figures.extend(pages);
}
