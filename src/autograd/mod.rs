//! The reverse pass. Backward rules are written in operations of the engine, so
//! the derivative of a derivative needs nothing special: recording is left on.
//!
//! May use: `error`, `ops`, `tensor`.

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
/// Those of the operations; [`Error::Shape`] for a seed of another shape; for an output, or a tensor of `wrt`, without a history
/// that is no leaf either ([`Tensor::leaf`]); where what is to be differentiated came of a gradient that was taken without
/// `create_graph` (as a constant it is to be given by [`Tensor::detach`]); and where a tensor that a gradient is computed from
/// was written over since the forward pass (an optimiser's step, [`Tensor::overwrite`], running estimates, a replay).
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
        // a seed is a constant
        Some(s) if s.is_without_graph() => s.detach(),
        Some(s) => s.clone(),
        None => Tensor::full(output.gpu(), output.shape(), 1.0)?,
    };
    require_history(output, wrt)?;
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
            if let Some(i) = history.inputs.iter().position(Tensor::is_without_graph) {
                return Err(no_graph(&format!("input {} of {}", i + 1, history.op.name()), &history.inputs[i]));
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
    let found = |t: &&Tensor| {
        let g = grads.get(&t.id())?;
        // a graph that nobody wanted is none that was forgotten
        Some(if create_graph || g.requires_grad() { g.clone() } else { g.without_graph() })
    };
    Ok(wrt.iter().map(found).collect())
}

/// An error for an output, or a tensor of `wrt`, that no gradient can lead from, or to.
fn require_history(output: &Tensor, wrt: &[&Tensor]) -> Result<()> {
    if let Some((i, t)) = wrt.iter().enumerate().find(|(_, t)| !t.requires_grad()) {
        return Err(Error::shape(
            "grad",
            format!("tensor {} of {} to differentiate by, shape {:?}, without a history", i + 1, wrt.len(), t.shape()),
            "a leaf, or what an operation made of one",
            "did you forget leaf()? `let x = Tensor::from_f32(..)?.leaf();` before it is used, and under no no_grad",
        ));
    }
    match output {
        _ if wrt.is_empty() || output.requires_grad() => Ok(()),
        _ if output.is_without_graph() => Err(no_graph("the output", output)),
        _ => Err(Error::shape(
            "grad",
            format!("an output of shape {:?} without a history", output.shape()),
            "the result of operations on one leaf or more",
            "did you forget leaf() on an input? Comparisons, detach(), no_grad and derivatives of what is linear give none",
        )),
    }
}

/// The error where a gradient without a history is differentiated.
fn no_graph(what: &str, t: &Tensor) -> Error {
    Error::shape(
        "grad",
        format!("{what}, shape {:?}, that came of a gradient without a history", t.shape()),
        "a gradient that can be differentiated",
        "did you forget create_graph? Take the gradient with grad(.., create_graph: true); if it is meant as a constant, \
         detach() it",
    )
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
