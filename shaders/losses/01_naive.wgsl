// The formulas as loops: one output a thread.
//   cross_entropy:          loss = sum over b, c of t[b, c] (logsumexp(x[b]) - x[b, c])
//   cross_entropy_grad:     y[b, c] = g (softmax(x[b])[c] sum over k of t[b, k] - t[b, c])
//   cross_entropy_targets:  t[b, c] = ((1 - e) w[y_b] [c == y_b] + e / K w[c]) / sum over b of w[y_b],  e = smoothing
// The targets of the weighted, label-smoothed loss are divided by the batch's sum of weights (as PyTorch).
//
// x, t, y  [batch, classes]    loss, g  [1]    labels  [batch]    weights  [classes]
//@ threads cross_entropy: 1
//@ threads cross_entropy_grad: batch * classes
//@ threads cross_entropy_targets: batch * classes
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Params { n: u32, batch: u32, classes: u32 }
struct Smoothed { n: u32, batch: u32, classes: u32, smoothing: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(0) var<uniform> q: Smoothed;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read> g: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read> labels: array<u32>;
@group(0) @binding(7) var<storage, read> weights: array<f32>;
@group(0) @binding(8) var<storage, read_write> targets: array<f32>;

override WG: u32 = 64u;

// Largest logit of a record, and the sum of exp(x - largest).
fn softmax_of(b: u32, classes: u32) -> vec2<f32> {
    var top = x[b * classes];
    for (var c = 1u; c < classes; c++) { top = max(top, x[b * classes + c]); }
    var sum = 0.0;
    for (var c = 0u; c < classes; c++) { sum += exp(x[b * classes + c] - top); }
    return vec2<f32>(top, sum);
}

@compute @workgroup_size(WG)
fn cross_entropy(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    var total = 0.0;
    for (var b = 0u; b < p.batch; b++) {
        let s = softmax_of(b, p.classes);
        for (var c = 0u; c < p.classes; c++) {
            total += t[b * p.classes + c] * (log(s.y) + s.x - x[b * p.classes + c]);
        }
    }
    loss[0] = total;
}

@compute @workgroup_size(WG)
fn cross_entropy_grad(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let b = id / p.classes;
    let s = softmax_of(b, p.classes);
    var mass = 0.0;
    for (var c = 0u; c < p.classes; c++) { mass += t[b * p.classes + c]; }
    y[id] = g[0] * (exp(x[id] - s.x) / s.y * mass - t[id]);
}

@compute @workgroup_size(WG)
fn cross_entropy_targets(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= q.n { return; }
    var total = 0.0;
    for (var i = 0u; i < q.batch; i++) { total += weights[labels[i]]; }
    let label = labels[id / q.classes];
    let c = id % q.classes;
    let hard = select(0.0, (1.0 - q.smoothing) * weights[label], c == label);
    targets[id] = (hard + q.smoothing / f32(q.classes) * weights[c]) / total;
}
