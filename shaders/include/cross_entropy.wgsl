// The loss of cross_entropy by one group: records are strided over its threads, their sums added in a fixed order.
struct Params { batch: u32, classes: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(6) var<storage, read_write> loss: array<f32>;

override WG_SUMS: u32 = 64u;
{% set adds = "add_up" %}{% set summed = "f32" %}
{%- include "include/group_sum.wgsl" %}

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
    let all = add_up(total, lid);
    if lid == 0u { loss[0] = all; }
}
