// Batch normalisation, applied: y = (x - mean[c]) rstd[c] w[c] + b[c].
//
// x, y  [B, C, T], read and written as vec4 (buffers are padded to whole vec4s)    stats  [3, C]: mean, rstd, ...
// w, b  [C]
// A row owns the vec4s that begin in it; the last of them may reach into the next row, which has the next channel.
// Dispatch: `main` one group of WG threads per row (b, c) and chunk of `span` vec4s: no division per element; `short`, for
// rows of fewer than 4 values, one thread per row; both folded over two dimensions. Loops end with their test, see conv1d.wgsl.

struct Params { rows: u32, channels: u32, len: u32, chunks: u32, span: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read> b: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / p.chunks;
    if row >= p.rows { return; }
    let c = row % p.channels;
    let d = (c + 1u) % p.channels;
    let gain = vec2<f32>(stats[p.channels + c] * w[c], stats[p.channels + d] * w[d]);
    let mean = vec2<f32>(stats[c], stats[d]);
    let shift = vec2<f32>(b[c], b[d]);
    let next = (row + 1u) * p.len;
    let first = (row * p.len + 3u) / 4u + group % p.chunks * p.span;
    let end = min((next + 3u) / 4u, first + p.span);
    var q = first + lid;
    if q >= end { return; }
    loop {
        let own = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q < vec4<u32>(next);
        let m = select(mean.yyyy, mean.xxxx, own);
        y[q] = (x[q] - m) * select(gain.yyyy, gain.xxxx, own) + select(shift.yyyy, shift.xxxx, own);
        q += WG;
        continuing { break if q >= end; }
    }
}

@compute @workgroup_size(WG)
fn short(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let row = (wid.y * nwg.x + wid.x) * WG + lid;
    if row >= p.rows { return; }
    let c = row % p.channels;
    for (var i = row * p.len; i < (row + 1u) * p.len; i++) {
        y[i / 4u][i % 4u] = (x[i / 4u][i % 4u] - stats[c]) * (stats[p.channels + c] * w[c]) + b[c];
    }
}
