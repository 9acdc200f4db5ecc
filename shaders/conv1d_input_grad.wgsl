// Gradient of a convolution with respect to its input, for one branch of the output:
//   y[b, c, i] (+)= sum over o, k with (i + pad - k D) = t S, 0 <= t < T, of w[o, c, k] g[b, g_first + o, t]
//
// g  [B, g_channels, T]    w  packed by conv1d_pack (TRANSPOSED 1)    y  [B, C_in, L]
// ADD  1: adds to what y holds (the further branches of one input)
// A thread computes 4 channels at 8 positions that lie P = m D apart, m = S / gcd(S, D): they all use the same taps
// k = r, r + m, ..., and going from one tap to the next moves the window of g by one register.
// Dispatch: one thread per (b, block of 4 channels, block of 8 positions), WG threads per group, folded.

struct Params {
    n: u32, c_in: u32, len: u32, out_len: u32,
    in_g: u32, out_g: u32, kernel: u32, blocks: u32,
    stride: u32, dilation: u32, pad: i32, q: u32,
    m: u32, tiles: u32, g_channels: u32, g_first: u32,
    groups: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> grad: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override ADD: u32 = 0u;
override WG: u32 = 64u;

fn at(row: u32, t: i32) -> f32 {
    let inside = t >= 0 && t < i32(p.out_len);
    return select(0.0, grad[row + u32(select(0, t, inside))], inside);
}

fn put_one(i: u32, v: f32) {
    if ADD == 1u { y[i] += v; } else { y[i] = v; }
}

fn put(b: u32, channel: u32, left: u32, s: u32, v: vec4<f32>) {
    if s >= p.len { return; }
    let i = (b * p.c_in + channel) * p.len + s;
    put_one(i, v.x);
    if left > 1u { put_one(i + p.len, v.y); }
    if left > 2u { put_one(i + 2u * p.len, v.z); }
    if left > 3u { put_one(i + 3u * p.len, v.w); }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    let tile = i % p.tiles;
    let block = (i / p.tiles) % p.blocks;
    let g = (i / p.tiles / p.blocks) % p.groups;
    let b = i / p.tiles / p.blocks / p.groups;
    let gap = p.m * p.dilation;
    let i0 = (tile / gap) * 8u * gap + tile % gap;

    // The first tap that hits this thread's positions; none where the stride steps over them.
    var r = p.m;
    for (var k = 0u; k < p.m; k++) {
        if (i32(i0 + p.m * p.dilation * p.stride) + p.pad - i32(k * p.dilation)) % i32(p.stride) == 0 { r = min(r, k); }
    }
    if r == p.m { r = p.kernel; }
    // t of tap r at position i0; exact where r is a tap.
    let top = i32(i0) + p.pad - i32(r * p.dilation);
    let t0 = (top + i32(p.stride) * i32(p.kernel * p.dilation)) / i32(p.stride) - i32(p.kernel * p.dilation);
    let q = i32(p.q);

    var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>(); var a3 = vec4<f32>();
    var a4 = vec4<f32>(); var a5 = vec4<f32>(); var a6 = vec4<f32>(); var a7 = vec4<f32>();
    for (var o = 0u; o < p.out_g; o++) {
        let row = (b * p.g_channels + p.g_first + g * p.out_g + o) * p.out_len;
        let wrow = ((g * p.blocks + block) * p.out_g + o) * p.kernel;
        var t = t0;
        var x0 = at(row, t + q); var x1 = at(row, t + 2 * q); var x2 = at(row, t + 3 * q); var x3 = at(row, t + 4 * q);
        var x4 = at(row, t + 5 * q); var x5 = at(row, t + 6 * q); var x6 = at(row, t + 7 * q); var x7 = 0.0;
        for (var k = r; k < p.kernel; k += p.m) {
            x7 = x6; x6 = x5; x5 = x4; x4 = x3; x3 = x2; x2 = x1; x1 = x0;
            x0 = at(row, t);
            t -= q;
            let v = w[wrow + k];
            a0 += v * x0; a1 += v * x1; a2 += v * x2; a3 += v * x3;
            a4 += v * x4; a5 += v * x5; a6 += v * x6; a7 += v * x7;
        }
    }
    let channel = g * p.in_g + 4u * block;
    let left = p.in_g - 4u * block;
    put(b, channel, left, i0, a0);
    put(b, channel, left, i0 + gap, a1);
    put(b, channel, left, i0 + 2u * gap, a2);
    put(b, channel, left, i0 + 3u * gap, a3);
    put(b, channel, left, i0 + 4u * gap, a4);
    put(b, channel, left, i0 + 5u * gap, a5);
    put(b, channel, left, i0 + 6u * gap, a6);
    put(b, channel, left, i0 + 7u * gap, a7);
}
