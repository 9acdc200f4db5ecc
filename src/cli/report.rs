//! `exgnet report`: one page about runs.

use super::{Common, print_json, print_line};
use crate::error::{Error, Result};
use crate::files::{guard, write_atomically};
use crate::report::{STRIPS, report};
use crate::run::missing::{Missing, by_kind};
use crate::run::set::count;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Write one HTML page about runs: tables, figures, strips to look through
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet report results/quickstart --out report.html\n  \
                  exgnet report results/mitbih-ablation --out report.html --strips 6\n\n\
                  The page needs no network and no other file. What a run lacks is listed on it, with the\n\
                  command that makes it. A click enlarges a figure, arrow keys step through figures and strips, and the\n\
                  page's address takes filters: report.html#true=AFIB/AFL&result=wrong&fold=2&sort=ncc-low, also predicted,\n\
                  record, variant, map (of which class) and at (which strip)")]
pub(super) struct ReportArgs {
    /// Run folders, or folders of sweeps
    #[arg(required = true, value_name = "RUN_OR_SWEEP")]
    runs: Vec<PathBuf>,
    /// The page
    #[arg(long, value_name = "F.html", default_value = "report.html")]
    out: PathBuf,
    /// Right strips of each true class and variant, at most, and wrong ones, at most (one of 10 s at 500 Hz takes about 20 kB)
    #[arg(long, value_name = "N", default_value_t = STRIPS)]
    strips: usize,
    /// Print what was written as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(common: &Common, args: &ReportArgs) -> Result<()> {
    // a file that is there already is judged by what it holds
    if !args.out.exists()
        && !args.out.extension().is_some_and(|e| ["html", "htm"].iter().any(|h| e.eq_ignore_ascii_case(h)))
    {
        let what = "is no name of a page, expected one that ends in .html";
        return Err(Error::file(
            &args.out,
            what,
            "let the name end in .html; tables as CSV are written by exgnet collect",
        ));
    }
    let page = report(&args.runs, args.strips)?;
    // a page of the same runs is brought up to date
    let title =
        page.html.split_inclusive("</title>").next().and_then(|head| head.rfind("<title>").map(|at| &head[at..]));
    let old = std::fs::read_to_string(&args.out).unwrap_or_default();
    if title.is_some_and(|title| old.contains(title) && old.contains("<p class=\"made\">exgnet ")) {
        guard::replaces(&args.out);
    }
    write_atomically(&args.out, page.html.as_bytes())?;
    print_missing(common, &page.missing);
    let (shown, kept) = page.strips;
    if args.json {
        let (out, bytes) = (args.out.display().to_string(), page.html.len());
        let strips = json!({"shown": shown, "kept": kept});
        let (runs, unfinished, figures, missing) = (page.runs, page.unfinished, page.figures, page.missing.len());
        let found = json!({
            "out": out, "bytes": bytes, "runs": runs, "unfinished": unfinished, "figures": figures, "maps": strips,
            "missing": missing,
        });
        print_json(&found, false);
    } else {
        let under_way = match page.unfinished {
            0 => String::new(),
            n => format!(" ({n} not finished)"),
        };
        print_line(&format!(
            "{}: {:.2} MB; {}{under_way}, {}, {shown} of {}",
            args.out.display(),
            page.html.len() as f64 / 1e6,
            count(page.runs, "run"),
            count(page.figures, "figure"),
            count(kept, "map")
        ));
    }
    Ok(())
}

/// Prints what runs do not have.
pub(super) fn print_missing(common: &Common, missing: &[Missing]) {
    for lack in by_kind(missing) {
        common.say(format!("missing: {}: {}", lack.places, lack.what));
        if let Some(command) = lack.commands.first() {
            common.say(format!("  {}{command}", if lack.commands.len() > 1 { "for example " } else { "" }));
        }
    }
}
