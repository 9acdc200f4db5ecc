// Register tile: a thread keeps 4 channels x 16 positions in registers, so that a scalar and a vec4 loaded serve for 64
// multiply-adds instead of one.
//   the sum of 01_naive; conv1d_input_grad/02_register_tile is this text with TRANSPOSED
//
// src  x [batch, c_in, len] or g [batch, channels, out_len]    w  [groups out_g, in_g, kernel]    dst  the other side
//
// `pack` lays the weights out first, four neighbouring channels in a vec4, zeros past the group's last one.
//
// A thread computes 4 channels at 16 positions that lie `gap` apart. With m = S / gcd(S, D), q = D / gcd(S, D), the taps
// k = r, r + m, r + 2 m, ... (phase r) then share one window on a row of src: position n with tap j of the phase needs
// src[start + (n + j) step], so that going on by a tap is going on by one value. Forward: gap = q, step = q S, and the
// thread goes through all phases. Input gradient: gap = m D, step = q, taps in reverse order; a thread's positions are
// all hit by the taps of one phase, or of none where the stride steps over them. A load costs as much as a
// hundred multiply-adds on a software adapter; here a scalar and a vec4 serve for 4 x 16 of them.
// Loops end with their test: such an adapter runs the body of a loop that starts with it once more, with all lanes off.
//
// TRANSPOSED  the input's gradient
// add         adds to what dst holds (the further branches of one input)
// relu        stores max(0, sum + bias of the channel)
// FOURS, REST a phase has 4 p.fours + REST taps, p.fours > 0 if FOURS: the loop over the taps takes four at a time,
//             for fewer masked stores of what it carries (window and sums); REST taps follow it
//@ alias: plain
//@ default: true
//@ let TRANSPOSED: 0
//@ let src_channels: c_in
//@ let src_first: 0
//@ let src_len: len
//@ let depth: in_g
//@ let dst_channels: channels
//@ let dst_first: first
//@ let dst_len: out_len
//@ let width: out_g
//@ let m: stride // gcd(stride, dilation)
//@ let q: dilation // gcd(stride, dilation)
//@ let phases: min(m, kernel)
//@ let taps: ceil(kernel, m)
//@ let fours: taps // 4
//@ let FOURS: taps >= 4
//@ let REST: taps % 4
//@ let blocks: ceil(width, 4)
//@ let gap: m * dilation if TRANSPOSED else q
//@ let tiles: ceil(dst_len, 16 * gap) * gap
//@ let vectors: groups * blocks * depth * phases * taps
//@ scratch packed: 4 * vectors
//@ kernel conv1d: pack, main
//@ threads pack: vectors
//@ threads main: batch * groups * blocks * tiles
//@ knob WG: 64 | 8 16 32 64 128 256

