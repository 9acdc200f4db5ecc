//! Every figure of run folders and of kernel measurements: what is there is drawn, and what cannot be is told, with the
//! reason. Nothing here needs a GPU, a model or a data set.
//!
//! [`Material::read`] gathers the folders, [`draw`] makes the figures of one [`Kind`]; a [`Figure`] gives an SVG document
//! or writes its files.

mod classification;
mod explained;
mod features;
mod kernels;
mod network;
mod runs;
mod scores;
mod training;

use crate::error::{Error, Result};
use crate::figures::{Figure, Look};
pub use kernels::Measured;
pub use runs::{Material, Run};

/// A kind of figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Losses, learning rate and metrics over the epochs.
    Training,
    /// Confusion matrices, pooled and by fold.
    Confusion,
    /// ROC, precision and recall; reliability.
    Ranking,
    /// Metrics per class; variants against each other.
    Metrics,
    /// Strips with their maps; plain against guided; means about the R peak.
    Gradcam,
    /// Scores of the maps; deletion and insertion.
    Scores,
    /// The 17 features per class; regressed against measured.
    Features,
    /// The network with shapes and parameters.
    Network,
    /// Roofline, versions, step, growth.
    Kernels,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Training,
        Self::Confusion,
        Self::Ranking,
        Self::Metrics,
        Self::Gradcam,
        Self::Scores,
        Self::Features,
        Self::Network,
        Self::Kernels,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Confusion => "confusion",
            Self::Ranking => "ranking",
            Self::Metrics => "metrics",
            Self::Gradcam => "gradcam",
            Self::Scores => "scores",
            Self::Features => "features",
            Self::Network => "network",
            Self::Kernels => "kernels",
        }
    }
}

/// A figure that is not drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub figure: String,
    /// What is missing, and how it is had.
    pub why: String,
}

/// The figures of a kind.
#[derive(Debug, Default)]
pub struct Drawn<'a> {
    /// What can be drawn.
    pub figures: Vec<Figure<'a>>,
    /// What cannot.
    pub missing: Vec<Missing>,
}

impl<'a> Drawn<'a> {
    fn add(&mut self, stem: &str, figure: Result<Figure<'a>>) {
        match figure {
            Ok(figure) => self.figures.push(figure),
            Err(Error::Data { what, hint, .. }) => self.miss(stem, format!("{what}; {hint}")),
            Err(e) => self.miss(stem, e.to_string().replace('\n', "; ")),
        }
    }

    fn miss(&mut self, figure: &str, why: impl Into<String>) {
        self.missing.push(Missing { figure: figure.to_owned(), why: why.into() });
    }
}

/// Lays out the figures of a kind; whatever was given decides which there are.
pub fn draw<'a>(kind: Kind, material: &'a Material, look: &Look) -> Drawn<'a> {
    let mut drawn = Drawn::default();
    if kind == Kind::Kernels {
        kernels::draw(&mut drawn, material, look);
        return drawn;
    }
    if material.runs.is_empty() {
        return drawn;
    }
    match kind {
        Kind::Training => training::draw(&mut drawn, material, look),
        Kind::Confusion => classification::confusion(&mut drawn, material, look),
        Kind::Ranking => classification::ranking(&mut drawn, material, look),
        Kind::Metrics => classification::metrics(&mut drawn, material, look),
        Kind::Gradcam => explained::draw(&mut drawn, material, look),
        Kind::Scores => scores::draw(&mut drawn, material, look),
        Kind::Features => features::draw(&mut drawn, material, look),
        Kind::Network => network::draw(&mut drawn, material, look),
        Kind::Kernels => {}
    }
    drawn
}

/// How many, in words: `1 run`, `3 runs`.
fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
