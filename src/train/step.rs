//! One step of a training, on a batch from anywhere: what the loop repeats, and what `train --dry-run` and
//! `profile` measure.

use super::checkpoint::Checkpoint;
use super::losses::{BatchTargets, Terms, losses};
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, LossConfig, Optimizer as Rule};
use crate::gpu::{Arena, Capture, Gpu};
use crate::nn::{Mode, Model, Optimizer, PreDropout};
use crate::ops::{DropoutState, Hyper, Precision, trace, trace_numbers};
use crate::tensor::Tensor;

/// Loss scale of a training in f16 before it adapts itself, and the steps since it changed.
const FIRST_LOSS_SCALE: [f32; 2] = [4096.0, 0.0];

/// A network in training with all that a step needs besides its batch.
#[derive(Debug)]
pub struct Stepper {
    /// The network.
    pub net: Model,
    /// Its optimiser, which counts the steps.
    pub optimizer: Optimizer,
    /// Dropout's generator.
    pub dropout: DropoutState,
    /// Weight of each class `[K]`, for [`crate::train::Targets::batch`].
    pub class_weights: Tensor,
    /// Record a step once for each shape of batch, and replay it (`true` at first); to the same bits as without.
    pub replay: bool,
    /// Check the output of every operation of a step, see [`trace_numbers`]; nothing is replayed then. In f16 forward pass
    /// and loss only: scaled gradients may overflow, and the optimiser leaves out such a step.
    pub trace: bool,
    seed: u64,
    precision: Precision,
    losses: LossConfig,
    arena: Arena,
    recorded: Vec<RecordedStep>,
    inference: Option<Inference>,
}

impl Stepper {
    /// A new network with one class for each of `class_weights`, or one that resumes from a checkpoint.
    ///
    /// # Errors
    /// [`Error::Config`] for impossible sizes; [`Error::Shape`] for a checkpoint of another network.
    pub fn new(gpu: &Gpu, experiment: &Experiment, class_weights: &[f32], from: Option<&Checkpoint>) -> Result<Self> {
        let (t, network) = (&experiment.train, &experiment.network);
        let losses = experiment.losses.clone();
        let values = from.iter().flat_map(|c| &c.values).map(|(name, _, v)| (name.clone(), v.clone())).collect();
        let net = Model::with_values(gpu, network, class_weights.len(), losses.train_only(), t.seed, &values)?;
        let hyper = Hyper {
            lr: t.lr,
            betas: t.betas,
            weight_decay: t.weight_decay,
            decoupled: t.optimizer == Rule::AdamW,
            clip: t.clip,
            ..Hyper::default()
        };
        let mut optimizer = match from {
            Some(c) => Optimizer::resume(net.params(), hyper, &c.moments, c.step as u32)?,
            None => Optimizer::new(net.params(), hyper)?,
        };
        let precision = t.precision;
        if precision == Precision::NativeF16 && !gpu.report().shader_f16 {
            return Err(Error::config(
                format!("train.precision={}: found no 16-bit arithmetic on {}", precision.name(), gpu.report().name),
                "train.precision=f16 keeps numbers in 16 bits and multiplies in 32, on every adapter",
            ));
        }
        if precision != Precision::F32 {
            optimizer = optimizer.with_loss_scale(from.and_then(|c| c.loss_scale).unwrap_or(FIRST_LOSS_SCALE))?;
        }
        Ok(Self {
            net,
            optimizer,
            dropout: DropoutState::new(gpu, t.seed)?,
            class_weights: Tensor::from_f32(gpu, &[class_weights.len()], class_weights)?,
            replay: true,
            trace: false,
            seed: t.seed,
            precision,
            losses,
            arena: gpu.arena(),
            recorded: Vec::new(),
            inference: None,
        })
    }

    /// One optimiser step on strips `x` `[B, 1, L]` at rate `lr`; records it and returns the loss's terms and the logits
    /// `[B, K]` without waiting for them. What they hold is that of the latest step.
    ///
    /// # Errors
    /// [`Error::Config`] where `targets` lack what the loss asks for.
    pub fn step(&mut self, x: &Tensor, targets: &BatchTargets, lr: f64) -> Result<(Terms, Tensor)> {
        self.dropout.set(self.seed, self.optimizer.steps())?;
        self.optimizer.begin(lr)?;
        if self.trace {
            return self.traced(x, targets);
        }
        if !self.replay {
            return self.work(x, targets);
        }
        let at = match self.recorded.iter().position(|r| r.fits(x, targets)) {
            Some(at) => at,
            None => {
                let step = match self.record(x, targets) {
                    Err(Error::Memory { .. }) if self.forget()? => self.record(x, targets)?,
                    step => step?,
                };
                x.gpu().compile_ahead(step.work.recording());
                self.recorded.push(step);
                self.recorded.len() - 1
            }
        };
        let step = &self.recorded[at];
        step.fill(x, targets)?;
        step.work.replay().cloned()
    }

    /// Records a step on batches of these shapes.
    fn record(&self, x: &Tensor, targets: &BatchTargets) -> Result<RecordedStep> {
        let gpu = x.gpu();
        let (x, targets) = (Tensor::empty(gpu, x.shape(), x.dtype())?, targets.empty_like()?);
        let work = Capture::within(gpu, &self.arena, || {
            let (terms, logits) = self.work(&x, &targets)?;
            Ok((terms.detached(), logits.detach()))
        })?;
        Ok(RecordedStep { x, targets, work })
    }

    /// Lets go of what was recorded for batches of other shapes, so that its memory is there for this one; false where there
    /// was nothing.
    fn forget(&mut self) -> Result<bool> {
        if self.recorded.is_empty() && self.inference.is_none() {
            return Ok(false);
        }
        let gpu = self.class_weights.gpu();
        gpu.finish()?;
        self.arena = gpu.arena();
        self.recorded.clear();
        self.inference = None;
        Ok(true)
    }

