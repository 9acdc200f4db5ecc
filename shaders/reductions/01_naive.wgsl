// The formulas as loops: one output a thread.
//   sum      y[o, s, i] = sum over r in [s chunk, min(reduce, (s + 1) chunk)) of x[o, r, i], or (square) of its square
//   maximum  y[o, i] = max over r of x[o, r, i], at[o, i] the first r that has it
// A long sum is cut into chunks by the operation, and those are summed.
//
// x  [outer, reduce, inner]    y  [outer, chunks, inner]    at  [outer, inner]
//@ threads sum: outer * chunks * inner
//@ threads maximum: outer * inner
//@ knob WG: 64 | 8 16 32 64 128 256

struct Params { n: u32, reduce: u32, inner: u32, chunks: u32, chunk: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> at: array<u32>;

override square: bool = false;
override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn sum(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let i = id % p.inner;
    let s = id / p.inner % p.chunks;
    let o = id / p.inner / p.chunks;
    var total = 0.0;
    for (var r = s * p.chunk; r < min(p.reduce, (s + 1u) * p.chunk); r++) {
        let v = x[(o * p.reduce + r) * p.inner + i];
        total += select(v, v * v, square);
    }
    y[id] = total;
}

@compute @workgroup_size(WG)
fn maximum(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let first = id / p.inner * p.reduce * p.inner + id % p.inner;
    var best = 0u;
    for (var r = 1u; r < p.reduce; r++) {
        if x[first + r * p.inner] > x[first + best * p.inner] { best = r; }
    }
    y[id] = x[first + best * p.inner];
    at[id] = best;
}
