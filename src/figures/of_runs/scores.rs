//! How good maps are: scores by variant, deletion and insertion.

use crate::explain::scores::Summary;
use crate::figures::catalogue::{Drawn, EVALUATE, count};
use crate::figures::violins::{CurvePanel, Distribution, Group, Labels, MeanCurve, Shape, distributions, mean_curves};
use crate::plot::Look;
use crate::plot::style::{class_color, series_color, series_dash};
use crate::run::examples::{ExampleCurves, Examples};
use crate::run::predictions::Prediction;
use crate::run::set::RunSet;
use crate::stats::mean_sd;
use crate::stats::student;

type Of = fn(&Prediction) -> Option<f64>;
/// Name, value of a record, mean of a run's summary (index into [`means`]), and what the axis must hold.
const SCORES: [(&str, Of, &[f64]); 6] = [
    ("NCC with the target G", |p| Some(p.explanation?.ncc), &[0.0, 1.0]),
    ("energy inside G > 0.5", |p| Some(p.explanation?.energy), &[0.0, 1.0]),
    ("NCC with the beats B", |p| Some(p.explanation?.ncc_beats), &[0.0, 1.0]),
    ("NCC with the intervals I", |p| Some(p.explanation?.ncc_intervals), &[0.0, 1.0]),
    ("deletion AUC (low is good)", |p| Some(p.areas?.deletion), &[0.0, 1.0]),
    ("insertion AUC (high is good)", |p| Some(p.areas?.insertion), &[0.0, 1.0]),
];

/// The first four scores of a summary.
fn means(summary: &Summary) -> Option<[f64; 4]> {
    summary.overall.means.map(|m| [m.ncc, m.energy, m.ncc_beats, m.ncc_intervals])
}

pub(crate) fn scores<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let stem = "scores";
    let whole = set.runs.iter().all(|r| r.predictions.is_some());
    let some = set.runs.iter().any(|r| r.explanation.is_some());
    if !whole && !some {
        drawn.miss(stem, format!("neither predictions.csv nor explanation.json (scores of the maps); {EVALUATE}"));
        return;
    }
    let (mut n, mut panels) = (0, Vec::new());
    for (which, (name, of, range)) in SCORES.iter().enumerate() {
        let values = |variant: &str| -> Vec<f64> {
            let runs = set.of(variant);
            match (whole, which) {
                (true, _) => runs.filter_map(|r| r.predictions.as_ref()).flatten().filter_map(of).collect(),
                (false, 0..4) => {
                    runs.filter_map(|r| Some(means(&r.explanation.as_ref()?.true_class)?[which])).collect()
                }
                (false, 4) => runs.filter_map(|r| r.metrics.as_ref()?.explanation.deletion_auc).collect(),
                (false, _) => runs.filter_map(|r| r.metrics.as_ref()?.explanation.insertion_auc).collect(),
            }
        };
        let group = |(v, variant): (usize, &String)| Group {
            name: variant.clone(),
            color: series_color(v),
            values: values(variant),
        };
        let groups: Vec<Group> = set.variants.iter().enumerate().map(group).collect();
        if groups.iter().all(|g| g.values.is_empty()) {
            continue;
        }
        n = n.max(groups[0].values.len());
        let against = |of: fn(&crate::run::sanity::Sanity) -> &Summary| {
            let first = set.of(&set.variants[0]);
            mean_sd(&first.filter_map(|r| Some(means(of(r.sanity.as_ref()?))?[which])).collect::<Vec<_>>()).0
        };
        let lines: Vec<(String, f64)> = match which {
            0..2 => vec![
                ("|dx/dt|".to_owned(), against(|s| &s.slope)),
                ("random net".to_owned(), against(|s| &s.random_network)),
            ],
            _ => Vec::new(),
        };
        let lines = lines.into_iter().filter(|l| l.1.is_finite()).collect();
        panels.push(Distribution { name: (*name).into(), groups, lines, range: range.to_vec() });
    }
    if panels.is_empty() {
        drawn.miss(stem, format!("no record has a valid guidance target; {EVALUATE}"));
        return;
    }
    let what = match whole {
        true => {
            "Violins: density over the records (Gaussian kernel, Silverman's width); bars: quartiles with the median in \
                 white; whiskers: 5th to 95th percentile; circles: means. With fewer than 12 values every one is a point."
        }
        false => {
            "Points: means of single runs (predictions.csv is missing, so that single records are not known); circles: \
                  means of those."
        }
    };
    let caption = format!(
        "Scores of the Grad-CAM maps for the true class against the guidance target, by variant; up to {} a row; deletion \
         and insertion: a few records of each class. {what} Upright lines: means of the map |dx/dt|, which is a beat \
         detector that learned nothing, and of a network with random weights.",
        count(n, "value"),
    );
    drawn.add(stem, distributions(look, stem, panels, (Shape::Violin, 2), &caption));
}

