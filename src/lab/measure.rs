//! One operation at one shape, in its versions: time, rate, share of the adapter's ceilings, error against f64.

use super::ceilings::{Ceilings, device_seconds};
use super::subjects::{Subject, needs};
use super::{Spread, ceilings};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Needs, Variant};
use crate::nn::config::{BlockKind, NetworkConfig, branch_channels};
use crate::ops::{Branch, ConvSpec, Numbers, Pass};
use serde::Serialize;
use std::time::Instant;

/// Operations that can be measured.
pub const OPERATIONS: [&str; 12] = [
    "conv1d",
    "conv1d_input_grad",
    "conv1d_weight_grad",
    "matmul",
    "batch_norm",
    "batch_norm_relu",
    "batch_norm_relu_grad",
    "sum",
    "max_pool",
    "avg_pool",
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
    /// Of a convolution's operands.
    #[serde(skip_serializing_if = "is_f32")]
    pub numbers: Numbers,
}

fn is_f32(numbers: &Numbers) -> bool {
    *numbers == Numbers::F32
}

impl Default for Shape {
    fn default() -> Self {
        Self { batch: 32, c_in: 64, len: 625, out: 64, k: 5, stride: 1, dilation: 1, numbers: Numbers::F32 }
    }
}

impl Shape {
    /// Reads `batch=32,in=64,len=625,out=64,k=5,stride=1,dilation=1,numbers=f32`; what is left out has these values.
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
            if name.trim() == "numbers" {
                let names = Numbers::ALL.map(Numbers::name).join(", ");
                let wrong =
                    || Error::config(format!("--shape: found '{part}', expected one of {names}"), "f32 is usual");
                shape.numbers = Numbers::ALL.into_iter().find(|n| n.name() == value.trim()).ok_or_else(wrong)?;
                continue;
            }
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

    pub(super) fn spec(&self) -> ConvSpec {
        ConvSpec { numbers: self.numbers, ..ConvSpec::single(self.stride, 1, Branch::same(self.k, self.dilation)) }
    }

    /// Samples of the convolution's output.
    pub(super) fn out_len(&self) -> usize {
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
        numbers: Numbers::F32,
    };
    let mut all = vec![("stem".to_owned(), stem)];
    let mut len = samples.div_ceil(2) / 2;
    for (i, ((c_in, width, stride), out_len)) in network.blocks().zip(network.block_lengths(samples)).enumerate() {
        let mut from = (c_in, len, stride);
        let branches = branch_channels(width).into_iter().zip(network.branch_kernels()).zip(network.branch_dilations());
        for ((out, k), dilation) in branches {
            let (c_in, len, stride) = from;
            all.push((
                format!("blocks.{i} k{k}"),
                Shape { batch, c_in, len, out, k, stride, dilation, ..Shape::default() },
            ));
            if network.kind == BlockKind::Cascade {
                from = (out, out_len, 1);
            }
        }
        if c_in != width || stride != 1 {
            all.push((
                format!("blocks.{i} k1"),
                Shape { batch, c_in, len, out: width, k: 1, stride, dilation: 1, ..Shape::default() },
            ));
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
    numbers: Numbers,
) -> Result<Vec<(Option<String>, Shape, Subject)>> {
    let named = layers(network, batch, samples);
    // all of them are there at the same time
    let all_needs = named.iter().flat_map(|(_, shape)| Pass::ALL.map(|pass| needs(pass.name(), *shape)));
    gpu.room_for(
        &format!("a benchmark of the network's convolutions at a batch of {batch}"),
        all_needs.fold(Needs::default(), Needs::and),
    )?;
    let mut all = Vec::new();
    for (name, shape) in named {
        let shape = Shape { numbers, ..shape };
        for pass in Pass::ALL.into_iter().filter(|p| *p != Pass::InputGrad || name != "stem") {
            all.push((Some(name.clone()), shape, Subject::conv(gpu, pass, shape)?));
        }
    }
    Ok(all)
}

/// Versions of an operation: those it has on this adapter.
pub fn versions(gpu: &Gpu, operation: &str) -> Vec<Option<Variant>> {
    let tiles = gpu.tile_lanes().is_some() || !(operation.starts_with("conv1d") || operation == "matmul");
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
