// Gradient of the cross-entropy: y[b, c] = g (softmax(x[b])[c] sum_k t[b, k] - t[b, c]).
//
// x, t, y  [B, K]    g  [1], the gradient of the loss
// Dispatch: one thread per record, WG threads per group.

struct Params { batch: u32, classes: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let b = (wid.y * nwg.x + wid.x) * WG + lid;
    if b >= p.batch { return; }
    let first = b * p.classes;
    var top = x[first];
    for (var c = 1u; c < p.classes; c++) { top = max(top, x[first + c]); }
    var sum = 0.0;
    var mass = 0.0;
    for (var c = 0u; c < p.classes; c++) {
        sum += exp(x[first + c] - top);
        mass += t[first + c];
    }
    for (var c = 0u; c < p.classes; c++) { y[first + c] = g[0] * (exp(x[first + c] - top) / sum * mass - t[first + c]); }
}
