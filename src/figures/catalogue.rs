//! The figures of run folders: what is there is drawn, and what cannot be is told, with the reason. Nothing here needs a
//! GPU, a model or a data set.
//!
//! - [`runs`]: run folders, read as far as they can be (for the page of `exgnet report` too)
//! - [`RunSet`]: the runs in their order, with what they have in common
//! - [`draw`]: the figures of one [`Kind`]; a [`Figure`] gives an SVG document or writes its files

use crate::error::{Error, Result};
pub use crate::figures::kinds::{Kind, Wanted};
use crate::figures::network::diagram::diagram;
use crate::figures::network::network;
use crate::figures::of_runs::{classification, explained, features, scores, training};
use crate::plot::{Figure, Look};
pub use crate::run::set::RunSet;

/// How files of a test are had again.
pub(crate) const EVALUATE: &str = "write it with: exgnet evaluate --model RUN --out RUN";

/// A figure that is not drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotDrawn {
    /// Its name.
    pub figure: String,
    /// What is missing, and how it is had.
    pub why: String,
    /// What it needs is there, and it could not be drawn all the same.
    pub failed: bool,
}

/// The figures of a kind.
#[derive(Debug, Default)]
pub struct Drawn<'a> {
    /// What can be drawn.
    pub figures: Vec<Figure<'a>>,
    /// What cannot.
    pub missing: Vec<NotDrawn>,
}

impl<'a> Drawn<'a> {
    pub(crate) fn add(&mut self, stem: &str, figure: Result<Figure<'a>>) {
        let why = match figure {
            Ok(figure) => return self.figures.push(figure),
            Err(Error::Data { what, hint, .. }) => format!("{what}; {hint}"),
            Err(e) => e.to_string().replace('\n', "; "),
        };
        self.missing.push(NotDrawn { figure: stem.to_owned(), why, failed: true });
    }

    pub(crate) fn miss(&mut self, figure: &str, why: impl Into<String>) {
        self.missing.push(NotDrawn { figure: figure.to_owned(), why: why.into(), failed: false });
    }
}

/// Lays out the figures of a kind; what the runs have decides which there are. Those of kernels are not of runs.
pub fn draw<'a>(kind: Kind, set: &'a RunSet<'a>, look: &Look) -> Drawn<'a> {
    let mut drawn = Drawn::default();
    match kind {
        Kind::Training => training::draw(&mut drawn, set, look),
        Kind::Confusion => classification::confusion(&mut drawn, set, look),
        Kind::Ranking => classification::ranking(&mut drawn, set, look),
        Kind::Performance => classification::performance(&mut drawn, set, look),
        Kind::Gradcam => explained::draw(&mut drawn, set, look),
        Kind::Scores => scores::draw(&mut drawn, set, look),
        Kind::Features => features::draw(&mut drawn, set, look),
        Kind::Network => architecture(&mut drawn, set, look),
        Kind::Kernels => {}
    }
    drawn
}

/// The diagram of the variant with most parts, which shows them all.
fn architecture<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let parts = |losses: &crate::experiment::LossConfig| {
        usize::from(losses.joint > 0.0 || losses.feature > 0.0) + usize::from(losses.xai > 0.0)
    };
    let experiments = set.runs.iter().filter_map(|r| r.experiment.as_ref());
    let Some(experiment) = experiments.max_by_key(|e| parts(&e.losses)) else {
        return drawn.miss("network", "no run has a config.toml that can be read");
    };
    if set.classes.is_empty() {
        return drawn.miss("network", "neither metrics.json nor split.json tells the classes: train the run");
    }
    drawn.add("network", diagram(experiment, set.classes.len()).map(|d| network(&d, look)));
}

/// How many, in words: `1 run`, `3 runs`.
pub(crate) fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
