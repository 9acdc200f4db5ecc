//! How well runs classify: confusion, curves per class, reliability, metrics per class, variants against each other.

use crate::figures::bars::{Bar, BarPanel, Compared, ablation as points, per_class as grouped_bars};
use crate::figures::catalogue::{Drawn, EVALUATE, count, stem};
use crate::figures::confusion as matrices;
use crate::figures::ranking::{self as bins, ClassCurves, Curve, FEW, Reliability, curves};
use crate::plot::{Figure, Look};
use crate::run::metrics::{ClassMetrics, Metrics, counts, lacking_by_fold};
use crate::run::predictions::Prediction;
use crate::run::read::Run;
use crate::run::set::RunSet;
use crate::run::set::{fold, told};
use crate::stats::ranking::{Ranked, calibration, ranking as rank};
use crate::stats::{
    Case, Cells, OneClass, bootstrap_patients, fold_means, mean_sd, paired_by_fold, paired_cells, student,
    wilcoxon_signed_rank,
};
use std::collections::BTreeSet;

/// Seed and number of the resamples of intervals and bands.
const SEED: u64 = 42;
const RESAMPLES: usize = 1000;
/// Bins of a reliability diagram.
const BINS: usize = 10;

fn sum(all: &[Vec<Vec<u64>>]) -> Vec<Vec<u64>> {
    let mut total = all[0].clone();
    for other in &all[1..] {
        for (row, more) in total.iter_mut().zip(other) {
            row.iter_mut().zip(more).for_each(|(n, m)| *n += m);
        }
    }
    total
}

/// Which runs were pooled, in words.
fn pooled<'a>(runs: impl Iterator<Item = &'a Run> + Clone) -> String {
    if runs.clone().count() == 1 { "test fold of one run".into() } else { format!("pooled over {}", told(runs)) }
}

/// The counts of every tested run of a variant.
fn confusions<'a>(set: &'a RunSet<'a>, variant: &'a str) -> Vec<(&'a Run, Vec<Vec<u64>>)> {
    set.of(variant).filter_map(|r| Some((r, counts(&r.metrics.as_ref()?.confusion)))).collect()
}

pub(crate) fn confusion<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    for variant in &set.variants {
        let (runs, all): (Vec<&Run>, Vec<_>) = confusions(set, variant).into_iter().unzip();
        let stem = stem("confusion", set, variant);
        if all.is_empty() {
            drawn.miss(&stem, format!("no metrics.json of {variant}: the run tested nothing; {EVALUATE}"));
            continue;
        }
        let total = sum(&all);
        let n: u64 = total.iter().flatten().sum();
        let caption = format!(
            "Confusion matrix of {variant}, {}: {n} predictions of test records; counts, and percent of the row (the \
             true class), which the colour tells as well. n/a: no record of the class.",
            pooled(runs.iter().copied())
        );
        drawn.add(&stem, matrices::figure(look, &stem, &set.classes, total, &caption));
    }
}

pub(crate) fn confusion_folds<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    for variant in &set.variants {
        let all = confusions(set, variant);
        if all.len() < 2 {
            continue;
        }
        let seeds: BTreeSet<u64> = all.iter().filter_map(|(r, _)| Some(r.fold_and_seed()?.1)).collect();
        let label = |r: &Run| if seeds.len() > 1 { r.cell() } else { fold(r) };
        let stem = stem("confusion-folds", set, variant);
        let caption = format!(
            "Confusion matrices of {variant} in each of {}: counts; colours are shares of the row from white (0 %) \
             to dark blue (100 %), grey where a fold has no record of the class.",
            count(all.len(), "run")
        );
        let folds = all.into_iter().map(|(r, counts)| (label(r), counts)).collect();
        drawn.add(&stem, matrices::folds(look, &stem, &set.classes, folds, &caption));
    }
}

/// The predictions of a variant, each with the number of its patient.
fn predictions<'a>(set: &'a RunSet<'a>, variant: &'a str) -> Vec<(usize, &'a Prediction)> {
    let patients = set.patients();
    let all = set.of(variant).filter_map(|r| r.predictions.as_ref()).flatten();
    all.map(|p| (patients[p.patient.as_str()], p)).collect()
}

