//! Metrics of each class against the rest, as bars with intervals.

use super::shared::{
    Estimate, FEW_PATIENTS, FILL, RESAMPLES, SEED, WHISKER, heading, legend_above, panels, pooled, runs_of, telling,
    tested, whisker,
};
use crate::error::Error;
use crate::figures::catalogue::{Drawn, EVALUATE};
use crate::plot::axes::{Axis, Frame};
use crate::plot::canvas::{Canvas, Type};
use crate::plot::legend::Entry;
use crate::plot::panels::Grid;
use crate::plot::style::{INK_SOFT, Look, PT_MIN, PT_SMALL, Rgb, arm_color, class_color};
use crate::run::metrics::counts;
use crate::run::set::RunSet;
use crate::stats::{Case, OneClass, bootstrap_patients};
use std::collections::HashSet;

const STEM: &str = "per-class";
const METRICS: [&str; 4] = ["sensitivity", "specificity", "positive predictive value", "F1"];
/// Arms whose bars can be told apart.
const MOST: usize = 8;
/// The one that a class without records has.
const SPECIFICITY: usize = 1;

/// A metric of class `k` of a confusion matrix; 0/0 counts as 0.
fn metric(which: usize, confusion: &[Vec<u64>], k: usize) -> f64 {
    let class = OneClass::of(confusion, k);
    match which {
        0 => class.sensitivity(),
        SPECIFICITY => class.specificity(),
        2 => class.ppv(),
        _ => class.f1(),
    }
}

/// A panel for every metric. One arm has the colours of the classes, several have colours of their own.
pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let arms = tested(set);
    if arms.is_empty() {
        return drawn.miss(STEM, format!("no metrics.json: no run tested; {EVALUATE}"));
    }
    let classes = &set.classes;
    if classes.is_empty() {
        return drawn
            .add(STEM, Err(Error::data(STEM, "found no class, expected one or more", "evaluate the runs again")));
    }
    if arms.len() > MOST {
        let what = format!("found {} arms, expected at most {MOST} beside each other", arms.len());
        let hint = "nothing is missing in the runs: give the folders of fewer arms, such as SWEEP/ARM SWEEP/ARM";
        return drawn.add(STEM, Err(Error::data(STEM, what, hint)));
    }
    let whole = arms.iter().all(|(_, arm)| set.predictions(arm).is_some());
    // [metric][arm][class]
    let bars: Vec<Vec<Vec<Estimate>>> = (0..METRICS.len())
        .map(|which| {
            let of =
                |(_, arm): &(usize, &str)| if whole { resampled(set, arm, which) } else { over_runs(set, arm, which) };
            arms.iter().map(of).collect()
        })
        .collect();
    let intervals = match whole {
        true => format!(
            "Bars: all test records, {}; whiskers: 95 % intervals of {RESAMPLES} bootstrap resamples of the patients, none where \
             fewer than {FEW_PATIENTS} patients have the class (of specificity: others), or all resamples agree, as on 0 or 1: that \
             is no certainty.",
            pooled(set.of(arms[0].1))
        ),
        false => format!(
            "Bars: means over the runs in which the class has records ({}); whiskers: ± 1 standard deviation over them \
             (predictions.csv is missing, so that patients cannot be drawn).",
            runs_of(arms.iter().map(|(_, arm)| (*arm, set.of(arm).count())))
        ),
    };
    let (names, colors): (Vec<&str>, Vec<Rgb>) = arms.iter().map(|&(i, arm)| (arm, arm_color(i))).unzip();
    let single = arms.len() == 1;
    let arms =
        if single { format!("Arm: {}.", names[0]) } else { format!("Arms, from left to right: {}.", names.join(", ")) };
    let caption = format!(
        "Metrics of each class against the rest. {intervals} {arms} A dash: no record of the class; no bar: 0, also of a class that is never predicted."
    );
    let (width, wide) = (look.width(), look.is_wide());
    let grid = match wide {
        true => Grid { width, columns: 2, left: 12.0, right: 3.0, top: 6.5, height: 32.0, bottom: 7.5 },
        // names of the classes stand under the lowest alone
        false => Grid { width, columns: 1, left: 12.0, right: 3.0, top: 6.0, height: 18.0, bottom: 2.0 },
    };
    let legend = names.iter().zip(&colors).map(|(name, color)| Entry::bar(*name, *color));
    let (above, head) = legend_above(legend.filter(|_| !single).collect(), (grid.left, width));
    let unit = Axis::with_ticks(0.0, 1.0, if wide { 0.25 } else { 0.5 });
    let none = Axis { ticks: Vec::new(), ..Axis::with_ticks(0.0, classes.len() as f64, 1.0) };
    let foot = if wide { 0.0 } else { 4.5 };
    let pages = panels(look, STEM, &caption, (grid, METRICS.len()), (above, foot), head, move |c, frame, place| {
        let (small, least) = (Type::new(PT_SMALL), Type::new(PT_MIN));
        frame.draw(c, &none, &unit, None, "");
        heading(c, frame, grid.left, Some(place.index), METRICS[place.index]);
        let of_arms = &bars[place.index];
        let pitch = (frame.x1 - frame.x0) / classes.len() as f64;
        let style = if classes.iter().all(|class| small.width(class) <= pitch - 1.0) { small } else { least };
        for (k, class) in classes.iter().enumerate() {
            let from = frame.x0 + pitch * k as f64;
            if wide || place.lowest {
                let name = style.shorten(class, pitch - 0.5);
                c.text((from + pitch / 2.0, frame.y1 + 2.0 + 2.0 * style.drop()), &name, &style.middle());
            }
            let step = 0.8 * pitch / of_arms.len() as f64;
            for (v, bars) in of_arms.iter().enumerate() {
                let color = if single { class_color(class, k) } else { colors[v] };
                let x = from + 0.1 * pitch + step * (v as f64 + 0.5);
                match bars[k] {
                    bar if bar.value.is_finite() => draw_bar(c, frame, &unit, (x, (0.42 * step).min(5.0)), bar, color),
                    _ => c.text((x, frame.y1 - 0.8), "–", &small.color(INK_SOFT).middle()),
                }
            }
        }
        Ok(())
    });
    drawn.add_pages(STEM, Ok(pages));
}

