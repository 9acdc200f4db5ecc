// Takes elements along the middle dimension: y[o, m, i] = x[o, index[o, m, i], i].
// Gathers the logit of a class (M = 1); the derivative of `place`, and (I = 1) of the backward pass of max pooling.
//
// x  [O, R, I]    index, y  [O, M, I], index < R
// Dispatch: one thread per output, WG threads per group, folded over two dimensions.

struct Params { n_out: u32, reduce: u32, inner: u32, picks: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let out = (wid.y * nwg.x + wid.x) * WG + lid;
    if out >= p.n_out { return; }
    let o = out / (p.inner * p.picks);
    y[out] = x[(o * p.reduce + index[out]) * p.inner + out % p.inner];
}
