// 1-D convolution (cross-correlation, as in deep learning), one branch of an output that may hold several:
//   y[b, y_first + o, t] = sum over c, k of w[o, c, k] x[b, g(o) C_in/G + c, t S + k D - pad], x zero outside [0, L)
//
// x  [B, C_in, L]    w  packed by conv1d_pack    y  [B, y_channels, T]
// A thread computes 4 channels at 8 positions that lie Q = D / gcd(S, D) apart. Then the window of tap k + m,
// m = S / gcd(S, D), is the window of tap k moved by one register: each tap costs one load of x and one vec4 of w for
// 32 multiply-adds, for any stride and dilation.
// Dispatch: one thread per (b, block of 4 channels, block of 8 positions), WG threads per group, folded.

struct Params {
    n: u32, c_in: u32, len: u32, out_len: u32,
    in_g: u32, out_g: u32, kernel: u32, blocks: u32,
    stride: u32, dilation: u32, pad: i32, q: u32,
    m: u32, tiles: u32, y_channels: u32, y_first: u32,
    groups: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

// x at position i of the row that starts at `row`; zero outside.
fn at(row: u32, i: i32) -> f32 {
    let inside = i >= 0 && i < i32(p.len);
    return select(0.0, x[row + u32(select(0, i, inside))], inside);
}

fn put(b: u32, channel: u32, left: u32, t: u32, v: vec4<f32>) {
    if t >= p.out_len { return; }
    let i = (b * p.y_channels + channel) * p.out_len + t;
    y[i] = v.x;
    if left > 1u { y[i + p.out_len] = v.y; }
    if left > 2u { y[i + 2u * p.out_len] = v.z; }
    if left > 3u { y[i + 3u * p.out_len] = v.w; }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    let tile = i % p.tiles;
    let block = (i / p.tiles) % p.blocks;
    let g = (i / p.tiles / p.blocks) % p.groups;
    let b = i / p.tiles / p.blocks / p.groups;
    let t0 = (tile / p.q) * 8u * p.q + tile % p.q;
    let step = i32(p.q * p.stride);

    var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>(); var a3 = vec4<f32>();
    var a4 = vec4<f32>(); var a5 = vec4<f32>(); var a6 = vec4<f32>(); var a7 = vec4<f32>();
    for (var c = 0u; c < p.in_g; c++) {
        let row = (b * p.c_in + g * p.in_g + c) * p.len;
        let wrow = ((g * p.blocks + block) * p.in_g + c) * p.kernel;
        for (var r = 0u; r < min(p.m, p.kernel); r++) {
            var s = i32(t0 * p.stride + r * p.dilation) - p.pad;
            var x0 = 0.0;
            var x1 = at(row, s); var x2 = at(row, s + step); var x3 = at(row, s + 2 * step); var x4 = at(row, s + 3 * step);
            var x5 = at(row, s + 4 * step); var x6 = at(row, s + 5 * step); var x7 = at(row, s + 6 * step);
            s += 7 * step;
            for (var k = r; k < p.kernel; k += p.m) {
                x0 = x1; x1 = x2; x2 = x3; x3 = x4; x4 = x5; x5 = x6; x6 = x7;
                x7 = at(row, s);
                s += step;
                let v = w[wrow + k];
                a0 += v * x0; a1 += v * x1; a2 += v * x2; a3 += v * x3;
                a4 += v * x4; a5 += v * x5; a6 += v * x6; a7 += v * x7;
            }
        }
    }
    let channel = p.y_first + g * p.out_g + 4u * block;
    let left = p.out_g - 4u * block;
    put(b, channel, left, t0, a0);
    put(b, channel, left, t0 + p.q, a1);
    put(b, channel, left, t0 + 2u * p.q, a2);
    put(b, channel, left, t0 + 3u * p.q, a3);
    put(b, channel, left, t0 + 4u * p.q, a4);
    put(b, channel, left, t0 + 5u * p.q, a5);
    put(b, channel, left, t0 + 6u * p.q, a6);
    put(b, channel, left, t0 + 7u * p.q, a7);
}
