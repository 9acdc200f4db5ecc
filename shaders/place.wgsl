// Puts one element along the middle dimension, zeros elsewhere: y[o, r, i] = x[o, i] if r == index[o, i] else 0.
// The derivative of `pick` and of the maximum.
//
// x, index  [O, I], index < R    y  [O, R, I], n elements
// Dispatch: one thread per element of y, WG threads per group, folded over two dimensions.

struct Params { n: u32, reduce: u32, inner: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let j = (wid.y * nwg.x + wid.x) * WG + lid;
    if j >= p.n { return; }
    let out = (j / p.inner / p.reduce) * p.inner + j % p.inner;
    let r = (j / p.inner) % p.reduce;
    y[j] = select(0.0, x[out], r == index[out]);
}
