use exgnet::prelude::*;

/// Classifies three kinds of signals, and shows where it looked.
pub struct Net {
    conv: Conv1d,
    norm: BatchNorm,
    drop: Dropout,
    head: Linear,
}

impl Net {
    pub fn new(p: &mut ParamBuilder) -> Self {
        let options = ConvOptions { bias: false, ..ConvOptions::default() };
        let conv = p.conv1d("conv", 1, 8, 9, options);
        Self { conv, norm: p.batch_norm("norm", 8), drop: p.dropout("drop", 0.1), head: p.linear("head", 8, 3) }
    }

    /// Logits `[B, 3]` and feature maps `[B, 8, L]` of signals `[B, 1, L]`.
    pub fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<(Tensor, Tensor)> {
        let maps = self.norm.forward(&self.conv.forward(x)?, mode)?.relu()?;
        let pooled = self.drop.forward(&ops::global_avg_pool(&maps)?, mode)?;
        Ok((self.head.forward(&pooled)?, maps))
    }
}
