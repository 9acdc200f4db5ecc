//! Operations that can be measured at any shape, made from their cases, and how their sizes are given and printed.

use crate::error::{Error, Result, nearest};
use crate::gpu::{Gpu, Version};
use crate::ops::case::Case;
use crate::ops::{self, Added, AvgPool, Branch, ConvShape, ConvSpec, Hyper, MaxPool, Pass, Precision};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Sizes of an operation: `[batch, c_in, len]` with a convolution to `out` channels; a matrix product of `[out, c_in]`
/// with `[c_in, len]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Records.
    pub batch: usize,
    /// Channels of the input.
    pub c_in: usize,
    /// Samples.
    pub len: usize,
    /// Channels of the output.
    pub out: usize,
    /// Taps of the kernel, or samples of a pooling's window.
    pub k: usize,
    /// Stride.
    pub stride: usize,
    /// Dilation.
    pub dilation: usize,
    /// Precision of a convolution's operands; `numbers` in files and on the command line.
    #[serde(rename = "numbers", default, skip_serializing_if = "is_f32")]
    pub precision: Precision,
}

fn is_f32(precision: &Precision) -> bool {
    *precision == Precision::F32
}

impl Default for Shape {
    fn default() -> Self {
        Self { batch: 32, c_in: 64, len: 625, out: 64, k: 5, stride: 1, dilation: 1, precision: Precision::F32 }
    }
}

impl Shape {
    /// Samples of the convolution's output.
    pub(super) fn out_len(&self) -> usize {
        // padded to keep the length at stride 1
        (self.len - 1) / self.stride + 1
    }

    /// The convolution of this shape, of one branch.
    pub(super) fn conv_spec(&self) -> ConvSpec {
        ConvSpec { precision: self.precision, ..ConvSpec::single(self.stride, 1, Branch::same(self.k, self.dilation)) }
    }

    fn field(&mut self, name: &str) -> Option<&mut usize> {
        Some(match name {
            "batch" => &mut self.batch,
            "in" => &mut self.c_in,
            "len" => &mut self.len,
            "out" => &mut self.out,
            "k" => &mut self.k,
            "stride" => &mut self.stride,
            "dilation" => &mut self.dilation,
            _ => return None,
        })
    }

    /// As `[B, C, L]`.
    pub(super) fn rows(&self) -> [usize; 3] {
        [self.batch, self.c_in, self.len]
    }
}

/// How the sizes of an operation are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sizes {
    Conv(Pass),
    Product,
    Windows,
    Rows,
    /// Records and classes.
    Matrix,
    /// Parameters.
    Vector,
}

/// An operation that can be measured.
#[derive(Debug)]
pub struct Operation {
    /// Its name on the command line.
    pub name: &'static str,
    /// The family whose versions it runs.
    pub family: &'static str,
    /// Kernels of the family that it runs; none: all of them.
    pub kernels: &'static [&'static str],
    /// Only the time of the family's kernels counts: the case runs others beside them.
    pub(super) alone: bool,
    sizes: Sizes,
    pub(super) case: fn(&Shape) -> Case,
}

const fn new(
    (name, family): (&'static str, &'static str),
    kernels: &'static [&'static str],
    sizes: Sizes,
    case: fn(&Shape) -> Case,
) -> Operation {
    Operation { name, family, kernels, alone: false, sizes, case }
}

const CONV1D: &str = "conv1d";
const NORM: &str = "batch_norm";
const POOL: &str = "pooling";

