//! What is measured: an operation at a shape, with the inputs, the f64 oracle and the cost that its case brings, and whether
//! it fits into memory; the convolutions of a network.

use super::ceilings::Ceilings;
use super::operations::{Operation, Shape};
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Needs};
use crate::nn::outline::Convolution;
use crate::nn::{NetworkConfig, Outline};
use crate::ops::case::Case;
use crate::ops::{Pass, Precision};
use crate::tensor::Tensor;
use std::sync::Arc;

/// What an operation takes: its tensors, with what it lays out on the way; on the host its inputs in f32 and
/// f64, and the oracle's output.
pub(super) fn needs(operation: &str, s: Shape) -> Needs {
    let [batch, c_in, len, out, k, t] = [s.batch, s.c_in, s.len, s.out, s.k, s.out_len()].map(|n| n as f64);
    let (rows, n) = (batch * c_in * len, out * c_in);
    // the tensors are the inputs and one output
    let (tensors, inputs) = match operation {
        // the padded rows of input and gradient come on top
        "conv1d" | "conv1d_input_grad" | "conv1d_weight_grad" => {
            let g = batch * out * t;
            (vec![rows, n * k, g, rows, g], 3)
        }
        "embedding" | "embedding_grad" => (vec![n, c_in * len, len], 3),
        "matmul" => (vec![n, c_in * len, out * len], 3),
        "batch_norm" | "batch_norm_relu" => (vec![rows, rows, rows], 3),
        // with the output, and the gradients of both inputs
        "batch_norm_relu_grad" => (vec![rows; 6], 6),
        "add" => (vec![rows; 3], 3),
        "max_pool" | "max_pool_grad" | "avg_pool" | "avg_pool_grad" => {
            let outputs = rows / s.stride as f64;
            (vec![rows, outputs, outputs], 3)
        }
        "sum" => (vec![rows], 1),
        "cross_entropy" => (vec![batch * c_in, batch * c_in], 2),
        // weights, gradients and moments, those of the case and those that it gives
        "adam" => (vec![len; 10], 8),
        _ => (vec![rows, rows], 2),
    };
    // f32, and twice that for f64
    let host = Needs::of(&tensors, inputs).host.saturating_mul(3);
    Needs { host, ..Needs::of(&tensors, 0) }
}

/// Refuses a workload that cannot fit, with the batch that does.
fn check_fits(gpu: &Gpu, operation: &str, s: Shape) -> Result<()> {
    let Err(e) = gpu.check_fits(operation, needs(operation, s)) else { return Ok(()) };
    let Error::Memory { what, limit, .. } = e else { return Err(e) };
    let refused = |batch: usize| {
        let own = needs(operation, Shape { batch, ..s });
        // the pool rounds up, by a quarter at most
        let own = Needs { tensors: own.tensors.saturating_add(own.tensors / 4), ..own };
        gpu.check_fits(operation, own.and(Ceilings::NEEDS)).is_err()
    };
    // of the batches from 0 (which is none) to this one, which does not fit
    let (mut fits, mut not) = (0, s.batch);
    while fits + 1 < not {
        let middle = (fits + not) / 2;
        *(if refused(middle) { &mut not } else { &mut fits }) = middle;
    }
    let hint = match fits {
        0 => "not even a batch of 1 fits: take smaller in, out or len of --shape".to_owned(),
        fits => format!("--shape batch={fits} is the largest batch that fits"),
    };
    Err(Error::memory(what, limit, hint))
}

/// An operation at a shape, with inputs and oracle.
pub struct Workload {
    /// The operation.
    pub operation: &'static Operation,
    /// Sizes.
    pub shape: Shape,
    /// Layer of a network, where it is one.
    pub layer: Option<String>,
    pub(super) case: Case,
}

/// A workload's inputs on a device.
pub struct Ready<'a> {
    workload: &'a Workload,
    inputs: Vec<Tensor>,
}

