// Subgroup: the group that adds the loss is one subgroup, which needs no barriers (a barrier costs microseconds on a software
// adapter).
// Formulas and operands as in 01_naive; the gradient and the targets are those of 02_records.
//@ alias: tile
//@ needs: subgroups
//@ fits: lanes > 0
//@ default: software
//@ let subgroup: 1
//@ let WG_SUMS: lanes
//@ groups cross_entropy: 1

struct Params { batch: u32, classes: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;

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
