//! Versions that read their operands as they are, branch by branch.

use super::way::Way;
use super::{Pass, Sizes};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::tensor::Tensor;

impl Way<'_> {
    /// Branch `j` of the convolution (`src` = x, `dst` = y; with a bias `max(0, . + bias)`) or of its input gradient
    /// (`src` = the output's gradient, `dst` = the input's), where all branches but the first add to `dst`.
    pub(super) fn plain(
        &self,
        gpu: &Gpu,
        (src, weight, bias, dst): (&Tensor, &Tensor, Option<&Tensor>, &Tensor),
        (j, s): (usize, &Sizes),
    ) -> Result<()> {
        let [flops, bytes] = s.cost();
        self.call(gpu, j)
            .ints(&self.spec.ints(j, s))
            .flag("relu", bias.is_some())
            .flag("add", self.pass == Pass::InputGrad && j > 0)
            .bind("src", src)
            .bind("w", weight)
            .bind("bias", bias.unwrap_or(weight))
            .bind("dst", dst)
            .cost(flops, bytes)
            .run()
    }

    /// The gradient `dw` of branch `j`'s weight.
    pub(super) fn plain_weight_grad(&self, gpu: &Gpu, [x, g, dw]: [&Tensor; 3], (j, s): (usize, &Sizes)) -> Result<()> {
        let [flops, bytes] = s.cost();
        let call = self.call(gpu, j).ints(&self.spec.ints(j, s)).cost(flops, bytes);
        call.bind("x", x).bind("g", g).bind("dw", dw).run()
    }
}
