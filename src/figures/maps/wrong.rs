//! Wrong predictions: each strip with the map for the class that was predicted and the map for the true one.

use super::{Row, check_classes, of_arms, place, probability};
use crate::figures::catalogue::Drawn;
use crate::plot::Look;
use crate::plot::heading::Fact;
use crate::run::set::RunSet;

/// Strips of a class.
const EACH: usize = 2;

pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    of_arms(
        drawn,
        set,
        look,
        ("gradcam-wrong", false),
        |s| !s.is_right(),
        |arm, run, shown| {
            check_classes(shown)?;
            let (each, most) = match set.picked {
                true => (String::new(), usize::MAX),
                false => (format!(", at most {EACH} of each true class"), EACH),
            };
            let wrong = |k: usize| shown.strips.iter().filter(move |s| s.class == k && !s.is_right()).take(most);
            let rows: Vec<Row> = (0..shown.classes.len())
                .flat_map(wrong)
                .map(|strip| {
                    let mut row = Row::new(shown, strip);
                    let (predicted, class) = (strip.predicted, strip.class);
                    let fact = |what, k: usize, p: &str| [Fact::class(what, (&shown.classes[k], k), p)];
                    row.push(strip, fact("map for the prediction", predicted, ""), predicted, false);
                    row.push(strip, fact("map for the true class", class, &probability(strip, class)), class, false);
                    row
                })
                .collect();
            if rows.is_empty() {
                return Err(format!("{arm} kept no strip that it classifies wrong ({})", run.cell()));
            }
            let caption = format!(
                "Wrong predictions of {arm} ({}){each}: the same strip with the map for the predicted class, which shows what spoke \
             for the mistake, and with that for the true class, which shows what spoke against it.",
                place(run, shown)
            );
            Ok((rows, caption))
        },
    );
}
