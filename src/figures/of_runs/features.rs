//! The 17 features: per class, and regressed against measured.

use crate::ecg::features::NAMES;
use crate::figures::catalogue::{Drawn, EVALUATE, count};
use crate::figures::features::{Regressed, correlation, regression};
use crate::figures::violins::{Distribution, Group, Shape, distributions};
use crate::plot::Look;
use crate::plot::style::class_color;
use crate::run::examples::{ExampleFeatures, Examples};
use crate::run::set::RunSet;

/// A feature's name with its unit; ratios have none.
fn named(name: &str) -> String {
    match name {
        "bpm" => "bpm (/min)".into(),
        "CVNN" | "CVSD" | "MCVNN" | "SDRMSSD" | "HTI" => name.into(),
        _ => format!("{name} (ms)"),
    }
}

pub(crate) fn features<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let of = |variant: &'a str| -> Vec<&ExampleFeatures> {
        set.of(variant).filter_map(|r| r.examples.as_ref()).flat_map(|s| &s.features).collect()
    };
    let Some((variant, rows)) = set.variants.iter().map(|v| (v, of(v))).find(|(_, rows)| !rows.is_empty()) else {
        drawn.miss("features", format!("no {} (features of every test record); {EVALUATE}", Examples::FILE));
        drawn.miss("features-regressed", format!("no {}; {EVALUATE}", Examples::FILE));
        return;
    };
    let panel = |j: usize| Distribution {
        name: named(NAMES[j]),
        groups: set
            .classes
            .iter()
            .enumerate()
            .map(|(k, class)| Group {
                name: class.clone(),
                color: class_color(class, k),
                values: rows.iter().filter(|r| r.class == k).map(|r| f64::from(r.measured[j])).collect(),
            })
            .collect(),
        lines: Vec::new(),
        range: Vec::new(),
    };
    let per_class: Vec<String> = set
        .classes
        .iter()
        .enumerate()
        .map(|(k, class)| format!("{class}: {}", rows.iter().filter(|r| r.class == k).count()))
        .collect();
    let caption = format!(
        "The 17 quantitative features of the test records ({}; {}), measured from the R peaks. Bars: quartiles with the median \
         as a line; whiskers: 5th to 95th percentile; points where a class has fewer than 12 values. Features that are not \
         defined for a record are left out.",
        per_class.join(", "),
        count(set.of(variant).count(), "run"),
    );
    let panels = (0..NAMES.len()).map(panel).collect();
    drawn.add("features", distributions(look, "features", panels, (Shape::Box, 4), &caption));
}

/// A correlation below it says that a feature is hardly read from the strip.
const FLAT: f64 = 0.3;

pub(crate) fn regressed<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let stem = "features-regressed";
    let with = |variant: &'a str| -> Vec<(usize, [f32; 17], [f32; 17])> {
        let rows = set.of(variant).filter_map(|r| r.examples.as_ref()).flat_map(|s| &s.features);
        rows.filter_map(|r| Some((r.class, r.measured, r.regressed?))).collect()
    };
    // guided the most, if there are several
    let found = set.variants.iter().rev().map(|v| (v, with(v))).find(|(_, rows)| !rows.is_empty());
    let Some((variant, rows)) = found else {
        let why = "no network with a feature regressor: it is trained with losses.joint or losses.feature above 0";
        drawn.miss(stem, why);
        return;
    };
    let feature = |j: usize| Regressed {
        name: named(NAMES[j]),
        points: rows.iter().map(|r| (r.0, f64::from(r.1[j]), f64::from(r.2[j]))).collect(),
    };
    let features: Vec<Regressed> = (0..NAMES.len()).map(feature).collect();
    let flat = features.iter().filter(|f| correlation(&f.points).abs() < FLAT).count();
    let caption = format!(
        "Features that the regressor of {variant} makes of the strip against those measured from the R peaks: {} of {}; at \
         most 250 evenly spaced ones are drawn. r: Pearson's correlation over all of them; {flat} of the {} features are regressed hardly better than by their mean \
         (r below {FLAT}). Grey: both equal. Axes hold the \
         1st to 99th percentile of the measured values; what lies outside is drawn at the edge. The regressor exists only \
         while training.",
        count(rows.len(), "test record"),
        count(set.of(variant).count(), "run"),
        NAMES.len(),
    );
    drawn.add(stem, regression(look, stem, &set.classes, features, &caption));
}
