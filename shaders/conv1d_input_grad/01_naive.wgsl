// The formula as loops: one value of the input's gradient a thread, the sum over the outputs that it went into.
//   dst[b, g in_g + c, i] (+)= sum over o, k with i + pad - k dilation = t stride of w[g out_g + o, c, k] src[b, first + g out_g + o, t]
// with t in [0, out_len); add: to what dst holds (the further branches of one input).
//
// src  [batch, channels, out_len], the output's gradient    w  [groups out_g, in_g, kernel]    dst  [batch, groups in_g, len]
//@ threads: batch * groups * in_g * len
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Params {
    n: u32, groups: u32, in_g: u32, out_g: u32, len: u32, out_len: u32, channels: u32, first: u32,
    kernel: u32, stride: u32, dilation: u32, pad: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;

override add: bool = false;
override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let i = id % p.len;
    let c = id / p.len % p.in_g;
    let g = id / p.len / p.in_g % p.groups;
    let b = id / p.len / p.in_g / p.groups;
    var sum = 0.0;
    for (var o = g * p.out_g; o < (g + 1u) * p.out_g; o++) {
        let row = (b * p.channels + p.first + o) * p.out_len;
        for (var k = 0u; k < p.kernel; k++) {
            let at = i + p.pad - k * p.dilation;
            if i + p.pad >= k * p.dilation && at % p.stride == 0u && at / p.stride < p.out_len {
                sum += w[(o * p.in_g + c) * p.kernel + k] * src[row + at / p.stride];
            }
        }
    }
    if add { sum += dst[id]; }
    dst[id] = sum;
}
