//! The reverse pass. Backward rules are written in operations of the engine, so
//! the derivative of a derivative needs nothing special: recording is left on.

use crate::error::{Error, Result};
use crate::ops::{self, Saved};
use crate::tensor::Tensor;
use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(true) };
}

/// Whether operations on this thread keep their history.
pub fn recording() -> bool {
    RECORDING.get()
}

/// Runs `f` without keeping histories (evaluation, optimiser).
pub fn no_grad<T>(f: impl FnOnce() -> T) -> T {
    with_recording(false, f)
}

fn with_recording<T>(on: bool, f: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            RECORDING.set(self.0);
        }
    }
    let _restore = Restore(RECORDING.replace(on));
    f()
}

/// The tensors that operations gave on the way to `output`, in the order in which they ran.
pub(crate) fn operations(output: &Tensor) -> Vec<Tensor> {
    let (mut seen, mut open) = (BTreeMap::new(), vec![output.clone()]);
    while let Some(t) = open.pop() {
        if let Some(history) = t.history()
            && seen.insert(t.id(), t.clone()).is_none()
        {
            open.extend(history.inputs.iter().cloned());
        }
    }
    seen.into_values().collect()
}

/// Gradients of `output` with respect to `wrt`.
///
/// `seed` is the gradient that flows into `output` (same shape; ones where it is
/// `None`, which makes it the gradient of the sum). With `create_graph` the
/// gradients have a history of their own and can be differentiated again.
/// A tensor on which `output` does not depend has the gradient `None`.
///
/// # Errors
/// Those of the operations; [`Error::Shape`] for a seed of another shape, and where a tensor that a gradient is computed
/// from was written over since the forward pass (an optimiser's step, [`Tensor::overwrite`], running estimates, a replay).
pub fn grad(
    output: &Tensor,
    wrt: &[&Tensor],
    seed: Option<&Tensor>,
    create_graph: bool,
) -> Result<Vec<Option<Tensor>>> {
    let all: Vec<&Tensor> = [output].into_iter().chain(seed).chain(wrt.iter().copied()).collect();
    ops::check_floats("grad", &all)?;
    let seed = match seed {
        Some(s) if s.shape() != output.shape() => {
            return Err(Error::shape(
                "grad",
                format!("a seed of shape {:?}", s.shape()),
                format!("{:?}, the output's", output.shape()),
                "the seed is the gradient that flows into the output",
            ));
        }
        Some(s) => s.clone(),
        None => Tensor::full(output.gpu(), output.shape(), 1.0)?,
    };
    let targets: HashSet<u64> = wrt.iter().map(|t| t.id()).collect();
    let tape = reachable(output);
    let mut leads = targets.clone();
    for (&id, t) in &tape {
        if t.history().is_some_and(|h| h.inputs.iter().any(|i| leads.contains(&i.id()))) {
            leads.insert(id);
        }
    }
    let mut grads: BTreeMap<u64, Tensor> = BTreeMap::new();
    grads.insert(output.id(), seed);
    with_recording(create_graph, || {
        for (&id, t) in tape.iter().rev() {
            let Some(history) = t.history() else { continue };
            if !leads.contains(&id) || !history.inputs.iter().any(|i| leads.contains(&i.id())) {
                continue;
            }
            // What nobody asked for is let go here, so that its memory can be used again.
            let g = if targets.contains(&id) { grads.get(&id).cloned() } else { grads.remove(&id) };
            let Some(g) = g else { continue };
            let needs: Vec<bool> = history.inputs.iter().map(|i| leads.contains(&i.id())).collect();
            let output = t.kept_since(history.made, history.op.name(), "output");
            let saved = Saved { inputs: &history.inputs, output: &output, saved: &history.saved, needs: &needs };
            let parts = history.op.backward(&saved, &g)?;
            for ((input, part), need) in history.inputs.iter().zip(parts).zip(&needs) {
                let (Some(part), true) = (part, need) else { continue };
                debug_assert_eq!(part.shape(), input.shape(), "gradient of {}", history.op.name());
                let sum = match grads.remove(&input.id()) {
                    Some(before) => ops::add(&before, &part)?,
                    None => part,
                };
                grads.insert(input.id(), sum);
            }
        }
        Ok::<(), Error>(())
    })?;
    Ok(wrt.iter().map(|t| grads.get(&t.id()).cloned()).collect())
}

/// Everything `output` came from, by id; ids are a topological order.
fn reachable(output: &Tensor) -> BTreeMap<u64, Tensor> {
    let mut seen = BTreeMap::new();
    let mut stack = vec![output.clone()];
    while let Some(t) = stack.pop() {
        if !t.requires_grad() || seen.contains_key(&t.id()) {
            continue;
        }
        if let Some(h) = t.history() {
            stack.extend(h.inputs.iter().cloned());
        }
        seen.insert(t.id(), t);
    }
    seen
}

/// Runs `f` with histories kept, whatever the state around it.
pub(crate) fn with_history<T>(f: impl FnOnce() -> T) -> T {
    with_recording(true, f)
}
