// The formulas as loops: one value a thread.
//   rows:     y[c, r, lead + (b folds + f) pitch + m] = x[b, c, step m + (r + f) every], 0 outside [0, len) and elsewhere
//   points:   v[t, u, m] = sum over j < 7 of B[t, j] src[u, 4 m + shift + j], of vec4s that lie in src whole
//   grads:    h[t, u, lead + m] = sum over e < 4 of A[e, t] src[u, 4 (start + m) + e], 0 for m < 0 and outside of src
//   weights:  laid[t, block, trip, d, j, i] = sum over e < 4 of G[t, e] tap(4 j + e), or without `fast` tap(j)
// lead, pitch, quads, from_quads count vec4s, in f32; A, B and G as in 02_vectors.
//@ fits: not half
//@ threads rows: channels * phases * quads * 4
//@ threads points: 7 * rows * quads * 4
//@ threads grads: 7 * rows * quads * 4
//@ threads weights: (7 if fast else 1) * blocks * trips * row
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Rows {
    n: u32, records: u32, channels: u32, quads: u32, pitch: u32, lead: u32, step: u32, every: u32, phases: u32, folds: u32, len: u32,
}
struct Points { n: u32, rows: u32, from_quads: u32, quads: u32, shift: u32 }
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

const B = array(
    -2.0, 4.0, 2.5, -5.0, -0.5, 1.0, 0.0,
    0.0, 2.0, -2.0, -4.5, 0.5, 1.0, 0.0,
    0.0, -2.0, 6.0, -3.5, -1.5, 1.0, 0.0,
    0.0, 1.0, -1.5, -2.0, 1.5, 1.0, 0.0,
    0.0, -1.0, 2.5, 0.0, -2.5, 1.0, 0.0,
    0.0, 4.0, 0.0, -5.0, 0.0, 1.0, 0.0,
    0.0, -2.0, 4.0, 2.5, -5.0, -0.5, 1.0);
const POWERS = array(0.0, 1.0, -1.0, 2.0, -2.0, 0.5);
const FACTORS = array(-0.5, -0.33333334, 0.11111111, 0.027777778, -0.016666668, 0.7111111, 1.0);

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
    // four places of v are one vec4 there: all of them or none
    if m / 4u * 4u + 5u < q.from_quads {
        for (var j = 0u; j < 7u; j++) { sum += B[7u * t + j] * src[4u * (u * q.from_quads + m) + q.shift + j]; }
    }
    v[id] = sum;
}

@compute @workgroup_size(WG)
fn grads(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= d.n { return; }
    let m = i32(id % (4u * d.quads)) - d.lead;
    let u = id / (4u * d.quads) % d.rows;
    let t = id / (4u * d.quads) / d.rows;
    var sum = 0.0;
    if m >= 0 && d.start + m < i32(d.from_quads) {
        let tile = 4u * (u * d.from_quads + u32(d.start + m));
        if t == 6u { sum = src[tile + 3u];
        } else {
            for (var e = 4u; e > 0u; e--) { sum = sum * POWERS[t] + src[tile + e - 1u]; }
        }
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
    } else if t == 6u { sum = tap(vc, u, 4u * j + 3u);
    } else {
        for (var e = 4u; e > 0u; e--) { sum = sum * POWERS[t] + tap(vc, u, 4u * j + e - 1u); }
        sum *= FACTORS[t];
    }
    laid[k.base + id] = sum;
}
