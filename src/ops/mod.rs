//! Operations: one file each, twin of its shader, with shape rule, launch,
//! backward rule, f64 oracle and the cases from which the harness derives its
//! tests ([`crate::lab::check`]).
//!
//! May use: `autograd`, `error`, `gpu`, `tensor`.
//!
//! Most are methods of tensors too, and `+ - * /` are operators, of tensors and numbers. Each gives a [`Result`], as shapes may
//! not fit:
//!
//! ```
//! use exgnet::prelude::*;
//!
//! let gpu = Gpu::from_env()?;
//! let x = Tensor::from_f32(&gpu, &[2, 3], &[1., 2., 3., -1., 0., 4.])?;
//! let w = Tensor::full(&gpu, &[3, 4], 0.1)?.leaf();
//! let hidden = x.matmul(&w)?.gelu()?; // [2, 4]
//! let centred = (&hidden - &hidden.mean(&[1], Keep::Yes)?)?; // broadcasts
//! let energy = (&centred * &centred)?.sum(&[1], Keep::No)?; // [2]
//! let loss = (energy.mean_all()? + 0.5)?;
//! let gradient = grad(&loss, &[&w], None, false)?.remove(0).expect("the loss depends on w");
//! assert_eq!(gradient.shape(), [3, 4]);
//! # Ok::<(), Error>(())
//! ```
//!
//! # All operations by kind
//!
//! All but comparisons, positions and what works in place can be differentiated, any number of times.
//!
//! **Arithmetic**, element by element; shapes broadcast as in NumPy
//! - [`add`] `a + b`
//! - [`sub`] `a - b`
//! - [`mul`] `a * b`
//! - [`div`] `a / b`
//! - [`pow`] `a^b`
//! - [`maximum`] the larger of two
//! - [`minimum`] the smaller of two
//! - [`add_scalar`] `x + number`
//! - [`scale`] `x * number`
//! - [`pow_scalar`] `x^number`
//! - [`clamp`] limited to a range
//!
//! **Functions** of each element
//! - [`neg`] `-x`
//! - [`abs`] absolute value
//! - [`square`] `x^2`
//! - [`sqrt`] square root
//! - [`rsqrt`] one over the square root
//! - [`recip`] `1 / x`
//! - [`exp`] exponential
//! - [`log()`] natural logarithm
//! - [`erf`] the error function
//! - [`relu`] `max(0, x)`
//! - [`gelu`] `x` times the share of a normal distribution below it
//! - [`gelu_tanh`] its approximation by a tanh
//! - [`silu`] `x sigmoid(x)`, also called swish
//! - [`sigmoid`] `1 / (1 + exp(-x))`
//! - [`tanh`] hyperbolic tangent
//! - [`huber`] a parabola continued by lines, beta 1
//!
//! **Comparisons** give 1 or 0, and no gradient
//! - [`gt`] `a > b`
//! - [`ge`] `a >= b`
//! - [`lt`] `a < b`
//! - [`le`] `a <= b`
//! - [`eq`] equal
//! - [`ne`] different
//! - [`where_cond`] one or the other, by a condition
//!
//! **Reductions** over dimensions, which stay with extent 1, or, with a method of [`Tensor`], as [`Keep`] says
//! - [`sum`] ([`Tensor::sum_all`] of all elements)
//! - [`mean`] ([`Tensor::mean_all`] of all elements)
//! - [`var`] variance, biased or not
//! - [`max`] the largest along a dimension
//! - [`min`] the smallest along a dimension
//! - [`argmax`] where the largest is, integers
//! - [`argmin`] where the smallest is, integers
//! - [`sum_to`] sum over what was broadcast
//! - [`sum_of_squares`] of all elements, without a gradient
//!
//! **Shaping**
//! - [`reshape`] another shape, the same memory
//! - [`permute`] dimensions in another order
//! - [`transpose`] two dimensions exchanged
//! - [`squeeze`] without dimensions of extent 1
//! - [`unsqueeze`] with one more of extent 1
//! - [`expand`] repeated to a shape
//! - [`slice()`] a range of a dimension
//! - [`pad`] zeros around
//! - [`concat()`] one behind the other along a dimension
//!
//! **Indexing** by integers, whose range is checked
//! - [`pick`] one element along a dimension
//! - [`place`] one element along a dimension, zeros elsewhere
//! - [`embedding()`] rows of a table
//!
//! **Products and convolutions**
//! - [`matmul()`] matrix product, also of batches
//! - [`conv1d()`] with stride, dilation, groups and padding
//! - [`branches`] several convolutions of one input, side by side
//! - [`branches_input_grad`] their gradient by the input, which is a transposed convolution
//! - [`conv1d_weight_grad`] the gradient by a weight
//!
//! **Pooling**
//! - [`max_pool()`] largest of each window
//! - [`avg_pool()`] mean of each window
//! - [`adaptive_avg_pool`] means of n windows
//! - [`global_avg_pool`] mean over time
//!
//! **Normalisation and dropout**
//! - [`batch_norm_train`] by the batch's own statistics
//! - [`batch_norm_eval`] by running estimates
//! - [`batch_norm_relu`] with what is added, ReLU and dropout in one pass
//! - [`update_running`] moves running estimates, in place
//! - [`layer_norm()`] over the last dimensions
//! - [`dropout()`] a share set to 0
//! - [`philox`] its random numbers, on the host
//!
//! **Classes and losses**
//! - [`softmax`] over classes
//! - [`log_softmax`] its logarithm
//! - [`cross_entropy_targets`] soft targets from labels, class weights and smoothing
//! - [`cross_entropy()`] of logits against those
//! - [`smooth_l1`] mean of Huber's function of a difference
//! - [`ncc`] normalised cross-correlation of rows
//!
//! **Optimisers**, in place; [`crate::nn::Optimizer`] runs them for all parameters of a network
//! - [`adam_step`] Adam or AdamW
//! - [`adam_update`] the same with settings that are on the device
//! - [`sgd_step`] SGD with momentum
//! - [`update_loss_scale`] for training in f16
//!
//! **An operation of one's own** implements [`Op`]
//! - [`apply`] runs it and keeps its history
//! - [`trace_numbers`] names the first operation with a non-finite output