    /// Logits `[B, K]` of strips `x` `[B, 1, L]` in evaluation; they hold those of the latest batch of that shape. Recorded and
    /// replayed as a step is, in the same memory, by a [folded](Model::folded) network that follows the parameters.
    pub fn infer(&mut self, x: &Tensor) -> Result<Tensor> {
        match self.replayed(x) {
            Err(Error::Memory { .. }) if self.forget()? => self.replayed(x),
            logits => logits,
        }
    }

    fn replayed(&mut self, x: &Tensor) -> Result<Tensor> {
        let gpu = x.gpu();
        let arena = self.arena.clone();
        let inference = self.follow()?;
        let at = match inference.forwards.iter().position(|f| f.x.shape() == x.shape()) {
            Some(at) => at,
            None => {
                let x = Tensor::empty(gpu, x.shape(), x.dtype())?;
                let forward = || no_grad(|| Ok(inference.net.results().forward(&x, &Mode::EVAL)?.logits));
                let work = Capture::within(gpu, &arena, forward)?;
                inference.forwards.push(RecordedForward { x, work });
                inference.forwards.len() - 1
            }
        };
        let forward = &inference.forwards[at];
        forward.x.copy_from(0, x)?;
        forward.work.replay().cloned()
    }

    /// Brings the network of [`Stepper::infer`] up to the parameters, if they have changed: the first inference after a step
    /// does the same.
    pub fn prepare_inference(&mut self) -> Result<()> {
        self.follow().map(|_| ())
    }

    fn follow(&mut self) -> Result<&mut Inference> {
        if self.inference.is_none() {
            let gpu = self.net.params().flat().gpu();
            let fold = Capture::within(gpu, &self.arena, || self.net.folded())?;
            self.inference = Some(Inference { net: fold, folded_at: None, forwards: Vec::new() });
        }
        let inference = self.inference.as_mut().expect("made above");
        if inference.folded_at != Some(self.optimizer.steps()) {
            inference.net.replay()?;
            inference.folded_at = Some(self.optimizer.steps());
        }
        Ok(inference)
    }

    /// What repeats from step to step.
    fn work(&self, x: &Tensor, targets: &BatchTargets) -> Result<(Terms, Tensor)> {
        let (terms, logits) = self.forward(x, targets)?;
        self.backward(&terms)?;
        Ok((terms, logits))
    }

    fn forward(&self, x: &Tensor, targets: &BatchTargets) -> Result<(Terms, Tensor)> {
        let layer = self.losses.layer(self.net.config())?;
        let pre_dropout = if self.losses.guides_map() { PreDropout::One(layer) } else { PreDropout::Nothing };
        let mode = Mode { precision: self.precision, pre_dropout, ..Mode::train(&self.dropout) };
        let gpu = x.gpu();
        gpu.phase("forward");
        let out = self.net.forward(x, &mode)?;
        gpu.phase("loss");
        let terms = losses(&self.net, &out, targets, &self.losses, &mode)?;
        Ok((terms, out.logits))
    }

    fn backward(&self, terms: &Terms) -> Result<()> {
        let gpu = terms.total.gpu();
        gpu.phase("backward");
        let gradients = self.net.params().gradients(&self.optimizer.scale_loss(&terms.total)?)?;
        gpu.phase("optimizer");
        self.optimizer.update(self.net.params(), &gradients)
    }

    /// [`Stepper::work`] with a look at every number.
    fn traced(&self, x: &Tensor, targets: &BatchTargets) -> Result<(Terms, Tensor)> {
        let step = self.optimizer.steps();
        let params = self.net.params().flat();
        let (terms, logits) = trace_numbers(format!("step {step}, forward pass and loss"), || {
            trace::see("the batch", &[], x)?;
            for target in targets.tensors() {
                trace::see("a target of the batch", &[], target)?;
            }
            self.forward(x, targets)
        })?;
        if self.precision != Precision::F32 {
            self.backward(&terms)?;
        } else {
            trace_numbers(format!("step {step}, reverse pass"), || self.backward(&terms))?;
        }
        trace_numbers(format!("step {step}, optimiser"), || trace::see("adam", &[], params))?;
        Ok((terms, logits))
    }
}

/// A step on batches of fixed shapes, recorded once.
#[derive(Debug)]
struct RecordedStep {
    x: Tensor,
    targets: BatchTargets,
    work: Capture<(Terms, Tensor)>,
}

/// The network in evaluation, recorded.
#[derive(Debug)]
struct Inference {
    /// Folds the parameters as they are into its own.
    net: Capture<Model>,
    /// Steps of the optimiser when that was done last.
    folded_at: Option<u32>,
    forwards: Vec<RecordedForward>,
}

/// A forward pass in evaluation on batches of a fixed shape.
#[derive(Debug)]
struct RecordedForward {
    x: Tensor,
    work: Capture<Tensor>,
}

impl RecordedStep {
    /// Whether it can work on a batch: one of the same shapes.
    fn fits(&self, x: &Tensor, targets: &BatchTargets) -> bool {
        let (own, given) = (self.targets.tensors(), targets.tensors());
        self.x.shape() == x.shape()
            && own.iter().map(|t| t.shape()).eq(given.iter().map(|t| t.shape()))
            && self.targets.features.is_some() == targets.features.is_some()
    }

    /// Copies a batch into its inputs.
    fn fill(&self, x: &Tensor, targets: &BatchTargets) -> Result<()> {
        self.x.copy_from(0, x)?;
        self.targets.tensors().into_iter().zip(targets.tensors()).try_for_each(|(own, given)| own.copy_from(0, given))
    }
}
