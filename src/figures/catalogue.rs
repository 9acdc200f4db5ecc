//! The one table of figures that are drawn from run folders and from measurements of kernels. A new kind is a file of this
//! folder, from runs to drawing, and a row of [`FIGURES`]; `exgnet figures`, the report and the end of a training read it
//! from there. Nothing here needs a GPU, a model or a data set.

use super::{
    ablation, balance, confusion, embedding, features, kernels, maps, network, networks, patients, per_class,
    perturbation, randomised, ranking, regressed, reliability, scores, training,
};
use crate::error::{Error, Result};
use crate::files::guard;
use crate::plot::{Figure, Format, Look};
use crate::run::folder::{FIGURE_ENDS, caption_of, drawn_from};
use crate::run::read::Found;
use crate::run::set::RunSet;
pub(crate) use crate::run::set::count;
use kernels::KernelData;
use std::path::{Path, PathBuf};

/// A kind of figure.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Kinds that are asked for together.
    pub group: &'static str,
    /// Its name, with which those of its files begin. One arm of several has its name behind that, with a dash between.
    pub stem: &'static str,
    /// What it shows, in words.
    pub title: &'static str,
    /// From what it is drawn, and how.
    pub draw: Draw,
}

/// Draws from runs.
type OfRuns = for<'a> fn(&mut Drawn<'a>, &'a RunSet<'a>, &Look);

/// What draws a kind.
#[derive(Debug, Clone, Copy)]
pub enum Draw {
    /// From runs.
    Runs(OfRuns),
    /// From the runs of networks: of what baselines do not have.
    Networks(OfRuns),
    /// From measurements of kernels.
    Kernels(fn(&KernelData, &Look) -> Vec<Figure<'static>>),
}

macro_rules! figures {
    ($($group:literal $stem:literal $title:literal $from:ident($draw:expr);)*) => {
        &[$(Kind { group: $group, stem: $stem, title: $title, draw: Draw::$from($draw) }),*]
    };
}

/// Every kind, in the order of a report.
pub const FIGURES: &[Kind] = figures! {
    "training" "losses" "Losses and learning rate" Networks(training::losses);
    "training" "metrics" "Metrics over the epochs" Networks(training::metrics);
    "confusion" "confusion" "Confusion matrix" Runs(confusion::draw);
    "confusion" "confusion-folds" "Confusion matrices of the folds" Runs(confusion::folds);
    "confusion" "confusion-arms" "Confusion matrices of the arms" Runs(confusion::arms);
    "ranking" "ranking" "ROC, precision and recall" Runs(ranking::draw);
    "ranking" "reliability" "Reliability" Runs(reliability::draw);
    "performance" "per-class" "Metrics per class" Runs(per_class::draw);
    "performance" "patients" "Accuracy of every patient" Runs(patients::draw);
    "performance" "ablation" "Arms against each other" Runs(ablation::draw);
    "performance" "networks" "Networks and their cost" Networks(networks::draw);
    "data" "balance" "Records of every class" Runs(balance::draw);
    "gradcam" "gradcam" "Grad-CAM of a strip of each class" Networks(maps::gradcam::draw);
    "gradcam" "gradcam-compare" "Grad-CAM, two arms on the same strips" Networks(maps::compare::draw);
    "gradcam" "gradcam-aligned" "Grad-CAM averaged about the R peak" Networks(maps::aligned::draw);
    "gradcam" "gradcam-wrong" "Grad-CAM of wrong predictions" Networks(maps::wrong::draw);
    "gradcam" "gradcam-classes" "Grad-CAM for every class over one strip" Networks(maps::classes::draw);
    "scores" "scores" "Scores of the maps" Networks(scores::draw);
    "scores" "perturbation" "Deletion and insertion" Networks(perturbation::draw);
    "scores" "randomised" "Maps at random weights" Networks(randomised::draw);
    "features" "features" "Features per class" Networks(features::draw);
    "features" "features-regressed" "Features regressed and measured" Networks(regressed::draw);
    "features" "embedding" "Map of the embedding" Networks(embedding::draw);
    "network" "network" "The network" Networks(network::draw);
    "kernels" "roofline" "Roofline" Kernels(|data, look| Vec::from_iter(kernels::roofline(data, look)));
    "kernels" "variants" "Versions of the kernels" Kernels(kernels::variants);
    "kernels" "step-share" "Share of a training step" Kernels(|data, look| Vec::from_iter(kernels::step_share(data, look)));
    "kernels" "scaling" "Growth with the sizes" Kernels(|data, look| Vec::from_iter(kernels::scaling(data, look)));
    "kernels" "ladder" "Versions of a kernel in their order" Kernels(kernels::ladders);
};

/// How files of a test are had again.
pub(crate) const EVALUATE: &str = "write it with: exgnet evaluate --model RUN --out RUN";
/// The same where no run has come to its test.
const RESUME: &str = "no run is finished: exgnet train --resume --out RUN";

/// A figure that is not drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotDrawn {
    /// Its name.
    pub figure: String,
    /// What is missing, and how it is had.
    pub why: String,
    /// What kept it from being drawn.
    pub cause: Cause,
}

