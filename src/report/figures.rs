//! Which figures are on the page.

use super::svg::embedded;
use crate::figures::catalogue::{FIGURES, Kind};
use crate::plot::Look;
use crate::run::folder::is_figure;
use crate::run::read::{Found, Missing, first_line};
use crate::run::set::RunSet;
use crate::tables::escape_html;
use std::path::Path;

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
    // drawings of others, of sweeps and then of runs
    for sweep in &found.sweeps {
        page.folder(&sweep.display().to_string(), &sweep.join("figures"));
    }
    for run in &found.runs {
        page.folder(&run.name(), &run.dir.join("figures"));
    }
    match RunSet::new(found) {
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
    fn push(&mut self, title: String, svg: String, caption: String) {
        match embedded(&svg, &format!("f{}-", self.figures.len() + 1)) {
            Ok(ready) => self.figures.push(PageFigure { title, caption, ready }),
            Err(what) => self.missing.push(Missing::new(title, what)),
        }
    }

    /// Adds all figures of a kind. What a run does not have is told with the run, so that only what fails is told here.
    fn kind(&mut self, kind: &Kind, set: &RunSet) {
        let drawn = kind.of_runs(set, &Look::default());
        for figure in drawn.figures {
            let title = kind.title_of(&figure.stem);
            match figure.svg() {
                Ok(svg) => self.push(title, svg, figure.caption),
                Err(e) => self.missing.push(Missing::new(title, format!("not drawn: {}", first_line(&e)))),
            }
        }
        for not in drawn.missing.into_iter().filter(|m| m.failed) {
            self.missing.push(Missing::new(not.figure, format!("not drawn: {}", not.why)));
        }
    }

    /// Adds the drawings of a folder with their captions (`STEM.txt`), but those that the page draws itself.
    fn folder(&mut self, of: &str, dir: &Path) {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
        let mut paths: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "svg")).collect();
        paths.sort();
        for path in paths {
            let own = path.file_name().is_some_and(|name| is_figure(dir, &name.to_string_lossy()));
            if own {
                continue;
            }
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let caption = std::fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
            match std::fs::read_to_string(&path) {
                Ok(svg) => self.push(format!("{stem}: {of}"), svg, caption.trim().into()),
                Err(e) => {
                    self.missing.push(Missing::new(path.display().to_string(), format!("cannot be read: {e}")));
                }
            }
        }
    }
}
