//! The maps for every class over one strip.

use super::{Row, check_classes, of_arms, place, probability};
use crate::figures::catalogue::Drawn;
use crate::plot::Look;
use crate::plot::heading::Fact;
use crate::run::examples::Example;
use crate::run::set::RunSet;

pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    of_arms(
        drawn,
        set,
        look,
        ("gradcam-classes", false),
        |_| true,
        |arm, run, shown| {
            check_classes(shown)?;
            let first = |right: bool| shown.strips.iter().find(|s| s.is_right() == right);
            let (chosen, which): (Vec<&Example>, _) = match set.picked {
                true => (shown.strips.iter().collect(), ""),
                false => (
                    [true, false].into_iter().filter_map(first).collect(),
                    "; a strip that is classified right, and one that is not",
                ),
            };
            let row = |strip| {
                let mut row = Row::new(shown, strip);
                for (k, class) in shown.classes.iter().enumerate() {
                    row.push(strip, [Fact::class("map for", (class, k), &probability(strip, k))], k, false);
                }
                row
            };
            let caption = format!(
                "Grad-CAM of {arm} for every class over one strip ({}): what in it speaks for each class, whichever is \
             predicted{which}. As each map has a scale of its own, colours compare places within a map, not classes.",
                place(run, shown)
            );
            Ok((chosen.into_iter().map(row).collect(), caption))
        },
    );
}