/// What keeps a figure from being drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It shows several arms or networks, and there is one, or what a test writes only where it is asked to: nobody misses it
    /// who did not ask for it.
    One,
    /// The runs do not have what it needs.
    Lacking,
    /// What it needs is there, and it could not be drawn all the same.
    Failed,
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
    /// Adds a figure, or why it could not be laid out.
    pub(crate) fn add(&mut self, stem: &str, figure: Result<Figure<'a>>) {
        let why = match figure {
            Ok(figure) => return self.figures.push(figure),
            Err(Error::Data { what, hint, .. }) => format!("{what}; {hint}"),
            Err(e) => e.to_string().replace('\n', "; "),
        };
        self.missing.push(NotDrawn { figure: stem.to_owned(), why, cause: Cause::Failed });
    }

    /// Adds the pages of a figure.
    pub(crate) fn add_pages(&mut self, stem: &str, pages: Result<Vec<Figure<'a>>>) {
        match pages {
            Ok(pages) => self.figures.extend(pages),
            Err(e) => self.add(stem, Err(e)),
        }
    }

    /// Notes what a figure needs and the runs do not have.
    pub(crate) fn miss(&mut self, figure: &str, why: impl Into<String>) {
        self.missing.push(NotDrawn { figure: figure.to_owned(), why: why.into(), cause: Cause::Lacking });
    }

    /// Notes that a figure compares several, and there is one.
    pub(crate) fn only_one(&mut self, figure: &str, why: impl Into<String>) {
        self.missing.push(NotDrawn { figure: figure.to_owned(), why: why.into(), cause: Cause::One });
    }
}

impl NotDrawn {
    /// What was left out of all runs is why.
    fn without(self, left_out: &[&str]) -> Self {
        if left_out.is_empty() || self.cause == Cause::Failed {
            return self;
        }
        let why = format!("not every run has a whole {}, see what is missing", left_out.join(", "));
        Self { why, cause: Cause::Lacking, ..self }
    }

    /// What a test writes cannot be had before the training has ended.
    fn before_the_test(self) -> Self {
        Self { why: self.why.replace(EVALUATE, RESUME), ..self }
    }
}

impl Kind {
    /// Of what its figures are: of the runs, and of the strips that were picked where it shows strips.
    fn drawn_from(&self, found: &Found) -> String {
        let names = found.names.join(", ");
        let strips = ["gradcam", "gradcam-compare", "gradcam-wrong", "gradcam-classes"].contains(&self.stem);
        match strips && !found.picked.is_empty() {
            true => format!("{names} (records {})", found.picked.join(", ")),
            false => names,
        }
    }