impl Workload {
    /// An operation at sizes that it can have; refused where it does not fit, before anything is allocated.
    pub fn new(gpu: &Gpu, operation: &'static Operation, shape: Shape) -> Result<Self> {
        check_fits(gpu, operation.name, shape)?;
        Ok(Self { operation, shape, layer: None, case: (operation.case)(&shape) })
    }

    /// Name and sizes for people.
    pub fn title(&self) -> String {
        self.operation.title(self.shape)
    }

    /// Floating-point operations, and bytes that must be read and written at least.
    pub fn cost(&self) -> [f64; 2] {
        self.case.cost
    }

    /// The same operation with one record, to see how long it may take; `None` where sizes have no batch, or a small one.
    pub(super) fn probe(&self) -> Option<(Case, f64)> {
        let batch = self.shape.batch;
        let has = self.operation.fields().contains(&"batch") && batch >= 4;
        has.then(|| ((self.operation.case)(&Shape { batch: 1, ..self.shape }), batch as f64))
    }

    /// Uploads the inputs.
    pub fn on(&self, gpu: &Gpu) -> Result<Ready<'_>> {
        Ok(Ready { workload: self, inputs: self.case.tensors(gpu)? })
    }
}

impl Ready<'_> {
    /// Whether a kernel's time counts.
    pub(super) fn counts(&self, kernel: &str) -> bool {
        self.workload.operation.counts(kernel)
    }

    /// Runs it without keeping a history.
    pub fn run(&self) -> Result<Tensor> {
        no_grad(|| (self.workload.case.run)(&self.inputs))
    }
}

/// Classes of a network whose kernels are looked at: only its head knows them.
const CLASSES: usize = 5;

/// What a network is made of, whatever its classes.
pub(super) fn outline(network: &NetworkConfig, samples: usize) -> Result<Arc<Outline>> {
    Outline::new(network, CLASSES, false, samples)
}

/// Convolutions of a network on strips of `samples` samples: the name of the layer and its shape.
pub fn layers(network: &NetworkConfig, batch: usize, samples: usize) -> Result<Vec<(String, Shape)>> {
    Ok(shared_inputs(network, batch, samples)?.concat())
}

/// The same with those together that have one input, and one gradient with respect to it: the branches of a parallel block.
pub(super) fn shared_inputs(
    network: &NetworkConfig,
    batch: usize,
    samples: usize,
) -> Result<Vec<Vec<(String, Shape)>>> {
    let outline = outline(network, samples)?;
    let shape = |c: &Convolution| {
        let ([c_in, len], [out, _, k]) = (c.input, c.weight);
        let precision = Precision::F32;
        (c.layer.clone(), Shape { batch, c_in, len, out, k, stride: c.stride, dilation: c.dilation, precision })
    };
    Ok(outline.convolutions.iter().map(|together| together.iter().map(shape).collect()).collect())
}

/// Every convolution of a network in its three passes; nobody asks for the gradient of the strips.
pub fn layer_workloads(
    gpu: &Gpu,
    network: &NetworkConfig,
    (batch, samples): (usize, usize),
    precision: Precision,
) -> Result<Vec<Workload>> {
    let named = layers(network, batch, samples)?;
    // all of them are there at the same time
    let all_needs = named.iter().flat_map(|(_, shape)| Pass::ALL.map(|pass| needs(pass.name(), *shape)));
    gpu.check_fits(
        &format!("a benchmark of the network's convolutions at a batch of {batch}"),
        all_needs.fold(Needs::default(), Needs::and),
    )?;
    let mut all = Vec::new();
    for (name, shape) in named {
        let shape = Shape { precision, ..shape };
        // of the strips, which have one channel
        for pass in Pass::ALL.into_iter().filter(|p| *p != Pass::InputGrad || shape.c_in > 1) {
            all.push(Workload {
                layer: Some(name.clone()),
                ..Workload::new(gpu, Operation::named(pass.name())?, shape)?
            });
        }
    }
    Ok(all)
}
