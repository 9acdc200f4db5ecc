// Sums over the middle dimension: y[o, s, i] = sum over r in chunk s of f(x[o, r, i]), r in [s c, min(R, (s + 1) c)).
// A long sum is done in two launches (S chunks, then those), always in the same order.
//
// x  [O, R, I]    y  [O, S, I]
// OP    0: f(v) = v, 1: f(v) = v * v
// Entry `rows` (I = 1): one group of WG threads per output, strided partial sums and a fixed tree.
// Entry `columns`: one thread per output.
// Dispatch: one group (rows) or one thread (columns) per output, folded over two dimensions.

struct Params { n_out: u32, reduce: u32, inner: u32, chunks: u32, chunk: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override OP: u32 = 0u;
override WG: u32 = 64u;

var<workgroup> part: array<f32, WG>;

fn f(v: f32) -> f32 { return select(v, v * v, OP == 1u); }

@compute @workgroup_size(WG)
fn rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let out = wid.y * nwg.x + wid.x;
    let inside = out < p.n_out;
    let o = out / p.chunks;
    let s = out % p.chunks;
    let end = min(p.reduce, (s + 1u) * p.chunk);
    var total = 0.0;
    if inside {
        for (var r = s * p.chunk + lid; r < end; r += WG) { total += f(x[o * p.reduce + r]); }
    }
    part[lid] = total;
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lid < half { part[lid] += part[lid + half]; }
    }
    if lid == 0u && inside { y[out] = part[0]; }
}

@compute @workgroup_size(WG)
fn columns(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let out = (wid.y * nwg.x + wid.x) * WG + lid;
    if out >= p.n_out { return; }
    let i = out % p.inner;
    let s = (out / p.inner) % p.chunks;
    let o = out / p.inner / p.chunks;
    let end = min(p.reduce, (s + 1u) * p.chunk);
    var total = 0.0;
    for (var r = s * p.chunk; r < end; r++) { total += f(x[(o * p.reduce + r) * p.inner + i]); }
    y[out] = total;
}