    /// The kinds that a name asks for: those of a group, or one.
    ///
    /// # Errors
    /// In words, with every name, for any other.
    pub fn named(name: &str) -> Result<Vec<&'static Self>, String> {
        let of_group: Vec<&Self> = FIGURES.iter().filter(|k| k.group == name).collect();
        // `metrics` is a figure, `gradcam` a group that has a figure of that name
        let found = if of_group.is_empty() { FIGURES.iter().filter(|k| k.stem == name).collect() } else { of_group };
        if found.is_empty() {
            let groups: Vec<&str> = FIGURES.chunk_by(|a, b| a.group == b.group).map(|own| own[0].group).collect();
            return Err(format!(
                "expected a kind, one of {}, or the name of a figure (--list prints them)",
                groups.join(", ")
            ));
        }
        Ok(found)
    }

    /// Lays out its figures; what the runs have decides which there are, none for a kind that is not of runs.
    pub fn of_runs<'a>(&self, set: &'a RunSet<'a>, look: &Look) -> Drawn<'a> {
        let mut drawn = Drawn::default();
        match self.draw {
            Draw::Runs(draw) => draw(&mut drawn, set, look),
            Draw::Networks(draw) => draw(&mut drawn, set.networks(), look),
            Draw::Kernels(_) => {}
        }
        drawn
    }

    /// Its title, with the arm that a figure is of.
    pub fn title_of(&self, stem: &str) -> String {
        let rest = stem.strip_prefix(self.stem).and_then(|rest| rest.strip_prefix('-'));
        let (arm, page) = match rest.map(|rest| (rest, rest.rsplit_once('-').unwrap_or(("", rest)))) {
            Some((_, (arm, page))) if page.parse::<usize>().is_ok() => (arm, format!(", page {page}")),
            Some((arm, _)) => (arm, String::new()),
            None => ("", String::new()),
        };
        format!("{}{}{arm}{page}", self.title, if arm.is_empty() { "" } else { ": " })
    }
}

/// The name of a kind's figure of one arm: the kind's own where there is but one.
pub(crate) fn stem(kind: &str, set: &RunSet, arm: &str) -> String {
    if set.variants.len() == 1 {
        return kind.to_owned();
    }
    let plain = arm.replace(['/', '\\'], "-");
    // an arm `aligned` must not take the place of gradcam-aligned
    let taken = FIGURES.iter().any(|f| f.stem == format!("{kind}-{plain}"));
    format!("{kind}-{}{plain}", if taken { "variant-" } else { "" })
}

/// Lays out kinds of figures from runs, see [`Found::complete`], and hands those of each kind to `each`. Gives back what is not
/// drawn.
///
/// # Errors
/// [`Error::Data`] for runs that cannot be shown together, and those of `each`.
pub fn lay_out(
    found: &Found,
    kinds: impl IntoIterator<Item = &'static Kind>,
    look: &Look,
    each: &mut dyn FnMut(&'static Kind, Vec<Figure<'_>>) -> Result<()>,
) -> Result<Vec<NotDrawn>> {
    let set = RunSet::new(found)?;
    let some_finished = found.runs.iter().any(|run| run.is_finished());
    let mut missing = Vec::new();
    for kind in kinds {
        let drawn = kind.of_runs(&set, look);
        let all = drawn.missing.into_iter().map(|not| not.without(&found.left_out));
        missing.extend(all.map(|not| if some_finished { not } else { not.before_the_test() }));
        each(kind, drawn.figures)?;
    }
    Ok(missing)
}

/// Draws kinds of figures from runs, see [`Found::complete`], into a folder, the same files as after their training.
///
/// # Errors
/// [`Error::Data`] for runs that cannot be shown together; [`Error::File`] as [`write()`].
pub fn draw_runs(
    found: &Found,
    kinds: impl IntoIterator<Item = &'static Kind>,
    look: &Look,
    formats: &[Format],
    dir: &Path,
    written: &mut dyn FnMut(&Path),
) -> Result<Vec<NotDrawn>> {
    lay_out(found, kinds, look, &mut |kind, figures| {
        let of = kind.drawn_from(found);
        let stems: Vec<String> = figures.iter().map(|f| f.stem.clone()).collect();
        for figure in figures {
            write(figure, dir, formats, &of)?.iter().for_each(|path| written(path));
        }
        stems.iter().for_each(|stem| remove_pages(stem, &stems, formats, dir, &of));
        Ok(())
    })
}

