// Derivative of the backward of max pooling: y[r, t] = x[r, index[r, t]].
//
// x  [R, L]    index, y  [R, T]
// Dispatch: one thread per output, WG threads per group, folded over two dimensions.

struct Params { n_out: u32, len: u32, out_len: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n_out { return; }
    y[i] = x[(i / p.out_len) * p.len + index[i]];
}
