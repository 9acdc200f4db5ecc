//! Which version of a kernel, and which settings of it, suit a shape on this adapter. Every candidate must give what the plain
//! version gives before its time counts.

mod conv;
mod rows;

use super::Spread;
use super::ceilings::device_seconds;
use super::measure::{Shape, layers};
use super::subjects::needs;
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::files::cache_dir;
use crate::gpu::{AdapterReport, Choice, Choices, Gpu, Needs, Variant};
use crate::nn::config::NetworkConfig;
use crate::ops::Pass;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The committed table of the software adapter.
const LLVMPIPE: &str = include_str!("../../results/tuning/llvmpipe.json");
/// A candidate may differ from the plain version by this share of its largest value.
const TOLERANCE: f64 = 1e-4;
/// A candidate must take at most this share of the rule of thumb's time.
const WORTH: f64 = 0.85;

/// What was found for one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The best candidate.
    pub choice: Choice,
    /// Its time, ms.
    pub ms: f64,
    /// That of the rule of thumb, ms.
    pub rule_ms: f64,
    /// That of the plain version, ms.
    pub plain_ms: f64,
    /// Candidates that were timed.
    pub timed: usize,
    /// Candidates that were rejected, for their values or because they do not compile.
    pub rejected: usize,
}

/// A table for one adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub adapter: String,
    /// Driver and version.
    pub driver: String,
    /// By shape.
    pub found: BTreeMap<String, Found>,
}

/// An adapter's name as a file name; all CPUs that llvmpipe plays share one.
pub fn file_name(report: &AdapterReport) -> String {
    if report.name.starts_with("llvmpipe") {
        return "llvmpipe.json".into();
    }
    let lower = report.name.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    format!("{}.json", words.join("-"))
}

/// The user's own table for an adapter, in the cache folder ([`cache_dir`]).
pub fn user_file(report: &AdapterReport) -> Option<PathBuf> {
    Some(cache_dir()?.join("tuning").join(file_name(report)))
}

/// Whether a template can take a setting: a table may have been edited.
fn fits(name: &str, v: usize) -> bool {
    match name {
        "p" => v.is_multiple_of(4) && (4..=32).contains(&v),
        "swap" => v <= 1,
        "width" => v.is_power_of_two() && (8..=256).contains(&v),
        "span" | "groups" => (1..=1 << 16).contains(&v),
        "oc" | "mo" | "mq" | "du" | "va" | "ub" | "mv" | "mj" => (1..=64).contains(&v),
        _ => false,
    }
}

fn parse(text: &str, path: &str) -> Result<Table> {
    let bad = |what: String| Error::file(path, what, "delete it and run `exgnet tune` again, or use --no-tuned");
    let table: Table = serde_json::from_str(text).map_err(|e| bad(format!("not a tuning table: {e}")))?;
    for (key, found) in &table.found {
        if let Some((name, v)) =
            found.choice.settings.iter().find(|(name, v)| !fits(name, usize::try_from(**v).unwrap_or(usize::MAX)))
        {
            return Err(bad(format!("{key}: {name}={v} is no setting of these kernels")));
        }
    }
    Ok(table)
}

/// Reads a table; `None` if there is none.
///
/// # Errors
/// [`Error::File`] for a file that is no table or cannot be read.
pub fn read(path: &Path) -> Result<Option<Table>> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::file(path, format!("cannot be read: {e}"), "delete it, or use --no-tuned"))?;
    parse(&text, &path.display().to_string()).map(Some)
}

/// Puts the committed table of this adapter, and the user's own over it, into force.
///
/// # Errors
/// [`Error::File`] for a table of the user's that cannot be read.
pub fn load(gpu: &Gpu) -> Result<()> {
    let mut choices = Choices::new();
    let mut take = |table: Table| choices.extend(table.found.into_iter().map(|(key, f)| (key, f.choice)));
    if file_name(gpu.report()) == "llvmpipe.json" {
        take(parse(LLVMPIPE, "results/tuning/llvmpipe.json (built in)")?);
    }
    if let Some(table) = user_file(gpu.report()).map_or(Ok(None), |path| read(&path))? {
        take(table);
    }
    gpu.set_choices(choices);
    Ok(())
}

/// Something to tune: a kernel at a shape.
struct Task {
    /// Its name in the table.
    key: String,
    /// What the rule of thumb takes.
    usual: Variant,
    /// What could be taken, the plain version first.
    candidates: Vec<Choice>,
    /// What a candidate must save of the rule of thumb's time, ms.
    worth_ms: f64,
    /// Its input, and the operation on it.
    work: Box<MakeWork>,
}

type MakeWork = dyn Fn(&Gpu) -> Result<Work>;

/// An operation on an input that is there.
type Work = Box<dyn Fn() -> Result<Tensor>>;

/// Largest difference, as a share of the largest value.
fn difference(found: &[f32], truth: &[f32]) -> f64 {
    let largest = truth.iter().fold(1e-30_f32, |m, v| m.max(v.abs()));
    let worst = found
        .iter()
        .zip(truth)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0_f32, |m, d| if d.is_nan() { f32::INFINITY } else { m.max(d) });
    f64::from(worst) / f64::from(largest)
}

