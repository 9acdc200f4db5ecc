// Backward pass of batch_norm.wgsl in train mode (through mean and variance too), of one normalisation or of two that were
// added, with the sums of batch_norm_back_sums.wgsl:
//   dx = gain[c] (g' - (sum of g')[c] / N - (x - mean[c]) slope[c]),  g' = scale g where y > 0, else 0 (RELU), else g
//
// g, y, x, x2, dx, dx2  [B, C, T] as vec4s    table  [10, pitch], see there
// SECOND  0: dx alone;  1: dx2 = g', of a tensor that was added;  2: dx2 of another normalisation
// RELU as there. Dispatch and rows of vec4s as in batch_norm_grad.wgsl.

struct Params { rows: u32, channels: u32, len: u32, chunks: u32, span: u32, pitch: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> x2: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> table: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> dx2: array<vec4<f32>>;

override SECOND: u32 = 0u;
override RELU: bool = false;
override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / p.chunks;
    if row >= p.rows { return; }
    let c = row % p.channels;
    let d = (c + 1u) % p.channels;
    let mass = vec2<f32>(table[3u * p.pitch + c], table[3u * p.pitch + d]);
    let gain = vec2<f32>(table[4u * p.pitch + c], table[4u * p.pitch + d]);
    let mean = vec2<f32>(table[5u * p.pitch + c], table[5u * p.pitch + d]);
    let slope = vec2<f32>(table[6u * p.pitch + c], table[6u * p.pitch + d]);
    let gain2 = vec2<f32>(table[7u * p.pitch + c], table[7u * p.pitch + d]);
    let mean2 = vec2<f32>(table[8u * p.pitch + c], table[8u * p.pitch + d]);
    let slope2 = vec2<f32>(table[9u * p.pitch + c], table[9u * p.pitch + d]);
    let next = (row + 1u) * p.len;
    let first = (row * p.len + 3u) / 4u + group % p.chunks * p.span;
    let end = min((next + 3u) / 4u, first + p.span);
    var q = first + lid;
    if q >= end { return; }
    loop {
        let own = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q < vec4<u32>(next);
        var v = g[q] * p.scale;
        if RELU { v = select(vec4<f32>(), v, y[q] > vec4<f32>()); }
        let rest = v - select(mass.yyyy, mass.xxxx, own);
        dx[q] = select(gain.yyyy, gain.xxxx, own) * (rest - (x[q] - select(mean.yyyy, mean.xxxx, own)) * select(slope.yyyy, slope.xxxx, own));
        if SECOND == 1u { dx2[q] = v; }
        if SECOND == 2u {
            dx2[q] = select(gain2.yyyy, gain2.xxxx, own) * (rest - (x2[q] - select(mean2.yyyy, mean2.xxxx, own)) * select(slope2.yyyy, slope2.xxxx, own));
        }
        q += WG;
        continuing { break if q >= end; }
    }
}

@compute @workgroup_size(WG)
fn short(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let q = (wid.y * nwg.x + wid.x) * WG + lid;
    if 4u * q >= p.rows * p.len { return; }
    var v = g[q] * p.scale;
    if RELU { v = select(vec4<f32>(), v, y[q] > vec4<f32>()); }
    var first = vec4<f32>();
    var second = v;
    for (var k = 0u; k < 4u; k++) {
        let c = (4u * q + k) / p.len % p.channels;
        let rest = v[k] - table[3u * p.pitch + c];
        first[k] = table[4u * p.pitch + c] * (rest - (x[q][k] - table[5u * p.pitch + c]) * table[6u * p.pitch + c]);
        if SECOND == 2u {
            second[k] = table[7u * p.pitch + c] * (rest - (x2[q][k] - table[8u * p.pitch + c]) * table[9u * p.pitch + c]);
        }
    }
    dx[q] = first;
    if SECOND != 0u { dx2[q] = second; }
}
