//! `exgnet figures`: figures for papers, from folders alone.

use super::{Common, print_line};
use crate::error::{Error, Result};
use crate::figures::figure::{Figure, Format};
use crate::figures::style::{Look, Theme};
use crate::figures::{kernels, network};
use crate::train::collect::read_json;
use crate::train::config::Experiment;
use crate::train::diagram::diagram;
use clap::Args;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Draw figures for a paper: a run's network, and the kernels' figures from what `bench` and `profile` wrote
#[derive(Args)]
#[command(
    after_help = "Examples:\n  exgnet figures results/quickstart --out figures          the network's diagram\n  \
                  exgnet figures results/kernels --out figures             roofline, versions, share of a step, growth\n  \
                  exgnet figures results/kernels --only roofline --width-mm 85 --format svg --theme dark"
)]
pub(super) struct FiguresArgs {
    /// Run folders; files or folders of what `bench --suite`, `bench --json` or `profile --json` wrote
    #[arg(required = true, value_name = "FOLDER")]
    paths: Vec<PathBuf>,
    /// Draw one figure only: network, roofline, variants, step-share or scaling
    #[arg(long, value_name = "KIND", value_parser = ["network", "roofline", "variants", "step-share", "scaling"])]
    only: Option<String>,
    /// File formats
    #[arg(long, value_name = "png,svg", value_delimiter = ',', default_values = ["png", "svg"], value_parser = format)]
    format: Vec<Format>,
    /// Width, mm: 85 for a column, 180 for a page
    #[arg(long, value_name = "MM", default_value_t = 180.0)]
    width_mm: f64,
    /// Resolution of bitmaps, dots per inch
    #[arg(long, value_name = "DPI", default_value_t = 300.0)]
    dpi: f64,
    /// For a paper, slides, or a dark page
    #[arg(long, value_name = "THEME", default_value = "paper", value_parser = theme)]
    theme: Theme,
    /// Folder to write; without it `figures` in each FOLDER
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn format(name: &str) -> Result<Format, String> {
    let known = [Format::Png, Format::Svg];
    known.into_iter().find(|f| f.extension() == name).ok_or_else(|| "expected png or svg".into())
}

fn theme(name: &str) -> Result<Theme, String> {
    let found = Theme::ALL.into_iter().find(|t| t.name() == name);
    found.ok_or_else(|| format!("expected one of {}", Theme::ALL.map(Theme::name).join(", ")))
}

pub(super) fn run(common: &Common, args: &FiguresArgs) -> Result<ExitCode> {
    for (what, value, least, most) in [("--width-mm", args.width_mm, 60.0, 400.0), ("--dpi", args.dpi, 50.0, 1200.0)] {
        if !(least..=most).contains(&value) {
            return Err(Error::config(format!("{what} {value}: expected {least} to {most}"), "85 or 180 mm, 300 dpi"));
        }
    }
    let look = Look { width_mm: args.width_mm, dpi: args.dpi, theme: args.theme };
    let mut written = 0;
    for path in &args.paths {
        let (figures, own) = of(path, &look)?;
        let dir = args.out.clone().unwrap_or_else(|| own.join("figures"));
        let wanted = |f: &&Figure<'_>| args.only.as_ref().is_none_or(|only| *only == f.stem);
        for figure in figures.iter().filter(wanted) {
            std::fs::create_dir_all(&dir)
                .map_err(|e| Error::file(dir.clone(), e.to_string(), "give a folder that can be written with --out"))?;
            for file in figure.write(&dir, &args.format)? {
                print_line(&file.display().to_string());
                written += 1;
            }
        }
    }
    if written == 0 {
        common.say(format!("nothing there for --only {}", args.only.as_deref().unwrap_or_default()));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// What a path has to show, and the folder that it is or lies in.
fn of(path: &Path, look: &Look) -> Result<(Vec<Figure<'static>>, PathBuf)> {
    let config = path.join("config.toml");
    if config.is_file() {
        let classes = classes(path)?;
        let diagram = diagram(&Experiment::load(&config, &[])?, classes)?;
        return Ok((vec![network::network(&diagram, look)], path.to_owned()));
    }
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    Ok((kernels::all(&kernels::read(path)?, look), folder.to_owned()))
}

/// Classes of a run, by its split.
fn classes(run: &Path) -> Result<usize> {
    #[derive(Deserialize)]
    struct Named {
        classes: Vec<String>,
    }
    let files = ["metrics.json", "split.json"].map(|name| run.join(name));
    let file = files.iter().find(|f| f.is_file()).unwrap_or(&files[0]);
    Ok(read_json::<Named>(file)?.classes.len())
}
