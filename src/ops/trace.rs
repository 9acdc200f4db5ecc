//! Finding the operation that a NaN comes from: with a trace on, the output of every operation is read back as soon as it
//! is launched, and the first that is not finite is an error which names the operation and its shapes. Slow, as the
//! device is waited for after each.

use crate::error::{Error, Result};
use crate::tensor::{DType, Tensor};
use std::cell::RefCell;

thread_local! {
    /// What runs, in words, while operations on this thread are traced.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f` with a trace of the operations on this thread; `place` (`step 3, forward`) goes into the error.
///
/// ```
/// use exgnet::{gpu::Gpu, ops, tensor::Tensor};
/// let gpu = Gpu::from_env()?;
/// let x = Tensor::from_f32(&gpu, &[2], &[1.0, -1.0])?;
/// let e = ops::trace_numbers("example", || ops::sqrt(&ops::scale(&x, 2.0)?)).expect_err("no root of -2");
/// assert!(e.to_string().contains("sqrt") && e.to_string().contains("[2]"), "{e}");
/// # Ok::<(), exgnet::Error>(())
/// ```
pub fn trace_numbers<T>(place: impl Into<String>, f: impl FnOnce() -> Result<T>) -> Result<T> {
    struct Restore(Option<String>);
    impl Drop for Restore {
        fn drop(&mut self) {
            PLACE.set(self.0.take());
        }
    }
    let _restore = Restore(PLACE.replace(Some(place.into())));
    f()
}

/// With a trace on, checks the output of an operation called `name`.
pub(crate) fn see(name: &str, inputs: &[&Tensor], output: &Tensor) -> Result<()> {
    let Some(place) = PLACE.with_borrow(Clone::clone) else { return Ok(()) };
    if output.dtype() != DType::F32 {
        return Ok(());
    }
    let values = output.to_vec()?;
    let wrong = values.iter().filter(|v| !v.is_finite()).count();
    let Some(first) = values.iter().position(|v| !v.is_finite()) else { return Ok(()) };
    let mut shapes = Vec::new();
    for input in inputs {
        shapes.push(format!("{:?} {}", input.shape(), extent(input)?));
    }
    let from = if shapes.is_empty() { String::new() } else { format!(" from {}", shapes.join(", ")) };
    Err(Error::data(
        place,
        format!(
            "{name} is the first operation with a non-finite output: expected finite values, found {} at element {first} \
             of {:?} ({wrong} of {} values are not finite){from}",
            values[first],
            output.shape(),
            values.len(),
        ),
        "look at what this operation divides by, takes the root or the exponential of; huge inputs mean that the training \
         ran away before: lower the learning rate (--set train.lr=3e-4), keep clipping on (train.clip)",
    ))
}

/// The range of a tensor's values, in words.
fn extent(t: &Tensor) -> Result<String> {
    if t.dtype() != DType::F32 {
        return Ok("(integers)".into());
    }
    let values = t.to_vec()?;
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    Ok(format!("({low:.3e} to {high:.3e})"))
}