/// Removes the pages of a figure that it had when it was drawn narrower and has no more, in the formats that are written now;
/// the caption of a page goes with its last drawing.
fn remove_pages(stem: &str, stems: &[String], formats: &[Format], dir: &Path, of: &str) {
    let pages = (2..).map(|page| format!("{stem}-{page}")).skip_while(|page| stems.contains(page));
    for page in pages.take_while(|page| drawn_from(&dir.join(format!("{page}.txt"))).is_some_and(|old| old == of)) {
        let at = |end: &str| dir.join(format!("{page}.{end}"));
        formats.iter().for_each(|format| drop(std::fs::remove_file(at(format.extension()))));
        if !FIGURE_ENDS[1..].iter().any(|end| at(end).exists()) {
            let _ = std::fs::remove_file(at(FIGURE_ENDS[0]));
        }
    }
}

/// Writes a figure and its caption to a folder, which is made. The last line of a caption says of what the figure is: one of
/// the same replaces it.
///
/// # Errors
/// [`Error::File`] for what cannot be written, or lies there and is of something else.
pub fn write(mut figure: Figure<'_>, dir: &Path, formats: &[Format], of: &str) -> Result<Vec<PathBuf>> {
    if drawn_from(&dir.join(format!("{}.txt", figure.stem))).is_some_and(|old| old == of) {
        let all = FIGURE_ENDS.map(|end| dir.join(format!("{}.{end}", figure.stem)));
        all.iter().for_each(|path| guard::replaces(path));
    }
    figure.caption = caption_of(&figure.caption, of);
    std::fs::create_dir_all(dir).map_err(|e| {
        let what = if dir.is_file() { "is a file, expected a folder".into() } else { e.to_string() };
        Error::file(dir, what, "give a folder that can be written with --out")
    })?;
    figure.write(dir, formats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_groups_and_figures() {
        let stems = |name| Kind::named(name).map(|all| all.iter().map(|k| k.stem).collect::<Vec<_>>());
        assert_eq!(stems("gradcam-aligned"), Ok(vec!["gradcam-aligned"]));
        assert!(stems("gradcam").is_ok_and(|all| all.len() > 1), "the group, not its first figure");
        assert_eq!(stems("losses"), Ok(vec!["losses"]));
        let message = stems("pictures").expect_err("no kind");
        assert!(FIGURES.iter().all(|k| message.contains(k.group)), "{message}");
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let mut stems: Vec<&str> = FIGURES.iter().map(|k| k.stem).collect();
        stems.sort_unstable();
        assert!(stems.windows(2).all(|w| w[0] != w[1]), "{stems:?}");
    }

    #[test]
    fn what_a_test_writes_needs_a_finished_run() {
        let not = NotDrawn { figure: "map".into(), why: format!("no maps; {EVALUATE}"), cause: Cause::Lacking };
        assert_eq!(not.before_the_test().why, format!("no maps; {RESUME}"));
    }

    #[test]
    fn titles_name_arm_and_page() {
        let kind = Kind::named("gradcam-wrong").expect("a kind")[0];
        let titles = ["gradcam-wrong", "gradcam-wrong-2", "gradcam-wrong-both", "gradcam-wrong-both-3"]
            .map(|stem| kind.title_of(stem).replace(kind.title, ""));
        assert_eq!(titles, ["", ", page 2", ": both", ": both, page 3"]);
    }

    #[test]
    fn pages_that_are_no_more_are_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |stem: &str, of: &str| {
            std::fs::write(dir.path().join(format!("{stem}.txt")), caption_of("A figure.", of) + "\n")
                .expect("written");
            std::fs::write(dir.path().join(format!("{stem}.svg")), "").expect("written");
        };
        for stem in ["a", "a-2", "a-3", "a-4", "b-2"] {
            write(stem, "run");
        }
        write("a-5", "another");
        remove_pages("a", &["a".into(), "a-2".into()], &[Format::Svg], dir.path(), "run");
        let there = ["a", "a-2", "a-3", "a-4", "a-5", "b-2"].map(|s| dir.path().join(format!("{s}.svg")).exists());
        assert_eq!(there, [true, true, false, false, true, true]);
    }
}
