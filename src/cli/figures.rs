//! `exgnet figures`: the figures of runs and of kernel measurements.

use super::{Common, print_line};
use crate::error::{Error, Result};
use crate::figures::{Format, Look, Page, Theme};
use crate::report::{Kind, Material, draw};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Draw the figures of runs and of kernel measurements, from their folders alone
#[derive(Args)]
#[command(
    after_help = "Examples:\n  exgnet figures results/quickstart                            all that one run shows, into its figures/\n  \
                  exgnet figures results/mitbih-ablation --out paper --width-mm 85   folds and variants of a sweep, one column wide\n  \
                  exgnet figures results/kernels --only kernels --theme dark\n  \
                  exgnet figures results/run-a results/run-b --only gradcam    two runs on the same strips\n\n\
                  Kinds: training, confusion, ranking (ROC, precision-recall, reliability), metrics (per class, ablation),\n\
                  gradcam (strips, plain against guided, averages about the R peak), scores (violins, deletion and insertion),\n\
                  features, network, kernels (suite.json, or what bench, profile and tune wrote as JSON).\n\
                  Beside every figure lies its caption, STEM.txt. Neither a GPU nor the model or the data set is needed."
)]
pub(super) struct FiguresArgs {
    /// Run folders, folders of runs such as a sweep's, folders or JSON files of kernel measurements
    #[arg(required = true, value_name = "RUN_OR_SWEEP")]
    paths: Vec<PathBuf>,
    /// Only these kinds, separated by commas
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    only: Vec<Kind>,
    /// File formats, separated by commas: png, svg
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', default_value = "png,svg", value_parser = format)]
    format: Vec<Format>,
    /// Width of a figure, mm: 85 is a column, 180 a page; sizes of letters stay as they are
    #[arg(long, value_name = "MM", default_value_t = Page::WIDTH_MM)]
    width_mm: f64,
    /// Dots per inch of PNG files
    #[arg(long, value_name = "DPI", default_value_t = Page::DPI)]
    dpi: f64,
    /// paper, slides (letters and lines half as large again) or dark
    #[arg(long, value_name = "THEME", default_value = "paper", value_parser = theme)]
    theme: Theme,
    /// Folder for the figures; without it `figures` in the first folder given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn kind(text: &str) -> std::result::Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|k| k.name() == text);
    found.ok_or_else(|| format!("expected one of {}", Kind::ALL.map(Kind::name).join(", ")))
}

fn format(text: &str) -> std::result::Result<Format, String> {
    let found = [Format::Png, Format::Svg].into_iter().find(|f| f.extension() == text);
    found.ok_or_else(|| "expected png or svg".into())
}

fn theme(text: &str) -> std::result::Result<Theme, String> {
    let found = Theme::ALL.into_iter().find(|t| t.name() == text);
    found.ok_or_else(|| format!("expected one of {}", Theme::ALL.map(Theme::name).join(", ")))
}

pub(super) fn run(common: &Common, args: &FiguresArgs) -> Result<ExitCode> {
    for (name, value, low, high) in [("--width-mm", args.width_mm, 80.0, 400.0), ("--dpi", args.dpi, 50.0, 1200.0)] {
        if !(low..=high).contains(&value) {
            let what = format!("{name} {value}: expected {low} to {high}");
            return Err(Error::config(what, "85 mm is a journal's column and 180 mm its page; 300 dpi is usual"));
        }
    }
    let look = Look { width_mm: args.width_mm, dpi: args.dpi, theme: args.theme };
    // slides are laid out narrower and drawn larger: there must be room left
    if look.width() < 80.0 {
        let least = (80.0 * args.theme.scale()).ceil();
        let what =
            format!("--width-mm {} with --theme {}: expected at least {least}", args.width_mm, args.theme.name());
        return Err(Error::config(what, "a slide's figure takes its whole width, for instance 180"));
    }
    let material = Material::read(&args.paths)?;
    let first = &args.paths[0];
    let beside = if first.is_dir() { first.as_path() } else { first.parent().unwrap_or(first) };
    let out = args.out.clone().unwrap_or_else(|| beside.join("figures"));
    let asked = !args.only.is_empty();
    let kinds = Kind::ALL.into_iter().filter(|k| args.only.contains(k) || (!asked && applies(*k, &material)));
    let (mut drawn, mut missing) = (0, Vec::new());
    for kind in kinds {
        let found = draw(kind, &material, &look);
        for figure in &found.figures {
            let paths = figure.write(&out, &args.format)?;
            drawn += 1;
            paths
                .iter()
                .filter(|p| p.extension().is_none_or(|e| e != "txt"))
                .for_each(|p| print_line(&p.display().to_string()));
        }
        if asked && found.figures.is_empty() && found.missing.is_empty() {
            let what = if kind == Kind::Kernels { "no measurements of kernels given" } else { "no run folder given" };
            missing.push((kind.name().to_owned(), what.to_owned()));
        }
        missing.extend(found.missing.into_iter().map(|m| (m.figure, m.why)));
    }
    for (figure, why) in &missing {
        common.say(format!("not drawn: {figure}: {why}"));
    }
    if drawn == 0 {
        let (figure, why) = missing.into_iter().next().unwrap_or_default();
        return Err(Error::data(
            "figures",
            format!("nothing could be drawn; {figure}: {why}"),
            "give other folders, or draw other kinds",
        ));
    }
    let plural = if drawn == 1 { "" } else { "s" };
    common.say(format!("{drawn} figure{plural}: {}", out.display()));
    Ok(ExitCode::SUCCESS)
}

/// Whether a kind makes sense for what was given.
fn applies(kind: Kind, material: &Material) -> bool {
    if kind == Kind::Kernels { !material.measured.is_empty() } else { !material.runs.is_empty() }
}
