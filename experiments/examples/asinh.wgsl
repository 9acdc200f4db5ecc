// y = asinh(x / s), element by element: linear where |x| is far below s, logarithmic far above it.
//
// x, y: [n]. One thread an element, in groups of WG.
// asinh(u) = sign(u) log(|u| + sqrt(u^2 + 1)): with |u|, nothing cancels for negative u.

struct Params {
    n: u32,
    s: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override WG: u32;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    // many groups are folded over two dimensions; the last ones may lie past the end
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.n {
        return;
    }
    let u = abs(x[i]) / p.s;
    y[i] = sign(x[i]) * log(u + sqrt(u * u + 1.0));
}
