//! Which figures are on the page.

use super::runs::{Found, Missing, Run, first_line};
use super::svg::embedded;
use crate::error::{Error, Result};
use crate::figures::{EpochRow, confusion, curves};
use crate::train::table::escape_html;
use std::collections::HashSet;
use std::path::Path;

/// Runs whose curves are drawn: of many runs the page would be long and slow.
const MOST_RUNS: usize = 12;

/// A figure of the page.
#[derive(Debug, Clone)]
pub struct PageFigure {
    /// What and of which runs, in words.
    pub title: String,
    /// The text below it.
    pub caption: String,
    /// The drawing as it stands in the page.
    ready: String,
}

impl PageFigure {
    /// The figure as it stands in the page.
    pub fn html(&self) -> String {
        let caption =
            if self.caption.is_empty() { String::new() } else { format!("<p>{}</p>", escape_html(&self.caption)) };
        format!(
            "<figure>\n<div class=\"drawing\" tabindex=\"0\" role=\"group\" aria-label=\"{title}\">{}</div>\n<figcaption><b>{title}</b>\
             {caption}</figcaption>\n</figure>\n",
            self.ready,
            title = escape_html(&self.title)
        )
    }
}

/// The figures of these runs, and what could not be drawn. **This is the place to extend**: push a title, an SVG document
/// and a caption.
pub fn figures(found: &Found) -> (Vec<PageFigure>, Vec<Missing>) {
    let mut page = Page::default();
    // drawings that were made before, of sweeps and then of runs
    for sweep in &found.sweeps {
        page.folder(&sweep.display().to_string(), &sweep.join("figures"));
    }
    let mut stems: Vec<HashSet<String>> = Vec::new();
    for run in &found.runs {
        stems.push(page.folder(&run.name(), &run.dir.join("figures")));
    }
    let is_there = |i: usize, stem: &str| stems[i].contains(stem);

    for own in found.runs.chunk_by(|a, b| a.variant == b.variant) {
        page.confusion(own);
    }
    let with_log = |(_, run): &(usize, &Run)| !run.log.is_empty();
    for (i, run) in found.runs.iter().enumerate().filter(with_log).take(MOST_RUNS) {
        let rows = rows(run);
        if !is_there(i, "losses") {
            let caption = "Loss terms and learning rate over the epochs. What is no number is a gap.";
            page.draw(format!("Losses: {}", run.name()), caption, |path| curves::draw_losses(path, &rows));
        }
        if !is_there(i, "metrics") && rows.iter().any(|r| !r.metrics.is_empty()) {
            let caption = "Accuracy and macro-F1 over the epochs. What is no number is a gap.";
            page.draw(format!("Metrics: {}", run.name()), caption, |path| curves::draw_metrics(path, &rows));
        }
    }
    let runs = found.runs.iter().filter(|r| !r.log.is_empty()).count();
    if runs > MOST_RUNS {
        let what = format!("the curves of {MOST_RUNS} of {runs} runs are drawn");
        page.missing.push(Missing { place: "figures".into(), what, command: None });
    }
    (page.figures, page.missing)
}

/// The epochs with the curves that tell something: sensitivity is nearly accuracy and specificity nearly 1.
fn rows(run: &Run) -> Vec<EpochRow> {
    let is_drawn = |name: &str| name.ends_with("_accuracy") || name.ends_with("_macro_f1");
    let row = |e: &crate::train::run_folder::EpochLog| EpochRow {
        epoch: e.epoch,
        step: e.step,
        lr: e.lr,
        losses: e.losses.clone(),
        metrics: e.metrics.iter().filter(|(name, _)| is_drawn(name)).cloned().collect(),
    };
    run.log.iter().map(row).collect()
}

/// Figures so far.
#[derive(Default)]
struct Page {
    figures: Vec<PageFigure>,
    missing: Vec<Missing>,
}

impl Page {
    /// Adds a figure, its ids made different from those of all others.
    fn push(&mut self, title: String, svg: String, caption: String) {
        match embedded(&svg, &format!("f{}-", self.figures.len() + 1)) {
            Ok(ready) => self.figures.push(PageFigure { title, caption, ready }),
            Err(what) => self.missing.push(Missing { place: title, what, command: None }),
        }
    }

    /// Adds a figure that is drawn into a file.
    fn draw(&mut self, title: String, caption: &str, draw: impl FnOnce(&Path) -> Result<()>) {
        let drawn = || -> Result<String> {
            let fail = |e: std::io::Error| {
                Error::data("report", format!("no temporary file: {e}"), "check that the disk is not full")
            };
            let dir = tempfile::tempdir().map_err(fail)?;
            let path = dir.path().join("figure.svg");
            draw(&path)?;
            std::fs::read_to_string(&path).map_err(fail)
        };
        match drawn() {
            Ok(svg) => self.push(title, svg, caption.into()),
            Err(e) => {
                let what = format!("not drawn: {}", first_line(&e));
                self.missing.push(Missing { place: title, what, command: None });
            }
        }
    }

    /// Adds the drawings of a folder, with their captions (`STEM.txt`); gives their names.
    fn folder(&mut self, of: &str, dir: &Path) -> HashSet<String> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
        let mut paths: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "svg")).collect();
        paths.sort();
        let mut stems = HashSet::new();
        for path in paths {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let caption = std::fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
            match std::fs::read_to_string(&path) {
                Ok(svg) => self.push(format!("{stem}: {of}"), svg, caption.trim().into()),
                Err(e) => {
                    let (place, what) = (path.display().to_string(), format!("cannot be read: {e}"));
                    self.missing.push(Missing { place, what, command: None });
                }
            }
            stems.insert(stem);
        }
        stems
    }

    /// Adds the confusion matrix of a variant, all its tested runs together.
    fn confusion(&mut self, own: &[Run]) {
        let tested: Vec<_> = own.iter().filter_map(|r| r.metrics.as_ref()).collect();
        let Some(first) = tested.first() else { return };
        // other classes cannot be added up
        let same: Vec<_> = tested.iter().filter(|m| m.classes == first.classes).collect();
        let k = first.classes.len();
        let sum = |i: usize, j: usize| same.iter().map(|m| m.confusion[i][j] as u64).fold(0, u64::saturating_add);
        let counts: Vec<Vec<u64>> = (0..k).map(|i| (0..k).map(|j| sum(i, j)).collect()).collect();
        let runs = if same.len() == 1 { "1 run".to_owned() } else { format!("{} runs together", same.len()) };
        let caption =
            format!("Records by true and predicted class, counts and percent of the row, test records of {runs}.");
        let title = format!("Confusion matrix: {}", own[0].variant);
        self.draw(title, &caption, |path| confusion::draw(path, &first.classes, &counts, None));
    }
}
