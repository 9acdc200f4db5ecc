// The formula as loops: one weight's gradient a thread, the sum over records and positions.
//   dw[o, c, k] = sum over b, t of g[b, first + o, t] x[b, o / out_g in_g + c, t stride + k dilation - pad]
// where x is 0 outside [0, len).
//
// x  [batch, groups in_g, len]    g  [batch, channels, out_len], the output's gradient    dw  [groups out_g, in_g, kernel]
//@ threads: groups * out_g * in_g * kernel
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Params {
    n: u32, batch: u32, groups: u32, in_g: u32, out_g: u32, len: u32, out_len: u32, channels: u32, first: u32,
    kernel: u32, stride: u32, dilation: u32, pad: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let k = id % p.kernel;
    let c = id / p.kernel % p.in_g;
    let o = id / p.kernel / p.in_g;
    var sum = 0.0;
    for (var b = 0u; b < p.batch; b++) {
        let row = ((b * p.groups + o / p.out_g) * p.in_g + c) * p.len;
        let from_g = (b * p.channels + p.first + o) * p.out_len;
        for (var t = 0u; t < p.out_len; t++) {
            let i = t * p.stride + k * p.dilation;
            if i >= p.pad && i - p.pad < p.len { sum += g[from_g + t] * x[row + i - p.pad]; }
        }
    }
    dw[id] = sum;
}
