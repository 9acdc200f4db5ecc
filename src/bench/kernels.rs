//! One operation at one shape, in its versions: time, rate, share of the adapter's ceilings, error against f64.

use super::ceilings::{Ceilings, device_seconds};
use super::{Spread, ceilings};
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Variant};
use crate::nn::config::{BlockKind, NetworkConfig, branch_channels};
use crate::ops::{self, Branch, ConvSpec, DropoutState, MaxPool, Norm, Pass, Plus};
use crate::tensor::{Tensor, numel};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::time::Instant;

/// Operations that can be measured.
pub const OPERATIONS: [&str; 9] = [
    "conv1d",
    "conv1d_input_grad",
    "conv1d_weight_grad",
    "matmul",
    "batch_norm",
    "batch_norm_relu",
    "max_pool",
    "dropout",
    "add",
];

/// Sizes of an operation: `[batch, c_in, len]` with a convolution to `out` channels; a matrix product of `[out, c_in]`
/// with `[c_in, len]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// Records.
    pub batch: usize,
    /// Channels of the input.
    pub c_in: usize,
    /// Samples.
    pub len: usize,
    /// Channels of the output.
    pub out: usize,
    /// Taps of the kernel.
    pub k: usize,
    /// Stride.
    pub stride: usize,
    /// Dilation.
    pub dilation: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { batch: 32, c_in: 64, len: 625, out: 64, k: 5, stride: 1, dilation: 1 }
    }
}

impl Shape {
    /// Reads `batch=32,in=64,len=625,out=64,k=5,stride=1,dilation=1`; what is left out has these values.
    ///
    /// # Errors
    /// [`Error::Config`] with the part that cannot be read.
    pub fn parse(text: &str) -> Result<Self> {
        let mut shape = Self::default();
        for part in text.split(',').filter(|p| !p.trim().is_empty()) {
            let bad = || {
                let hint = "for example --shape batch=32,in=128,len=157,out=85,k=21,stride=1,dilation=1";
                Error::config(
                    format!("--shape: found '{part}', expected name=number with a number of 1 to {}", 1 << 20),
                    hint,
                )
            };
            let (name, value) = part.split_once('=').ok_or_else(bad)?;
            let value = value.trim().parse().ok().filter(|v| (1..=1 << 20).contains(v)).ok_or_else(bad)?;
            let field = match name.trim() {
                "batch" => &mut shape.batch,
                "in" => &mut shape.c_in,
                "len" => &mut shape.len,
                "out" => &mut shape.out,
                "k" => &mut shape.k,
                "stride" => &mut shape.stride,
                "dilation" => &mut shape.dilation,
                _ => return Err(bad()),
            };
            *field = value;
        }
        Ok(shape)
    }

    fn spec(&self) -> ConvSpec {
        ConvSpec::single(self.stride, 1, Branch::same(self.k, self.dilation))
    }

    /// Samples of the convolution's output.
    fn out_len(&self) -> usize {
        // padded to keep the length at stride 1
        (self.len - 1) / self.stride + 1
    }
}

/// Convolutions of a network on strips of `samples` samples: the name of the layer and its shape.
pub fn layers(network: &NetworkConfig, batch: usize, samples: usize) -> Vec<(String, Shape)> {
    let stem = Shape {
        batch,
        c_in: 1,
        len: samples,
        out: network.stem_channels,
        k: network.stem_kernel,
        stride: 2,
        dilation: 1,
    };
    let mut all = vec![("stem".to_owned(), stem)];
    let mut len = samples.div_ceil(2) / 2;
    for (i, ((c_in, width, stride), out_len)) in network.blocks().zip(network.block_lengths(samples)).enumerate() {
        let mut from = (c_in, len, stride);
        let branches = branch_channels(width).into_iter().zip(network.branch_kernels()).zip(network.branch_dilations());
        for ((out, k), dilation) in branches {
            let (c_in, len, stride) = from;
            all.push((format!("blocks.{i} k{k}"), Shape { batch, c_in, len, out, k, stride, dilation }));
            if network.kind == BlockKind::Cascade {
                from = (out, out_len, 1);
            }
        }
        if c_in != width || stride != 1 {
            all.push((format!("blocks.{i} k1"), Shape { batch, c_in, len, out: width, k: 1, stride, dilation: 1 }));
        }
        len = out_len;
    }
    all
}

