// Running estimates of batch normalisation, in place: r = (1 - momentum) r + momentum (batch estimate); the variance is
// the unbiased one, as in PyTorch.
//
// stats  [5, C] from batch_norm_stats    mean, variance  [C]
// Dispatch: one thread per channel, WG threads per group.

struct Params { channels: u32, momentum: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> variance: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= p.channels { return; }
    mean[c] += p.momentum * (stats[c] - mean[c]);
    variance[c] += p.momentum * (stats[2u * p.channels + c] - variance[c]);
}