struct Params {
    n: u32, groups: u32, blocks: u32, tiles: u32,
    src_channels: u32, src_first: u32, src_len: u32, depth: u32,
    dst_channels: u32, dst_first: u32, dst_len: u32, width: u32,
    stride: u32, dilation: u32, pad: i32, q: u32,
    m: u32, phases: u32, taps: u32, fours: u32,
    in_g: u32, out_g: u32, kernel: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>; // [channels], where relu
@group(0) @binding(5) var<storage, read> w: array<f32>;

override TRANSPOSED: bool = false;
override add: bool = false;
override relu: bool = false;
override FOURS: bool = true;
override REST: u32 = 0u;
override WG: u32 = 64u;

// src at position i of the row that starts at `row`; zero outside. Negative i wrap to large ones.
fn at(row: u32, i: i32) -> f32 {
    return select(0.0, src[row + min(u32(i), p.src_len - 1u)], u32(i) < p.src_len);
}

// The value that tap u after the fours brings in; not loaded where there is no such tap.
fn rest(row: u32, i: i32, u: u32) -> f32 {
    if REST > u { return at(row, i); }
    return 0.0;
}

fn put_one(i: u32, channel: u32, v: f32) {
    if relu { dst[i] = max(v + bias[channel], 0.0); } else if add { dst[i] += v; } else { dst[i] = v; }
}

// Four channels at position t; `left` is the number of channels from the block's first to the group's last. Where no
// tap hits the position, the sum is meaningless.
fn put(b: u32, channel: u32, left: u32, t: u32, sum: vec4<f32>, hit: bool) {
    if t >= p.dst_len { return; }
    let v = select(vec4<f32>(), sum, hit);
    let i = (b * p.dst_channels + channel) * p.dst_len + t;
    put_one(i, channel, v.x);
    if left > 1u { put_one(i + p.dst_len, channel + 1u, v.y); }
    if left > 2u { put_one(i + 2u * p.dst_len, channel + 2u, v.z); }
    if left > 3u { put_one(i + 3u * p.dst_len, channel + 3u, v.w); }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let tile = id % p.tiles;
    let block = (id / p.tiles) % p.blocks;
    let g = (id / p.tiles / p.blocks) % p.groups;
    let b = id / p.tiles / p.blocks / p.groups;
    let gap = select(p.q, p.m * p.dilation, TRANSPOSED);
    let step = i32(select(p.q * p.stride, p.q, TRANSPOSED));
    let t0 = (tile / gap) * 16u * gap + tile % gap;

    // The window of the phase `first` starts at `start`, that of the next phase `dilation` later.
    var first = 0u;
    var start = i32(t0 * p.stride) - p.pad;
    if TRANSPOSED {
        first = p.phases;
        for (var r = 0u; r < p.phases; r++) {
            let positive = i32(t0 + p.m * p.dilation * p.stride) + p.pad - i32(r * p.dilation);
            if positive % i32(p.stride) == 0 { first = min(first, r); }
        }
        // Rounds towards zero: exact where the phase exists, and where it does not the result is not used.
        start = (i32(t0) + p.pad - i32(first * p.dilation)) / i32(p.stride) - i32(p.taps - 1u) * step;
    }

    var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>(); var a3 = vec4<f32>();
    var a4 = vec4<f32>(); var a5 = vec4<f32>(); var a6 = vec4<f32>(); var a7 = vec4<f32>();
    var a8 = vec4<f32>(); var a9 = vec4<f32>(); var a10 = vec4<f32>(); var a11 = vec4<f32>();
    var a12 = vec4<f32>(); var a13 = vec4<f32>(); var a14 = vec4<f32>(); var a15 = vec4<f32>();
    var row = (b * p.src_channels + p.src_first + g * p.depth) * p.src_len;
    var wrow = ((g * p.blocks + block) * p.depth * p.phases + min(first, p.phases - 1u)) * p.taps;
    var depth = p.depth;
    loop {
        var phases = select(p.phases, 1u, TRANSPOSED);
        var from_phase = start;
        loop {
            var s = from_phase;
            var x0 = at(row, s); var x1 = at(row, s + step); var x2 = at(row, s + 2 * step);
            var x3 = at(row, s + 3 * step); var x4 = at(row, s + 4 * step); var x5 = at(row, s + 5 * step);
            var x6 = at(row, s + 6 * step); var x7 = at(row, s + 7 * step); var x8 = at(row, s + 8 * step);
            var x9 = at(row, s + 9 * step); var x10 = at(row, s + 10 * step); var x11 = at(row, s + 11 * step);
            var x12 = at(row, s + 12 * step); var x13 = at(row, s + 13 * step); var x14 = at(row, s + 14 * step);
            s += 15 * step;
            var i = wrow;
            if FOURS {
                var left = p.fours;
                loop {
                    let x15 = at(row, s); let x16 = at(row, s + step);
                    let x17 = at(row, s + 2 * step); let x18 = at(row, s + 3 * step);
                    let v0 = packed[i]; let v1 = packed[i + 1u]; let v2 = packed[i + 2u]; let v3 = packed[i + 3u];
                    a0 += v0 * x0 + v1 * x1 + v2 * x2 + v3 * x3; a1 += v0 * x1 + v1 * x2 + v2 * x3 + v3 * x4;
                    a2 += v0 * x2 + v1 * x3 + v2 * x4 + v3 * x5; a3 += v0 * x3 + v1 * x4 + v2 * x5 + v3 * x6;
                    a4 += v0 * x4 + v1 * x5 + v2 * x6 + v3 * x7; a5 += v0 * x5 + v1 * x6 + v2 * x7 + v3 * x8;
                    a6 += v0 * x6 + v1 * x7 + v2 * x8 + v3 * x9; a7 += v0 * x7 + v1 * x8 + v2 * x9 + v3 * x10;
                    a8 += v0 * x8 + v1 * x9 + v2 * x10 + v3 * x11; a9 += v0 * x9 + v1 * x10 + v2 * x11 + v3 * x12;
                    a10 += v0 * x10 + v1 * x11 + v2 * x12 + v3 * x13; a11 += v0 * x11 + v1 * x12 + v2 * x13 + v3 * x14;
                    a12 += v0 * x12 + v1 * x13 + v2 * x14 + v3 * x15; a13 += v0 * x13 + v1 * x14 + v2 * x15 + v3 * x16;
                    a14 += v0 * x14 + v1 * x15 + v2 * x16 + v3 * x17; a15 += v0 * x15 + v1 * x16 + v2 * x17 + v3 * x18;
                    x0 = x4; x1 = x5; x2 = x6; x3 = x7; x4 = x8; x5 = x9; x6 = x10; x7 = x11;
                    x8 = x12; x9 = x13; x10 = x14; x11 = x15; x12 = x16; x13 = x17; x14 = x18;
                    s += 4 * step;
                    i += 4u;
                    left--;
                    continuing { break if left == 0u; }
                }
            }
            let x15 = rest(row, s, 0u);
            if REST > 0u {
                let v0 = packed[i];
                a0 += v0 * x0; a1 += v0 * x1; a2 += v0 * x2; a3 += v0 * x3;
                a4 += v0 * x4; a5 += v0 * x5; a6 += v0 * x6; a7 += v0 * x7;
                a8 += v0 * x8; a9 += v0 * x9; a10 += v0 * x10; a11 += v0 * x11;
                a12 += v0 * x12; a13 += v0 * x13; a14 += v0 * x14; a15 += v0 * x15;
            }
            let x16 = rest(row, s + step, 1u);
            if REST > 1u {
                let v1 = packed[i + 1u];
                a0 += v1 * x1; a1 += v1 * x2; a2 += v1 * x3; a3 += v1 * x4;
                a4 += v1 * x5; a5 += v1 * x6; a6 += v1 * x7; a7 += v1 * x8;
                a8 += v1 * x9; a9 += v1 * x10; a10 += v1 * x11; a11 += v1 * x12;
                a12 += v1 * x13; a13 += v1 * x14; a14 += v1 * x15; a15 += v1 * x16;
            }
            let x17 = rest(row, s + 2 * step, 2u);
            if REST > 2u {
                let v2 = packed[i + 2u];
                a0 += v2 * x2; a1 += v2 * x3; a2 += v2 * x4; a3 += v2 * x5;
                a4 += v2 * x6; a5 += v2 * x7; a6 += v2 * x8; a7 += v2 * x9;
                a8 += v2 * x10; a9 += v2 * x11; a10 += v2 * x12; a11 += v2 * x13;
                a12 += v2 * x14; a13 += v2 * x15; a14 += v2 * x16; a15 += v2 * x17;
            }
            phases--;
            from_phase += i32(p.dilation);
            wrow += select(1u, p.phases, TRANSPOSED) * p.taps;
            continuing { break if phases == 0u; }
        }
        row += p.src_len;
        depth--;
        continuing { break if depth == 0u; }
    }

    let channel = p.dst_first + g * p.width + 4u * block;
    let left = p.width - 4u * block;
    let hit = first < p.phases;
    put(b, channel, left, t0, a0, hit);
    put(b, channel, left, t0 + gap, a1, hit);
    put(b, channel, left, t0 + 2u * gap, a2, hit);
    put(b, channel, left, t0 + 3u * gap, a3, hit);
    put(b, channel, left, t0 + 4u * gap, a4, hit);
    put(b, channel, left, t0 + 5u * gap, a5, hit);
    put(b, channel, left, t0 + 6u * gap, a6, hit);
    put(b, channel, left, t0 + 7u * gap, a7, hit);
    put(b, channel, left, t0 + 8u * gap, a8, hit);
    put(b, channel, left, t0 + 9u * gap, a9, hit);
    put(b, channel, left, t0 + 10u * gap, a10, hit);
    put(b, channel, left, t0 + 11u * gap, a11, hit);
    put(b, channel, left, t0 + 12u * gap, a12, hit);
    put(b, channel, left, t0 + 13u * gap, a13, hit);
    put(b, channel, left, t0 + 14u * gap, a14, hit);
    put(b, channel, left, t0 + 15u * gap, a15, hit);
}

// y[g, block, d, r, j] = w of the block's four channels at tap r + m j, backwards when TRANSPOSED
// w at i, or 0; reads nothing outside.
fn value(i: u32, inside: bool) -> f32 {
    return select(0.0, w[select(0u, i, inside)], inside);
}

fn weight(g: u32, o: u32, c: u32, k: u32) -> f32 {
    let inside = o < p.out_g && c < p.in_g && k < p.kernel;
    let i = ((g * p.out_g + o) * p.in_g + c) * p.kernel + k;
    return value(i, inside);
}

@compute @workgroup_size(WG)
fn pack(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let depth = select(p.in_g, p.out_g, TRANSPOSED);
    let j = id % p.taps;
    let r = (id / p.taps) % p.phases;
    let d = (id / p.taps / p.phases) % depth;
    let block = (id / p.taps / p.phases / depth) % p.blocks;
    let g = id / p.taps / p.phases / depth / p.blocks;
    let k = r + p.m * select(j, p.taps - 1u - j, TRANSPOSED);
    let c = 4u * block;
    if TRANSPOSED {
        packed[id] = vec4<f32>(weight(g, d, c, k), weight(g, d, c + 1u, k), weight(g, d, c + 2u, k), weight(g, d, c + 3u, k));
    } else {
        packed[id] = vec4<f32>(weight(g, c, d, k), weight(g, c + 1u, d, k), weight(g, c + 2u, d, k), weight(g, c + 3u, d, k));
    }
}
