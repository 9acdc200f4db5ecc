//! What a prediction costs: counted, and measured on the device at hand.

use crate::error::Result;
use crate::eval::{BATCH, Tested, logits};
use crate::nn::network::{expected_tensors, multiply_adds};
use crate::run::cost::{Cost, Inference};
use crate::tensor::numel;
use std::time::{Duration, Instant};

/// Passes that a time is the median of.
const PASSES: usize = 9;
/// Where they are slow, fewer of them: none is begun after this time once there are [`FEWEST`].
const LONGEST: Duration = Duration::from_secs(2);
const FEWEST: usize = 3;

/// Counts and measures, at a batch of one and at that of the test.
pub(super) fn cost(tested: &Tested<'_>) -> Result<Cost> {
    let (config, classes, samples) = (tested.net.config(), tested.net.classes(), tested.strips.len_of_strip());
    let tensors = expected_tensors(config, classes, false);
    let parameters =
        tensors.iter().filter(|(name, _)| !name.contains(".running_")).map(|(_, shape)| numel(shape)).sum();
    Ok(Cost {
        parameters,
        multiply_adds: multiply_adds(config, classes, samples),
        samples,
        adapter: Some(tested.gpu.report().name.clone()),
        inference: vec![measured(tested, 1)?, measured(tested, BATCH)?],
    })
}

fn measured(tested: &Tested<'_>, batch: usize) -> Result<Inference> {
    let Tested { gpu, net, strips, records, .. } = *tested;
    let part: Vec<usize> = records.iter().copied().cycle().take(batch).collect();
    let pass = || {
        let start = Instant::now();
        logits(gpu, net, strips, &part, batch).map(|_| start.elapsed().as_secs_f64())
    };
    // the first compiles kernels
    pass()?;
    let (begun, mut seconds) = (Instant::now(), Vec::new());
    while seconds.len() < PASSES && (seconds.len() < FEWEST || begun.elapsed() < LONGEST) {
        seconds.push(pass()?);
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    Ok(Inference { batch, ms_per_strip: 1e3 * median / batch as f64, passes: seconds.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::config::{NetworkConfig, branch_channels};

    #[test]
    fn multiply_adds_by_hand() {
        let config =
            NetworkConfig { widths: vec![8, 8], strides: vec![2, 1], stem_channels: 4, ..NetworkConfig::default() };
        // 100 samples: 50 in the stem, 25 after pooling, 13 in the first block
        let stem = 4 * config.stem_kernel * 50;
        let kernels: usize =
            branch_channels(8).into_iter().zip(config.branch_kernels()).map(|(c, kernel)| c * kernel).sum();
        let blocks = (4 * kernels + 4 * 8 + 8 * kernels) * 13;
        assert_eq!(multiply_adds(&config, 3, 100), (stem + blocks + 8 * 3) as u64);
    }
}
