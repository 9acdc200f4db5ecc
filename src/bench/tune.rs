//! Which version of a convolution, and which settings of its template, suit a shape on this adapter. Every candidate must
//! give what the plain version gives before its time counts.

use super::Spread;
use super::ceilings::device_seconds;
use super::kernels::noise;
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::files::cache_dir;
use crate::gpu::{AdapterReport, Choice, Choices, Gpu, Variant};
use crate::nn::config::{BlockKind, NetworkConfig, branch_channels};
use crate::ops::{self, Branch, ConvSpec, Pass};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The committed table of the software adapter.
const LLVMPIPE: &str = include_str!("../../results/tuning/llvmpipe.json");
/// A candidate may differ from the plain version by this share of its largest value.
const TOLERANCE: f64 = 1e-4;
/// A candidate must take at most this share of the rule of thumb's time, and save so many ms a call: the rule's kernels
/// serve many shapes, and a further one costs up to three seconds to compile, and half a second when it is found compiled.
const WORTH: (f64, f64) = (0.85, 2.0);
/// Multiply-adds of an unrolled body that no instruction cache holds.
const LONGEST_BODY: usize = 3200;

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
        "oc" | "mo" | "mq" | "du" | "va" | "ub" | "mv" | "mj" => (1..=64).contains(&v),
        _ => false,
    }
}

