// Sums over the middle dimension: y[o, s, i] = sum over r in chunk s of f(x[o, r, i]), r in [s c, min(R, (s + 1) c)).
// A long sum is done in two launches (S chunks, then those), always in the same order.
//
// x  [O, R, I]    y  [O, S, I]
// OP    0: f(v) = v, 1: f(v) = v * v
// Rows (I = 1) are summed by reduce_rows.wgsl.
// Dispatch: one thread per output, WG threads per group, folded over two dimensions.

struct Params { n_out: u32, reduce: u32, inner: u32, chunks: u32, chunk: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override OP: u32 = 0u;
override WG: u32 = 64u;

fn f(v: f32) -> f32 { return select(v, v * v, OP == 1u); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
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
