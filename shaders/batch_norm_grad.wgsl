// Gradient of batch normalisation with respect to its input (train mode: through mean and variance too):
//   y = w[c] rstd[c] (g - sums[0, c] / N - xhat sums[1, c] / N),  N = B T,  xhat = (x - mean[c]) rstd[c]
//
// g, x, y  [B, C, T] as vec4s    stats  from batch_norm_stats    w  [C]    sums  [2, C] from batch_norm_sums
// Dispatch and rows of vec4s as in batch_norm.wgsl.

struct Params { rows: u32, channels: u32, len: u32, chunks: u32, span: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> stats: array<f32>;
@group(0) @binding(4) var<storage, read> w: array<f32>;
@group(0) @binding(5) var<storage, read> sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / p.chunks;
    if row >= p.rows { return; }
    let c = row % p.channels;
    let d = (c + 1u) % p.channels;
    let n = f32(p.rows / p.channels * p.len);
    let mean = vec2<f32>(stats[c], stats[d]);
    let rstd = vec2<f32>(stats[p.channels + c], stats[p.channels + d]);
    let gain = vec2<f32>(w[c], w[d]) * rstd;
    let s0 = vec2<f32>(sums[c], sums[d]) / n;
    let s1 = vec2<f32>(sums[p.channels + c], sums[p.channels + d]) / n * rstd;
    let next = (row + 1u) * p.len;
    let first = (row * p.len + 3u) / 4u + group % p.chunks * p.span;
    let end = min((next + 3u) / 4u, first + p.span);
    var q = first + lid;
    if q >= end { return; }
    loop {
        let own = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q < vec4<u32>(next);
        let slope = (x[q] - select(mean.yyyy, mean.xxxx, own)) * select(s1.yyyy, s1.xxxx, own);
        y[q] = select(gain.yyyy, gain.xxxx, own) * (g[q] - select(s0.yyyy, s0.xxxx, own) - slope);
        q += WG;
        continuing { break if q >= end; }
    }
}

@compute @workgroup_size(WG)
fn short(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let q = (wid.y * nwg.x + wid.x) * WG + lid;
    if 4u * q >= p.rows * p.len { return; }
    let n = f32(p.rows / p.channels * p.len);
    var all = vec4<f32>();
    for (var k = 0u; k < 4u; k++) {
        let c = (4u * q + k) / p.len % p.channels;
        let rstd = stats[p.channels + c];
        let slope = (x[q][k] - stats[c]) * rstd * sums[p.channels + c] / n;
        all[k] = w[c] * rstd * (g[q][k] - sums[c] / n - slope);
    }
    y[q] = all;
}
