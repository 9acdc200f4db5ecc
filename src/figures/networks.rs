//! Networks of different sizes against each other: how well they classify over what an inference costs.

use super::kernels::marks::log_axis;
use super::network::diagram::diagram;
use super::shared::{Estimate, heading, legend_above, panels, runs_of, tested, whisker};
use crate::figures::catalogue::Drawn;
use crate::plot::axes::Axis;
use crate::plot::legend::Entry;
use crate::plot::panels::Grid;
use crate::plot::style::{Look, PT_CURVE, arm_color};
use crate::run::read::Run;
use crate::run::set::RunSet;
use crate::stats::fold_means;

const STEM: &str = "networks";
type Of = fn(&Run) -> Option<f64>;
/// What an inference costs: name of the axis, and the value of a run.
const COSTS: [(&str, Of); 3] = [
    ("parameters", |r| Some(diagram(r.experiment.as_ref()?, r.classes.as_ref()?.len()).ok()?.parameters[1] as f64)),
    ("multiply-adds of a strip", |r| {
        Some(diagram(r.experiment.as_ref()?, r.classes.as_ref()?.len()).ok()?.multiply_adds as f64)
    }),
    ("time of a strip (ms)", |r| r.cost.as_ref()?.single_ms()),
];

/// Macro-F1 over each cost, a mark for every arm.
pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let arms = tested(set);
    let mean = |arm| Estimate::mean(&fold_means(&set.cells(arm, |r| Some(r.metrics.as_ref()?.macro_f1))), 0.0);
    let y: Vec<Estimate> = arms.iter().map(|(_, arm)| mean(arm)).collect();
    let median = |arm| {
        move |of: fn(&Run) -> Option<f64>| {
            let mut all: Vec<f64> = set.cells(arm, of).into_values().collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().filter(|v| *v > 0.0)
        }
    };
    let costs = COSTS.map(|(name, of)| (name, arms.iter().map(|(_, arm)| median(arm)(of)).collect::<Vec<_>>()));
    let differ = |values: &Vec<Option<f64>>| values.windows(2).any(|pair| pair[0] != pair[1]);
    // measured times differ even of one network
    if !costs[..2].iter().any(|(_, values)| differ(values)) {
        return drawn.only_one(STEM, "the networks of all runs are of one size; give runs of several");
    }
    let shown: Vec<(&str, Vec<Option<f64>>)> = costs.into_iter().filter(|(_, values)| differ(values)).collect();
    let marks: Vec<Entry> = arms.iter().map(|&(i, arm)| Entry::mark(arm, i, arm_color(i))).collect();
    let caption = format!(
        "Networks: macro-F1 on the test folds over what an inference costs, on logarithmic axes. Marks: means of the folds \
         (seeds averaged within); whiskers: their 95 % t interval ({}). Marks of one cost stand beside each other.",
        runs_of(arms.iter().map(|(_, arm)| (*arm, set.of(arm).count())))
    );
    let (width, wide) = (look.width(), look.is_wide());
    let columns = if wide { 3 } else { 2 };
    let grid =
        Grid { width, columns, left: 14.0, right: 4.0, top: 6.0, height: if wide { 40.0 } else { 28.0 }, bottom: 9.5 };
    let (above, head) = legend_above(marks.clone(), (grid.left, width));
    let axis = Axis::linear(y.iter().flat_map(|e| [e.value, e.low, e.high]), 5);
    let (n, several) = (shown.len(), shown.len() > 1);
    let pages = panels(look, STEM, &caption, (grid, n), (above, 1.0), head, move |c, frame, place| {
        let (name, values) = &shown[place.index];
        let ends = values.iter().flatten().fold((f64::MAX, f64::MIN), |e, v| (e.0.min(*v), e.1.max(*v)));
        let x = log_axis(0.9 * ends.0, 1.1 * ends.1, 0.25);
        frame.draw(c, &x, &axis, Some(name), if place.index % columns == 0 { "macro-F1" } else { "" });
        heading(c, frame, grid.left, several.then_some(place.index), "");
        for (i, (mean, mark)) in y.iter().zip(&marks).enumerate() {
            let Some(value) = values[i] else { continue };
            // arms of one network stand beside each other
            let same = |values: &[Option<f64>]| values.iter().filter(|v| **v == Some(value)).count() as f64;
            let beside = 1.8 * (same(&values[..i]) - (same(values) - 1.0) / 2.0);
            let at = |v: f64| frame.at(&x, &axis, (value, v)).map(|p| (p.0 + beside, p.1));
            if let (Some(low), Some(high)) = (at(mean.low), at(mean.high)) {
                whisker(c, (low, high), 0.8, (PT_CURVE, mark.color));
            }
            if let Some(at) = at(mean.value) {
                mark.draw_mark(c, at);
            }
        }
        Ok(())
    });
    drawn.figures.extend(pages);
}
