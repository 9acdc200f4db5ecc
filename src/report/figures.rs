//! Which figures are on the page: every kind of the catalogue, after the drawings that others put into the folders.

use super::svg::embedded;
use crate::figures::catalogue::{Cause, FIGURES, Kind};
use crate::plot::Look;
use crate::run::folder::is_figure;
use crate::run::missing::Missing;
use crate::run::read::{Found, first_line};
use crate::run::set::RunSet;
use serde::Serialize;
use std::path::Path;

/// A figure of the page.
#[derive(Debug, Clone, Serialize)]
pub struct PageFigure {
    /// Its address in the page.
    pub id: String,
    /// What and of which runs, in words.
    pub title: String,
    /// The text below it.
    pub caption: String,
    /// The drawing as it stands in the page.
    pub svg: String,
}

/// The figures of these runs, and what could not be drawn.
pub fn figures(found: &Found) -> (Vec<PageFigure>, Vec<Missing>) {
    let mut page = Page::default();
    for sweep in &found.sweeps {
        page.folder(&sweep.display().to_string(), &sweep.join("figures"));
    }
    for run in &found.runs {
        page.folder(&run.name(), &run.dir.join("figures"));
    }
    let mut whole = found.clone();
    match whole.complete().and_then(|()| RunSet::new(&whole)) {
        Ok(set) => FIGURES.iter().for_each(|kind| page.kind(kind, &set)),
        Err(e) => page.missing.push(Missing::new("figures", first_line(&e))),
    }
    (page.figures, page.missing)
}

/// Figures so far.
#[derive(Default)]
struct Page {
    figures: Vec<PageFigure>,
    missing: Vec<Missing>,
}

impl Page {
    /// Adds a figure, its ids made different from those of all others.
    fn push(&mut self, stem: &str, title: String, svg: &str, caption: &str) {
        let letter = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name = format!("figure-{}", stem.chars().map(letter).collect::<String>());
        let is_free = |id: &String| self.figures.iter().all(|f| f.id != *id);
        let mut names = std::iter::once(name.clone()).chain((2..).map(|n| format!("{name}-of-{n}")));
        let id = names.find(is_free).unwrap_or(name);
        match embedded(svg, &format!("f{}-", self.figures.len() + 1)) {
            Ok(svg) => self.figures.push(PageFigure { id, title, caption: caption.trim().into(), svg }),
            Err(what) => self.missing.push(Missing::new(title, what)),
        }
    }

    /// Adds all figures of a kind. What a run does not have is said with the run: here only what fails.
    fn kind(&mut self, kind: &Kind, set: &RunSet) {
        let drawn = kind.of_runs(set, &Look::default());
        for figure in drawn.figures {
            let title = kind.title_of(&figure.stem);
            match figure.svg() {
                Ok(svg) => self.push(&figure.stem, title, &svg, &figure.caption),
                Err(e) => self.missing.push(Missing::new(title, format!("not drawn: {}", first_line(&e)))),
            }
        }
        for not in drawn.missing.into_iter().filter(|m| m.cause == Cause::Failed) {
            self.missing.push(Missing::new(not.figure, format!("not drawn: {}", not.why)));
        }
    }

    /// Adds the drawings of a folder with their captions (`STEM.txt`), but those that the page draws itself.
    fn folder(&mut self, of: &str, dir: &Path) {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
        let mut paths: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "svg")).collect();
        paths.sort();
        for path in paths {
            let name = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
            if is_figure(dir, &name(path.file_name())) {
                continue;
            }
            let stem = name(path.file_stem());
            let caption = std::fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
            match std::fs::read_to_string(&path) {
                Ok(svg) => self.push(&stem, format!("{stem}: {of}"), &svg, &caption),
                Err(e) => {
                    self.missing.push(Missing::new(path.display().to_string(), format!("cannot be read: {e}")));
                }
            }
        }
    }
}