pub(crate) mod adam;
mod array;
mod avg_pool;
mod batch_norm;
pub mod case;
mod conv1d;
mod cross_entropy;
mod dropout;
mod elementwise;
mod embedding;
pub mod family;
mod index;
mod layer_norm;
mod losses;
mod matmul;
mod max_pool;
mod methods;
mod operators;
mod reduce;
mod rules;
pub(crate) mod sgd;
mod shaping;
pub(crate) mod trace;

pub use adam::{AdamState, Hyper, adam_step, adam_update, sum_of_squares, update_loss_scale};
pub use array::Array;
pub use avg_pool::{AvgPool, adaptive_avg_pool, avg_pool, global_avg_pool};
pub use batch_norm::{BatchStats, Norm, Plus, batch_norm_eval, batch_norm_relu, batch_norm_train, update_running};
pub use conv1d::{
    Branch, ConvInput, ConvSpec, Pass, Precision, branches, branches_input_grad, conv1d, conv1d_weight_grad,
};
pub use cross_entropy::{cross_entropy, cross_entropy_targets, log_softmax, softmax};
pub use dropout::{DropoutAt, DropoutState, dropout, philox};
use elementwise::gate;
pub use elementwise::{
    abs, add, add_scalar, clamp, div, eq, erf, exp, ge, gelu, gelu_tanh, gt, huber, le, log, lt, maximum, minimum, mul,
    ne, neg, pow, pow_scalar, recip, relu, rsqrt, scale, sigmoid, silu, sqrt, square, sub, tanh, where_cond,
};
pub use embedding::embedding;
pub use index::{pick, place};
pub use layer_norm::{layer_norm, var};
pub use losses::{ncc, smooth_l1};
pub use matmul::matmul;
pub use max_pool::{MaxPool, max_pool};
pub use methods::Operand;
pub use reduce::{Keep, argmax, argmin, max, mean, min, sum, sum_to};
pub use sgd::{Sgd, SgdState, sgd_step};
pub use shaping::{concat, expand, pad, permute, reshape, slice, squeeze, transpose, unsqueeze};
pub use trace::trace_numbers;

