//! Curves over the epochs.

use crate::figures::catalogue::{Drawn, count};
use crate::figures::training::{self as panels, Runs};
use crate::plot::Look;
use crate::run::set::RunSet;

pub(crate) fn losses<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let what = "Loss terms (means over the steps of an epoch that were read back) and the learning rate";
    let (groups, caption) = logs(set, what);
    drawn.add("losses", panels::losses(look, &groups, &caption));
}

pub(crate) fn metrics<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let what = "Metrics of the training batches as the network saw them in training, and of the strips held out to \
                follow the training";
    let (groups, caption) = logs(set, what);
    drawn.add("metrics", panels::metrics(look, &groups, &caption));
}

/// The logs by arm, and the caption of what is drawn of them.
fn logs<'a>(set: &'a RunSet<'a>, what: &str) -> (Vec<Runs<'a>>, String) {
    let groups: Vec<Runs<'a>> = set
        .variants
        .iter()
        .map(|name| Runs { name, logs: set.of(name).map(|r| r.log.as_slice()).filter(|log| !log.is_empty()).collect() })
        .filter(|group| !group.logs.is_empty())
        .collect();
    let told: Vec<String> = groups.iter().map(|g| format!("{}: {}", g.name, count(g.logs.len(), "run"))).collect();
    let several = groups.iter().any(|g| g.logs.len() > 1);
    let lines = match several {
        true => {
            "Thin lines: single runs (folds and seeds); thick lines: their mean, told only where every run has a finite \
             value; bands: mean ± 1 standard deviation over the runs."
        }
        false => "One run each.",
    };
    let caption = format!("{what} over the epochs. {}. {lines} Gaps: no finite value.", told.join(", "));
    (groups, caption)
}
