// The formulas as loops: one value a thread.
//   rows:     y[c, r, lead + (b folds + f) pitch + m] = x[b, c, step m + (r + f) every], 0 outside [0, len) and elsewhere
//   points:   v[t, first + u, m] = sum over j < 11 of B[t, j] src[u, 6 m + shift + j]
//   grads:    h[t, u, lead + m] = sum over e < 6 of A[e, t] src[u, 6 (start + m) + e], 0 for m < 0
//   weights:  laid[t, block, trip, d, j, i] = sum over e < 6 of G[t, e] tap(6 j + e), or without `fast` tap(j)
// Of points and grads, four tiles whose values do not all lie in src are 0. lead, pitch, quads, from_quads count vec4s, in
// f32; A, B and G: include/toom_cook.wgsl.
//@ fits: not half
//@ threads rows: channels * phases * quads * 4
//@ threads points: 11 * rows * quads * 4
//@ threads grads: 11 * rows * quads * 4
//@ threads weights: (11 if fast else 1) * blocks * trips * row
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Rows {
    n: u32, records: u32, channels: u32, quads: u32, pitch: u32, lead: u32, step: u32, every: u32, phases: u32, folds: u32, len: u32,
}
struct Points { n: u32, rows: u32, from_quads: u32, quads: u32, shift: u32, first: u32, point: u32 }
struct Grads { n: u32, rows: u32, from_quads: u32, quads: u32, start: i32, lead: i32 }
struct Weights {
    n: u32, base: u32, row: u32, depth: u32, trips: u32, du: u32, oc: u32, taps: u32, stride: u32, phases: u32, pad: i32,
    first: i32, c_out: u32, c_in: u32, kernel: u32, blocks: u32,
}
@group(0) @binding(0) var<uniform> p: Rows;
@group(0) @binding(0) var<uniform> q: Points;
@group(0) @binding(0) var<uniform> k: Weights;
@group(0) @binding(0) var<uniform> d: Grads;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> src: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;
@group(0) @binding(5) var<storage, read> w: array<f32>;
@group(0) @binding(6) var<storage, read_write> laid: array<f32>;
@group(0) @binding(7) var<storage, read_write> h: array<f32>;

override transposed: bool = false;
override fast: bool = false;
override WG: u32 = 64u;

{% include "include/toom_cook.wgsl" %}

@compute @workgroup_size(WG)
fn rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let place = i32(id % (4u * p.quads)) - i32(4u * p.lead);
    let phased = id / (4u * p.quads);
    let record = u32(max(place, 0)) / (4u * p.pitch);
    let m = u32(max(place, 0)) % (4u * p.pitch);
    let i = p.step * m + (phased % p.phases + record % p.folds) * p.every;
    let inside = place >= 0 && record < p.records && i < p.len;
    let row = (record / p.folds * p.channels + phased / p.phases) * p.len;
    y[id] = select(0.0, x[select(0u, row + i, inside)], inside);
}

@compute @workgroup_size(WG)
fn points(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= q.n { return; }
    let m = id % (4u * q.quads);
    let u = id / (4u * q.quads) % q.rows;
    let t = id / (4u * q.quads) / q.rows;
    var sum = 0.0;
    if m / 4u * 24u + 36u <= 4u * q.from_quads {
        for (var j = 0u; j < 11u; j++) { sum += TOOM_B[t][j] * src[4u * u * q.from_quads + 6u * m + q.shift + j]; }
    }
    v[((t * q.point + q.first) + u) * 4u * q.quads + m] = sum;
}

@compute @workgroup_size(WG)
fn grads(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= d.n { return; }
    let m = i32(id % (4u * d.quads)) - d.lead;
    let u = id / (4u * d.quads) % d.rows;
    let t = id / (4u * d.quads) / d.rows;
    var sum = 0.0;
    if m >= 0 && (d.start + m) / 4 * 24 + 24 <= 4 * i32(d.from_quads) {
        let tile = 4u * u * d.from_quads + 6u * u32(d.start + m);
        for (var e = 0u; e < 6u; e++) { sum += TOOM_A[t][e] * src[tile + e]; }
    }
    h[id] = sum;
}

// Tap j of a window: of virtual channel o or c, and the other one.
fn tap(vc: u32, u: u32, j: u32) -> f32 {
    let phased = select(u, vc, transposed);
    let o = select(vc, u, transposed);
    let c = phased / k.phases;
    let at = k.pad + i32(phased % k.phases) + select(1, -1, transposed) * i32(k.stride) * (k.first + i32(j));
    let inside = u < k.depth && o < k.c_out && c < k.c_in && at >= 0 && at < i32(k.kernel);
    return select(0.0, w[select(0u, (o * k.c_in + c) * k.kernel + u32(at), inside)], inside);
}

@compute @workgroup_size(WG)
fn weights(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= k.n { return; }
    let f = id % k.row;
    let group = id / k.row % (k.blocks * k.trips);
    let t = id / k.row / (k.blocks * k.trips);
    let vc = group / k.trips * k.oc + f % k.oc;
    let j = f / k.oc % k.taps;
    let u = group % k.trips * k.du + f / k.oc / k.taps;
    var sum = 0.0;
    if f >= k.du * k.taps * k.oc { sum = 0.0;
    } else if !fast { sum = tap(vc, u, j);
    } else {
        for (var e = 0u; e < 6u; e++) { sum += TOOM_G[t][e] * tap(vc, u, 6u * j + e); }
    }
    laid[k.base + id] = sum;
}
