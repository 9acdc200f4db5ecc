//! `exgnet rpeaks`: detected R peaks against expert beats.

use super::look::LookArgs;
use super::{Common, print_found, print_line};
use crate::ecg::Source;
use crate::ecg::rpeaks::Detector;
use crate::ecg::rpeaks::evaluate::{Evaluation, RecordScore, RhythmGroup, TOLERANCE, evaluate};
use crate::ecg::rpeaks::score::Score;
use crate::error::Result;
use crate::figures::rpeaks::{RPeakRow, rpeaks};
use crate::files::{self, write_atomically};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Compare the R-peak detectors with expert beats
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet rpeaks --source mitbih:mitdb --source wfdb:ludb --out results/rpeaks\n  \
                  exgnet rpeaks --source synthetic\n\n\
                  A peak within 150 ms of an expert's beat is right. Left out are spans of ventricular flutter, and\n\
                  what lies before the first and after the last marked beat of a strip with marks for its lead (LUDB).\n\n\
                  `gradient` is the published method as it is: it misses a beat in the first 0.3 s of a signal. `adaptive` does not.")]
pub(super) struct RpeaksArgs {
    /// mitbih:PATH, wfdb:PATH or synthetic; may be repeated
    #[arg(long = "source", value_name = "KIND:PATH", required = true)]
    sources: Vec<String>,
    /// The lead
    #[arg(long, default_value = "II")]
    lead: String,
    /// Folder for records.csv, table.md and the figures
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    look: LookArgs,
    /// Print the rows as JSON
    #[arg(long)]
    json: bool,
}

/// More records than this cannot be distinguished in a figure.
const MOST_DRAWN: usize = 64;

pub(super) fn run(common: &Common, args: &RpeaksArgs) -> Result<()> {
    let look = args.look.look(crate::plot::Page::WIDTH_MM)?;
    let mut all = Evaluation { records: Vec::new(), exclusions: Vec::new() };
    let mut names: Vec<String> = Vec::new();
    for text in &args.sources {
        let source: Source = text.parse()?;
        let found = evaluate(&source, &args.lead, &Detector::ALL)?;
        names.push(source.name());
        all.records.extend(found.records);
        all.exclusions.extend(found.exclusions);
    }
    all.exclusions.iter().for_each(|e| common.say(format!("left out: {}: {}", e.record, e.reason)));
    let rows: Vec<Value> = all.records.iter().map(row_json).collect();
    print_found(args.json, &rows, || print_line(table(&all, &names).trim_end()));
    if let Some(dir) = &args.out {
        write_atomically(&dir.join("table.md"), table(&all, &names).as_bytes())?;
        write_atomically(&dir.join("records.csv"), &csv(&all.records))?;
        for name in &names {
            let rows = figure_rows(all.records.iter().filter(|r| r.source == *name));
            if rows.len() > MOST_DRAWN * Detector::ALL.len() {
                common.say(format!("{name}: too many records for a figure, see records.csv"));
                continue;
            }
            for figure in rpeaks(&look, name, &rows)? {
                figure.write(dir, &args.look.format)?;
            }
        }
        common.say(format!("written: {}", dir.display()));
    }
    Ok(())
}

fn score_json(score: &Score) -> Value {
    json!({
        "true_positive": score.true_positive, "false_positive": score.false_positive,
        "false_negative": score.false_negative, "sensitivity": score.sensitivity(), "ppv": score.ppv(),
        "mean_absolute_offset_ms": score.mean_absolute_offset(),
    })
}

fn row_json(row: &RecordScore) -> Value {
    let scores: serde_json::Map<_, _> =
        Detector::ALL.iter().zip(&row.scores).map(|(d, s)| (d.name().to_string(), score_json(s))).collect();
    json!({
        "source": row.source, "record": row.record, "lead": row.lead, "group": row.group.name(), "beats": row.beats,
        "scores": scores,
    })
}

/// Totals of each source and group, then of all.
fn table(all: &Evaluation, names: &[String]) -> String {
    let tolerance = TOLERANCE * 1000.0;
    let mut text = format!(
        "Detected R peaks within {tolerance} ms of expert beats; sensitivity / positive predictive value in %, and in brackets the\n\
         beats missed and the peaks that are none. Written by `exgnet rpeaks`.\n\n| records | beats |"
    );
    let short = |s: &Score| {
        let percent = |v: f64| format!("{:.2}", 100.0 * v);
        format!(" {} / {} ({}, {}) |", percent(s.sensitivity()), percent(s.ppv()), s.false_negative, s.false_positive)
    };
    let head: String = Detector::ALL.iter().map(|d| format!(" {} |", d.name())).collect();
    text += &format!("{head}\n|---|---|{}\n", "---|".repeat(Detector::ALL.len()));
    let mut line = |what: &str, part: &Evaluation, group: Option<RhythmGroup>| {
        let (records, beats, scores) = part.total(group);
        if records > 0 {
            let cells: String = scores.iter().map(short).collect();
            text += &format!("| {what} ({records}) | {beats} |{cells}\n");
        }
    };
    let groups = [RhythmGroup::Sinus, RhythmGroup::Other, RhythmGroup::Paced];
    for name in names {
        let records = all.records.iter().filter(|r| r.source == *name).cloned().collect();
        let part = Evaluation { records, exclusions: Vec::new() };
        groups.iter().for_each(|&g| line(&format!("{name}, {}", g.name()), &part, Some(g)));
    }
    line("all, sinus", all, Some(RhythmGroup::Sinus));
    line("all, not paced", all, None);
    text
}

fn csv(rows: &[RecordScore]) -> Vec<u8> {
    let heads = "source,record,lead,group,beats,detector,missed,false,sensitivity,ppv,mean_absolute_offset_ms";
    let scores = rows.iter().flat_map(|row| Detector::ALL.iter().zip(&row.scores).map(move |(d, s)| (row, d, s)));
    let cells = |(row, detector, s): (&RecordScore, &Detector, &Score)| {
        vec![
            row.source.clone(),
            row.record.clone(),
            row.lead.clone(),
            row.group.name().into(),
            row.beats.to_string(),
            detector.name().into(),
            s.false_negative.to_string(),
            s.false_positive.to_string(),
            format!("{:.5}", s.sensitivity()),
            format!("{:.5}", s.ppv()),
            format!("{:.2}", s.mean_absolute_offset()),
        ]
    };
    files::csv(heads, scores.map(cells))
}

fn figure_rows<'a>(rows: impl Iterator<Item = &'a RecordScore>) -> Vec<RPeakRow> {
    let of = |row: &RecordScore| {
        let one = |(d, s): (&Detector, &Score)| RPeakRow {
            record: row.record.clone(),
            group: row.group.name().into(),
            detector: d.name().into(),
            sensitivity: s.sensitivity(),
            ppv: s.ppv(),
        };
        Detector::ALL.iter().zip(&row.scores).map(one).collect::<Vec<_>>()
    };
    rows.flat_map(of).collect()
}
