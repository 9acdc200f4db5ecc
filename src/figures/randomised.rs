//! Maps against those of the trained network as its weights become random.

use super::shared::{heading, legend_above, panels, runs_of};
use crate::figures::catalogue::Drawn;
use crate::plot::Look;
use crate::plot::axes::Axis;
use crate::plot::legend::Entry;
use crate::plot::panels::{Grid, Line, line};
use crate::run::randomised::{Layer, Randomised};
use crate::run::read::Run;
use crate::run::set::RunSet;

const STEM: &str = "randomised";
const WRITE: &str = "write it with: exgnet evaluate --model RUN --out RUN --randomise";
type Of = fn(&Layer) -> Option<f64>;
const PANELS: [(&str, Of); 2] = [("Spearman's rank correlation", |l| l.spearman), ("NCC", |l| l.ncc)];

/// Means over the runs of an arm by number of random parts; 1 where none is.
fn curve(runs: &[&Randomised], of: Of) -> Vec<(f64, f64)> {
    let layers = runs.iter().map(|r| r.layers.len()).max().unwrap_or(0);
    let mean = |i: usize| {
        let values: Vec<f64> = runs.iter().filter_map(|r| of(r.layers.get(i)?)).collect();
        (!values.is_empty()).then(|| ((i + 1) as f64, values.iter().sum::<f64>() / values.len() as f64))
    };
    std::iter::once((0.0, 1.0)).chain((0..layers).filter_map(mean)).collect()
}

pub(super) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    fn of(run: &Run) -> Option<&Randomised> {
        run.randomised.as_ref()
    }
    let arms: Vec<(usize, &String, Vec<&Randomised>)> = set
        .variants
        .iter()
        .enumerate()
        .map(|(i, arm)| (i, arm, set.of(arm).filter_map(of).collect()))
        .filter(|(_, _, runs): &(_, _, Vec<_>)| !runs.is_empty())
        .collect();
    let Some((_, _, first)) = arms.first() else {
        return drawn.only_one(STEM, format!("no {} (maps at random weights); {WRITE}", Randomised::FILE));
    };
    let names: Vec<&str> = first[0].layers.iter().map(|l| l.layer.as_str()).collect();
    let most = arms.iter().flat_map(|(_, _, runs)| runs.iter().map(|r| r.layers.len())).max().unwrap_or(1);
    let entries: Vec<Entry> = arms.iter().map(|(i, arm, _)| Entry::arm((*arm).clone(), *i, true)).collect();
    let curves: Vec<[Vec<(f64, f64)>; 2]> =
        arms.iter().map(|(_, _, runs)| PANELS.map(|(_, of)| curve(runs, of))).collect();
    let caption = format!(
        "Grad-CAM maps for the true class against those of the trained network as the parts of the network take random weights, \
         from the output backwards (0: none; then {}): means over at most 64 records evenly over the classes, and over the runs \
         ({}). A map that says something about what was learned loses its likeness (Adebayo et al. 2018).",
        names.join(", "),
        runs_of(arms.iter().map(|(_, arm, runs)| (arm.as_str(), runs.len())))
    );
    let (width, wide) = (look.width(), look.is_wide());
    let grid = Grid {
        width,
        columns: 2,
        left: 13.5,
        right: 3.5,
        top: 6.0,
        height: if wide { 38.0 } else { 28.0 },
        bottom: 10.5,
    };
    let (above, head) = legend_above(entries.clone(), (grid.left, width));
    let x = Axis::whole(0, most);
    let values = || curves.iter().flatten().flatten().map(|p| p.1);
    let y = Axis::linear(values().chain([0.0, 1.0]), 5);
    let pages = panels(look, STEM, &caption, (grid, PANELS.len()), (above, 1.0), head, move |c, frame, place| {
        frame.draw(c, &x, &y, Some("parts at random weights"), PANELS[place.index].0);
        heading(c, frame, grid.left, Some(place.index), "");
        for (entry, curves) in entries.iter().zip(&curves) {
            line(c, frame, (&x, &y), &curves[place.index], Line::of(entry));
        }
        Ok(())
    });
    drawn.figures.extend(pages);
}
