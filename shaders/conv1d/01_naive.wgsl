// The formula as loops: one output a thread, the sum over channels and taps.
//   dst[b, first + o, t] = sum over c, k of w[o, c, k] src[b, g in_g + c, t stride + k dilation - pad],  g = o / out_g
// where src is 0 outside [0, len); relu: max(0, . + bias[first + o]).
//
// src  [batch, groups in_g, len]    w  [groups out_g, in_g, kernel]    bias  [channels]    dst  [batch, channels, out_len]
//@ threads: batch * groups * out_g * out_len
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Params {
    n: u32, groups: u32, in_g: u32, out_g: u32, len: u32, out_len: u32, channels: u32, first: u32,
    kernel: u32, stride: u32, dilation: u32, pad: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> dst: array<f32>;

override relu: bool = false;
override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let t = id % p.out_len;
    let o = id / p.out_len % (p.groups * p.out_g);
    let b = id / p.out_len / (p.groups * p.out_g);
    var sum = 0.0;
    for (var c = 0u; c < p.in_g; c++) {
        let row = ((b * p.groups + o / p.out_g) * p.in_g + c) * p.len;
        for (var k = 0u; k < p.kernel; k++) {
            let i = t * p.stride + k * p.dilation;
            if i >= p.pad && i - p.pad < p.len {
                sum += w[(o * p.in_g + c) * p.kernel + k] * src[row + i - p.pad];
            }
        }
    }
    if relu { sum = max(sum + bias[p.first + o], 0.0); }
    dst[(b * p.channels + p.first + o) * p.out_len + t] = sum;
}
