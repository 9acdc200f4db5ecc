//! Dropout with a counter-based generator (`shaders/dropout`): nothing is
//! kept for the backward pass, which draws the same numbers again.

use super::family::{Family, Kernel};
use super::{Array, check_floats, linear};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::case::{Case, Input};
use crate::tensor::{DType, Tensor, numel};

const DROPOUT: Kernel = Kernel {
    formula: "y[i] = scale x[i] where uniform(i) >= threshold, else 0",
    operands: &[("x", "[n]"), ("state", "[3]: seed low word, seed high word, step"), ("y", "[n]")],
    sizes: &[("n", 37), ("site", 1), ("threshold", 1 << 14)],
    floats: &[("scale", 4.0 / 3.0)],
    ..Kernel::of("dropout")
};

pub(super) const FAMILY: Family = Family { name: "dropout", kernels: &[&DROPOUT], operations: &["dropout"] };

/// Seed and step of the generator, on the device so that a recorded step stays valid when they change.
#[derive(Debug, Clone)]
pub struct DropoutState(Tensor);

impl DropoutState {
    /// For the first step of a run with `seed`.
    pub fn new(gpu: &Gpu, seed: u64) -> Result<Self> {
        Ok(Self(Tensor::from_u32(gpu, &[3], &[seed as u32, (seed >> 32) as u32, 0])?))
    }

    /// Moves to a step: each draws other numbers.
    ///
    /// # Errors
    /// [`Error::Gpu`] inside of a recording, whose replays would all draw the same.
    pub fn set(&self, seed: u64, step: u32) -> Result<()> {
        let hint = "set the state (Params::train_mode) before the recording and before each replay of it";
        self.0.gpu().refuse_recording("a step of dropout", hint)?;
        self.0.overwrite_u32(&[seed as u32, (seed >> 32) as u32, step])
    }

    /// Of `[3]`: seed low word, seed high word, step.
    pub(super) fn of(state: Tensor) -> Self {
        Self(state)
    }

    /// `[3]`: seed low word, seed high word, step.
    pub(super) fn tensor(&self) -> &Tensor {
        &self.0
    }
}

/// Dropout at a place of a network, see [`dropout`].
#[derive(Debug, Clone, Copy)]
pub struct DropoutAt<'a> {
    /// Share that is dropped, in `[0, 1)`.
    pub rate: f32,
    /// Seed and step.
    pub state: &'a DropoutState,
    /// The place: each draws numbers of its own.
    pub site: u32,
}

impl DropoutAt<'_> {
    /// The operation; `None` for a rate of 0.
    pub(super) fn op(&self) -> Result<Option<Dropout>> {
        let rate = self.rate;
        if !(0.0..1.0).contains(&rate) {
            let what = format!("rate {rate}");
            return Err(Error::shape("dropout", what, "a rate in [0, 1)", "0 switches it off"));
        }
        Ok((rate > 0.0).then_some(Dropout { rate, site: self.site }))
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Dropout {
    rate: f32,
    site: u32,
}

impl Dropout {
    /// What kernels take.
    pub(super) fn numbers(&self) -> [(&'static str, usize); 2] {
        [("site", self.site as usize), ("threshold", self.threshold() as usize)]
    }

    /// A number of 16 bits below this is dropped.
    fn threshold(&self) -> u32 {
        (f64::from(self.rate) * 65536.0).round().min(65535.0) as u32
    }

    /// What is kept grows by one over the share that is.
    pub(super) fn scale(&self) -> f64 {
        65536.0 / f64::from(65536 - self.threshold())
    }

    /// Of a tensor, with a [`DropoutState`]'s numbers.
    pub(super) fn of(self, x: &Tensor, state: &Tensor) -> Result<Tensor> {
        linear("dropout", &[x, state], move |x| self.launch(x[0], x[1]), move |g, x| self.of(g, &x[1]))
    }

    fn launch(self, x: &Tensor, state: &Tensor) -> Result<Tensor> {
        let y = Tensor::empty(x.gpu(), x.shape(), DType::F32)?;
        DROPOUT
            .at(x.gpu(), &[y.numel()])
            .ints(&[("n", y.numel())])
            .ints(&self.numbers())
            .float("scale", self.scale() as f32)
            .bind("x", x)
            .bind("state", state)
            .bind("y", &y)
            .cost(y.numel() as f64, 8.0 * y.numel() as f64)
            .run()?;
        Ok(y)
    }
}

/// Sets a share `rate` in `[0, 1)` (rounded to 1 / 65536) of the elements to zero and divides the others by the share that is
/// kept. `site` distinguishes the places of a network: each draws its own random numbers.
pub fn dropout(x: &Tensor, rate: f32, state: &DropoutState, site: u32) -> Result<Tensor> {
    check_floats("dropout", &[x])?;
    match (DropoutAt { rate, state, site }).op()? {
        Some(op) => op.of(x, &state.0),
        None => Ok(x.clone()),
    }
}

/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
pub fn philox(mut c: [u32; 4], mut k: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let u = u64::from(c[0]) * 0xD251_1F53;
        let v = u64::from(c[2]) * 0xCD9E_8D57;
        c = [(v >> 32) as u32 ^ c[1] ^ k[0], v as u32, (u >> 32) as u32 ^ c[3] ^ k[1], u as u32];
        k = [k[0].wrapping_add(0x9E37_79B9), k[1].wrapping_add(0xBB67_AE85)];
    }
    c
}

/// Dropout of `x` with the state `[3]`.
pub(super) fn cpu_dropout(x: &Array, state: &Array, rate: f32, site: u32) -> Array {
    let (op, s) = (Dropout { rate, site }, &state.data);
    let number = |i: usize| {
        let words = philox([(i / 8) as u32, site, s[2] as u32, 0], [s[0] as u32, s[1] as u32]);
        words[i % 8 / 2] >> (16 * (i % 2)) & 0xffff
    };
    let keep = |(i, v): (usize, &f64)| if number(i) >= op.threshold() { v * op.scale() } else { 0.0 };
    Array::new(&x.shape, x.data.iter().enumerate().map(keep).collect())
}

/// Dropout of a tensor.
pub(crate) fn dropout_case(shape: &[usize], rate: f32, site: u32) -> Case {
    let n = numel(shape) as f64;
    Case::new(
        format!("{shape:?} rate {rate} site {site}"),
        vec![Input::normal(shape, 141), Input::index(&[3], vec![0x1234_5678, 0x9abc_def0, 17])],
        move |x| dropout(&x[0], rate, &DropoutState(x[1].clone()), site),
        move |x| cpu_dropout(&x[0], &x[1], rate, site),
    )
    .cost(n, 8.0 * n)
}

pub(super) fn cases() -> Vec<Case> {
    let settings: [(&[usize], f32, u32); 3] = [(&[2, 3, 7], 0.3, 0), (&[33], 0.5, 5), (&[4, 5], 0.1, 2)];
    let mut cases: Vec<Case> = settings.map(|(shape, rate, site)| dropout_case(shape, rate, site)).into();
    // Lengths around eight, a group and what one does at most.
    let lengths = [1, 7, 8, 9, 63, 64, 65, 517, 4100, 70_003];
    cases.extend(lengths.map(|n| dropout_case(&[n], 0.4, 1).oracle_only()));
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the authors' reference implementation (Random123, kat_vectors).
    #[test]
    fn philox_known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        assert_eq!(philox(pi, [0xa409_3822, 0x299f_31d0]), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }
}
