//! What there is to tune in a network: its convolutions, each shape once in its passes, and the kernels that go along rows and
//! sum them, which are found by running them.

use super::Task;
use crate::error::Result;
use crate::lab::operations::{Shape, conv_case};
use crate::lab::workloads::{outline, shared_inputs};
use crate::nn::config::NetworkConfig;
use crate::ops::case::Case;
use crate::ops::{self, Added, Branch, ConvSpec, Pass};

/// What a candidate for a convolution must save of the rule of thumb's time, ms a call: the rule's kernels serve many shapes, and a
/// further one costs up to three seconds to compile, and half a second when it is found compiled.
const CONV_WORTH_MS: f64 = 2.0;
/// The same along rows: these kernels compile in some hundredths of a second.
const ROWS_WORTH_MS: f64 = 0.3;
/// Multiply-adds that an element of a row is worth: what a load costs on a software adapter.
const LOAD: f64 = 100.0;

/// Everything that a step of the network runs.
pub(super) fn tasks(network: &NetworkConfig, (batch, samples): (usize, usize)) -> Result<Vec<Task>> {
    let mut all = Vec::new();
    for (i, layers) in shared_inputs(network, batch, samples)?.into_iter().enumerate() {
        let shapes: Vec<Shape> = layers.into_iter().map(|(_, shape)| shape).collect();
        for shape in &shapes {
            for pass in [Pass::Forward, Pass::WeightGrad] {
                add_conv(&mut all, pass, std::slice::from_ref(shape));
            }
        }
        // one for all branches; nobody asks for the gradient of the strips
        if i > 0 {
            add_conv(&mut all, Pass::InputGrad, &shapes);
        }
    }
    let outline = outline(network, samples)?;
    let rows = |&[c_in, len]: &[usize; 2]| Shape { batch, c_in, len, ..Shape::default() };
    for (read, pool) in &outline.pooled {
        let (shape, pool) = (rows(read), *pool);
        all.push(along_rows(shape, 1.0, move |s| ops::max_pool_case(s.rows(), pool)));
        all.push(along_rows(shape, 1.0, move |s| ops::max_pool_grad_case(s.rows(), pool)));
    }
    let mut norms: Vec<(Shape, f64)> = Vec::new();
    for shape in outline.normalised.iter().map(rows) {
        match norms.iter_mut().find(|(s, _)| *s == shape) {
            Some((_, count)) => *count += 1.0,
            None => norms.push((shape, 1.0)),
        }
    }
    for (shape, count) in norms {
        all.push(along_rows(shape, 2.0 * count, |s| ops::norm_relu_case(&s.rows(), Added::Norm, None)));
        all.push(along_rows(shape, 3.0 * count, |s| ops::norm_relu_grad_case(&s.rows())));
    }
    Ok(all)
}

/// Adds a pass of convolutions of one input, or their weight where the shape is there already.
fn add_conv(all: &mut Vec<Task>, pass: Pass, shapes: &[Shape]) {
    let first = shapes[0];
    let branches = shapes.iter().map(|s| Branch::same(s.k, s.dilation)).collect();
    let spec = ConvSpec { branches, ..first.conv_spec() };
    let weights: Vec<[usize; 3]> = shapes.iter().map(|s| [s.out, s.c_in, s.k]).collect();
    let key = spec.keys(pass, &weights.iter().map(<[usize; 3]>::as_slice).collect::<Vec<_>>()).swap_remove(0);
    let weight = shapes.iter().map(|s| (s.batch * s.out_len() * s.out * s.c_in * s.k) as f64).sum();
    if let Some(task) = all.iter_mut().find(|s| s.key.as_ref() == Some(&key)) {
        task.weight += weight;
        return;
    }
    let case: Box<dyn Fn() -> Case> = match shapes.len() {
        1 => Box::new(move || conv_case(pass, &first)),
        _ => Box::new(move || ops::branches_input_grad_case(&spec, &weights, first.batch, first.len)),
    };
    all.push(Task { family: Some(pass.name()), key: Some(key), weight, worth_ms: CONV_WORTH_MS, case });
}

/// An operation that goes `passes` times over its elements.
fn along_rows(shape: Shape, passes: f64, case: impl Fn(&Shape) -> Case + 'static) -> Task {
    let weight = LOAD * passes * shape.rows().iter().product::<usize>() as f64;
    Task { family: None, key: None, weight, worth_ms: ROWS_WORTH_MS, case: Box::new(move || case(&shape)) }
}
