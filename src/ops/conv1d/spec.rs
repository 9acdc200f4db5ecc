//! What a convolution is to do: stride, groups and branches, with the sizes that follow from them, and the names that tuning
//! tables know it by.

use super::family::{CONV1D, INPUT_GRAD, WEIGHT_GRAD};
use crate::error::{Error, Result};
use crate::ops::family::Kernel;
use serde::{Deserialize, Serialize};

/// Stride, groups and, a branch each, dilation and padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvSpec {
    /// Step of the output in input samples; the same for all branches.
    pub stride: usize,
    /// Groups of channels that do not see each other; 1 is the ordinary convolution.
    pub groups: usize,
    /// The branches, in the order of their channels in the output.
    pub branches: Vec<Branch>,
    /// How the kernels keep and multiply what they read of signals and of gradients (their padded rows).
    pub precision: Precision,
}

/// Precision of a convolution's operands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32 throughout.
    #[default]
    F32,
    /// Kept in f16, half the memory; products and sums are in f32. Versions that read no rows keep f32.
    F16,
    /// Kept in f16, and multiplied and summed in f16 over a few taps or positions, whose sums are added in f32: by
    /// the version of workgroup tiles, on adapters that have 16-bit arithmetic. Otherwise as [`Precision::F16`].
    #[serde(rename = "f16-native")]
    NativeF16,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::NativeF16];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::NativeF16 => "f16-native",
        }
    }

    /// The name behind sizes, where it is printed: f32 is left out.
    pub(crate) fn behind(self) -> String {
        if self == Self::F32 { String::new() } else { format!(" {}", self.name()) }
    }
}

/// What may differ from branch to branch beside the weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    /// Distance of the taps in samples.
    pub dilation: usize,
    /// Zeros before the input.
    pub pad_left: usize,
    /// Zeros after the input.
    pub pad_right: usize,
}

impl Branch {
    /// Padding `dilation * (kernel - 1)` in all, so that stride 1 keeps the length; the odd sample goes to the right.
    pub fn same(kernel: usize, dilation: usize) -> Self {
        let total = dilation * (kernel - 1);
        Self { dilation, pad_left: total / 2, pad_right: total - total / 2 }
    }

    pub(super) fn out_len(self, len: usize, kernel: usize, stride: usize) -> Option<usize> {
        let room = (len + self.pad_left + self.pad_right).checked_sub(self.dilation * (kernel - 1) + 1)?;
        Some(room / stride + 1)
    }
}

/// Sizes of one branch, as the launches need them.
pub(super) struct Sizes {
    pub(super) batch: usize,
    pub(super) c_in: usize,
    pub(super) len: usize,
    pub(super) out_len: usize,
    pub(super) in_g: usize,
    pub(super) out_g: usize,
    pub(super) kernel: usize,
    /// Channels of the whole output, and the first of this branch.
    pub(super) channels: usize,
    pub(super) first: usize,
}

impl Sizes {
    /// Floating-point operations of the direct convolution, and bytes that it moves at least.
    pub(super) fn cost(&self) -> [f64; 2] {
        let macs = (self.batch * self.out_len * self.in_g * self.kernel) as f64 * self.own() as f64;
        let values =
            self.batch * (self.c_in * self.len + self.own() * self.out_len) + self.own() * self.in_g * self.kernel;
        [2.0 * macs, 4.0 * values as f64]
    }

    /// Channels of the branch.
    fn own(&self) -> usize {
        self.c_in / self.in_g * self.out_g
    }
}