/// Every convolution of a network in its three passes; nobody asks for the gradient of the strips.
///
/// # Errors
/// As [`Subject::conv`].
pub fn layer_subjects(
    gpu: &Gpu,
    network: &NetworkConfig,
    (batch, samples): (usize, usize),
) -> Result<Vec<(Option<String>, Shape, Subject)>> {
    let mut all = Vec::new();
    for (name, shape) in layers(network, batch, samples) {
        for pass in Pass::ALL.into_iter().filter(|p| *p != Pass::InputGrad || name != "stem") {
            all.push((Some(name.clone()), shape, Subject::conv(gpu, pass, shape)?));
        }
    }
    Ok(all)
}

/// Values of an operation at one place, in f64.
type Reference = Box<dyn Fn(usize) -> f64>;

/// An operation ready to be run, with what it costs and what it should give.
pub struct Subject {
    /// Its name, one of [`OPERATIONS`].
    pub operation: &'static str,
    /// Floating-point operations, and bytes that must be read and written.
    cost: [f64; 2],
    run: Box<dyn Fn() -> Result<Tensor>>,
    reference: Reference,
}

/// Noise in [-1, 1).
pub(super) fn noise(gpu: &Gpu, shape: &[usize], seed: u64) -> Result<(Tensor, Vec<f32>)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..numel(shape)).map(|_| rng.random_range(-1.0..1.0)).collect();
    Ok((Tensor::from_f32(gpu, shape, &values)?, values))
}

impl Subject {
    /// One of the three passes of a convolution.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Gpu`].
    pub fn conv(gpu: &Gpu, pass: Pass, s: Shape) -> Result<Self> {
        let (t, spec, weight) = (s.out_len(), s.spec(), [s.out, s.c_in, s.k]);
        let (x, xv) = noise(gpu, &[s.batch, s.c_in, s.len], 1)?;
        let (w, wv) = noise(gpu, &weight, 2)?;
        let (g, gv) = noise(gpu, &[s.batch, s.out, t], 3)?;
        let pad = s.dilation * (s.k - 1) / 2;
        // sum over all (output position, tap, input position) of the first two
        let sample = move |position: usize, tap: usize| {
            (position * s.stride + tap * s.dilation).checked_sub(pad).filter(|&i| i < s.len)
        };
        let run: Box<dyn Fn() -> Result<Tensor>> = match pass {
            Pass::Forward => Box::new(move || ops::branches(&x, &[&w], &spec)),
            Pass::InputGrad => Box::new(move || ops::branches_input_grad(&g, &[&w], &spec, s.len)),
            Pass::WeightGrad => Box::new(move || ops::conv1d_weight_grad(&x, &g, weight, &spec)),
        };
        let product = |a: f32, b: f32| f64::from(a) * f64::from(b);
        let reference: Reference = match pass {
            Pass::Forward => Box::new(move |at| {
                let (b, o, position) = (at / t / s.out, at / t % s.out, at % t);
                let taps = (0..s.c_in).flat_map(|c| (0..s.k).map(move |k| (c, k)));
                taps.filter_map(|(c, k)| {
                    Some(product(xv[(b * s.c_in + c) * s.len + sample(position, k)?], wv[(o * s.c_in + c) * s.k + k]))
                })
                .sum()
            }),
            Pass::InputGrad => Box::new(move |at| {
                let (b, c, i) = (at / s.len / s.c_in, at / s.len % s.c_in, at % s.len);
                let taps = (0..s.out).flat_map(|o| (0..s.k).map(move |k| (o, k)));
                taps.filter_map(|(o, k)| {
                    let from = (i + pad).checked_sub(k * s.dilation).filter(|f| f % s.stride == 0)? / s.stride;
                    (from < t).then(|| product(gv[(b * s.out + o) * t + from], wv[(o * s.c_in + c) * s.k + k]))
                })
                .sum()
            }),
            Pass::WeightGrad => Box::new(move |at| {
                let (o, c, k) = (at / s.k / s.c_in, at / s.k % s.c_in, at % s.k);
                let places = (0..s.batch).flat_map(|b| (0..t).map(move |p| (b, p)));
                places
                    .filter_map(|(b, p)| {
                        Some(product(gv[(b * s.out + o) * t + p], xv[(b * s.c_in + c) * s.len + sample(p, k)?]))
                    })
                    .sum()
            }),
        };
        let flops = 2.0 * (s.batch * t * s.c_in * s.out * s.k) as f64;
        let bytes = 4.0 * (s.batch * (s.c_in * s.len + s.out * t) + s.out * s.c_in * s.k) as f64;
        Ok(Self { operation: pass.name(), cost: [flops, bytes], run, reference })
    }

