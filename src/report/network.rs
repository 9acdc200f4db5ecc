//! The network of a run.

use super::Drawn;
use super::runs::{Material, Run};
use crate::figures::network::{Network, Part, draw as diagram};
use crate::figures::{Figure, Look};
use crate::nn::config::{BRANCHES, BlockKind, Head, branch_channels};
use crate::train::estimate::Estimate;

pub(super) fn draw<'a>(drawn: &mut Drawn<'a>, material: &'a Material, look: &Look) {
    // the variant with most parts shows them all
    let Some(run) = material.runs.iter().max_by_key(|r| {
        let l = &r.experiment.losses;
        usize::from(l.joint > 0.0 || l.feature > 0.0) + usize::from(l.xai > 0.0)
    }) else {
        return;
    };
    if material.classes.len() < 2 {
        return drawn.miss("network", "neither metrics.json nor split.json tells the classes: train the run");
    }
    drawn.add("network", network(run, material.classes.len(), look));
}

fn network<'a>(run: &Run, classes: usize, look: &Look) -> crate::Result<Figure<'a>> {
    let e = &run.experiment;
    let (net, weights) = (&e.network, e.losses.weights(e.network.widths.len())?);
    let samples = e.data.samples();
    let estimate = Estimate::new(net, &weights, classes, samples, 1);
    let part = |name: &str, does: String| {
        let found = estimate.parts.iter().find(|p| p.name == name);
        let output = found.map_or((0, 0), |p| (p.output[0], p.output.get(1).copied().unwrap_or(0)));
        Part { name: name.into(), does, output, parameters: found.map_or(0, |p| p.parameters) }
    };
    let mut trunk = vec![part("stem", "stride 2, pool 2".into())];
    for (i, (_, _, stride)) in net.blocks().enumerate() {
        trunk.push(part(
            &format!("blocks.{i}"),
            if stride == 1 { "stride 1".into() } else { format!("stride {stride}") },
        ));
    }
    let head =
        part("head", if net.head == Head::Linear { "linear".into() } else { format!("mlp, {}", net.head_hidden) });
    let describe = |name: &str| match name {
        "feature" => "features: 17 to 128 to 64".to_owned(),
        "joint" => format!("average and feature to {classes} classes"),
        _ => "average to 17 features".to_owned(),
    };
    let train_only = estimate.parts.iter().filter(|p| ["feature", "joint", "regressor"].contains(&p.name.as_str()));
    let (kernels, dilations) = (net.branch_kernels(), net.branch_dilations());
    let last = net.widths.last().copied().unwrap_or(1);
    let channels = branch_channels(last);
    let branch = |j: usize| match dilations[j] {
        1 => format!("{} taps: C/3", kernels[j]),
        d => format!("{} taps, dilation {d}: C/3", kernels[j]),
    };
    let caption = format!(
        "The network: heights are the logarithm of the length, widths the channels (numbers: channels × samples; below \
         them the parameters). A block's convolutions share its C channels (the last block's C = {last}: {}). \
         Dashed: what exists only while training. {} parameters in training, {} in the exported model, for {classes} \
         classes and strips of {samples} samples ({} s at {} Hz).{}",
        channels.map(|c| c.to_string()).join(", "),
        estimate.parameters,
        estimate.parameters_inference,
        e.data.seconds,
        e.data.fs,
        if weights.xai > 0.0 { " Grad-CAM: the block whose map is guided." } else { "" },
    );
    let network = Network {
        samples,
        trunk,
        head,
        train_only: train_only.map(|p| part(&p.name, describe(&p.name))).collect(),
        guided: (weights.xai > 0.0).then_some(weights.block),
        branches: (0..BRANCHES).map(branch).collect(),
        cascade: net.kind == BlockKind::Cascade,
        squeeze: net.se_reduction > 0,
        parameters: (estimate.parameters, estimate.parameters_inference),
    };
    diagram(look, "network", network, &caption)
}