/// Why a figure of predictions cannot be drawn.
fn no_predictions(set: &RunSet, variant: &str) -> String {
    let run = set.of(variant).find(|r| r.predictions.is_none());
    let name = run.and_then(|r| r.dir.file_name()).map_or(String::new(), |n| format!(" in {}", n.to_string_lossy()));
    format!("no predictions.csv of {variant}{name} (probabilities of every record); {EVALUATE}")
}

fn tested<'a>(set: &'a RunSet<'a>, variant: &'a str) -> Vec<(usize, &'a Prediction)> {
    // some folds are no whole
    if set.of(variant).any(|r| r.predictions.is_none()) { Vec::new() } else { predictions(set, variant) }
}

pub(crate) fn ranking<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    for variant in &set.variants {
        let stem = stem("ranking", set, variant);
        match tested(set, variant) {
            rows if rows.is_empty() => drawn.miss(&stem, no_predictions(set, variant)),
            rows => drawn.add(&stem, class_curves(set, variant, &rows, look, &stem)),
        }
    }
}

pub(crate) fn reliability<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let mut methods = Vec::new();
    for variant in &set.variants {
        let rows = tested(set, variant);
        if rows.is_empty() {
            continue;
        }
        let confidence = |p: &Prediction| p.probabilities.get(p.predicted()).copied().unwrap_or(f64::NAN);
        let told: Vec<(f64, bool)> = rows.iter().map(|(_, p)| (confidence(p), p.predicted() == p.truth)).collect();
        let found = calibration(&told, BINS);
        let bins = found.bins.iter().map(|b| (b.count, b.confidence, b.accuracy)).collect();
        methods.push(Reliability { name: variant.clone(), bins, ece: found.ece });
    }
    if methods.is_empty() {
        drawn.miss("reliability", no_predictions(set, &set.variants[0]));
        return;
    }
    let caption = format!(
        "Reliability: share of right predictions over the mean probability of the predicted class, in {BINS} equal bins \
         (bins without a prediction are left out; hollow: fewer than {FEW} predictions); dashed: perfect calibration. Below: share of the predictions in each \
         bin. ECE: expected calibration error; n: predictions, {}.",
        pooled(set.of(&methods[0].name))
    );
    drawn.add("reliability", bins::reliability(look, "reliability", methods, &caption));
}

fn class_curves<'a>(
    set: &'a RunSet<'a>,
    variant: &str,
    rows: &[(usize, &Prediction)],
    look: &Look,
    stem: &str,
) -> crate::Result<Figure<'a>> {
    let (mut found, mut absent) = (Vec::new(), Vec::new());
    for (index, name) in set.classes.iter().enumerate() {
        let one = |(patient, p): &(usize, &Prediction)| Ranked {
            score: p.probabilities.get(index).copied().unwrap_or(f64::NAN),
            positive: p.truth == index,
            patient: *patient,
        };
        let Some(ranking) = rank(rows.iter().map(one).collect(), SEED, RESAMPLES) else {
            absent.push(name.clone());
            continue;
        };
        let curve = |c: crate::stats::ranking::Curve| Curve {
            points: c.points,
            band: c.band,
            area: c.area,
            interval: c.interval,
        };
        found.push(ClassCurves {
            name: name.clone(),
            index,
            share: ranking.positive as f64 / ranking.records.max(1) as f64,
            roc: curve(ranking.roc),
            precision: curve(ranking.precision),
        });
    }
    let patients: BTreeSet<usize> = rows.iter().map(|r| r.0).collect();
    let caption = format!(
        "ROC (a) and precision-recall curves (b) of {variant}, each class against the rest: {} predictions of {}, {}. \
         Bands: pointwise 95 % of {RESAMPLES} bootstrap resamples of the patients, none for a single patient; in \
         parentheses the 95 % interval of the area from the same resamples.{}",
        rows.len(),
        count(patients.len(), "patient"),
        pooled(set.of(variant)),
        if absent.is_empty() { String::new() } else { format!(" No record of {}.", absent.join(", ")) }
    );
    curves(look, stem, found, &absent, &caption)
}

type Of = fn(&ClassMetrics) -> f64;
const PER_CLASS: [(&str, Of); 4] = [
    ("sensitivity", |c| if c.support > 0 { c.sensitivity } else { f64::NAN }),
    ("specificity", |c| c.specificity),
    ("positive predictive value", |c| if c.support > 0 { c.ppv } else { f64::NAN }),
    ("F1", |c| if c.support > 0 { c.f1 } else { f64::NAN }),
];

