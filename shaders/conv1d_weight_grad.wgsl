// Gradient of a convolution with respect to its weight, for one branch of the output, in parts over the batch:
//   part[s, o, c, k] = sum over b in slice s, t of g[b, g_first + o, t] x[b, g(o) C_in/G + c, t S + k D - pad]
// The parts are added by reduce.wgsl in a fixed order.
//
// x  [B, C_in, L]    g  [B, g_channels, T]    part  [slices, C_out, C_in/G, K]
// A thread computes 4 output channels at 8 taps that lie m = S / gcd(S, D) apart; stepping t by Q = D / gcd(S, D)
// moves the window of x by one register, so a step costs one load of x and four of g for 32 multiply-adds.
// Dispatch: one thread per (slice, block of 4 channels, c, block of 8 taps), WG threads per group, folded.

struct Params {
    n: u32, c_in: u32, len: u32, out_len: u32,
    in_g: u32, out_g: u32, kernel: u32, blocks: u32,
    stride: u32, dilation: u32, pad: i32, q: u32,
    m: u32, tap_blocks: u32, g_channels: u32, g_first: u32,
    groups: u32, batch: u32, slice: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> grad: array<f32>;
@group(0) @binding(3) var<storage, read_write> part: array<f32>;

override WG: u32 = 64u;

fn at(row: u32, i: i32) -> f32 {
    let inside = i >= 0 && i < i32(p.len);
    return select(0.0, x[row + u32(select(0, i, inside))], inside);
}

fn put(first: u32, left: u32, k: u32, v: vec4<f32>) {
    if k >= p.kernel { return; }
    let row = p.in_g * p.kernel;
    part[first + k] = v.x;
    if left > 1u { part[first + row + k] = v.y; }
    if left > 2u { part[first + 2u * row + k] = v.z; }
    if left > 3u { part[first + 3u * row + k] = v.w; }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    let taps = i % p.tap_blocks;
    let c = (i / p.tap_blocks) % p.in_g;
    let block = (i / p.tap_blocks / p.in_g) % p.blocks;
    let g = (i / p.tap_blocks / p.in_g / p.blocks) % p.groups;
    let s = i / p.tap_blocks / p.in_g / p.blocks / p.groups;
    let k0 = (taps / p.m) * 8u * p.m + taps % p.m;
    let o = g * p.out_g + 4u * block;
    let left = p.out_g - 4u * block;
    // Rows past the group's last channel read the last one; what they give is not stored.
    let s1 = select(0u, p.out_len, left > 1u);
    let s2 = select(s1, 2u * p.out_len, left > 2u);
    let s3 = select(s2, 3u * p.out_len, left > 3u);
    let move_tap = i32(p.m * p.dilation);

    var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>(); var a3 = vec4<f32>();
    var a4 = vec4<f32>(); var a5 = vec4<f32>(); var a6 = vec4<f32>(); var a7 = vec4<f32>();
    for (var b = s * p.slice; b < min(p.batch, (s + 1u) * p.slice); b++) {
        let row = (b * p.c_in + g * p.in_g + c) * p.len;
        let grow = (b * p.g_channels + p.g_first + o) * p.out_len;
        for (var phase = 0u; phase < p.q; phase++) {
            var j = i32(phase * p.stride + k0 * p.dilation) - p.pad;
            var x0 = 0.0;
            var x1 = at(row, j); var x2 = at(row, j + move_tap); var x3 = at(row, j + 2 * move_tap); var x4 = at(row, j + 3 * move_tap);
            var x5 = at(row, j + 4 * move_tap); var x6 = at(row, j + 5 * move_tap); var x7 = at(row, j + 6 * move_tap);
            j += 7 * move_tap;
            for (var t = phase; t < p.out_len; t += p.q) {
                x0 = x1; x1 = x2; x2 = x3; x3 = x4; x4 = x5; x5 = x6; x6 = x7;
                x7 = at(row, j);
                j += move_tap;
                let v = vec4<f32>(grad[grow + t], grad[grow + s1 + t], grad[grow + s2 + t], grad[grow + s3 + t]);
                a0 += v * x0; a1 += v * x1; a2 += v * x2; a3 += v * x3;
                a4 += v * x4; a5 += v * x5; a6 += v * x6; a7 += v * x7;
            }
        }
    }
    let first = ((s * p.groups * p.out_g + o) * p.in_g + c) * p.kernel;
    put(first, left, k0, a0);
    put(first, left, k0 + p.m, a1);
    put(first, left, k0 + 2u * p.m, a2);
    put(first, left, k0 + 3u * p.m, a3);
    put(first, left, k0 + 4u * p.m, a4);
    put(first, left, k0 + 5u * p.m, a5);
    put(first, left, k0 + 6u * p.m, a6);
    put(first, left, k0 + 7u * p.m, a7);
}
