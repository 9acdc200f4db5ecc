//! `exgnet figures`: figures for papers, from folders alone.

use super::look::LookArgs;
use super::report::print_missing;
use super::{Common, print_line};
use crate::error::{Error, Result};
use crate::figures::catalogue::{self, Cause, Draw, FIGURES, Kind, NotDrawn, draw_runs, lay_out};
use crate::figures::kernels;
use crate::files::guard;
use crate::plot::{Figure, Look, Page};
use crate::run::read::{has_runs, read_all};
use clap::Args;
use std::path::{Path, PathBuf};

/// Draw figures for a paper, from the folders of runs, of sweeps and of kernel measurements alone
#[derive(Args)]
#[command(
    after_help = "Examples:\n  exgnet figures results/quickstart                                  all that one run shows, into its figures/\n  \
                  exgnet figures results/mitbih-ablation --out paper --width-mm 85   folds and variants, one column wide\n  \
                  exgnet figures run-a run-b --only gradcam-compare                  two runs on the same strips\n  \
                  exgnet figures results/mitbih-ablation --only gradcam --fold 1 --records mitdb/105@0.186 --out strips\n  \
                  exgnet figures results/kernels/llvmpipe-amd-avx512 --only roofline --format svg --theme dark\n\n\
                  `--list` prints the kinds and their figures; those of kernels come from what bench --suite, bench --json, ladder and\n\
                  profile --json wrote.\n\
                  Beside every figure lies its caption, STEM.txt. Neither a GPU nor the model or the data set is needed."
)]
pub(super) struct FiguresArgs {
    /// Run folders, folders of runs such as a sweep's, folders or JSON files of kernel measurements
    #[arg(required_unless_present = "list", value_name = "RUN_OR_SWEEP")]
    paths: Vec<PathBuf>,
    /// Draw these alone, separated by commas: kinds, or single figures by name
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = only)]
    only: Vec<String>,
    /// Of the strips that the runs keep, those of these records alone (ids, separated by commas)
    #[arg(long, value_name = "IDS", value_delimiter = ',', value_parser = id)]
    records: Vec<String>,
    /// The runs of this test fold alone
    #[arg(long, value_name = "K")]
    fold: Option<usize>,
    /// The runs of this seed alone
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Variant that the others are compared with, which comes first; without it `plain`, or the first by name
    #[arg(long, value_name = "VARIANT")]
    reference: Option<String>,
    /// List all kinds and their figures; with a path, the figures that can be drawn of it, and write none
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    look: LookArgs,
    /// Folder to write; without it `figures` in the first run's or sweep's, and in each of measurements
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The id of a record, without blanks around it.
fn id(text: &str) -> Result<String, String> {
    let id = text.trim();
    if id.is_empty() { Err("expected the id of a record".into()) } else { Ok(id.to_owned()) }
}

fn only(name: &str) -> Result<String, String> {
    Kind::named(name).map(|_| name.to_owned())
}

pub(super) fn run(common: &Common, args: &FiguresArgs) -> Result<()> {
    if args.list && args.paths.is_empty() {
        for group in FIGURES.chunk_by(|a, b| a.group == b.group) {
            let figures: Vec<String> = group.iter().map(|k| format!("{} ({})", k.stem, k.title)).collect();
            print_line(&format!("{:<12} {}", group[0].group, figures.join(", ")));
        }
        return Ok(());
    }
    let look = args.look.look(Page::WIDTH_MM)?;
    let (runs, measured): (Vec<_>, Vec<_>) = args.paths.iter().cloned().partition(|path| has_runs(path));
    let mut drawing = Drawing { common, args, look, written: 0, missing: Vec::new(), damaged: Ok(()) };
    if !runs.is_empty() {
        drawing.runs(&runs)?;
    }
    for path in &measured {
        drawing.kernels(path)?;
    }
    let Drawing { written, mut missing, damaged, .. } = drawing;
    // of a single run nobody misses a comparison
    missing.retain(|m| m.cause != Cause::One || !args.only.is_empty());
    for NotDrawn { figure, why, .. } in &missing {
        common.say(format!("not drawn: {figure}: {why}"));
    }
    damaged?;
    if written == 0 {
        let none = || "nothing there of what --only names".to_owned();
        let what = missing.first().map_or_else(none, |m| format!("{}: {}", m.figure, m.why));
        let hint = "give folders that have it, or draw something else: exgnet figures --list";
        return Err(Error::data("figures", format!("nothing could be drawn; {what}"), hint));
    }
    Ok(())
}

