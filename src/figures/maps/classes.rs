//! The maps for every class over one strip.

use super::{Row, fullest, pages, true_class_alone};
use crate::figures::catalogue::{Drawn, stem};
use crate::plot::Look;
use crate::plot::heading::Fact;
use crate::run::examples::Example;
use crate::run::set::RunSet;

pub(in crate::figures) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    for arm in &set.variants {
        let stem = stem("gradcam-classes", set, arm);
        let found = fullest(set, arm, |_| true);
        let (run, shown) = match found.and_then(|one| true_class_alone(one.1).map_or(Ok(one), Err)) {
            Ok(found) => found,
            Err(why) => {
                drawn.miss(&stem, why);
                continue;
            }
        };
        let first = |right: bool| shown.strips.iter().find(|s| s.is_right() == right);
        let chosen: Vec<&Example> = match set.picked {
            true => shown.strips.iter().collect(),
            false => [true, false].into_iter().filter_map(first).collect(),
        };
        let row = |strip: &'a Example| {
            (0..shown.classes.len()).fold(Row::new(shown, strip), |row, k| {
                let p = strip.probabilities.get(k).map_or(String::new(), |p| format!("({p:.2})"));
                row.with([Fact::class("map for", (&shown.classes[k], k), &p)], k)
            })
        };
        let caption = format!(
            "Grad-CAM of {arm} for every class over one strip ({}, n = 1 run; block {}): what in it speaks for each class, \
             whichever is predicted; a strip that is classified right, and one that is not. As each map has a scale of its own, \
             colours compare places within a map, not classes.",
            run.cell(),
            shown.layer
        );
        drawn.add_pages(&stem, pages(look, &stem, chosen.into_iter().map(row).collect(), false, &caption));
    }
}
