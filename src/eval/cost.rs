//! What a prediction costs: counted, and measured on the device at hand.

use crate::error::Result;
use crate::eval::{BATCH, Tested, logits};
use crate::nn::Outline;
use crate::run::cost::{Cost, Inference};
use std::time::{Duration, Instant};

/// Passes that a time is the median of.
const PASSES: usize = 9;
/// Where they are slow, fewer of them: none is begun after this time once there are [`FEWEST`].
const LONGEST: Duration = Duration::from_secs(2);
const FEWEST: usize = 3;

/// Counts and measures, at a batch of one and at that of the test.
pub(super) fn cost(tested: &Tested<'_>) -> Result<Cost> {
    let (config, classes, samples) = (tested.net.config(), tested.net.classes(), tested.strips.len_of_strip());
    let outline = Outline::new(config, classes, false, samples)?;
    Ok(Cost {
        parameters: outline.parameters(),
        multiply_adds: outline.multiply_adds,
        samples,
        adapter: Some(tested.gpu.report().title()),
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
    use crate::nn::NetworkConfig;
    use crate::nn::models::exgnet::{Sizes, branch_channels};

    #[test]
    fn multiply_adds_by_hand() {
        let config = Sizes { widths: vec![8, 8], strides: vec![2, 1], stem_channels: 4, ..Sizes::default() };
        // 100 samples: 50 in the stem, 25 after pooling, 13 in the first block
        let stem = 4 * config.stem_kernel * 50;
        let kernels: usize =
            branch_channels(8).into_iter().zip(config.branch_kernels()).map(|(c, kernel)| c * kernel).sum();
        let blocks = (4 * kernels + 4 * 8 + 8 * kernels) * 13;
        let outline = Outline::new(&NetworkConfig::from(config), 3, false, 100).expect("an outline");
        assert_eq!(outline.multiply_adds, (stem + blocks + 8 * 3) as u64);
    }
}
