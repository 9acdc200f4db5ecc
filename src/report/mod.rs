//! One page about one or several runs: tables, figures, and strips that can be looked through. The page holds all that it
//! shows (no network, no other file), and is written from run folders alone.
//!
//! - [`tables`]: what ran, metrics, classes, explanation scores
//! - [`figures`]: the only place that says which figures are on the page
//! - [`svg`]: drawings made harmless and fit to stand beside others
//! - [`strips`]: the data of the strips' browser
//! - `page.html`, `page.css`, `page.js`: the page itself; a copy of a report can be edited with those alone

pub mod figures;
pub mod strips;
pub mod svg;
pub mod tables;

use crate::error::{Error, Result};
use crate::run::read;
use crate::run::read::{Found, Missing};
use crate::tables::escape_html;
use std::path::PathBuf;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Strips of each class and variant that are put into a page, where nothing else is asked for.
pub const STRIPS: usize = 12;

/// A page, and what it tells of itself.
#[derive(Debug, Clone)]
pub struct Report {
    /// The HTML document; also well-formed XML.
    pub html: String,
    /// Runs on the page.
    pub runs: usize,
    /// Figures on the page.
    pub figures: usize,
    /// Maps that can be looked through, and those that the runs kept.
    pub strips: (usize, usize),
    /// What the runs do not have, with the command that makes it.
    pub missing: Vec<Missing>,
}

/// Makes the page of run folders, or of folders of a sweep, with at most `per_class` strips of each true class and variant.
///
/// What a run does not have, or has damaged, is told on the page.
///
/// # Errors
/// [`Error::File`] for a path that is neither a run nor a folder of runs; [`Error::Data`] where nothing is given.
pub fn report(inputs: &[PathBuf], per_class: usize) -> Result<Report> {
    let mut found = read::read_all(inputs)?;
    let tables = tables::tables(&mut found)?;
    let (drawn, not_drawn) = figures::figures(&found);
    found.missing.extend(not_drawn);
    let figures: Vec<String> = drawn.iter().map(figures::PageFigure::html).collect();
    let strips = strips::strips(&found.runs, per_class);
    let title = match &found.names[..] {
        [one] => format!("Report: {one}"),
        all => format!("Report: {}", all.join(", ")),
    };
    let html = fill(&[
        ("title", escape_html(&title)),
        // no time of its own: the same runs make the same bytes
        ("made", escape_html(&format!("exgnet {}", env!("CARGO_PKG_VERSION")))),
        ("style", STYLE.to_owned()),
        ("script", SCRIPT.to_owned()),
        ("missing", missing(&found)),
        ("ran", tables.ran),
        ("metrics", tables.metrics),
        ("classes", tables.classes),
        ("explanation", tables.explanation),
        ("figures", if figures.is_empty() { nothing("No figure could be drawn") } else { figures.concat() }),
        ("ramp", strips::ramp()),
        ("data", strips.json()),
    ])?;
    Ok(Report {
        html,
        runs: found.runs.len(),
        figures: figures.len(),
        strips: (strips.maps.len(), strips.kept),
        missing: found.missing,
    })
}

/// A sentence in the place of what is not there.
fn nothing(what: &str) -> String {
    format!("<p class=\"nothing\">{}: see <a href=\"#missing\">what is missing</a>.</p>\n", escape_html(what))
}

/// What is missing, each kind once with all that lack it.
pub fn by_kind(missing: &[Missing]) -> Vec<(&str, Vec<&Missing>)> {
    let mut kinds: Vec<(&str, Vec<&Missing>)> = Vec::new();
    for one in missing {
        match kinds.iter_mut().find(|(what, _)| *what == one.what) {
            Some((_, of)) => of.push(one),
            None => kinds.push((&one.what, vec![one])),
        }
    }
    kinds
}

/// Where something is missing: by name, or how many runs.
pub fn places(of: &[&Missing]) -> String {
    match of.len() {
        0..=3 => of.iter().map(|m| m.place.as_str()).collect::<Vec<_>>().join("; "),
        n => format!("{n} runs"),
    }
}

/// What is missing, and the commands that make it; nothing where all is there.
fn missing(found: &Found) -> String {
    if found.missing.is_empty() {
        return String::new();
    }
    let one = |(what, of): &(&str, Vec<&Missing>)| {
        let commands: Vec<String> = of.iter().filter_map(|m| m.command.as_deref().map(escape_html)).collect();
        let commands = match &commands[..] {
            [] => String::new(),
            [one] => format!("<br/><code>{one}</code>"),
            all => format!("\n<details><summary>The commands</summary>\n<pre>{}</pre></details>", all.join("\n")),
        };
        format!("<li><b>{}</b>: {}{commands}</li>\n", escape_html(&places(of)), escape_html(what))
    };
    let list: String = by_kind(&found.missing).iter().map(one).collect();
    format!("<section id=\"missing\" class=\"notice\">\n<h2>What is missing</h2>\n<ul>\n{list}</ul>\n</section>\n")
}

/// The template with its parts in place. They are finished HTML: whoever made them has escaped what users named.
fn fill(parts: &[(&'static str, String)]) -> Result<String> {
    let mut env = minijinja::Environment::new();
    env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
    let values: std::collections::BTreeMap<&str, minijinja::Value> =
        parts.iter().map(|(name, text)| (*name, minijinja::Value::from_safe_string(text.clone()))).collect();
    env.render_str(PAGE, values).map_err(|e| {
        Error::data("report", format!("the page cannot be filled in: {e:#}"), "this is a fault of exgnet: report it")
    })
}
