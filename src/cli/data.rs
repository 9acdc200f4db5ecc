//! `exgnet data`: what a prepared data set holds.

use super::look::LookArgs;
use super::train::print_data;
use super::{Common, print_found, print_line, within};
use crate::ecg::features::NAMES;
use crate::ecg::sources::count;
use crate::ecg::{Dataset, Strip, prepared, resolve};
use crate::error::Result;
use crate::figures::dataset::{ClassSummary, ExampleStrip, counts, rates, strips};
use crate::figures::guidance::{GuidanceFigure, MOST, guidance};
use crate::plot::ecg_paper::Strip as EcgStrip;
use crate::plot::{Format, Look, Page};
use clap::Args;
use serde::Serialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Print and draw what a prepared data set holds
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet data mitdb.safetensors --out mitdb-figures\n  \
                  exgnet data mitdb.safetensors --json")]
pub(super) struct DataArgs {
    /// A file that `exgnet prepare` wrote
    file: PathBuf,
    /// Folder for the figures: counts, rates, example strips, guidance targets
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    look: LookArgs,
    /// Example strips of each class
    #[arg(long, value_name = "N", default_value_t = 1)]
    examples: usize,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
}

/// The numbers of one class.
#[derive(Serialize)]
struct Row {
    class: String,
    strips: usize,
    patients: usize,
    /// Mean over the strips that have one, beats/min.
    heart_rate: Option<f64>,
    heart_rate_sd: Option<f64>,
    /// Mean coefficient of variation of the RR intervals.
    cvnn: Option<f64>,
    /// Strips whose R peaks come from experts.
    expert_beats: usize,
    /// Strips with a valid guidance target.
    guided: usize,
}

fn of_class(set: &Dataset, class: usize) -> impl Iterator<Item = &Strip> {
    set.strips.iter().filter(move |s| s.label == class)
}

/// A feature by name.
fn feature(strip: &Strip, name: &str) -> f64 {
    let index = NAMES.iter().position(|n| *n == name).expect("one of the seventeen");
    f64::from(strip.features[index])
}

/// Mean and standard deviation of the numbers among these.
fn mean_sd(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let known: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let sd = (known.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / known.len() as f64).sqrt();
    (!known.is_empty()).then_some((mean, sd))
}

fn row(set: &Dataset, class: usize) -> Row {
    let rate = mean_sd(of_class(set, class).map(|s| feature(s, "bpm")));
    let guided = |s: &&Strip| s.target.as_ref().is_some_and(|t| t.iter().any(|v| *v > 0.0));
    Row {
        class: set.classes[class].clone(),
        strips: of_class(set, class).count(),
        patients: of_class(set, class).map(|s| &s.patient).collect::<HashSet<_>>().len(),
        heart_rate: rate.map(|r| r.0),
        heart_rate_sd: rate.map(|r| r.1),
        cvnn: mean_sd(of_class(set, class).map(|s| feature(s, "CVNN"))).map(|r| r.0),
        expert_beats: of_class(set, class).filter(|s| s.expert_beats).count(),
        guided: of_class(set, class).filter(guided).count(),
    }
}

fn table(rows: &[Row], strips: usize) -> String {
    let mut lines = vec![format!(
        "{:<10}{:>8}{:>8}{:>10}{:>18}{:>9}{:>14}{:>9}",
        "class", "strips", "share", "patients", "beats/min", "CVNN", "expert beats", "guided"
    )];
    for r in rows {
        let rate = r.heart_rate.zip(r.heart_rate_sd).map_or("-".into(), |(m, sd)| format!("{m:.1} (sd {sd:.1})"));
        let cvnn = r.cvnn.map_or("-".into(), |v| format!("{:.1} %", 100.0 * v));
        let share = 100.0 * r.strips as f64 / strips as f64;
        lines.push(format!(
            "{:<10}{:>8}{share:>6.1} %{:>10}{rate:>18}{cvnn:>9}{:>14}{:>9}",
            r.class, r.strips, r.patients, r.expert_beats, r.guided
        ));
    }
    lines.join("\n")
}

