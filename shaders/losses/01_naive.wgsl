// The formulas as loops: the loss is one thread, gradients and targets one record a thread.
//   cross_entropy       loss = sum over b, c of t[b, c] (logsumexp(x[b]) - x[b, c]), t soft targets
//   cross_entropy_grad  y[b, c] = g (softmax(x[b])[c] sum over k of t[b, k] - t[b, c]), g the gradient of the loss
//   soft_targets        y[b, c] = ((1 - smoothing) w[y_b] [c == y_b] + smoothing / classes w[c]) / sum over b of w[y_b], y_b the
//                       label: targets of the weighted, label-smoothed loss, divided by the batch's weights (as PyTorch)
//
// x, t, y  [batch, classes]    loss, g  [1]    labels  [batch]    weights  [classes]
//@ threads cross_entropy: 1
//@ threads cross_entropy_grad: batch
//@ threads soft_targets: batch
//@ knob WG: 8 | 8 16 32 64 128 256

struct Params { batch: u32, classes: u32 }
struct Targets { batch: u32, classes: u32, smoothing: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(0) var<uniform> pt: Targets;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read> labels: array<u32>;
@group(0) @binding(5) var<storage, read> weights: array<f32>;
@group(0) @binding(6) var<storage, read_write> loss: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn cross_entropy(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    if (wid.y * nwg.x + wid.x) * WG + lid > 0u { return; }
    var total = 0.0;
    for (var b = 0u; b < p.batch; b++) {
        let first = b * p.classes;
        var top = x[first];
        for (var c = 1u; c < p.classes; c++) { top = max(top, x[first + c]); }
        var sum = 0.0;
        for (var c = 0u; c < p.classes; c++) { sum += exp(x[first + c] - top); }
        for (var c = 0u; c < p.classes; c++) { total += t[first + c] * (log(sum) - (x[first + c] - top)); }
    }
    loss[0] = total;
}

@compute @workgroup_size(WG)
fn cross_entropy_grad(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
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

@compute @workgroup_size(WG)
fn soft_targets(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let b = (wid.y * nwg.x + wid.x) * WG + lid;
    if b >= pt.batch { return; }
    var total = 0.0;
    for (var i = 0u; i < pt.batch; i++) { total += weights[labels[i]]; }
    let label = labels[b];
    for (var c = 0u; c < pt.classes; c++) {
        let hard = select(0.0, (1.0 - pt.smoothing) * weights[label], c == label);
        y[b * pt.classes + c] = (hard + pt.smoothing / f32(pt.classes) * weights[c]) / total;
    }
}
