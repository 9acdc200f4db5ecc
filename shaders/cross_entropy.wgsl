// Cross-entropy with soft targets: loss = sum over b, c of t[b, c] (logsumexp(x[b]) - x[b, c]).
//
// x, t  [B, K]    loss  [1]
// A template (minijinja); its constant: lanes, see include/group_sum.wgsl
{# defaults: lanes=0 #}
// Dispatch: one group of WG threads; records are strided over them, their sums added in a fixed order.

struct Params { batch: u32, classes: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;

{% set summed = "f32" %}
{% include "include/group_sum.wgsl" %}

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lid: u32) {
    var total = 0.0;
    for (var b = lid; b < p.batch; b += WG) {
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
