//! The same strips as two arms explain them.

use super::{Row, ncc, no_file, pages, place};
use crate::figures::catalogue::Drawn;
use crate::plot::heading::Fact;
use crate::plot::style::INK;
use crate::plot::{Figure, Look};
use crate::run::examples::{Example, Examples};
use crate::run::read::Run;
use crate::run::set::RunSet;

/// Strips, about.
const ROWS: usize = 6;
const STEM: &str = "gradcam-compare";

pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let Some(arms) = set.pair() else {
        return drawn.only_one(STEM, "one arm only; give a sweep, or two run folders on the same test fold");
    };
    match compared(set, arms, look) {
        Ok(figures) => drawn.add_pages(STEM, figures),
        Err(why) => drawn.miss(STEM, why),
    }
}

/// The strips that two arms kept of the same records, by class.
fn common<'a>(pair: &[&'a Examples; 2]) -> Vec<[&'a Example; 2]> {
    let [first, second] = *pair;
    first.strips.iter().filter_map(|a| Some([a, second.strips.iter().find(|b| a.record == b.record)?])).collect()
}

/// The same strips by two arms; what stands in the way otherwise.
fn compared<'a>(
    set: &'a RunSet<'a>,
    arms: [&'a str; 2],
    look: &Look,
) -> Result<crate::Result<Vec<Figure<'a>>>, String> {
    let kept = |arm: &'a str| set.of(arm).filter_map(|r| Some((r, r.examples.as_ref()?)));
    if let Some(arm) = arms.into_iter().find(|arm| kept(arm).next().is_none()) {
        return Err(no_file(set, arm));
    }
    let same = |a: &Run, b: &Run| a.fold_and_seed() == b.fold_and_seed();
    let mut best: Option<(usize, &Run, [&Examples; 2])> = None;
    for (run, first) in kept(arms[0]) {
        let Some((_, second)) = kept(arms[1]).find(|b| same(run, b.0) && b.1.fs == first.fs) else { continue };
        let there = common(&[first, second]);
        let classes = (0..first.classes.len()).filter(|k| there.iter().any(|s| s[0].class == *k)).count();
        if best.as_ref().is_none_or(|b| classes > b.0) {
            best = Some((classes, run, [first, second]));
        }
    }
    let (_, run, pair) =
        best.ok_or_else(|| format!("no fold and seed with an {} of both {} and {}", Examples::FILE, arms[0], arms[1]))?;
    let (shown, there) = (pair[0], common(&pair));
    // the first of each class, then the second, while there is room
    let each = if set.picked { usize::MAX } else { (ROWS / shown.classes.len().max(1)).max(1) };
    let own = |k: usize| there.iter().filter(move |s| s[0].class == k).take(each);
    let row = |strips: &[&'a Example; 2]| {
        let mut row = Row::new(shown, strips[0]);
        row.facts.remove(1);
        for (strip, arm) in strips.iter().zip(arms) {
            let p = strip.probabilities.get(strip.predicted).map_or(f64::NAN, |p| f64::from(*p));
            let class = (shown.classes[strip.predicted].as_str(), strip.predicted);
            let facts = [Fact::words(arm, INK), Fact::predicted(class, p)].into_iter().chain(ncc(strip));
            row.push(strip, facts, strip.class, true);
        }
        row
    };
    let rows: Vec<Row> = (0..shown.classes.len()).flat_map(own).map(row).collect();
    if rows.is_empty() {
        return Err(format!("{} and {} kept no strip of the same record", arms[0], arms[1]));
    }
    let caption = format!(
        "Grad-CAM of {} and {} for the true class on the same strips (both: {}).",
        arms[0],
        arms[1],
        place(run, shown)
    );
    Ok(pages(set, look, STEM, rows, false, &caption))
}
