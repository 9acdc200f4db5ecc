//! What `bench`, `profile` and `tune` measured.

use super::Drawn;
use super::runs::Material;
use crate::error::{Error, Result};
use crate::figures::Look;
use crate::figures::kernels::{
    Ceilings, Growth, Point, Share, Times, Versions, growth, roofline, step, times, versions,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A file of measurements; whatever it does not hold is empty.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Measured {
    adapter: String,
    ceilings: Option<Measures>,
    #[serde(alias = "rows")]
    layers: Vec<Row>,
    step: Option<Profile>,
    lengths: Vec<Scaled>,
    batches: Vec<Scaled>,
    peers: Vec<Peer>,
    /// Of `tune`: by the name of a shape.
    found: BTreeMap<String, Tuned>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct Measures {
    gflops: f64,
    gb_per_s: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
struct Spread {
    median: f64,
    low: f64,
    high: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Row {
    layer: Option<String>,
    operation: String,
    shape: Shape,
    variant: String,
    ms: Spread,
    gflops: f64,
    gb_per_s: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Shape {
    batch: usize,
    c_in: usize,
    len: usize,
    out: usize,
    k: usize,
    stride: usize,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
struct Profile {
    adapter: String,
    batch: usize,
    samples: usize,
    train_step_ms: f64,
    guidance: Vec<Guided>,
    by_kernel: Vec<Kernel>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Guided {
    name: String,
    step_ms: Spread,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Kernel {
    phase: String,
    kernel: String,
    count: usize,
    ms: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Scaled {
    batch: usize,
    samples: usize,
    train_ms: Spread,
    infer_ms: Spread,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Peer {
    version: String,
    train_ms: Spread,
    infer_ms: Option<Spread>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Tuned {
    ms: f64,
    rule_ms: f64,
    plain_ms: f64,
}

impl Measured {
    /// Reads what `bench --json`, `bench --suite`, `profile --json` or `tune` wrote.
    ///
    /// # Errors
    /// [`Error::File`] for anything else.
    pub fn read(path: &Path) -> Result<Self> {
        let hint = "give suite.json, or what bench --json, profile --json or tune --json printed";
        let bad = |e: String| Error::file(path, format!("holds no measurements of kernels: {e}"), hint);
        let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
        let mut found: Self = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
        if found.step.is_none() {
            // a profile is the step itself
            let profile: Profile = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
            found.step = Some(profile).filter(|p| !p.by_kernel.is_empty());
        }
        if found.layers.is_empty() && found.step.is_none() && found.found.is_empty() && found.lengths.is_empty() {
            return Err(bad("no layers, no step, no tuned shapes".into()));
        }
        Ok(found)
    }
}

/// What the kernels of a step are called together: the first word, without the version.
fn family(kernel: &str) -> String {
    let first = kernel.split_whitespace().next().unwrap_or("unknown");
    let first = first.split('.').next().unwrap_or(first);
    match first {
        "conv1d" | "conv1d_tile" | "conv1d_wide" => "conv1d: forward, input gradient".into(),
        "conv1d_weight_grad" | "conv1d_weight_tile" | "conv1d_weight_wide" => "conv1d: weight gradient".into(),
        "binary" => "element-wise, two inputs".into(),
        "unary" => "element-wise, one input".into(),
        name if name.starts_with("conv1d_rows") => "conv1d: layout of rows".into(),
        name => name.to_owned(),
    }
}

/// An adapter and its driver, without what stands twice.
fn adapter(text: &str) -> String {
    let name = text.split(" (").next().unwrap_or(text);
    match text.rfind(" (").filter(|_| text.contains("Mesa")).and_then(|_| text.split("Mesa ").nth(1)) {
        Some(version) => format!("{name} (Mesa {})", version.split([' ', '-', ')']).next().unwrap_or("")),
        None => name.to_owned(),
    }
}

fn shape_name(row: &Row) -> String {
    let s = &row.shape;
    let place = row.layer.clone().unwrap_or_else(|| format!("{}×{}×{} to {}", s.batch, s.c_in, s.len, s.out));
    let stride = if s.stride == 1 { String::new() } else { format!(" s{}", s.stride) };
    let pass = row.operation.trim_start_matches("conv1d").trim_start_matches('_').replace('_', " ");
    let pass = if pass.is_empty() { "forward".to_owned() } else { pass };
    if row.layer.is_some() { format!("{place}, {pass}") } else { format!("{place} k{}{stride}, {pass}", s.k) }
}

pub(super) fn draw<'a>(drawn: &mut Drawn<'a>, material: &'a Material, look: &Look) {
    for (i, measured) in material.measured.iter().enumerate() {
        let suffix = if material.measured.len() == 1 { String::new() } else { format!("-{}", i + 1) };
        one(drawn, measured, look, &suffix);
    }
}

fn one<'a>(drawn: &mut Drawn<'a>, m: &'a Measured, look: &Look, suffix: &str) {
    let stem = |name: &str| format!("kernels-{name}{suffix}");
    let on =
        adapter(m.step.as_ref().map_or(&m.adapter, |s| if m.adapter.is_empty() { &s.adapter } else { &m.adapter }));
    match (m.ceilings, m.layers.is_empty()) {
        (Some(c), false) => {
            let point = |r: &Row| Point {
                operation: match r.operation.as_str() {
                    "conv1d" => "convolution, forward".into(),
                    "conv1d_input_grad" => "input gradient".into(),
                    "conv1d_weight_grad" => "weight gradient".into(),
                    other => other.replace('_', " "),
                },
                intensity: r.gflops / r.gb_per_s,
                gflops: r.gflops,
            };
            let default = m.layers.iter().filter(|r| r.variant == "default");
            let mut points: Vec<Point> = default.map(point).collect();
            if points.is_empty() {
                points = m.layers.iter().map(point).collect();
            }
            let caption = format!(
                "Roofline on {on}: {} kernels at the shapes of the network, median device time of each, layout of what is \
                 read included. Intensity: floating-point operations per byte that must be read or written at least once. \
                 Ceilings measured in the same process: multiply-adds without loads {:.1} GFLOP/s, copies {:.1} GB/s; dashed: \
                 half and a quarter of them.",
                points.len(),
                c.gflops,
                c.gb_per_s
            );
            let ceilings = Ceilings { gflops: c.gflops, gb_per_s: c.gb_per_s };
            drawn.add(&stem("roofline"), roofline(look, &stem("roofline"), points, ceilings, &caption));
        }
        _ if m.found.is_empty() => {
            drawn.miss(&stem("roofline"), "no layers with ceilings: measure with exgnet bench --json")
        }
        _ => {}
    }
    variants(drawn, m, look, &stem("versions"), &on);
    step_figures(drawn, m, look, &stem, &on);
}

fn variants<'a>(drawn: &mut Drawn<'a>, m: &'a Measured, look: &Look, stem: &str, on: &str) {
    let mut names: Vec<String> = Vec::new();
    for row in &m.layers {
        if !names.contains(&row.variant) {
            names.push(row.variant.clone());
        }
    }
    if names.len() > 1 {
        let mut by_shape: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for row in &m.layers {
            let at = names.iter().position(|n| *n == row.variant).unwrap_or(0);
            by_shape.entry(shape_name(row)).or_insert_with(|| vec![f64::NAN; names.len()])[at] = row.ms.median;
        }
        let shapes: Vec<Versions> = by_shape.into_iter().map(|(shape, ms)| Versions { shape, ms }).collect();
        let shown = shapes.len().min(48);
        let caption = format!(
            "Versions of the kernels at the {shown} slowest of {} shapes on {on}: median device time, each shape's slowest \
             version first.",
            shapes.len()
        );
        drawn.add(stem, versions(look, stem, names, shapes, &caption));
    } else if !m.found.is_empty() {
        let name = |key: &str| key.trim_end_matches(" d1 g1").trim_end_matches(" g1").replace("->", " to ");
        let shape = |(key, t): (&String, &Tuned)| Versions { shape: name(key), ms: vec![t.plain_ms, t.rule_ms, t.ms] };
        let shapes: Vec<Versions> = m.found.iter().map(shape).collect();
        let shown = shapes.len().min(48);
        let names = ["plain", "by the rule", "tuned"].map(String::from).to_vec();
        let caption = format!(
            "Kernels at the {shown} slowest of {} shapes on {on}: the plain version, the one that the rule of thumb picks, and \
             the one that `exgnet tune` found; best device time of a few rounds.",
            shapes.len()
        );
        drawn.add(stem, versions(look, stem, names, shapes, &caption));
    } else {
        drawn.miss(
            stem,
            "one version of each kernel only: measure with exgnet bench --variant all --json, or exgnet tune",
        );
    }
}

fn spread(name: &str, size: f64, s: &Spread) -> Times {
    Times { name: name.into(), points: vec![(size, s.median, s.low, s.high)] }
}

fn step_figures<'a>(drawn: &mut Drawn<'a>, m: &'a Measured, look: &Look, stem: &dyn Fn(&str) -> String, on: &str) {
    let tuned_only = !m.found.is_empty();
    match &m.step {
        Some(profile) if !profile.by_kernel.is_empty() => {
            let mut phases: Vec<String> = ["forward", "loss", "backward", "optimizer"].map(String::from).to_vec();
            phases.retain(|p| profile.by_kernel.iter().any(|k| k.phase == *p));
            for kernel in &profile.by_kernel {
                if !phases.contains(&kernel.phase) {
                    phases.push(kernel.phase.clone());
                }
            }
            let mut shares: Vec<Share> = Vec::new();
            for kernel in &profile.by_kernel {
                let name = family(&kernel.kernel);
                let at = shares.iter().position(|s| s.name == name).unwrap_or_else(|| {
                    shares.push(Share { name, ms: vec![0.0; phases.len()], count: 0 });
                    shares.len() - 1
                });
                let phase = phases.iter().position(|p| *p == kernel.phase).unwrap_or(0);
                shares[at].ms[phase] += kernel.ms;
                shares[at].count += kernel.count;
            }
            let total: f64 = profile.by_kernel.iter().map(|k| k.ms).sum();
            let caption = format!(
                "Where a training step goes on {on}: device time by family of kernels and part of the step, {total:.0} ms in all \
                 (batch of {}, strips of {} samples; a step without profiling takes {:.0} ms); behind the bars the share of \
                 that time and the dispatches of a step.",
                profile.batch, profile.samples, profile.train_step_ms
            );
            drawn.add(&stem("step"), step(look, &stem("step"), phases, shares, &caption));
        }
        _ if !tuned_only => {
            drawn.miss(&stem("step"), "no profile of a step: measure with exgnet profile --json or bench --suite")
        }
        _ => {}
    }
    let series = |all: &[Scaled], of: fn(&Scaled) -> usize| {
        let points = |ms: fn(&Scaled) -> Spread| {
            all.iter().map(|s| (of(s) as f64, ms(s).median, ms(s).low, ms(s).high)).collect::<Vec<_>>()
        };
        vec![
            Times { name: "training step".into(), points: points(|s| s.train_ms) },
            Times { name: "inference batch".into(), points: points(|s| s.infer_ms) },
        ]
    };
    if !(m.lengths.is_empty() && m.batches.is_empty()) {
        let fixed = |all: &[Scaled], of: fn(&Scaled) -> usize| all.first().map_or(0, of);
        let panels = vec![
            Growth {
                x: "samples of a strip".into(),
                name: format!("length (batch of {})", fixed(&m.lengths, |s| s.batch)),
                series: series(&m.lengths, |s| s.samples),
            },
            Growth {
                x: "strips of a batch".into(),
                name: format!("batch (strips of {} samples)", fixed(&m.batches, |s| s.samples)),
                series: series(&m.batches, |s| s.batch),
            },
        ];
        let caption = format!(
            "Time of a training step and of an inference batch on {on} against the length of the strips (a) and the size of the \
             batch (b): medians with the least and the most of the rounds; both axes logarithmic; dashed: growth in \
             proportion, through the largest size."
        );
        drawn.add(&stem("growth"), growth(look, &stem("growth"), panels, &caption));
    } else if !tuned_only {
        drawn.miss(&stem("growth"), "no times against length and batch: measure with exgnet bench --suite");
    }
    let guidance = m.step.iter().flat_map(|s| &s.guidance).map(|g| spread(&g.name, 0.0, &g.step_ms)).collect();
    let short = |version: &str| version.split(" on ").next().unwrap_or(version).to_owned();
    let train = m.peers.iter().map(|p| spread(&short(&p.version), 0.0, &p.train_ms)).collect();
    let infer = m.peers.iter().filter_map(|p| Some(spread(&short(&p.version), 0.0, p.infer_ms.as_ref()?))).collect();
    let panels: Vec<(String, Vec<Times>)> = vec![
        ("training step, by guidance".into(), guidance),
        ("training step, by engine".into(), train),
        ("inference batch, by engine".into(), infer),
    ];
    if panels.iter().any(|p| !p.1.is_empty()) {
        let caption = format!(
            "Times on {on}, measured in turn: medians; whiskers: the least and the most of the rounds. By guidance: the same \
             step without and with the guidance terms. Others: the same network in other engines on the same processor."
        );
        drawn.add(&stem("times"), times(look, &stem("times"), panels, &caption));
    }
}
