//! The backward pass of a batch normalisation with all that follows it in one go (`shaders/batch_norm_back*.wgsl`): sums and
//! gradients of both normalisations of a block, with the ReLU and the dropout undone on the way. It keeps no history;
//! where a second derivative is wanted the operations of [`super`] do the same one by one.

use super::{BatchNorm, Second, dims, launch_rows, slices};
use crate::error::Result;
use crate::gpu::{Gpu, Launch};
use crate::ops::{Saved, groups, trace};
use crate::tensor::{DType, Tensor};

/// Rows of the kernels' table.
const ROWS: usize = 10;
/// Those of the gradients of shift, first weight and second weight.
const SUM: usize = 0;
const PRODUCT: usize = 1;
const PRODUCT2: usize = 2;

impl BatchNorm {
    /// Gradients with respect to the inputs, in train mode.
    pub(super) fn fused_gradients(&self, s: &Saved<'_>, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let (gpu, x) = (grad.gpu(), &s.inputs[0]);
        // the kernels take the weights from the statistics; written over, they are an error as for the simple operations
        let weights = if matches!(self.second, Second::Norm(_)) { &[1, 4][..] } else { &[1] };
        weights.iter().try_for_each(|&i| s.inputs[i].storage().check_kept())?;
        let (x2, stats2) = match &self.second {
            Second::Norm(stats) => (&s.inputs[3], stats),
            _ => (x, &self.first),
        };
        let sides = Sides { g: grad, y: s.output, x, x2 };
        let table = self.table(gpu, &sides, stats2)?;
        let dx = Tensor::empty(gpu, x.shape(), DType::F32)?;
        let dx2 = match &self.second {
            Second::Nothing => Tensor::empty(gpu, &[1], DType::F32)?,
            _ => Tensor::empty(gpu, x.shape(), DType::F32)?,
        };
        let more = |launch: Launch<'static>| {
            let launch = launch.constant("SECOND", self.second.code()).constant("RELU", self.relu.into());
            launch.uint([table.dim(1)]).float([self.scale()])
        };
        launch_rows("batch_norm_back", gpu, dims(x), 4, more, &[grad, s.output, x, x2, &table, &dx, &dx2])?;
        trace::see("batch_norm_back", &[grad, x, x2], &dx)?;

        let row = |i: usize| Some(table.part(i * table.dim(1), &[x.dim(1)]));
        let mut all = vec![Some(dx), row(PRODUCT), row(SUM)];
        match &self.second {
            Second::Nothing => {}
            Second::Tensor => all.push(Some(dx2)),
            Second::Norm(_) => {
                trace::see("batch_norm_back", &[grad, x, x2], &dx2)?;
                all.extend([Some(dx2), row(PRODUCT2), row(SUM)]);
            }
        }
        // the state of the dropout
        all.resize(s.inputs.len(), None);
        Ok(all)
    }

    /// What the gradients need of each channel `[10, pitch]`.
    fn table(&self, gpu: &Gpu, sides: &Sides<'_>, stats2: &Tensor) -> Result<Tensor> {
        let all @ [b, c, t] = dims(sides.x);
        let [slice, slices] = slices(gpu, "batch_norm_back_sums", all);
        let part = Tensor::empty(gpu, &[slices, c, 3], DType::F32)?;
        // each row can be bound by itself
        let table = Tensor::empty(gpu, &[ROWS, c.next_multiple_of(64)], DType::F32)?;
        let two = matches!(self.second, Second::Norm(_));
        let launch = |entry| {
            let launch = Launch::new("batch_norm_back_sums").entry(entry);
            let launch = launch.uint([b, c, t, slice, slices, table.dim(1)]).float([self.scale()]);
            let launch = launch.constant("RELU", self.relu.into()).constant("TWO", two.into());
            [sides.g, sides.y, sides.x, &self.first, sides.x2, stats2, &part, &table]
                .into_iter()
                .fold(launch, |launch, tensor| launch.bind(tensor.storage()))
        };
        groups::sums(launch("slices"), gpu, "batch_norm_back_sums", all).groups(gpu, slices * c)?;
        launch("combine").threads(gpu, c, 8)?;
        trace::see("batch_norm_back_sums", &[sides.g, sides.x, sides.x2], &part)?;
        Ok(table)
    }
}

/// What the kernels read: the gradient, the output, the inputs of the normalisations.
struct Sides<'a> {
    g: &'a Tensor,
    y: &'a Tensor,
    x: &'a Tensor,
    x2: &'a Tensor,
}