pub(super) fn run(common: &Common, args: &DataArgs) -> Result<()> {
    let set = prepared::read(&resolve(&args.file))?;
    if args.out.is_some() {
        let most = MOST / set.classes.len().max(1);
        let expected = format!(
            "0 to {most}, as a figure holds {MOST} strips and the set has {}",
            count(set.classes.len(), "class", "classes")
        );
        within("--examples", args.examples, 0..=most, &expected, "draw fewer strips of each class")?;
    }
    let rows: Vec<Row> = (0..set.classes.len()).map(|c| row(&set, c)).collect();
    let made = &set.preprocessing;
    let found = serde_json::json!({
        "strips": set.strips.len(), "patients": set.strips.iter().map(|s| &s.patient).collect::<HashSet<_>>().len(), "fs": made.fs, "seconds": made.seconds, "lead": made.lead,
        "scheme": made.scheme, "clean": made.clean, "mains": made.mains, "detector": made.detector,
        "classes": rows, "exclusions": set.exclusions_by_reason(), "notes": set.notes,
    });
    print_found(args.json, &found, || {
        print_data(common, &set);
        print_line(&table(&rows, set.strips.len()));
    });
    if let Some(dir) = &args.out {
        draw(&set, args.examples, (&args.look.look(Page::WIDTH_MM)?, &args.look.format), dir)?;
        common.say(format!("figures: {}", dir.display()));
    }
    Ok(())
}

fn draw(set: &Dataset, examples: usize, (look, formats): (&Look, &[Format]), dir: &Path) -> Result<()> {
    let summary = |class: usize| ClassSummary {
        name: set.classes[class].clone(),
        strips: of_class(set, class).count(),
        heart_rate: of_class(set, class).map(|s| feature(s, "bpm")).collect(),
        irregularity: of_class(set, class).map(|s| feature(s, "CVNN")).collect(),
    };
    let classes: Vec<ClassSummary> = (0..set.classes.len()).map(summary).collect();
    let chosen: Vec<&Strip> = (0..set.classes.len()).flat_map(|c| spread(set, c, examples)).collect();
    let strip = |i: usize| EcgStrip {
        record: &chosen[i].id,
        signal: &chosen[i].signal,
        fs: set.preprocessing.fs,
        in_mv: chosen[i].in_mv,
        r_peaks: &chosen[i].r_peaks,
        expert_beats: chosen[i].expert_beats,
    };
    let class = |i: usize| (set.classes[chosen[i].label].as_str(), chosen[i].label);
    let shown = (0..chosen.len()).map(|i| ExampleStrip { class: class(i), strip: strip(i) }).collect();
    let curves: Vec<_> = chosen.iter().map(|s| s.guidance(set.preprocessing.fs, &set.guidance)).collect();
    let guided: Vec<GuidanceFigure> = curves
        .iter()
        .enumerate()
        .filter(|(_, made)| made.valid)
        .map(|(i, made)| GuidanceFigure {
            class: class(i),
            strip: strip(i),
            beats: &made.beats,
            intervals: &made.intervals,
            target: &made.target,
            marked: made.marked,
            irregularity: made.irregularity,
        })
        .collect();
    let mut all = counts(look, &classes)?;
    all.extend(rates(look, &classes)?);
    if !chosen.is_empty() {
        all.extend(strips(look, shown)?);
    }
    if !guided.is_empty() {
        all.extend(guidance(look, guided)?);
    }
    all.iter().try_for_each(|figure| figure.write(dir, formats).map(drop))
}

/// `n` strips of a class, spread evenly over the set: neighbours are often of one patient.
fn spread(set: &Dataset, class: usize, n: usize) -> Vec<&Strip> {
    let own: Vec<&Strip> = of_class(set, class).collect();
    let n = n.min(own.len());
    (0..n).map(|i| own[(2 * i + 1) * own.len() / (2 * n)]).collect()
}