/// Prints a figure that can be drawn.
fn list(kind: &Kind, figure: &Figure<'_>) {
    print_line(&format!("{:<12} {} ({})", kind.group, figure.stem, kind.title_of(&figure.stem)));
}

/// What was drawn so far.
struct Drawing<'a> {
    common: &'a Common,
    args: &'a FiguresArgs,
    look: Look,
    /// Figures that were written, or listed.
    written: usize,
    missing: Vec<NotDrawn>,
    /// Whether files of runs can be used: what needs none of the others is drawn all the same.
    damaged: Result<()>,
}

impl Drawing<'_> {
    /// The kinds that are asked for: all of them where none is named.
    fn wanted(&self) -> impl Iterator<Item = &'static Kind> + use<> {
        let named = |name: &String| Kind::named(name).unwrap_or_default();
        let only: Vec<&str> = self.args.only.iter().flat_map(named).map(|k| k.stem).collect();
        FIGURES.iter().filter(move |kind| only.is_empty() || only.contains(&kind.stem))
    }

    /// Draws runs together: a sweep's folds and arms, or whatever else was named.
    fn runs(&mut self, paths: &[PathBuf]) -> Result<()> {
        let mut found = read_all(paths)?;
        found.restrict(self.args.fold, self.args.seed, &self.args.records)?;
        found.complete()?;
        if let Some(variant) = &self.args.reference {
            found.begin_with(variant)?;
        }
        self.damaged = found.undamaged();
        print_missing(self.common, &found.missing);
        let kinds = self.wanted().filter(|kind| !matches!(kind.draw, Draw::Kernels(_)));
        if self.args.list {
            let mut listed = 0;
            let missing = lay_out(&found, kinds, &self.look, &mut |kind, figures| {
                listed += figures.len();
                figures.iter().for_each(|figure| list(kind, figure));
                Ok(())
            })?;
            self.written += listed;
            self.missing.extend(missing);
            return Ok(());
        }
        let beside = paths[0].join("figures");
        let whole = self.args.fold.is_none() && self.args.seed.is_none() && self.args.records.is_empty();
        if paths.len() == 1 && self.args.out.is_none() && whole {
            // those that the training drew
            guard::owns(&beside);
        }
        let dir = self.args.out.as_deref().unwrap_or(&beside);
        let mut written = 0;
        let mut print = |path: &Path| {
            written += 1;
            print_line(&path.display().to_string());
        };
        let missing = draw_runs(&found, kinds, &self.look, &self.args.look.format, dir, &mut print)?;
        self.written += written;
        self.missing.extend(missing);
        Ok(())
    }

    /// Draws measurements, those of each path by themselves.
    fn kernels(&mut self, path: &Path) -> Result<()> {
        if !path.exists() {
            let what = "does not exist, expected a run folder, a sweep's, or measurements of kernels";
            return Err(Error::file(path, what, "exgnet train, sweep and bench write them"));
        }
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let data = kernels::read(path).map_err(|e| match e {
            Error::File { path, what, hint } => Error::file(
                path,
                format!("no run folder; {what}"),
                format!("give the folder of a run or of a sweep; {hint}"),
            ),
            other => other,
        })?;
        let beside = folder.join("figures");
        if self.args.out.is_none() && !self.args.list {
            guard::owns(&beside);
        }
        let name = folder.file_name().map_or("measurements".into(), |n| n.to_string_lossy());
        let dir = self.args.out.as_deref().unwrap_or(&beside);
        for kind in self.wanted() {
            let Draw::Kernels(draw) = kind.draw else { continue };
            for figure in draw(&data, &self.look) {
                if self.args.list {
                    list(kind, &figure);
                    self.written += 1;
                    continue;
                }
                let paths = catalogue::write(figure, dir, &self.args.look.format, &name)?;
                paths.iter().for_each(|path| print_line(&path.display().to_string()));
                self.written += 1;
            }
        }
        Ok(())
    }
}
