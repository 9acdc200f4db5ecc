//! Deletion and insertion: the probability of the true class as samples are taken away, or are all that is left.

use super::shared::Estimate;
use crate::figures::catalogue::{Drawn, EVALUATE, count};
use crate::plot::axes::Axis;
use crate::plot::canvas::Canvas;
use crate::plot::legend::{Entry, legend, legend_height};
use crate::plot::panels::{Grid, Line, band, letter, line, title};
use crate::plot::style::{Rgb, arm_color, class_color, series_dash};
use crate::plot::{Figure, Look};
use crate::run::examples::{ExampleCurves, Examples};
use crate::run::set::RunSet;

const STEM: &str = "perturbation";
type Of = fn(&ExampleCurves) -> &Vec<f32>;
const PANELS: [(&str, Of); 2] = [("deletion", |c| &c.deletion), ("insertion", |c| &c.insertion)];

/// A mean at every share of the samples: share, mean, and the ends of its 95 % t interval.
type Mean = Vec<(f64, f64, f64, f64)>;

fn mean(curves: &[&ExampleCurves], of: Of) -> Mean {
    let steps = curves.first().map_or(0, |c| of(c).len());
    let at = |i: usize| {
        let values: Vec<f64> = curves.iter().filter_map(|c| of(c).get(i)).map(|v| f64::from(*v)).collect();
        let Estimate { value, low, high } = Estimate::mean(&values, 0.0);
        (i as f64 / (steps.max(2) - 1) as f64, value, low, high)
    };
    (0..steps).map(at).collect()
}

pub(super) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let of = |arm: &'a str| -> Vec<&ExampleCurves> {
        set.of(arm).filter_map(|r| r.examples.as_ref()).flat_map(|s| &s.curves).collect()
    };
    let one_arm = set.variants.len() == 1;
    let mut groups: Vec<(&String, Rgb, Vec<&ExampleCurves>)> = Vec::new();
    if one_arm {
        let all = of(&set.variants[0]);
        let own = |k: usize| all.iter().copied().filter(|c| c.class == k).collect();
        groups.extend(set.classes.iter().enumerate().map(|(k, class)| (class, class_color(class, k), own(k))));
    } else {
        groups.extend(set.variants.iter().enumerate().map(|(i, arm)| (arm, arm_color(i), of(arm))));
    }
    groups.retain(|g| !g.2.is_empty());
    if groups.is_empty() {
        let why = format!("no {} with curves (probabilities as samples are taken away); {EVALUATE}", Examples::FILE);
        return drawn.miss(STEM, why);
    }
    let entry = |(i, (name, color, curves)): (usize, &(&String, _, Vec<_>))| Entry {
        dash: series_dash(i),
        ..Entry::line(format!("{name} (n = {})", curves.len()), *color)
    };
    let entries: Vec<Entry> = groups.iter().enumerate().map(entry).collect();
    let panels = PANELS.map(|(_, of)| groups.iter().map(|g| mean(&g.2, of)).collect::<Vec<Mean>>());
    let runs = set.variants.iter().map(|arm| set.of(arm).filter(|r| r.examples.is_some()).count()).max().unwrap_or(0);
    let caption = format!(
        "Deletion (a) and insertion (b) by {} (n = {}{}): probability of the true class as the most relevant samples of the map \
         are bridged by straight lines, or as only they are left; in the legend, n: records, evenly spaced in the test fold, \
         without those whose map is zero everywhere. Lines: means over the records; bands: their pointwise 95 % t \
         interval, as if records were independent. A good map falls early in (a) and rises early in (b).",
        if one_arm { "true class" } else { "arm" },
        count(runs, "run"),
        if one_arm { "" } else { " of each arm at most" },
    );
    drawn.add(STEM, Ok(figure(look, entries, panels, &caption)));
}

fn figure<'a>(look: &Look, entries: Vec<Entry>, panels: [Vec<Mean>; 2], caption: &str) -> Figure<'a> {
    let width = look.width();
    let left = 12.5;
    let above = 2.5 + legend_height(&entries, width - left - 4.0);
    let height = if look.is_wide() { 36.0 } else { 30.0 };
    let grid = Grid { width, columns: 2, left, right: 3.5, top: 6.5, height, bottom: 10.5 };
    let (frames, end) = grid.frames(2, above);
    let (x, y) = (Axis::with_ticks(0.0, 1.0, 0.2), Axis::with_ticks(0.0, 1.0, 0.2));
    Figure::new(STEM, look.page(end), caption, move |c: &mut Canvas| {
        legend(c, &entries, (left, 1.5), width - left - 4.0);
        for (k, (curves, frame)) in panels.iter().zip(&frames).enumerate() {
            let label = if k == 0 { "probability, true class" } else { "" };
            frame.draw(c, &x, &y, Some("share of the samples"), label);
            title(c, frame, PANELS[k].0);
            letter(c, (frame.x0 - 5.0, frame.y0 - 1.8), k);
            for (entry, mean) in entries.iter().zip(curves) {
                let ends: Vec<_> = mean.iter().map(|p| (p.0, p.2, p.3)).collect();
                band(c, frame, (&x, &y), &ends, entry.color, 0.18);
            }
            for (entry, mean) in entries.iter().zip(curves) {
                let points: Vec<_> = mean.iter().map(|p| (p.0, p.1)).collect();
                line(c, frame, (&x, &y), &points, Line::of(entry));
            }
        }
        Ok(())
    })
}
