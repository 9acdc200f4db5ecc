// Records: a thread does all classes of a record, whose largest logit and sum it finds once; the loss is a tree over the
// threads of one group.
// Formulas and operands as in 01_naive.
//@ alias: plain WG_SUMS=64
//@ alias: wide WG_SUMS=256
//@ default: true
//@ let subgroup: 0
//@ knob WG: 8 | 8 16 32 64 128 256
//@ knob WG_SUMS: 8 if software else 256 | 8 16 32 64 128 256
//@ groups cross_entropy: 1
//@ threads cross_entropy_grad: batch
//@ threads cross_entropy_targets: batch

struct Params { batch: u32, classes: u32 }
struct Smoothed { batch: u32, classes: u32, smoothing: f32 }
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
override WG_SUMS: u32 = 64u;
{% set adds = "group_sum" %}
{%- set summed = "f32" %}
{% include "include/group_sum.wgsl" %}

@compute @workgroup_size(WG_SUMS)
fn cross_entropy(@builtin(local_invocation_index) lid: u32) {
    var total = 0.0;
    for (var b = lid; b < p.batch; b += WG_SUMS) {
        let first = b * p.classes;
        var top = x[first];
        for (var c = 1u; c < p.classes; c++) { top = max(top, x[first + c]); }
        var sum = 0.0;
        for (var c = 0u; c < p.classes; c++) { sum += exp(x[first + c] - top); }
        let log_sum = log(sum);
        for (var c = 0u; c < p.classes; c++) { total += t[first + c] * (log_sum - (x[first + c] - top)); }
    }
    let all = group_sum(total, lid);
    if lid == 0u { loss[0] = all; }
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
fn cross_entropy_targets(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let b = (wid.y * nwg.x + wid.x) * WG + lid;
    if b >= q.batch { return; }
    var total = 0.0;
    for (var i = 0u; i < q.batch; i++) { total += weights[labels[i]]; }
    let label = labels[b];
    for (var c = 0u; c < q.classes; c++) {
        let hard = select(0.0, (1.0 - q.smoothing) * weights[label], c == label);
        targets[b * q.classes + c] = (hard + q.smoothing / f32(q.classes) * weights[c]) / total;
    }
}
