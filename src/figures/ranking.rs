//! ROC and precision-recall curves, each class against the rest.

use super::shared::{FEW_PATIENTS, Panel, RESAMPLES, SEED, no_predictions, panels, pooled, telling};
use crate::error::{Error, Result};
use crate::figures::catalogue::{Drawn, count, stem};
use crate::plot::axes::Axis;
use crate::plot::canvas::Type;
use crate::plot::figure::Figure;
use crate::plot::panels::{Grid, Line, band, letter, line};
use crate::plot::style::{GRID, INK_SOFT, Look, PT_SMALL, class_color};
use crate::run::predictions::Prediction;
use crate::run::set::RunSet;
use crate::stats::ranking::{Curve, Ranked, Ranking, ranking};
use std::collections::BTreeSet;

/// Most classes whose bands can be distinguished; intervals of the areas stand beside the curves of any.
const BANDED: usize = 2;

/// The curves of every arm.
pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    for arm in &set.variants {
        let stem = stem("ranking", set, arm);
        match set.predictions(arm) {
            Some(rows) => drawn.add_pages(&stem, curves(set, arm, &rows, look, &stem)),
            None => drawn.miss(&stem, no_predictions(set, arm)),
        }
    }
}

/// An area, and its interval, of a class that so many patients have.
fn area_text(curve: &Curve, patients: usize) -> String {
    match telling(curve.interval, patients) {
        true => format!("{:.3} ({:.3}–{:.3})", curve.area, curve.interval.0, curve.interval.1),
        false => format!("{:.3}", curve.area),
    }
}

fn curves<'a>(
    set: &'a RunSet<'a>,
    arm: &str,
    rows: &[(usize, &Prediction)],
    look: &Look,
    stem: &str,
) -> Result<Vec<Figure<'a>>> {
    let (mut classes, mut absent) = (Vec::new(), Vec::new());
    for (index, name) in set.classes.iter().enumerate() {
        let one = |(patient, p): &(usize, &Prediction)| Ranked {
            score: p.probabilities.get(index).copied().unwrap_or(f64::NAN),
            positive: p.truth == index,
            patient: *patient,
        };
        match ranking(rows.iter().map(one).collect(), SEED, RESAMPLES) {
            Some(found) => {
                let own = rows.iter().filter(|r| r.1.truth == index).map(|r| r.0).collect::<BTreeSet<usize>>().len();
                classes.push((name.as_str(), class_color(name, index), found, own));
            }
            None => absent.push(name.as_str()),
        }
    }
    if classes.is_empty() {
        let what = "no class has records and others beside them";
        return Err(Error::data(stem, what, "test on records of at least two classes"));
    }
    let absent = absent.join(", ");
    let banded = classes.len() <= BANDED;
    let patients: BTreeSet<usize> = rows.iter().map(|r| r.0).collect();
    let caption = format!(
        "ROC (a) and precision-recall curves (b) of {arm}, each class against the rest: {} predictions of {}, {}. \
         In parentheses the 95 % interval of the area from {RESAMPLES} bootstrap resamples of the patients, none where fewer \
         than {FEW_PATIENTS} patients have the class or all resamples agree{}. ROC: receiver operating characteristic.{}",
        rows.len(),
        count(patients.len(), "patient"),
        pooled(set.of(arm)),
        if banded { "; bands: pointwise, from the same resamples" } else { "" },
        if absent.is_empty() { String::new() } else { format!(" No record of {absent}.") }
    );
    let unit = Axis::with_ticks(0.0, 1.0, 0.2);
    let columns = if look.is_wide() { 2 } else { 1 };
    let width = look.width();
    let side = (width / columns as f64 - 21.0).min(64.0);
    let names = classes.len() as f64 * 3.7 + if absent.is_empty() { 0.0 } else { 3.7 };
    let right = width / columns as f64 - 15.5 - side;
    let grid = Grid { width, columns, left: 15.5, right, top: 4.0, height: side, bottom: 17.0 + names };
    Ok(panels(
        look,
        stem,
        &caption,
        (grid, 2),
        (1.0, 0.0),
        |_| {},
        move |c, frame, Panel { index: k, .. }| {
            let small = Type::new(PT_SMALL);
            let (x, y) = if k == 0 { ("1 − specificity", "sensitivity") } else { ("recall", "precision") };
            frame.draw(c, &unit, &unit, Some(x), y);
            letter(c, (frame.x0 - 14.0, frame.y0 + 1.0), k);
            if k == 0 {
                let chance = Line { dash: 0.8, ..Line::new(GRID) };
                line(c, frame, (&unit, &unit), &[(0.0, 0.0), (1.0, 1.0)], chance);
            }
            let of = |found: &Ranking| if k == 0 { found.roc.clone() } else { found.precision.clone() };
            for (_, color, found, _) in classes.iter().filter(|(.., own)| banded && *own >= FEW_PATIENTS) {
                band(c, frame, (&unit, &unit), &of(found).band, *color, 0.1);
            }
            for (_, color, found, _) in &classes {
                let points = of(found).points;
                line(c, frame, (&unit, &unit), &if k == 0 { points } else { steps(&points) }, Line::new(*color));
            }
            let mut base = frame.y1 + 14.5;
            let head = if k == 0 { "area under the curve" } else { "average precision (share of the class)" };
            c.text((frame.x0, base), head, &small.color(INK_SOFT));
            for (name, color, found, own) in &classes {
                base += 3.7;
                let middle = base - small.drop();
                c.line((frame.x0, middle), (frame.x0 + 5.0, middle), 1.4, *color);
                let mut text = area_text(&of(found), *own);
                if k == 1 {
                    text += &format!(" ({:.0} %)", 100.0 * found.positive as f64 / found.records.max(1) as f64);
                }
                let room = frame.x1 - frame.x0 - 8.0 - small.width(&text);
                c.text((frame.x0 + 6.5, base), &small.shorten(name, room), &small);
                c.text((frame.x1, base), &text, &small.end());
            }
            if k == 0 && !absent.is_empty() {
                let text = format!("no curve: {absent}");
                c.text((frame.x0, base + 3.7), &small.shorten(&text, side + 4.0), &small.color(INK_SOFT));
            }
            Ok(())
        },
    ))
}

/// Precision keeps its value back to the recall before it.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut out = Vec::new();
    let mut before = 0.0;
    for &(recall, precision) in points {
        out.extend([(before, precision), (recall, precision)]);
        before = recall;
    }
    out
}