/// Operations that can be measured.
pub static OPERATIONS: &[Operation] = &[
    new((CONV1D, CONV1D), &[], Sizes::Conv(Pass::Forward), |s| conv_case(Pass::Forward, s)),
    new(("conv1d_input_grad", "conv1d_input_grad"), &[], Sizes::Conv(Pass::InputGrad), |s| {
        conv_case(Pass::InputGrad, s)
    }),
    new(("conv1d_weight_grad", "conv1d_weight_grad"), &[], Sizes::Conv(Pass::WeightGrad), |s| {
        conv_case(Pass::WeightGrad, s)
    }),
    new(("matmul", "matmul"), &[], Sizes::Product, |s| {
        ops::matmul_case(&[s.out, s.c_in], &[s.c_in, s.len], [false, false])
    }),
    new((NORM, NORM), &["stats", "apply"], Sizes::Rows, |s| ops::norm_case(&s.rows())),
    new(("batch_norm_relu", NORM), &["stats", "apply"], Sizes::Rows, |s| {
        ops::norm_relu_case(&s.rows(), Added::Tensor, None)
    }),
    new(("batch_norm_relu_grad", NORM), &["back_sums", "back"], Sizes::Rows, |s| ops::norm_relu_grad_case(&s.rows())),
    new(("sum", "reductions"), &["sum"], Sizes::Rows, |s| ops::sum_case(&s.rows(), &[2])),
    new(("max_pool", POOL), &["max_pool"], Sizes::Windows, |s| ops::max_pool_case(s.rows(), max_pool(s))),
    new(("max_pool_grad", POOL), &["max_pool_back"], Sizes::Windows, |s| {
        ops::max_pool_grad_case(s.rows(), max_pool(s))
    }),
    new(("avg_pool", POOL), &["avg_pool"], Sizes::Windows, |s| ops::avg_pool_case(s.rows(), avg_pool(s))),
    new(("avg_pool_grad", POOL), &["avg_pool_back"], Sizes::Windows, |s| {
        ops::avg_pool_grad_case(s.rows(), avg_pool(s))
    }),
    new(("dropout", "dropout"), &[], Sizes::Rows, |s| ops::dropout_case(&s.rows(), 0.5, 0)),
    new(("add", "elementwise"), &["binary"], Sizes::Rows, |s| ops::binary_case("add", &s.rows(), &s.rows())),
    new(("tanh", "elementwise"), &["unary"], Sizes::Rows, |s| ops::unary_case("tanh", &s.rows())),
    new(("permute", "shaping"), &[], Sizes::Rows, |s| ops::permute_case(&s.rows(), &[2, 0, 1])),
    new(("embedding", "embedding"), &["embedding"], Sizes::Product, |s| ops::embedding_case(s.out, s.c_in, &[s.len])),
    new(("embedding_grad", "embedding"), &["embedding_grad"], Sizes::Product, |s| {
        ops::embedding_grad_case(s.out, s.c_in, s.len)
    }),
    new(("cross_entropy", "losses"), &["cross_entropy", "cross_entropy_targets"], Sizes::Matrix, |s| {
        ops::cross_entropy_case(s.batch, s.c_in, true, 0.1)
    }),
    Operation {
        alone: true,
        ..new(("adam", "optimiser"), &["adam"], Sizes::Vector, |s| {
            ops::adam_case("adam", s.len, &[0], Hyper { lr: 0.01, ..Hyper::default() }, 1.0)
        })
    },
];

pub(super) fn max_pool(s: &Shape) -> MaxPool {
    MaxPool { kernel: s.k, stride: s.stride, pad: 0 }
}

fn avg_pool(s: &Shape) -> AvgPool {
    AvgPool { kernel: s.k, stride: s.stride, pad: 0, count_pad: false }
}

pub(super) fn conv_case(pass: Pass, s: &Shape) -> Case {
    let Shape { batch, c_in, len, out, k, stride, dilation, precision } = *s;
    ops::conv_case(pass, ConvShape { batch, c_in, len, c_out: out, kernel: k, stride, dilation, groups: 1, precision })
}

