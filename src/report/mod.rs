//! One page about one or several runs: tables, figures, and strips that can be looked through. The page holds all that it
//! shows (no network, no other file), and is written from run folders alone.
//!
//! May use: `error`, `explain`, `figures`, `plot`, `run`, `tables`.
//!
//! - [`tables`]: what ran, metrics, classes, explanation scores
//! - [`figures`]: every kind of the figure catalogue, and other drawings of the folders
//! - [`svg`]: drawings made harmless and fit to stand beside others
//! - [`strips`]: the data of the strips' browser
//! - `page.html`, `page.css`, `page.js`: the page itself; a copy of a report can be edited with those alone

pub mod figures;
pub mod strips;
pub mod svg;
pub mod tables;

use crate::error::{Error, Result};
use crate::run::missing::{Lack, Missing, by_kind};
use crate::run::read::read_all;
use crate::tables::escape_html;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;

/// Right and wrong strips of each class and variant that are put into a page, where nothing else is asked for.
pub const STRIPS: usize = 6;

/// A page, and what it holds.
#[derive(Debug, Clone)]
pub struct Report {
    /// The HTML document; also well-formed XML.
    pub html: String,
    /// Runs on the page.
    pub runs: usize,
    /// Those of them that are not finished.
    pub unfinished: usize,
    /// Figures on the page.
    pub figures: usize,
    /// Maps that can be looked through, and those that the runs kept.
    pub strips: (usize, usize),
    /// What the runs do not have, with the command that makes it.
    pub missing: Vec<Missing>,
}

/// What the template is filled with. It escapes all that is not marked safe there.
#[derive(Serialize)]
struct Page<'a> {
    title: String,
    version: &'static str,
    style: &'static str,
    script: &'static str,
    missing: Vec<Lack<'a>>,
    #[serde(flatten)]
    tables: &'a tables::Tables,
    figures: &'a [figures::PageFigure],
    ramp: String,
    data: String,
}

/// Makes the page of run folders, or of folders of a sweep, with at most `per_class` right and `per_class` wrong strips of each
/// true class and variant.
///
/// What a run does not have, or has damaged, is said on the page.
///
/// # Errors
/// [`Error::File`] for a path that is neither a run nor a folder of runs; [`Error::Data`] where nothing is given.
pub fn report(inputs: &[PathBuf], per_class: usize) -> Result<Report> {
    let mut found = read_all(inputs)?;
    let tables = tables::tables(&mut found)?;
    let (figures, not_drawn) = figures::figures(&found);
    found.missing.extend(not_drawn);
    let strips = strips::strips(&found.runs, per_class);
    let html = fill(&Page {
        title: format!("Report: {}", found.names.join(", ")),
        // no time of its own: the same runs make the same bytes
        version: env!("CARGO_PKG_VERSION"),
        style: include_str!("page.css"),
        script: include_str!("page.js"),
        missing: by_kind(&found.missing),
        tables: &tables,
        figures: &figures,
        ramp: strips.ramp.join(", "),
        data: script_json(&strips)?,
    })?;
    Ok(Report {
        html,
        runs: found.runs.len(),
        unfinished: found.runs.iter().filter(|run| !run.is_finished()).count(),
        figures: figures.len(),
        strips: (strips.maps.len(), strips.kept),
        missing: found.missing,
    })
}

/// JSON that may stand in a `<script>`, also of XML.
fn script_json(value: &impl Serialize) -> Result<String> {
    let json = serde_json::to_string(value).map_err(|e| fault(&e))?;
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{FFFE}' | '\u{FFFF}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            _ => text.push(c),
        }
    }
    Ok(text)
}

/// The template, filled in.
fn fill(page: &Page<'_>) -> Result<String> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    env.set_formatter(|out, _, value| match value.as_str() {
        Some(text) if !value.is_safe() => Ok(out.write_str(&escape_html(text))?),
        _ => Ok(write!(out, "{value}")?),
    });
    env.render_str(include_str!("page.html"), minijinja::value::Serde(page)).map_err(|e| fault(&e))
}

fn fault(e: &dyn std::fmt::Display) -> Error {
    Error::data("report", format!("the page cannot be filled in: {e:#}"), "this is a fault of exgnet: report it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_data_ends_its_element() {
        let classes = ["</script><script>alert(1)</script>", "a & \"b\" \u{2028} \u{85}"];
        let text = script_json(&classes).unwrap();
        assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{85}']));
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), classes);
    }
}
