//! The backward pass of a batch normalisation with all that follows it in one go (`back_sums` and `back` of `shaders/batch_norm`): sums and
//! gradients of both normalisations of a block, with the ReLU and the dropout undone on the way. It keeps no history;
//! where a second derivative is wanted the operations of [`super`] do the same one by one.

use super::family::{BACK, BACK_SUMS};
use super::{BatchNorm, Second, call, dims};
use crate::error::Result;
use crate::ops::{Saved, trace};
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
        // each row can be bound by itself
        let table = Tensor::empty(gpu, &[ROWS, x.dim(1).next_multiple_of(64)], DType::F32)?;
        let (n, two) = (x.numel() as f64, self.second.code() == 2);
        let launch = |kernel, summing| {
            call(kernel, gpu, dims(x), summing)
                .ints(&[("second", self.second.code()), ("pitch", table.dim(1))])
                .flag("relu", self.relu)
                .float("scale", self.scale())
                .bind("g", grad)
                .bind("out", s.output)
                .bind("x", x)
                .bind("x2", x2)
        };
        launch(&BACK_SUMS, true)
            .bind("norm", &self.first)
            .bind("norm2", stats2)
            .bind("table", &table)
            .cost(4.0 * n, if two { 16.0 * n } else { 12.0 * n })
            .run()?;
        for row in [SUM, PRODUCT] {
            trace::see("batch_norm_back_sums", &[grad, x, x2], &table.part(row * table.dim(1), &[x.dim(1)]))?;
        }
        let dx = Tensor::empty(gpu, x.shape(), DType::F32)?;
        let dx2 = match &self.second {
            Second::Nothing => Tensor::empty(gpu, &[1], DType::F32)?,
            _ => Tensor::empty(gpu, x.shape(), DType::F32)?,
        };
        launch(&BACK, false)
            .bind("coefficients", &table)
            .bind("dx", &dx)
            .bind("dx2", &dx2)
            .cost(5.0 * n, if two { 24.0 * n } else { 16.0 * n })
            .run()?;
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
}