pub(crate) use rules::backward_of_composed;
use rules::{first_floats, linear};

#[rustfmt::skip]
pub(crate) use {
    adam::adam_case,
    avg_pool::{avg_pool_case, avg_pool_grad_case},
    batch_norm::{Added, norm_case, norm_relu_case, norm_relu_grad_case},
    conv1d::{ConvShape, branches_input_grad_case, conv_case},
    cross_entropy::cross_entropy_case,
    dropout::dropout_case,
    elementwise::{binary_case, unary_case},
    embedding::{embedding_case, embedding_grad_case},
    matmul::matmul_case,
    max_pool::{max_pool_case, max_pool_grad_case},
    reduce::sum_case,
    shaping::permute_case,
};

use crate::autograd;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::tensor::{DType, History, Tensor};
use case::Case;
use std::sync::Arc;

/// A differentiable operation.
pub trait Op: Send + Sync {
    /// Its name in messages.
    fn name(&self) -> &'static str;

    /// Element type of input `i`, counted from 0; `None` where any will do. [`apply`] checks it.
    fn takes(&self, i: usize) -> Option<DType> {
        let _ = i;
        Some(DType::F32)
    }

    /// What it is besides its name, for whoever reads a network from its operations.
    fn about(&self) -> About<'_> {
        About::Name
    }

    /// Checks shapes, launches the kernel, returns the output and what the backward rule wants kept.
    fn forward(&self, gpu: &Gpu, inputs: &[&Tensor]) -> Result<Forward>;

    /// Gradients with respect to the inputs, written in operations of the engine.
    /// Entries where `saved.needs` is false may be `None`.
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>>;
}

/// What an operation is.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    /// Its name says all.
    Name,
    /// Convolutions of the first input with the weights behind that, side by side.
    Convolutions {
        /// Of all of them.
        spec: &'a ConvSpec,
        /// A bias is the last input, and `max(0, .)` follows.
        biased: bool,
    },
    /// Batch normalisation by running estimates. Inputs: x, weight, bias, mean, variance, and what is added.
    Normalisation {
        /// Added to the variance.
        eps: f32,
        /// What is added: nothing (0), a tensor (1), another normalisation with its five inputs (2).
        added: usize,
        /// Whether `max(0, .)` follows.
        relu: bool,
    },
    /// Max pooling.
    MaxPool(MaxPool),
    /// Concatenation along a dimension.
    Concat(usize),
    /// A matrix product, with its operands transposed or not.
    Product([bool; 2]),
    /// A function with its scalars.
    Function([f32; 2]),
}

/// What a forward pass returns.
pub struct Forward {
    /// The result.
    pub output: Tensor,
    /// Kept for the backward rule: statistics, positions.
    pub saved: Vec<Tensor>,
}

impl From<Tensor> for Forward {
    fn from(output: Tensor) -> Self {
        Self { output, saved: Vec::new() }
    }
}

/// What a backward rule gets to see.
pub struct Saved<'a> {
    /// The inputs, with their histories.
    pub inputs: &'a [Tensor],
    /// The output.
    pub output: &'a Tensor,
    /// What the forward pass kept.
    pub saved: &'a [Tensor],
    /// Which inputs' gradients are wanted.
    pub needs: &'a [bool],
}

/// An error where inputs of operation `name` are of another element type than it takes, as [`Op::takes`] says.
pub(crate) fn check_types(name: &str, inputs: &[&Tensor], takes: impl Fn(usize) -> Option<DType>) -> Result<()> {
    for (i, input) in inputs.iter().enumerate() {
        let Some(wanted) = takes(i).filter(|&wanted| wanted != input.dtype()) else { continue };
        return Err(Error::shape(
            name,
            format!(
                "input {} of {} with elements of type {:?}, shape {:?}",
                i + 1,
                inputs.len(),
                input.dtype(),
                input.shape()
            ),
            format!("elements of type {wanted:?}"),
            match wanted {
                DType::F32 => "integers are labels, positions and generator states; make values with Tensor::from_f32",
                DType::U32 => "labels, positions and generator states are integers: make them with Tensor::from_u32",
            },
        ));
    }
    Ok(())
}