/// Tunes the kernels of a network whose names begin with `only`, each candidate measured `rounds` times, interleaved; `tell`
/// hears of each shape.
///
/// # Errors
/// [`Error::Memory`] for a batch that does not fit, before anything is allocated; [`Error::Gpu`]; a candidate that does not
/// compile is rejected.
pub fn tune(
    gpu: &Gpu,
    network: &NetworkConfig,
    size: (usize, usize),
    how: (&str, usize),
    mut tell: impl FnMut(usize, usize, &str, &Found),
) -> Result<Table> {
    let (batch, samples) = size;
    let convs =
        layers(network, batch, samples).into_iter().flat_map(|(_, s)| Pass::ALL.map(|pass| needs(pass.name(), s)));
    let stem = Shape { batch, c_in: network.stem_channels, len: samples.div_ceil(2), ..Shape::default() };
    let most = convs.fold(needs("batch_norm_relu_grad", stem), Needs::or);
    gpu.room_for(&format!("tuning at a batch of {batch}"), most)?;
    let before = gpu.choices();
    let done = tune_all(gpu, network, size, how, &mut tell);
    gpu.set_choices(before);
    done
}

fn tune_all(
    gpu: &Gpu,
    network: &NetworkConfig,
    size: (usize, usize),
    (only, rounds): (&str, usize),
    tell: &mut dyn FnMut(usize, usize, &str, &Found),
) -> Result<Table> {
    let mut all = conv::tasks(gpu, network, size);
    all.extend(rows::tasks(gpu, network, size));
    all.retain(|task| task.key.starts_with(only));
    let mut found = BTreeMap::new();
    for (i, task) in all.iter().enumerate() {
        let key = &task.key;
        let run = (task.work)(gpu)?;
        let run = || no_grad(&run);
        let using = |choice: &Choice| gpu.set_choices(Choices::from([(key.clone(), choice.clone())]));
        let mut truth = Vec::new();
        let (mut kept, mut rejected) = (Vec::new(), 0);
        for choice in task.candidates.clone() {
            using(&choice);
            let values = run().and_then(|y| y.to_vec());
            if choice.version == Variant::Plain.name() {
                truth = values?;
            } else if !values.is_ok_and(|v| difference(&v, &truth) <= TOLERANCE) {
                rejected += 1;
                continue;
            }
            kept.push((choice, Vec::new()));
        }
        for _ in 0..rounds.max(1) {
            let fastest =
                kept.iter().filter_map(|(_, t): &(Choice, Vec<f64>)| t.first()).fold(f64::INFINITY, |a, b| a.min(*b));
            for (choice, times) in &mut kept {
                // three times behind in the first round: no second one
                if times.first().is_none_or(|first| *first < 3.0 * fastest) {
                    using(choice);
                    times.push(1e3 * device_seconds(gpu, || run().map(drop))?);
                }
            }
        }
        let medians: Vec<f64> = kept.iter().map(|(_, times)| Spread::of(times.clone()).median).collect();
        for ((choice, _), ms) in kept.iter().zip(&medians) {
            log::debug!("{key}: {:.3} ms, {}", ms, choice.in_words());
        }
        let of = |variant: Variant| kept.iter().position(|(c, _)| c.version == variant.name() && c.settings.is_empty());
        let mut best = (0..kept.len()).min_by(|&a, &b| medians[a].total_cmp(&medians[b])).unwrap_or(0);
        let at = |v| of(v).map_or(f64::NAN, |i| medians[i]);
        let worth = |rule: f64| medians[best] <= WORTH * rule && medians[best] <= rule - task.worth_ms;
        best = of(task.usual).filter(|&rule| !worth(medians[rule])).unwrap_or(best);
        let result = Found {
            choice: kept[best].0.clone(),
            ms: medians[best],
            rule_ms: of(task.usual).map_or(at(Variant::Plain), |i| medians[i]),
            plain_ms: at(Variant::Plain),
            timed: kept.len(),
            rejected,
        };
        tell(i + 1, all.len(), key, &result);
        found.insert(key.clone(), result);
    }
    let report = gpu.report();
    Ok(Table { adapter: report.name.clone(), driver: format!("{} {}", report.driver, report.driver_info), found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edited_tables_are_refused_not_run() {
        assert!(parse(LLVMPIPE, "built in").is_ok_and(|t| !t.found.is_empty()));
        let with = |setting: &str| {
            let choice = format!(r#"{{"variant": "tile", "settings": {{{setting}}}}}"#);
            let found =
                format!(r#"{{"choice": {choice}, "ms": 1, "rule_ms": 1, "plain_ms": 1, "timed": 1, "rejected": 0}}"#);
            parse(&format!(r#"{{"adapter": "", "driver": "", "found": {{"a key": {found}}}}}"#), "a.json")
        };
        assert!(with(r#""p": 16, "oc": 5"#).is_ok());
        for wrong in [r#""p": 0"#, r#""p": 6"#, r#""oc": 0"#, r#""lanes": 8"#, r#""swap": 2"#] {
            let said = with(wrong).expect_err(wrong).to_string();
            assert!(said.contains("a.json") && said.contains("a key") && said.contains("HINT"), "{said}");
        }
    }
}
