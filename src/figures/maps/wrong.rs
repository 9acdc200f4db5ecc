//! Wrong predictions: each strip with the map for the class that was predicted and the map for the true one.

use super::{Row, fullest, pages, true_class_alone};
use crate::figures::catalogue::{Drawn, stem};
use crate::plot::Look;
use crate::plot::heading::Fact;
use crate::run::examples::Example;
use crate::run::set::RunSet;

/// Strips of a class.
const EACH: usize = 2;

pub(in crate::figures) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    for arm in &set.variants {
        let stem = stem("gradcam-wrong", set, arm);
        let found = fullest(set, arm, |s| !s.is_right());
        let (run, shown) = match found.and_then(|one| true_class_alone(one.1).map_or(Ok(one), Err)) {
            Ok(found) => found,
            Err(why) => {
                drawn.miss(&stem, why);
                continue;
            }
        };
        let of = |k: usize| (shown.classes[k].as_str(), k);
        let row = |strip: &'a Example| {
            let p = strip.probabilities.get(strip.class).map_or(String::new(), |p| format!("({p:.2})"));
            Row::new(shown, strip)
                .with([Fact::class("map for the prediction", of(strip.predicted), "")], strip.predicted)
                .with([Fact::class("map for the true class", of(strip.class), &p)], strip.class)
        };
        let most = if set.picked { usize::MAX } else { EACH };
        let wrong = |k: usize| shown.strips.iter().filter(move |s| s.class == k && !s.is_right()).take(most);
        let rows: Vec<Row> = (0..shown.classes.len()).flat_map(wrong).map(row).collect();
        if rows.is_empty() {
            drawn.miss(&stem, format!("{arm} kept no strip that it classifies wrong ({})", run.cell()));
            continue;
        }
        let caption = format!(
            "Wrong predictions of {arm} ({}, n = 1 run; block {}), at most {EACH} of each true class: the same strip with the map \
             for the predicted class, which shows what spoke for the mistake, and with that for the true class, which shows \
             what spoke against it.",
            run.cell(),
            shown.layer
        );
        drawn.add_pages(&stem, pages(look, &stem, rows, false, &caption));
    }
}
