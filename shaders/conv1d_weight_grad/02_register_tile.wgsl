// Register tile: conv1d/03_register_tile with the roles of taps and time exchanged, a thread keeps 4 channels x 12 taps, in
// parts over the batch that are added in order.
//   part[s, o, c, k] = sum over b in slice s, t of g[b, first + o, t] x[b, group in_g + c, t stride + k dilation - pad]
//   dw = sum over s of part[s]
//
// x  [batch, c_in, len]    g  [batch, channels, out_len]    dw  [groups out_g, in_g, kernel]
// A thread computes 4 output channels at 12 taps that lie m = S / gcd(S, D) apart, and goes through the times t = r, r + q,
// r + 2 q, ... (phase r, q = D / gcd(S, D)). A time moves the window of x by one value: a scalar and a vec4 are loaded for
// 4 x 12 multiply-adds. The loop over the times is unrolled by 4; `pack` pads g with zeros to `fours` such steps.
// Loops end with their test, see conv1d/03_register_tile.
//@ alias: plain
//@ default: true
//@ let m: stride // gcd(stride, dilation)
//@ let q: dilation // gcd(stride, dilation)
//@ let blocks: ceil(out_g, 4)
//@ let steps: up(out_len, 4 * q)
//@ let fours: steps // (4 * q)
//@ let tap_blocks: ceil(ceil(kernel, m), 12) * m
//@ let per_slice: groups * blocks * in_g * tap_blocks
//@ knob threads: 2048 if software else 65536 | 256 512 1024 2048 4096 8192 16384 65536
//@ let slice: ceil(batch, max(1, min(batch, ceil(threads, per_slice))))
//@ let slices: ceil(batch, slice)
//@ let direct: slices == 1
//@ let weights: groups * out_g * in_g * kernel
//@ scratch packed: 4 * batch * groups * blocks * steps
//@ scratch part: slices * weights
//@ kernel conv1d_weight_grad: pack, main if direct
//@ kernel conv1d_weight_grad: pack, main, combine
//@ threads pack: batch * groups * blocks * steps // 4
//@ threads main: slices * per_slice
//@ threads combine: weights
//@ knob WG: 64 | 8 16 32 64 128 256
{% set part = "dw" if direct else "part" %}
struct Params {
    n: u32, groups: u32, blocks: u32, tap_blocks: u32,
    c_in: u32, len: u32, in_g: u32, out_g: u32,
    kernel: u32, stride: u32, dilation: u32, pad: i32,
    q: u32, m: u32, steps: u32, fours: u32,
    batch: u32, slice: u32,
    channels: u32, first: u32, out_len: u32, weights: u32, slices: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> {{ part }}: array<f32>;
@group(0) @binding(4) var<storage, read> g: array<f32>;

// x at position i of the row that starts at `row`; zero outside. Negative i wrap to large ones.
fn at(row: u32, i: i32) -> f32 {
    return select(0.0, x[row + min(u32(i), p.len - 1u)], u32(i) < p.len);
}

// Tap k of four channels; `left` is the number of channels from the block's first to the group's last.
fn put(first: u32, left: u32, k: u32, v: vec4<f32>) {
    if k >= p.kernel { return; }
    let row = p.in_g * p.kernel;
    {{ part }}[first + k] = v.x;
    if left > 1u { {{ part }}[first + row + k] = v.y; }
    if left > 2u { {{ part }}[first + 2u * row + k] = v.z; }
    if left > 3u { {{ part }}[first + 3u * row + k] = v.w; }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let taps = id % p.tap_blocks;
    let c = (id / p.tap_blocks) % p.in_g;
    let block = (id / p.tap_blocks / p.in_g) % p.blocks;
    let group = (id / p.tap_blocks / p.in_g / p.blocks) % p.groups;
    let slice = id / p.tap_blocks / p.in_g / p.blocks / p.groups;
    let k0 = (taps / p.m) * 12u * p.m + taps % p.m;
    let step = i32(p.m * p.dilation);
    let end = min(p.batch, (slice + 1u) * p.slice);

    var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>(); var a3 = vec4<f32>();
    var a4 = vec4<f32>(); var a5 = vec4<f32>(); var a6 = vec4<f32>(); var a7 = vec4<f32>();
    var a8 = vec4<f32>(); var a9 = vec4<f32>(); var a10 = vec4<f32>(); var a11 = vec4<f32>();
    var b = slice * p.slice;
    loop {
        let row = (b * p.c_in + group * p.in_g + c) * p.len;
        let grow = ((b * p.groups + group) * p.blocks + block) * p.steps;
        var phase = 0u;
        loop {
            var s = i32(phase * p.stride + k0 * p.dilation) - p.pad;
            var x0 = at(row, s); var x1 = at(row, s + step); var x2 = at(row, s + 2 * step);
            var x3 = at(row, s + 3 * step); var x4 = at(row, s + 4 * step); var x5 = at(row, s + 5 * step);
            var x6 = at(row, s + 6 * step); var x7 = at(row, s + 7 * step); var x8 = at(row, s + 8 * step);
            var x9 = at(row, s + 9 * step); var x10 = at(row, s + 10 * step);
            s += 11 * step;
            var t = grow + phase;
            var left = p.fours;
            loop {
                let x11 = at(row, s); let x12 = at(row, s + step);
                let x13 = at(row, s + 2 * step); let x14 = at(row, s + 3 * step);
                let v0 = packed[t]; let v1 = packed[t + p.q]; let v2 = packed[t + 2u * p.q]; let v3 = packed[t + 3u * p.q];
                a0 += v0 * x0 + v1 * x1 + v2 * x2 + v3 * x3; a1 += v0 * x1 + v1 * x2 + v2 * x3 + v3 * x4;
                a2 += v0 * x2 + v1 * x3 + v2 * x4 + v3 * x5; a3 += v0 * x3 + v1 * x4 + v2 * x5 + v3 * x6;
                a4 += v0 * x4 + v1 * x5 + v2 * x6 + v3 * x7; a5 += v0 * x5 + v1 * x6 + v2 * x7 + v3 * x8;
                a6 += v0 * x6 + v1 * x7 + v2 * x8 + v3 * x9; a7 += v0 * x7 + v1 * x8 + v2 * x9 + v3 * x10;
                a8 += v0 * x8 + v1 * x9 + v2 * x10 + v3 * x11; a9 += v0 * x9 + v1 * x10 + v2 * x11 + v3 * x12;
                a10 += v0 * x10 + v1 * x11 + v2 * x12 + v3 * x13; a11 += v0 * x11 + v1 * x12 + v2 * x13 + v3 * x14;
                x0 = x4; x1 = x5; x2 = x6; x3 = x7; x4 = x8; x5 = x9; x6 = x10; x7 = x11;
                x8 = x12; x9 = x13; x10 = x14;
                s += 4 * step;
                t += 4u * p.q;
                left--;
                continuing { break if left == 0u; }
            }
            phase++;
            continuing { break if phase == p.q; }
        }
        b++;
        continuing { break if b >= end; }
    }
    let o = group * p.out_g + 4u * block;
    let left = p.out_g - 4u * block;
    let first = ((slice * p.groups * p.out_g + o) * p.in_g + c) * p.kernel;
    put(first, left, k0, a0);
    put(first, left, k0 + p.m, a1);
    put(first, left, k0 + 2u * p.m, a2);
    put(first, left, k0 + 3u * p.m, a3);
    put(first, left, k0 + 4u * p.m, a4);
    put(first, left, k0 + 5u * p.m, a5);
    put(first, left, k0 + 6u * p.m, a6);
    put(first, left, k0 + 7u * p.m, a7);
    put(first, left, k0 + 8u * p.m, a8);
    put(first, left, k0 + 9u * p.m, a9);
    put(first, left, k0 + 10u * p.m, a10);
    put(first, left, k0 + 11u * p.m, a11);
}

// g at i, or 0; reads nothing outside.
fn value(i: u32, inside: bool) -> f32 {
    return select(0.0, g[select(0u, i, inside)], inside);
}

// packed[b, group, block, t] = g of the block's four channels at t, zeros past the group's last one and past the end;
// four of them a thread: its divisions cost as much as its loads
@compute @workgroup_size(WG)
fn pack(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let t = id % (p.steps / 4u) * 4u;
    let row = id / (p.steps / 4u);
    let o = row % p.blocks * 4u;
    let bg = row / p.blocks;
    let b = bg / p.groups;
    let left = p.out_g - o;
    let i = (b * p.channels + p.first + (bg - b * p.groups) * p.out_g + o) * p.out_len + t;
    for (var u = 0u; u < 4u; u++) {
        let inside = t + u < p.out_len;
        packed[4u * id + u] = vec4<f32>(
            value(i + u, inside),
            value(i + u + p.out_len, inside && left > 1u),
            value(i + u + 2u * p.out_len, inside && left > 2u),
            value(i + u + 3u * p.out_len, inside && left > 3u),
        );
    }
}
{% include "include/slices.wgsl" %}
