//! How good maps are: their scores by arm.

use crate::explain::scores::Summary;
use crate::figures::catalogue::{Drawn, EVALUATE, count};
use crate::plot::Look;
use crate::plot::distributions::{Distribution, Group, Shape, distributions};
use crate::plot::style::arm_color;
use crate::run::predictions::Prediction;
use crate::run::sanity::Sanity;
use crate::run::set::RunSet;
use crate::stats::mean_sd;

const STEM: &str = "scores";

type Of = fn(&Prediction) -> Option<f64>;
/// Name, value of a record, and what the axis must hold; the first four are also [`means`] of a run.
const SCORES: [(&str, Of, &[f64]); 6] = [
    ("NCC with target G", |p| Some(p.explanation?.ncc), &[0.0, 1.0]),
    ("energy in G > 0.5", |p| Some(p.explanation?.energy), &[0.0, 1.0]),
    ("NCC with beats B", |p| Some(p.explanation?.ncc_beats), &[0.0, 1.0]),
    ("NCC with intervals I", |p| Some(p.explanation?.ncc_intervals), &[0.0, 1.0]),
    ("area under deletion", |p| Some(p.areas?.deletion), &[0.0, 1.0]),
    ("area under insertion", |p| Some(p.areas?.insertion), &[0.0, 1.0]),
];

/// The first four scores of a summary.
fn means(summary: &Summary) -> Option<[f64; 4]> {
    summary.overall.means.map(|m| [m.ncc, m.energy, m.ncc_beats, m.ncc_intervals])
}

pub(super) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    // runs that have not tested yet are left out
    let tested: Vec<_> = set.runs.iter().filter(|r| r.predictions.is_some() || r.explanation.is_some()).collect();
    let whole = tested.iter().all(|r| r.predictions.is_some());
    let of_arm = |arm: &str| tested.iter().filter(|r| r.variant == arm).count();
    let arms: Vec<(usize, &String)> = set.variants.iter().enumerate().filter(|a| of_arm(a.1) > 0).collect();
    if arms.is_empty() {
        let why = format!("neither predictions.csv nor explanation.json (scores of the maps); {EVALUATE}");
        return drawn.miss(STEM, why);
    }
    let (mut n, mut panels, mut compared) = (0, Vec::new(), false);
    for (which, (name, of, range)) in SCORES.iter().enumerate() {
        let values = |arm: &str| -> Vec<f64> {
            let runs = set.of(arm);
            match (whole, which) {
                (true, _) => runs.filter_map(|r| r.predictions.as_ref()).flatten().filter_map(of).collect(),
                (false, 0..4) => {
                    runs.filter_map(|r| Some(means(&r.explanation.as_ref()?.true_class)?[which])).collect()
                }
                (false, 4) => runs.filter_map(|r| r.metrics.as_ref()?.explanation.deletion_auc).collect(),
                (false, _) => runs.filter_map(|r| r.metrics.as_ref()?.explanation.insertion_auc).collect(),
            }
        };
        let group =
            |&(i, arm): &(usize, &String)| Group { name: arm.clone(), color: arm_color(i), values: values(arm) };
        let groups: Vec<Group> = arms.iter().map(group).collect();
        if groups.iter().all(|g| g.values.is_empty()) {
            continue;
        }
        n = n.max(groups.iter().map(|g| g.values.len()).max().unwrap_or(0));
        let against = |of: fn(&Sanity) -> &Summary| {
            let first = set.of(arms[0].1);
            mean_sd(&first.filter_map(|r| Some(means(of(r.sanity.as_ref()?))?[which])).collect::<Vec<_>>()).0
        };
        let mut lines: Vec<(String, f64)> = Vec::new();
        if which < 2 {
            lines.push(("|dx/dt|".into(), against(|s| &s.slope)));
            lines.push(("random weights".into(), against(|s| &s.random_network)));
            lines.retain(|line| line.1.is_finite());
        }
        compared |= !lines.is_empty();
        panels.push(Distribution { name: (*name).into(), groups, lines, range: range.to_vec() });
    }
    if panels.is_empty() {
        return drawn.miss(STEM, format!("no record has a valid guidance target; {EVALUATE}"));
    }
    let what = match whole {
        true => {
            "Violins: density over the records (Gaussian kernel, in a panel one width, the mean of Silverman's); bars: quartiles with the median in \
                 white; whiskers: 5th to 95th percentile; circles: means. With fewer than 12 values every one is a point."
        }
        false => {
            "Points: means of single runs (predictions.csv is missing, so that single records are not known); circles: \
                  means of those."
        }
    };
    let lines = match compared {
        true => {
            " Upright lines: means of the map |dx/dt|, a beat detector that learned nothing, and of a network with random weights."
        }
        false => "",
    };
    let runs: Vec<String> = arms.iter().map(|(_, arm)| format!("{arm}: n = {}", count(of_arm(arm), "run"))).collect();
    let caption = format!(
        "Scores of the Grad-CAM maps for the true class against the guidance target ({}), up to {} a row. NCC: normalised \
         cross-correlation of the map with the target G, or with its parts, beats B and intervals I; energy: share of the \
         map where G exceeds 0.5; area under the curve of deletion (low is good) and of insertion (high is good), of a few \
         records of each class. {what}{lines}",
        runs.join(", "),
        count(n, "value"),
    );
    drawn.add_pages(STEM, distributions(look, STEM, panels, (Shape::Violin, 2), &caption));
}