/// The same of class `k` of a confusion matrix; 0/0 counts as 0, and a class without records has none but specificity.
fn of_confusion(which: usize, confusion: &[Vec<u64>], k: usize) -> f64 {
    let class = OneClass::of(confusion, k);
    match which {
        0 => class.sensitivity(),
        1 => class.specificity(),
        2 => class.ppv(),
        _ => class.f1(),
    }
}

pub(crate) fn per_class<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let variants: Vec<&String> = set.variants.iter().filter(|v| set.of(v).any(|r| r.metrics.is_some())).collect();
    if variants.is_empty() {
        drawn.miss("per-class", format!("no metrics.json: no run tested; {EVALUATE}"));
        return;
    }
    let whole = variants.iter().all(|v| !tested(set, v).is_empty());
    let panels = PER_CLASS.iter().enumerate().map(|(which, (name, of))| {
        let bars = |variant: &&String| match whole {
            true => resampled(set, variant, which),
            false => over_folds(set, variant, *of),
        };
        BarPanel { name: (*name).into(), bars: variants.iter().map(bars).collect() }
    });
    let names: Vec<String> = variants.iter().map(|v| (*v).clone()).collect();
    let intervals = match whole {
        true => format!(
            "Bars: all test records, {}; whiskers: 95 % intervals of {RESAMPLES} bootstrap resamples of the \
                         patients.",
            pooled(set.of(variants[0]))
        ),
        false => {
            "Bars: means over the runs in which the class has records; whiskers: ± 1 standard deviation over them \
                  (predictions.csv is missing, so that patients cannot be drawn)."
                .into()
        }
    };
    let caption = format!(
        "Metrics of each class against the rest. {intervals} Variants, from left to right: {}. A dash: no record of the class.",
        names.join(", ")
    );
    drawn.add("per-class", grouped_bars(look, "per-class", &set.classes, &names, panels.collect(), &caption));
}

pub(crate) fn ablation<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    match set.variants.iter().filter(|v| set.of(v).any(|r| r.metrics.is_some())).count() {
        0 => {}
        1 => drawn.miss("ablation", "one variant only; give the folder of a sweep with several"),
        _ => drawn.add("ablation", ablation_figure(set, look)),
    }
}

fn resampled(set: &RunSet, variant: &str, which: usize) -> Vec<Bar> {
    let k = set.classes.len();
    let rows = predictions(set, variant);
    let cases: Vec<Case> =
        rows.iter().map(|&(patient, p)| Case { patient, truth: p.truth, predicted: p.predicted() }).collect();
    let bar = |class: usize| {
        let there = which == 1 || cases.iter().any(|c| c.truth == class);
        let found = bootstrap_patients(&cases, k, SEED, RESAMPLES, |confusion| of_confusion(which, confusion, class));
        match found {
            Ok(b) if there => Bar { value: b.estimate, interval: (b.low, b.high) },
            _ => Bar { value: f64::NAN, interval: (f64::NAN, f64::NAN) },
        }
    };
    (0..k).map(bar).collect()
}

fn over_folds(set: &RunSet, variant: &str, of: Of) -> Vec<Bar> {
    let bar = |class: usize| {
        let all = set.of(variant).filter_map(|r| Some(of(&r.metrics.as_ref()?.per_class.get(class)?.1)));
        let (mean, sd) = mean_sd(&all.filter(|v| v.is_finite()).collect::<Vec<_>>());
        let interval = if sd.is_nan() { (sd, sd) } else { ((mean - sd).max(0.0), (mean + sd).min(1.0)) };
        Bar { value: mean, interval }
    };
    (0..set.classes.len()).map(bar).collect()
}

type OfRun = fn(&Metrics) -> Option<f64>;
const ABLATED: [(&str, OfRun); 6] = [
    ("macro-F1", |m| Some(m.macro_f1)),
    ("accuracy", |m| Some(m.accuracy)),
    ("NCC of map and target", |m| m.explanation.ncc),
    ("pointing game", |m| m.explanation.pointing),
    ("deletion AUC (low is good)", |m| m.explanation.deletion_auc),
    ("insertion AUC (high is good)", |m| m.explanation.insertion_auc),
];