impl Operation {
    /// The operation of a name.
    pub fn named(name: &str) -> Result<&'static Self> {
        OPERATIONS.iter().find(|o| o.name == name).ok_or_else(|| {
            let of_family: Vec<&str> = Self::of_family(name).iter().map(|o| o.name).collect();
            if let Some(first) = of_family.first() {
                let all = of_family.join(", ");
                let what = format!("'{name}' is a family of kernels, expected one operation of it: {all}");
                return Error::config(
                    what,
                    format!("for example exgnet bench {first}; --list has all, with their sizes"),
                );
            }
            let all: Vec<&str> = OPERATIONS.iter().map(|o| o.name).collect();
            let near = nearest(name, all.iter().copied()).unwrap_or("conv1d");
            Error::config(
                format!("no benchmark of '{name}'"),
                format!("did you mean {near}? Known are {}", all.join(", ")),
            )
        })
    }

    /// Operations that run kernels of a family.
    pub fn of_family(family: &str) -> Vec<&'static Self> {
        OPERATIONS.iter().filter(|o| o.family == family).collect()
    }

    /// Versions of its family that have one of its kernels, in order of their numbers.
    pub fn versions<'a>(&'a self, gpu: &'a Gpu) -> impl Iterator<Item = &'a Arc<Version>> {
        let has = |v: &&Arc<Version>| self.kernels.is_empty() || self.kernels.iter().any(|k| v.has(k));
        gpu.versions(self.family).iter().filter(has)
    }

    /// Whether a kernel's time counts; it is called by its file, `conv1d/01_naive`.
    pub(super) fn counts(&self, kernel: &str) -> bool {
        !self.alone || kernel.split_once('/').is_some_and(|(family, _)| family == self.family)
    }

    /// Names of the sizes that it has.
    pub(super) fn fields(&self) -> &'static [&'static str] {
        match self.sizes {
            Sizes::Conv(_) => &["batch", "in", "len", "out", "k", "stride", "dilation"],
            Sizes::Product => &["out", "in", "len"],
            Sizes::Windows => &["batch", "in", "len", "k", "stride"],
            Sizes::Rows => &["batch", "in", "len"],
            Sizes::Matrix => &["batch", "in"],
            Sizes::Vector => &["len"],
        }
    }

    /// Sizes where none are given: large enough to show a kernel's rate, small enough for the naive one.
    pub fn usual(&self) -> Shape {
        let rows = Shape { len: 2500, ..Shape::default() };
        match self.sizes {
            Sizes::Conv(_) => Shape::default(),
            Sizes::Product => Shape { out: 256, c_in: 1024, len: 256, ..Shape::default() },
            Sizes::Windows => Shape { k: 2, stride: 2, ..rows },
            Sizes::Rows => rows,
            Sizes::Matrix => Shape { batch: 4096, c_in: 5, ..rows },
            Sizes::Vector => Shape { len: 1 << 20, ..rows },
        }
    }

    /// Its sizes as the command line takes them: `batch=32,in=64,len=625`.
    pub fn sizes_in_words(&self, shape: Shape) -> String {
        let mut shape = shape;
        let one = |name: &&str| format!("{name}={}", shape.field(name).map_or(0, |v| *v));
        let mut all: Vec<String> = self.fields().iter().map(one).collect();
        if matches!(self.sizes, Sizes::Conv(_)) {
            all.push(format!("numbers={}", shape.precision.name()));
        }
        all.join(",")
    }

    /// Reads `batch=32,in=64,len=625`; what is left out is as in [`Operation::usual`].
    pub fn shape(&self, text: &str) -> Result<Shape> {
        let mut shape = self.usual();
        let hint = || format!("for example --shape {}", self.sizes_in_words(self.usual()));
        for part in text.split(',').filter(|p| !p.trim().is_empty()) {
            let bad = |expected: String| Error::config(format!("--shape: found '{part}', expected {expected}"), hint());
            let number = || bad(format!("name=number with a number of 1 to {}", 1 << 20));
            let (name, value) = part.split_once('=').ok_or_else(number)?;
            let (name, value) = (name.trim(), value.trim());
            if name == "numbers" && matches!(self.sizes, Sizes::Conv(_)) {
                let names = Precision::ALL.map(Precision::name).join(", ");
                let found = Precision::ALL.into_iter().find(|n| n.name() == value);
                shape.precision = found.ok_or_else(|| bad(format!("one of {names}")))?;
                continue;
            }
            let field = shape.field(name).filter(|_| self.fields().contains(&name));
            let field = field.ok_or_else(|| bad(format!("a size of {}: {}", self.name, self.fields().join(", "))))?;
            *field = value.parse().ok().filter(|v| (1..=1 << 20).contains(v)).ok_or_else(number)?;
        }
        if self.sizes == Sizes::Windows && shape.k > shape.len {
            let what = format!("--shape: found a window of k={} samples on rows of len={}", shape.k, shape.len);
            return Err(Error::config(format!("{what}, expected rows at least as long"), hint()));
        }
        Ok(shape)
    }

    /// Name and sizes for people: `conv1d 32x64x625 -> 64 k5`, `matmul 256x1024x256`.
    pub fn title(&self, s: Shape) -> String {
        let unlike_1 = |name: &str, v: usize| if v == 1 { String::new() } else { format!(" {name}{v}") };
        let Shape { batch, c_in, len, out, k, .. } = s;
        let sizes = match self.sizes {
            Sizes::Conv(_) => {
                let precision = s.precision.behind();
                let (stride, dilation) = (unlike_1("s", s.stride), unlike_1("d", s.dilation));
                format!("{batch}x{c_in}x{len} -> {out} k{k}{stride}{dilation}{precision}")
            }
            Sizes::Product => format!("{out}x{c_in}x{len}"),
            Sizes::Windows => format!("{batch}x{c_in}x{len} k{k}{}", unlike_1("s", s.stride)),
            Sizes::Rows => format!("{batch}x{c_in}x{len}"),
            Sizes::Matrix => format!("{batch}x{c_in}"),
            Sizes::Vector => format!("{len}"),
        };
        format!("{} {sizes}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_say_what_is_measured() {
        let title = |name: &str, shape: &str| {
            let operation = Operation::named(name).expect("known");
            operation.title(operation.shape(shape).expect("a shape"))
        };
        assert_eq!(title("conv1d", ""), "conv1d 32x64x625 -> 64 k5");
        assert_eq!(title("conv1d", "stride=2,numbers=f16"), "conv1d 32x64x625 -> 64 k5 s2 f16");
        assert_eq!(title("matmul", ""), "matmul 256x1024x256");
        assert_eq!(title("max_pool", "batch=2,len=9"), "max_pool 2x64x9 k2 s2");
        assert_eq!(title("add", "batch=1,in=1,len=1"), "add 1x1x1");
    }

    #[test]
    fn sizes_are_those_of_the_operation() {
        let said = |name: &str, shape: &str| {
            let operation = Operation::named(name).expect("known");
            operation.shape(shape).expect_err(shape).to_string()
        };
        for (name, shape) in [("conv1d", "in=0"), ("conv1d", "k"), ("conv1d", "numbers=f8"), ("conv1d", "len=1e9")] {
            assert!(said(name, shape).contains(shape) && said(name, shape).contains("HINT"), "{name} {shape}");
        }
        assert!(said("matmul", "k=3").contains("a size of matmul: out, in, len"));
        assert!(said("add", "numbers=f16").contains("batch, in, len"));
        assert!(said("max_pool", "len=3,k=4").contains("at least as long"));
        let near = Operation::named("conv1").expect_err("unknown").to_string();
        assert!(near.contains("did you mean conv1d?"), "{near}");
        // what is printed can be given back
        for operation in OPERATIONS {
            let usual = operation.usual();
            assert_eq!(operation.shape(&operation.sizes_in_words(usual)).expect("its own words"), usual);
        }
    }
}
