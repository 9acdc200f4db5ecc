// Batch normalisation, applied: y = (x - mean[c]) rstd[c] w[c] + b[c].
//
// x, y  [B, C, T]    stats  [3, C]: mean, rstd, ...    w, b  [C]
// Dispatch: one group of WG threads per row (b, c) and chunk of 8 WG samples, folded over two dimensions: no division
// per element.

struct Params { rows: u32, channels: u32, len: u32, chunks: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read> b: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / p.chunks;
    if row >= p.rows { return; }
    let c = row % p.channels;
    let gain = stats[p.channels + c] * w[c];
    let mean = stats[c];
    let shift = b[c];
    let start = (group % p.chunks) * 8u * WG + lid;
    for (var t = start; t < min(start - lid + 8u * WG, p.len); t += WG) {
        y[row * p.len + t] = (x[row * p.len + t] - mean) * gain + shift;
    }
}