    /// An operation of [`OPERATIONS`].
    ///
    /// # Errors
    /// [`Error::Config`] for another name; [`Error::Shape`], [`Error::Gpu`].
    pub fn new(gpu: &Gpu, operation: &str, s: Shape) -> Result<Self> {
        if let Some(pass) = Pass::ALL.into_iter().find(|p| p.name() == operation) {
            return Self::conv(gpu, pass, s);
        }
        let rows = [s.batch, s.c_in, s.len];
        let n = numel(&rows) as f64;
        let (x, xv) = noise(gpu, &rows, 1)?;
        let channel = move |at: usize| at / s.len % s.c_in;
        match operation {
            "matmul" => {
                let (a, av) = noise(gpu, &[s.out, s.c_in], 1)?;
                let (b, bv) = noise(gpu, &[s.c_in, s.len], 2)?;
                let cost = [
                    2.0 * (s.out * s.c_in * s.len) as f64,
                    4.0 * (s.out * s.c_in + s.c_in * s.len + s.out * s.len) as f64,
                ];
                let run = Box::new(move || ops::matmul(&a, &b, false, false));
                let reference = Box::new(move |at: usize| {
                    let (r, c) = (at / s.len, at % s.len);
                    (0..s.c_in).map(|i| f64::from(av[r * s.c_in + i]) * f64::from(bv[i * s.len + c])).sum()
                });
                Ok(Self { operation: "matmul", cost, run, reference })
            }
            "batch_norm" | "batch_norm_relu" => {
                let fused = operation == "batch_norm_relu";
                let (w, wv) = noise(gpu, &[s.c_in], 2)?;
                let (b, bv) = noise(gpu, &[s.c_in], 3)?;
                let (z, zv) = noise(gpu, &rows, 4)?;
                let run = Box::new(move || {
                    if fused {
                        let norm = Norm { x: &x, weight: &w, bias: &b, running: None };
                        return Ok(ops::batch_norm_relu(&norm, &Plus::Tensor(&z), None, 1e-5)?.0);
                    }
                    Ok(ops::batch_norm_train(&x, &w, &b, 1e-5)?.0)
                });
                let moments: Vec<[f64; 2]> = (0..s.c_in)
                    .map(|c| {
                        let of = |f: &dyn Fn(f64) -> f64| {
                            let places =
                                (0..s.batch).flat_map(|r| (0..s.len).map(move |t| (r * s.c_in + c) * s.len + t));
                            places.map(|i| f(f64::from(xv[i]))).sum::<f64>() / (s.batch * s.len) as f64
                        };
                        let mean = of(&|v| v);
                        [mean, of(&|v| (v - mean) * (v - mean))]
                    })
                    .collect();
                let reference = Box::new(move |at: usize| {
                    let (c, [mean, variance]) = (channel(at), moments[channel(at)]);
                    let y = (f64::from(xv[at]) - mean) / (variance + 1e-5).sqrt() * f64::from(wv[c]) + f64::from(bv[c]);
                    if fused { (y + f64::from(zv[at])).max(0.0) } else { y }
                });
                let name = if fused { "batch_norm_relu" } else { "batch_norm" };
                Ok(Self { operation: name, cost: [8.0 * n, if fused { 16.0 * n } else { 12.0 * n }], run, reference })
            }
            "max_pool" => {
                let run = Box::new(move || ops::max_pool(&x, MaxPool { kernel: 2, stride: 2, pad: 0 }));
                let t = s.len / 2;
                let reference = Box::new(move |at: usize| {
                    f64::from(xv[at / t * s.len + at % t * 2].max(xv[at / t * s.len + at % t * 2 + 1]))
                });
                // one value and one position for two values
                Ok(Self { operation: "max_pool", cost: [0.5 * n, 8.0 * n], run, reference })
            }
            "dropout" => {
                let state = DropoutState::new(gpu, 1)?;
                let run = Box::new(move || ops::dropout(&x, 0.5, &state, 0));
                let reference = Box::new(move |at: usize| {
                    let word = ops::philox([(at / 8) as u32, 0, 0, 0], [1, 0])[at % 8 / 2] >> (16 * (at % 2)) & 0xffff;
                    if word >= 32768 { 2.0 * f64::from(xv[at]) } else { 0.0 }
                });
                Ok(Self { operation: "dropout", cost: [n, 8.0 * n], run, reference })
            }
            "add" => {
                let (z, zv) = noise(gpu, &rows, 2)?;
                let run = Box::new(move || ops::add(&x, &z));
                let reference = Box::new(move |at: usize| f64::from(xv[at]) + f64::from(zv[at]));
                Ok(Self { operation: "add", cost: [n, 12.0 * n], run, reference })
            }
            _ => Err(Error::config(
                format!("no benchmark of '{operation}'"),
                format!("known are {}", OPERATIONS.join(", ")),
            )),
        }
    }

