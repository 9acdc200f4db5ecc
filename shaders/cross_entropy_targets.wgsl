// Targets of the weighted, label-smoothed cross-entropy, already divided by the batch's sum of weights (as PyTorch):
//   t[b, c] = ((1 - e) w[y_b] [c == y_b] + e / K w[c]) / sum over b of w[y_b]
// so that the loss is sum over b, c of t[b, c] (logsumexp(x[b]) - x[b, c]).
//
// labels  [B]    weights  [K]    t  [B, K]
// Dispatch: one thread per record, WG threads per group; each sums the weights itself (B is small).

struct Params { batch: u32, classes: u32, smoothing: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> t: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let b = (wid.y * nwg.x + wid.x) * WG + lid;
    if b >= p.batch { return; }
    var total = 0.0;
    for (var i = 0u; i < p.batch; i++) { total += weights[labels[i]]; }
    let label = labels[b];
    for (var c = 0u; c < p.classes; c++) {
        let hard = select(0.0, (1.0 - p.smoothing) * weights[label], c == label);
        t[b * p.classes + c] = (hard + p.smoothing / f32(p.classes) * weights[c]) / total;
    }
}