/// The mean of curves with its 95 % t interval at every share of the samples.
fn mean_curve(curves: &[&Vec<f32>]) -> Vec<(f64, f64, f64, f64)> {
    let steps = curves.first().map_or(0, |c| c.len());
    let at = |i: usize| {
        let values: Vec<f64> = curves.iter().filter_map(|c| c.get(i)).map(|v| f64::from(*v)).collect();
        let (mean, sd) = mean_sd(&values);
        let half = student(values.len().saturating_sub(1)) * sd / (values.len() as f64).sqrt();
        (i as f64 / (steps.max(2) - 1) as f64, mean, (mean - half).max(0.0), (mean + half).min(1.0))
    };
    (0..steps).map(at).collect()
}

pub(crate) fn perturbation<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let stem = "perturbation";
    let of = |variant: &'a str| {
        set.of(variant).filter_map(|r| r.examples.as_ref()).flat_map(|s| &s.curves).collect::<Vec<&ExampleCurves>>()
    };
    let single = set.variants.len() == 1;
    let mut groups: Vec<(String, crate::plot::style::Rgb, Vec<&ExampleCurves>)> = Vec::new();
    if single {
        let all = of(&set.variants[0]);
        for (k, class) in set.classes.iter().enumerate() {
            groups.push((class.clone(), class_color(class, k), all.iter().copied().filter(|c| c.class == k).collect()));
        }
    } else {
        for (v, variant) in set.variants.iter().enumerate() {
            groups.push((variant.clone(), series_color(v), of(variant)));
        }
    }
    groups.retain(|g| !g.2.is_empty());
    if groups.is_empty() {
        let why = format!("no {} with curves (probabilities as samples are taken away); {EVALUATE}", Examples::FILE);
        drawn.miss(stem, why);
        return;
    }
    let panel = |name: &str, of: fn(&ExampleCurves) -> &Vec<f32>| CurvePanel {
        name: name.into(),
        curves: groups
            .iter()
            .enumerate()
            .map(|(i, (name, color, curves))| MeanCurve {
                name: format!("{name} (n = {})", curves.len()),
                color: *color,
                dash: series_dash(i),
                points: mean_curve(&curves.iter().map(|c| of(c)).collect::<Vec<_>>()),
            })
            .collect(),
    };
    let panels = vec![
        panel("deletion: most relevant samples taken away", |c| &c.deletion),
        panel("insertion: only those left", |c| &c.insertion),
    ];
    let what = if single { "by true class" } else { "by variant" };
    let caption = format!(
        "Deletion (a) and insertion (b), {what}: probability of the true class as the most relevant samples of the map are \
         bridged by straight lines, or as only they are left; n: records, evenly spaced in the test fold, without those \
         whose map is dead. Lines: means over the records; bands: their pointwise 95 % t interval, as if records were \
         independent. A good map falls early in (a) and rises early in (b).",
    );
    let labels = Labels { x: "share of the samples", y: "probability of the true class" };
    drawn.add(stem, mean_curves(look, stem, panels, labels, (2, true), &caption));
}
