// Vectorised along positions: a thread computes four neighbouring outputs, so that a weight, and the arithmetic that finds
// it, serve four multiply-adds.
//   the sum of 01_naive, of t, t + 1, t + 2, t + 3
//
// src  [batch, groups in_g, len]    w  [groups out_g, in_g, kernel]    bias  [channels]    dst  [batch, channels, out_len]
//@ let quads: ceil(out_len, 4)
//@ threads: batch * groups * out_g * quads
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Params {
    n: u32, groups: u32, in_g: u32, out_g: u32, len: u32, out_len: u32, channels: u32, first: u32,
    kernel: u32, stride: u32, dilation: u32, pad: i32, quads: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> dst: array<f32>;

override relu: bool = false;
override WG: u32 = 64u;

// src at position i of the row that starts at `row`; zero outside. Negative i wrap to large ones.
fn at(row: u32, i: i32) -> f32 {
    return select(0.0, src[row + min(u32(i), p.len - 1u)], u32(i) < p.len);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let t = id % p.quads * 4u;
    let o = id / p.quads % (p.groups * p.out_g);
    let b = id / p.quads / (p.groups * p.out_g);
    let stride = i32(p.stride);
    var sum = vec4<f32>();
    for (var c = 0u; c < p.in_g; c++) {
        let row = ((b * p.groups + o / p.out_g) * p.in_g + c) * p.len;
        let taps = (o * p.in_g + c) * p.kernel;
        var i = i32(t * p.stride) - p.pad;
        for (var k = 0u; k < p.kernel; k++) {
            sum += w[taps + k] * vec4<f32>(at(row, i), at(row, i + stride), at(row, i + 2 * stride), at(row, i + 3 * stride));
            i += i32(p.dilation);
        }
    }
    if relu { sum = max(sum + bias[p.first + o], vec4<f32>()); }
    let to = (b * p.channels + p.first + o) * p.out_len + t;
    for (var q = 0u; q < min(4u, p.out_len - t); q++) { dst[to + q] = sum[q]; }
}