/// [`check_types`] of a function that takes floats only.
pub(crate) fn check_floats(name: &str, inputs: &[&Tensor]) -> Result<()> {
    check_types(name, inputs, |_| Some(DType::F32))
}

/// Runs an operation and keeps its history if one of its inputs wants a gradient.
///
/// # Errors
/// [`Error::Shape`] for inputs of another element type than [`Op::takes`] says; those of [`Op::forward`].
pub fn apply(op: impl Op + 'static, inputs: &[&Tensor]) -> Result<Tensor> {
    let Some(first) = inputs.first() else {
        return Err(Error::shape(op.name(), "no inputs", "one or more", "give the operation its tensors"));
    };
    check_types(op.name(), inputs, |i| op.takes(i))?;
    let gpu = first.gpu();
    let forward = op.forward(gpu, inputs)?;
    trace::see(op.name(), inputs, &forward.output)?;
    let keep = autograd::recording() && inputs.iter().any(|t| t.requires_grad());
    let history = keep.then(|| History {
        inputs: inputs.iter().map(|t| t.kept(op.name(), "input")).collect(),
        saved: forward.saved.iter().map(|t| t.kept(op.name(), "saved tensor")).collect(),
        made: forward.output.storage().stamp(),
        op: Arc::new(op),
    });
    // A gradient that cannot be differentiated stays known as one, so that `grad` can say why.
    if history.is_none() && autograd::recording() && inputs.iter().any(|t| t.is_without_graph()) {
        return Ok(forward.output.without_graph());
    }
    Ok(Tensor::from_op(forward.output, history))
}

/// An entry of the registry: a name for `exgnet check` and the cases of that operation.
pub struct Registered {
    /// Name on the command line.
    pub name: &'static str,
    /// Cases from which oracle test, gradcheck, gradgradcheck and determinism test are made.
    pub cases: fn() -> Vec<Case>,
}

/// Every family of kernels.
pub const FAMILIES: &[&family::Family] = &[
    &conv1d::CONV1D_FAMILY,
    &conv1d::INPUT_GRAD_FAMILY,
    &conv1d::WEIGHT_GRAD_FAMILY,
    &conv1d::LAYOUTS_FAMILY,
    &batch_norm::FAMILY,
    &max_pool::FAMILY,
    &reduce::FAMILY,
    &elementwise::FAMILY,
    &shaping::FAMILY,
    &matmul::FAMILY,
    &dropout::FAMILY,
    &cross_entropy::FAMILY,
    &adam::FAMILY,
    &embedding::FAMILY,
];

/// Every operation of the engine: one line each.
pub const REGISTRY: &[Registered] = &[
    Registered { name: "elementwise", cases: elementwise::cases },
    Registered { name: "broadcast", cases: elementwise::broadcast_cases },
    Registered { name: "reduce", cases: reduce::cases },
    Registered { name: "shaping", cases: shaping::cases },
    Registered { name: "matmul", cases: matmul::cases },
    Registered { name: "index", cases: index::cases },
    Registered { name: "conv1d", cases: conv1d::cases },
    Registered { name: "conv1d_input_grad", cases: conv1d::input_grad_cases },
    Registered { name: "conv1d_weight_grad", cases: conv1d::weight_grad_cases },
    Registered { name: "branches", cases: conv1d::branches_cases },
    Registered { name: "branches_relu", cases: conv1d::branches_relu_cases },
    Registered { name: "layouts", cases: conv1d::layout_cases },
    Registered { name: "max_pool", cases: max_pool::cases },
    Registered { name: "avg_pool", cases: avg_pool::cases },
    Registered { name: "batch_norm", cases: batch_norm::cases },
    Registered { name: "cross_entropy", cases: cross_entropy::cases },
    Registered { name: "smooth_l1", cases: losses::smooth_l1_cases },
    Registered { name: "ncc", cases: losses::ncc_cases },
    Registered { name: "dropout", cases: dropout::cases },
    Registered { name: "adam", cases: adam::cases },
    Registered { name: "sgd", cases: sgd::cases },
    Registered { name: "where", cases: elementwise::where_cases },
    Registered { name: "var", cases: layer_norm::var_cases },
    Registered { name: "layer_norm", cases: layer_norm::cases },
    Registered { name: "embedding", cases: embedding::cases },
];
