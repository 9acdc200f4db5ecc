//! The 17 features of the test records by class.

use crate::ecg::features::{MEANINGS, NAMES};
use crate::figures::catalogue::{Drawn, EVALUATE, count};
use crate::plot::Look;
use crate::plot::distributions::{Distribution, Group, Shape, distributions};
use crate::plot::style::class_color;
use crate::run::examples::{ExampleFeatures, Examples};
use crate::run::set::RunSet;

/// A feature's name with its unit; ratios have none.
pub(super) fn named(name: &str) -> String {
    match name {
        "bpm" => "bpm (/min)".into(),
        "CVNN" | "CVSD" | "MCVNN" | "SDRMSSD" | "HTI" => name.into(),
        _ => format!("{name} (ms)"),
    }
}

/// The features of an arm's test records.
pub(super) fn of<'a>(set: &'a RunSet<'a>, arm: &'a str) -> impl Iterator<Item = &'a ExampleFeatures> {
    set.of(arm).filter_map(|r| r.examples.as_ref()).flat_map(|s| &s.features)
}

pub(super) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let stem = "features";
    // those of all arms are the same
    let Some(arm) = set.variants.iter().find(|arm| of(set, arm).next().is_some()) else {
        return drawn.miss(stem, format!("no {} (features of every test record); {EVALUATE}", Examples::FILE));
    };
    let rows: Vec<&ExampleFeatures> = of(set, arm).collect();
    let there = |k: usize| rows.iter().filter(move |r| r.class == k);
    let classes: Vec<(usize, &String)> = set.classes.iter().enumerate().filter(|c| there(c.0).count() > 0).collect();
    let panel = |j: usize| {
        let group = |&(k, class): &(usize, &String)| Group {
            name: class.clone(),
            color: class_color(class, k),
            values: there(k).map(|r| f64::from(r.measured[j])).collect(),
        };
        Distribution {
            name: named(NAMES[j]),
            groups: classes.iter().map(group).collect(),
            lines: Vec::new(),
            range: Vec::new(),
        }
    };
    let per_class: Vec<String> = classes.iter().map(|(k, class)| format!("{class}: {}", there(*k).count())).collect();
    let caption = format!(
        "The 17 quantitative features of the test records ({}; n = {}), measured from the R peaks. Bars: quartiles with the \
         median as a line; whiskers: 5th to 95th percentile; points where a class has fewer than 12 values. Features that are \
         not defined for a record are left out. {MEANINGS}",
        per_class.join(", "),
        count(set.of(arm).count(), "run"),
    );
    let panels = (0..NAMES.len()).map(panel).collect();
    let columns = if look.is_wide() { 5 } else { 3 };
    drawn.add_pages(stem, distributions(look, stem, panels, (Shape::Box, columns), &caption));
}