    /// Runs it without keeping a history.
    ///
    /// # Errors
    /// Those of the operation.
    pub fn run(&self) -> Result<Tensor> {
        no_grad(|| (self.run)())
    }

    /// Largest difference from the f64 reference at places spread over the output, relative to its largest value there.
    pub(super) fn error(&self, found: &[f32]) -> f64 {
        let places: Vec<usize> = (0..64).map(|i| (i * 7919 * (found.len() / 64 + 1)) % found.len()).collect();
        let truth: Vec<f64> = places.iter().map(|&at| (self.reference)(at)).collect();
        let largest = truth.iter().fold(1e-30, |m: f64, v| m.max(v.abs()));
        let error = |(&at, v): (&usize, &f64)| (f64::from(found[at]) - v).abs() / largest;
        places.iter().zip(&truth).map(error).fold(0.0, f64::max)
    }
}

/// Versions of an operation: those it has on this adapter.
pub fn versions(gpu: &Gpu, operation: &str) -> Vec<Option<Variant>> {
    if !operation.starts_with("conv1d") && operation != "matmul" {
        return vec![None];
    }
    let tiles = gpu.tile_lanes().is_some();
    let runs = |v: &Variant| match v {
        Variant::Plain | Variant::Wide => true,
        Variant::Tile => tiles,
        Variant::Fast => tiles && ["conv1d", "conv1d_input_grad"].contains(&operation),
    };
    Variant::ALL.into_iter().filter(runs).map(Some).collect()
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Layer of a network, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// Name of the operation.
    pub operation: &'static str,
    /// Sizes.
    pub shape: Shape,
    /// Version; `default` is what the adapter (and its tuning table) takes.
    pub variant: &'static str,
    /// Device time, ms.
    pub ms: Spread,
    /// 1e9 floating-point operations per second.
    pub gflops: f64,
    /// 1e9 bytes per second, of those that must be moved.
    pub gb_per_s: f64,
    /// Share of the ceiling that is nearer.
    pub share: f64,
    /// Worst relative error against f64.
    pub error: f64,
    /// What the first dispatch took beyond the others, ms: compilation (little where the driver has it in its cache).
    pub first_ms: f64,
}

/// Measures `subjects` in the versions given (`None`: the default), interleaved, `rounds` times each.
///
/// # Errors
/// Those of the operations.
pub fn measure(
    gpu: &Gpu,
    subjects: &[(Option<String>, Shape, Subject)],
    variants: &[Option<Variant>],
    rounds: usize,
) -> Result<(Ceilings, Vec<Row>)> {
    let most = ceilings::ceilings(gpu)?;
    let mut all = Vec::new();
    for (layer, shape, subject) in subjects {
        for &variant in variants {
            gpu.force_variant(variant);
            let start = Instant::now();
            let found = subject.run()?.to_vec()?;
            let first = start.elapsed().as_secs_f64();
            all.push((layer, shape, subject, variant, first, subject.error(&found), Vec::new()));
        }
    }
    for _ in 0..rounds.max(1) {
        for (_, _, subject, variant, _, _, times) in &mut all {
            gpu.force_variant(*variant);
            times.push(1e3 * device_seconds(gpu, || subject.run().map(drop))?);
        }
    }
    gpu.force_variant(None);
    let row = |(layer, shape, subject, variant, first, error, times): (
        &Option<String>,
        &Shape,
        &Subject,
        Option<Variant>,
        f64,
        f64,
        Vec<f64>,
    )| {
        let ms = Spread::of(times);
        let [gflops, gb_per_s] = subject.cost.map(|c| 1e-6 * c / ms.median);
        Row {
            layer: layer.clone(),
            operation: subject.operation,
            shape: *shape,
            variant: variant.map_or("default", Variant::name),
            ms,
            gflops,
            gb_per_s,
            share: (gflops / most.gflops).max(gb_per_s / most.gb_per_s),
            error,
            first_ms: (1e3 * first - ms.median).max(0.0),
        }
    };
    Ok((most, all.into_iter().map(row).collect()))
}
