// Writes a block into a larger tensor: y[o, start + r, i] = x[o, r, i]; the rest of y stays as it is.
// Serves concatenation (one launch a part) and padding with zeros (after clearing y).
//
// x  [O, r_in, I], n elements    y  [O, r_out, I]
// Dispatch: one thread per element of x, WG threads per group, folded over two dimensions.

struct Params { n: u32, r_in: u32, r_out: u32, inner: u32, start: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let j = (wid.y * nwg.x + wid.x) * WG + lid;
    if j >= p.n { return; }
    let block = p.r_in * p.inner;
    let o = j / block;
    y[o * p.r_out * p.inner + p.start * p.inner + (j - o * block)] = x[j];
}