fn parse(text: &str, path: &str) -> Result<Table> {
    let bad = |what: String| Error::file(path, what, "delete it and run `exgnet tune` again, or use --no-tuned");
    let table: Table = serde_json::from_str(text).map_err(|e| bad(format!("not a tuning table: {e}")))?;
    for (key, found) in &table.found {
        if let Some((name, v)) = found.choice.settings.iter().find(|(name, v)| !fits(name, **v)) {
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

/// One shape to tune: a convolution, or the branches of a block together.
struct Shape {
    spec: ConvSpec,
    /// `[C_out, C_in, K]` of each branch.
    weights: Vec<[usize; 3]>,
    batch: usize,
    len: usize,
}

/// Shapes of a network, each once.
fn shapes(network: &NetworkConfig, batch: usize, samples: usize) -> Vec<(Pass, Shape)> {
    let single = |w: [usize; 3], stride: usize, dilation: usize, len: usize| Shape {
        spec: ConvSpec::single(stride, 1, Branch::same(w[2], dilation)),
        weights: vec![w],
        batch,
        len,
    };
    let mut all = vec![
        (Pass::Forward, single([network.stem_channels, 1, network.stem_kernel], 2, 1, samples)),
        (Pass::WeightGrad, single([network.stem_channels, 1, network.stem_kernel], 2, 1, samples)),
    ];
    let mut len = samples.div_ceil(2) / 2;
    for ((c_in, width, stride), out_len) in network.blocks().zip(network.block_lengths(samples)) {
        let (kernels, dilations) = (network.branch_kernels(), network.branch_dilations());
        let (mut from, mut branches) = ((c_in, len, stride), Vec::new());
        for (j, out) in branch_channels(width).into_iter().enumerate() {
            let weight = [out, from.0, kernels[j]];
            for pass in [Pass::Forward, Pass::WeightGrad] {
                all.push((pass, single(weight, from.2, dilations[j], from.1)));
            }
            branches.push((weight, Branch::same(kernels[j], dilations[j])));
            if network.kind == BlockKind::Cascade {
                all.push((Pass::InputGrad, single(weight, from.2, dilations[j], from.1)));
                from = (out, out_len, 1);
            }
        }
        if network.kind == BlockKind::Parallel {
            let spec = ConvSpec { stride, groups: 1, branches: branches.iter().map(|b| b.1).collect(), half: false };
            let weights = branches.iter().map(|b| b.0).collect();
            all.push((Pass::InputGrad, Shape { spec, weights, batch, len }));
        }
        if c_in != width || stride != 1 {
            all.extend(Pass::ALL.map(|pass| (pass, single([width, c_in, 1], stride, 1, len))));
        }
        len = out_len;
    }
    let mut seen = BTreeSet::new();
    all.retain(|(pass, s)| seen.insert(s.key(*pass)));
    all
}

impl Shape {
    fn key(&self, pass: Pass) -> String {
        let weights: Vec<&[usize]> = self.weights.iter().map(<[usize; 3]>::as_slice).collect();
        self.spec.keys(pass, &weights).swap_remove(0)
    }

    /// Longest window of the pass: the taps that a tile unrolls.
    fn taps(&self) -> usize {
        let longest = self.weights.iter().map(|w| w[2]).max().unwrap_or(1);
        longest.div_ceil(self.spec.stride)
    }

    fn candidates(&self, gpu: &Gpu, pass: Pass) -> Vec<Choice> {
        let mut all: Vec<Choice> = Vec::new();
        all.extend([Variant::Plain, Variant::Wide].map(Choice::usual));
        if gpu.tile_lanes().is_none() {
            return all;
        }
        all.push(Choice::usual(Variant::Tile));
        let mut with = |variant, names: &[&str], values: &[usize]| {
            let settings = names.iter().map(|n| (*n).to_owned()).zip(values.iter().copied()).collect();
            all.push(Choice { variant, settings });
        };
        let mut tile = |names: &[&str], values: &[usize]| with(Variant::Tile, names, values);
        let taps = self.taps();
        if pass == Pass::WeightGrad {
            for [va, ub, p, mv, mj] in [
                [1, 4, 8, 1, 8],
                [2, 4, 8, 2, 4],
                [2, 8, 12, 2, 3],
                [4, 8, 8, 2, 4],
                [8, 16, 4, 4, 1],
                [4, 16, 8, 4, 1],
            ] {
                if va * ub * taps * p <= LONGEST_BODY {
                    for swap in [0, 1] {
                        tile(&["va", "ub", "p", "mv", "mj", "swap"], &[va, ub, p, mv, mj, swap]);
                    }
                }
            }
        } else {
            for [oc, p, mo, mq, du] in [
                [5, 16, 5, 2, 1],
                [4, 16, 4, 2, 1],
                [6, 12, 6, 2, 1],
                [8, 24, 2, 4, 1],
                [8, 16, 4, 2, 1],
                [10, 20, 5, 2, 1],
                [16, 16, 4, 2, 1],
                [32, 8, 4, 2, 4],
            ] {
                if oc * p * du * taps <= LONGEST_BODY {
                    tile(&["oc", "p", "mo", "mq", "du"], &[oc, p, mo, mq, du]);
                }
            }
            if taps >= 4 {
                with(Variant::Fast, &[], &[]);
                for [oc, p, mo, mq] in [[8, 24, 2, 4], [12, 16, 4, 2], [16, 16, 4, 2]] {
                    with(Variant::Fast, &["oc", "p", "mo", "mq"], &[oc, p, mo, mq]);
                }
            }
        }
        all
    }

    fn work(&self, gpu: &Gpu, pass: Pass) -> Result<Box<dyn Fn() -> Result<Tensor>>> {
        let c_in = self.weights[0][1];
        let t = (self.len - 1) / self.spec.stride + 1;
        let out = self.weights.iter().map(|w| w[0]).sum();
        let (x, _) = noise(gpu, &[self.batch, c_in, self.len], 1)?;
        let (g, _) = noise(gpu, &[self.batch, out, t], 2)?;
        let weights = self.weights.iter().map(|w| Ok(noise(gpu, w, 3)?.0)).collect::<Result<Vec<_>>>()?;
        let (spec, len, weight) = (self.spec.clone(), self.len, self.weights[0]);
        Ok(match pass {
            Pass::Forward => Box::new(move || ops::branches(&x, &weights.iter().collect::<Vec<_>>(), &spec)),
            Pass::InputGrad => {
                Box::new(move || ops::branches_input_grad(&g, &weights.iter().collect::<Vec<_>>(), &spec, len))
            }
            Pass::WeightGrad => Box::new(move || ops::conv1d_weight_grad(&x, &g, weight, &spec)),
        })
    }
}

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

/// Tunes the convolutions of a network, `rounds` times each candidate, interleaved; `tell` hears of each shape.
///
/// # Errors
/// [`Error::Gpu`]; a candidate that does not compile is rejected.
pub fn tune(
    gpu: &Gpu,
    network: &NetworkConfig,
    (batch, samples): (usize, usize),
    rounds: usize,
    mut tell: impl FnMut(usize, usize, &str, &Found),
) -> Result<Table> {
    let before = gpu.choices();
    let done = tune_all(gpu, network, (batch, samples), rounds, &mut tell);
    gpu.set_choices(before);
    done
}

fn tune_all(
    gpu: &Gpu,
    network: &NetworkConfig,
    (batch, samples): (usize, usize),
    rounds: usize,
    tell: &mut dyn FnMut(usize, usize, &str, &Found),
) -> Result<Table> {
    let all = shapes(network, batch, samples);
    let mut found = BTreeMap::new();
    for (i, (pass, shape)) in all.iter().enumerate() {
        let key = shape.key(*pass);
        let run = shape.work(gpu, *pass)?;
        let run = || no_grad(&run);
        let using = |choice: &Choice| gpu.set_choices(Choices::from([(key.clone(), choice.clone())]));
        let mut truth = Vec::new();
        let (mut kept, mut rejected) = (Vec::new(), 0);
        for choice in shape.candidates(gpu, *pass) {
            using(&choice);
            let values = run().and_then(|y| y.to_vec());
            if choice.variant == Variant::Plain {
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
        let of = |variant: Variant| kept.iter().position(|(c, _)| c.variant == variant && c.settings.is_empty());
        let mut best = (0..kept.len()).min_by(|&a, &b| medians[a].total_cmp(&medians[b])).unwrap_or(0);
        let weights: Vec<&[usize]> = shape.weights.iter().map(<[usize; 3]>::as_slice).collect();
        let usual = shape.spec.usual(gpu, *pass, &weights)[0];
        let at = |v| of(v).map_or(f64::NAN, |i| medians[i]);
        let worth = |rule: f64| medians[best] <= WORTH.0 * rule && medians[best] <= rule - WORTH.1;
        best = of(usual).filter(|&rule| !worth(medians[rule])).unwrap_or(best);
        let result = Found {
            choice: kept[best].0.clone(),
            ms: medians[best],
            rule_ms: of(usual).map_or(at(Variant::Plain), |i| medians[i]),
            plain_ms: at(Variant::Plain),
            timed: kept.len(),
            rejected,
        };
        tell(i + 1, all.len(), &key, &result);
        found.insert(key, result);
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