fn draw_bar(c: &mut Canvas, frame: &Frame, y: &Axis, (x, half): (f64, f64), bar: Estimate, color: Rgb) {
    let at = |v: f64| frame.y1 - y.place(v).unwrap_or(0.0).clamp(0.0, 1.0) * (frame.y1 - frame.y0);
    let fill = c.tint(color, FILL);
    c.rect((x - half, at(bar.value)), (x + half, frame.y1), fill);
    if bar.low.is_finite() && bar.high.is_finite() {
        whisker(c, ((x, at(bar.low)), (x, at(bar.high))), half.min(1.0), WHISKER);
    }
}

fn resampled(set: &RunSet, arm: &str, which: usize) -> Vec<Estimate> {
    let rows = set.predictions(arm).unwrap_or_default();
    let cases: Vec<Case> =
        rows.iter().map(|&(patient, p)| Case { patient, truth: p.truth, predicted: p.predicted() }).collect();
    let k = set.classes.len();
    let bar = |class: usize| {
        let there = which == SPECIFICITY || cases.iter().any(|c| c.truth == class);
        let found = bootstrap_patients(&cases, k, SEED, RESAMPLES, |confusion| metric(which, confusion, class));
        let own = cases.iter().filter(|c| (c.truth == class) == (which != SPECIFICITY)).map(|c| c.patient);
        let patients = own.collect::<HashSet<usize>>().len();
        found.ok().filter(|_| there).map_or(Estimate::NONE, |b| match telling((b.low, b.high), patients) {
            true => Estimate { value: b.estimate, low: b.low, high: b.high },
            false => Estimate { value: b.estimate, ..Estimate::NONE },
        })
    };
    (0..k).map(bar).collect()
}

fn over_runs(set: &RunSet, arm: &str, which: usize) -> Vec<Estimate> {
    let all: Vec<_> = set.of(arm).filter_map(|r| Some(counts(&r.metrics.as_ref()?.confusion))).collect();
    let bar = |class: usize| {
        let there = |m: &&Vec<Vec<u64>>| which == SPECIFICITY || m[class].iter().sum::<u64>() > 0;
        Estimate::spread(&all.iter().filter(there).map(|m| metric(which, m, class)).collect::<Vec<_>>())
    };
    (0..set.classes.len()).map(bar).collect()
}
