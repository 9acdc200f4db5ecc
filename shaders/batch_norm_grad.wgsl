// Gradient of batch normalisation with respect to its input (train mode: through mean and variance too):
//   y = w[c] rstd[c] (g - sums[0, c] / N - xhat sums[1, c] / N),  N = B T,  xhat = (x - mean[c]) rstd[c]
//
// g, x, y  [B, C, T]    stats  [3, C]    w  [C]    sums  [2, C] from batch_norm_sums
// Dispatch: one group of WG threads per row (b, c) and chunk of 8 WG samples, folded over two dimensions.

struct Params { rows: u32, channels: u32, len: u32, chunks: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<f32>;
@group(0) @binding(4) var<storage, read> w: array<f32>;
@group(0) @binding(5) var<storage, read> sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / p.chunks;
    if row >= p.rows { return; }
    let c = row % p.channels;
    let n = f32(p.rows / p.channels * p.len);
    let mean = stats[c];
    let rstd = stats[p.channels + c];
    let gain = w[c] * rstd;
    let s0 = sums[c] / n;
    let s1 = sums[p.channels + c] / n * rstd;
    let start = (group % p.chunks) * 8u * WG + lid;
    for (var t = start; t < min(start - lid + 8u * WG, p.len); t += WG) {
        let i = row * p.len + t;
        y[i] = gain * (g[i] - s0 - (x[i] - mean) * s1);
    }
}