pub(super) fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl ConvSpec {
    /// One branch.
    pub fn single(stride: usize, groups: usize, branch: Branch) -> Self {
        Self { stride, groups, branches: vec![branch], precision: Precision::F32 }
    }

    pub(super) fn check(&self, c_in: usize, len: usize, weights: &[&[usize]]) -> Result<usize> {
        let bad = |found: String, expected: &str, hint: &str| Err(Error::shape("conv1d", found, expected, hint));
        if self.stride == 0 || self.groups == 0 || self.branches.iter().any(|b| b.dilation == 0) {
            return bad(format!("{self:?}"), "stride, groups and dilation of at least 1", "0 has no meaning here");
        }
        if weights.len() != self.branches.len() || weights.is_empty() {
            return bad(format!("{} weights", weights.len()), "one weight a branch", "give one Branch for each kernel");
        }
        let mut out_len = None;
        for (w, branch) in weights.iter().zip(&self.branches) {
            let fits = w.len() == 3
                && c_in.is_multiple_of(self.groups)
                && w[1] * self.groups == c_in
                && w[0].is_multiple_of(self.groups);
            if !fits {
                return bad(
                    format!("input with {c_in} channels, weight {w:?}, {} groups", self.groups),
                    "weight [C_out, C_in / groups, K] with C_in and C_out multiples of groups",
                    "the weight's second dimension counts the channels of one group",
                );
            }
            let Some(t) = branch.out_len(len, w[2], self.stride) else {
                return bad(
                    format!(
                        "{len} samples, kernel {}, dilation {}, padding {} + {}",
                        w[2], branch.dilation, branch.pad_left, branch.pad_right
                    ),
                    "an input at least as long as the dilated kernel",
                    "use longer strips, a smaller kernel or more padding",
                );
            };
            if *out_len.get_or_insert(t) != t {
                return bad(
                    format!("branches of {} and {t} samples", out_len.unwrap_or(t)),
                    "branches of equal output length",
                    "pad each branch with Branch::same",
                );
            }
        }
        Ok(out_len.unwrap_or(0))
    }

    /// Sizes of every branch, of an input `[B, C, L]`.
    pub(super) fn sizes(&self, [batch, c_in, len]: [usize; 3], out_len: usize, weights: &[&[usize]]) -> Vec<Sizes> {
        let channels = |of: &[&[usize]]| of.iter().map(|w| w[0]).sum();
        let one = |(j, w): (usize, &&[usize])| Sizes {
            batch,
            c_in,
            len,
            out_len,
            in_g: c_in / self.groups,
            out_g: w[0] / self.groups,
            kernel: w[2],
            channels: channels(weights),
            first: channels(&weights[..j]),
        };
        weights.iter().enumerate().map(one).collect()
    }

    /// The shapes of a pass as tuning tables name them, one a kernel: the input gradient is one for all branches. Batch and
    /// length do not matter to the tiles.
    pub fn keys(&self, pass: Pass, weights: &[&[usize]]) -> Vec<String> {
        let name = |branches: std::ops::Range<usize>| {
            let list = |of: &dyn Fn(usize) -> usize| {
                let all: Vec<String> = branches.clone().map(|j| of(j).to_string()).collect();
                if all.windows(2).all(|w| w[0] == w[1]) { all[0].clone() } else { all.join(",") }
            };
            format!(
                "{} {}->{} k{} s{} d{} g{}",
                pass.name(),
                weights[0][1] * self.groups,
                list(&|j| weights[j][0]),
                list(&|j| weights[j][2]),
                self.stride,
                list(&|j| self.branches[j].dilation),
                self.groups,
            ) + &self.precision.behind()
        };
        match pass {
            Pass::InputGrad => vec![name(0..weights.len())],
            _ => (0..weights.len()).map(|j| name(j..j + 1)).collect(),
        }
    }

    /// Integers of branch `j` that its kernels may ask for.
    pub(super) fn ints(&self, j: usize, s: &Sizes) -> [(&'static str, usize); 13] {
        let Branch { dilation, pad_left, .. } = self.branches[j];
        [
            ("batch", s.batch),
            ("groups", self.groups),
            ("c_in", s.c_in),
            ("in_g", s.in_g),
            ("out_g", s.out_g),
            ("len", s.len),
            ("out_len", s.out_len),
            ("channels", s.channels),
            ("first", s.first),
            ("kernel", s.kernel),
            ("stride", self.stride),
            ("dilation", dilation),
            ("pad", pad_left),
        ]
    }
}

/// The three things to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The convolution.
    Forward,
    /// Its gradient with respect to the input.
    InputGrad,
    /// Its gradient with respect to a weight.
    WeightGrad,
}

impl Pass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Forward, Self::InputGrad, Self::WeightGrad];

    /// The operation's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "conv1d",
            Self::InputGrad => "conv1d_input_grad",
            Self::WeightGrad => "conv1d_weight_grad",
        }
    }

    /// Its kernel.
    pub(super) fn kernel(self) -> &'static Kernel {
        match self {
            Self::Forward => &CONV1D,
            Self::InputGrad => &INPUT_GRAD,
            Self::WeightGrad => &WEIGHT_GRAD,
        }
    }
}