fn ablation_figure<'a>(set: &'a RunSet<'a>, look: &Look) -> crate::Result<Figure<'a>> {
    let reference = &set.variants[0];
    let grouped = set.grouped();
    let cells: BTreeSet<(usize, u64)> = set.runs.iter().filter_map(|r| r.fold_and_seed()).collect();
    let of = |variant: &str, of: OfRun| -> Cells {
        let runs = set.of(variant).filter_map(|r| Some((r.fold_and_seed()?, of(r.metrics.as_ref()?)?)));
        runs.collect()
    };
    let lines = |which: usize| -> Vec<(String, f64)> {
        let mean = |values: Vec<f64>| mean_sd(&values).0;
        let runs = || set.of(reference);
        match which {
            0 => vec![(
                "17 features alone".into(),
                mean(runs().filter_map(|r| Some(r.sanity.as_ref()?.features.as_ref()?.macro_f1)).collect()),
            )],
            2 => vec![(
                "|dx/dt|".into(),
                mean(runs().filter_map(|r| Some(r.sanity.as_ref()?.slope.overall.means?.ncc)).collect()),
            )],
            3 => vec![(
                "chance".into(),
                mean(runs().filter_map(|r| r.sanity.as_ref()?.pointing_chance.overall).collect()),
            )],
            _ => Vec::new(),
        }
        .into_iter()
        .filter(|l: &(String, f64)| l.1.is_finite())
        .collect()
    };
    let panels = ABLATED.iter().enumerate().filter_map(|(which, (name, value))| {
        let all: Vec<Cells> = set.variants.iter().map(|v| of(v, *value)).collect();
        if all.iter().all(Cells::is_empty) {
            return None;
        }
        let test = |cells: &Cells| {
            let paired = if grouped { paired_by_fold(cells, &all[0]) } else { paired_cells(cells, &all[0]) };
            if paired.differences.len() < 2 { f64::NAN } else { wilcoxon_signed_rank(&paired.differences).p_value }
        };
        Some(Compared {
            name: (*name).into(),
            values: all
                .iter()
                .map(|own| cells.iter().map(|c| own.get(c).copied().unwrap_or(f64::NAN)).collect())
                .collect(),
            // every one of these numbers ends at 1, and all but NCC at 0
            means: all.iter().map(|own| interval(&fold_means(own), if which == 2 { -1.0 } else { 0.0 })).collect(),
            p: all.iter().enumerate().map(|(i, own)| if i == 0 { f64::NAN } else { test(own) }).collect(),
            lines: lines(which),
        })
    });
    let folds: BTreeSet<usize> = cells.iter().map(|c| c.0).collect();
    let test = if grouped { "means of the folds (patients are on one side each)" } else { "cells of fold and seed" };
    let tested = set.runs.iter().filter_map(|r| Some((r.fold_and_seed()?.0, r.metrics.as_ref()?)));
    let lacking = lacking_by_fold(tested);
    let least = 2.0 / 2f64.powi(if grouped { folds.len() } else { cells.len() }.min(60) as i32);
    let caption = format!(
        "Variants on the same test folds: pale points are single runs ({}, {}), joined across the variants; circles are means of the \
         folds (seeds averaged within) with their 95 % t interval (cut at the ends of a metric's range). p: Wilcoxon's signed-rank test against {reference} \
         over the {test}, which cannot give less than {least:.3} here; not corrected for the number of comparisons. \
         Dashed lines: what the numbers are held against (mean over the runs of {reference}).{}",
        count(folds.len(), "fold"),
        count(cells.iter().map(|c| c.1).collect::<BTreeSet<u64>>().len(), "seed"),
        lacking.map_or(String::new(), |folds| format!(
            " No test record in {folds}: macro-F1 is over the classes that occur in a fold, true or predicted."
        )),
    );
    let panels: Vec<Compared> = panels.collect();
    points(look, "ablation", &set.variants, panels, &caption)
}

/// Mean and 95 % t interval, cut where the values cannot be: below `least` and above 1.
fn interval(values: &[f64], least: f64) -> Bar {
    let (mean, sd) = mean_sd(values);
    let half = student(values.len().saturating_sub(1)) * sd / (values.len() as f64).sqrt();
    Bar {
        value: mean,
        interval: if half.is_nan() { (half, half) } else { ((mean - half).max(least), (mean + half).min(1.0)) },
    }
}
