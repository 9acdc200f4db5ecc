//! Fits `sin(x)` on [-pi, pi] with a network of one hidden layer: parameters, forward pass, loss, gradients, Adam, and
//! a step that is recorded once and replayed.
//!
//! `cargo run --release --example sine`

use exgnet::prelude::*;
use std::f32::consts::PI;
use std::process::ExitCode;

const HIDDEN: usize = 32;
const STEPS: usize = 400;
/// A mean squared error below it counts as fitted; that of a flat line is 0.5.
const FITTED: f32 = 1e-3;

struct Mlp {
    hidden: Linear,
    out: Linear,
}

impl Mlp {
    /// `[B, 1]` to `[B, 1]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.out.forward(&ops::tanh(&self.hidden.forward(x)?)?)
    }
}

/// Trains; returns the mean squared error on points between those of the training.
pub fn run(gpu: &Gpu) -> Result<f32> {
    let mut p = ParamBuilder::new(1);
    let net = Mlp { hidden: p.linear("hidden", 1, HIDDEN), out: p.linear("out", HIDDEN, 1) };
    let params = p.init(gpu)?;

    // `n` points from -pi to pi and their sines, `[n, 1]` each
    let points = |n: usize| {
        let x: Vec<f32> = (0..n).map(|i| PI * (2.0 * i as f32 / (n - 1) as f32 - 1.0)).collect();
        let y: Vec<f32> = x.iter().map(|x| x.sin()).collect();
        Ok((Tensor::from_f32(gpu, &[n, 1], &x)?, Tensor::from_f32(gpu, &[n, 1], &y)?))
    };
    let loss = |(x, y): &(Tensor, Tensor)| {
        let error = ops::sub(&net.forward(x)?, y)?;
        ops::mean(&ops::square(&error)?, &[0, 1])
    };

    let (seen, unseen) = (points(64)?, points(101)?);
    let mut adam = Optimizer::new(&params, Hyper::default())?;
    // a step is always the same: it is described once and replayed
    let recorded = Capture::new(gpu, || {
        let mse = loss(&seen)?;
        adam.update(&params, &params.gradients(&mse)?)?;
        Ok(mse.detach())
    })?;
    for step in 0..STEPS {
        adam.begin(learning_rate(2e-2, step, STEPS, 0.0, true))?;
        let mse = recorded.replay()?;
        if step % 100 == 0 {
            println!("step {step:>4}  mean squared error {:.6}", mse.item()?);
        }
    }
    let error = no_grad(|| loss(&unseen))?.item()?;
    println!("between the points: {error:.6} (fitted: below {FITTED})");
    Ok(error)
}

/// Whether an error is small enough; NaN is not.
pub fn fitted(error: f32) -> bool {
    error < FITTED
}

fn main() -> ExitCode {
    match Gpu::from_env().and_then(|gpu| run(&gpu)) {
        Ok(error) if fitted(error) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}
