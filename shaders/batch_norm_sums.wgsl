// The two sums that the backward pass of batch normalisation needs, per channel over batch and time:
//   sums[0, c] = sum of g  (the gradient of the shift),  sums[1, c] = sum of g xhat  (the gradient of the weight),
// xhat = (x - mean[c]) rstd[c]. In two steps: `slices` some records each into part, `combine` adds the slices in order.
//
// g, x  [B, C, T] as vec4s    stats  from batch_norm_stats    part  [slices, C, 2]    sums  [2, C]
// A template (minijinja); its constant: lanes, see include/group_sum.wgsl
{# defaults: lanes=0 #}
// Dispatch: `slices` one group of WG threads per (slice, channel); `combine` one thread per channel; folded over two
// dimensions.

struct Params { batch: u32, channels: u32, len: u32, slice: u32, slices: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> stats: array<f32>;
@group(0) @binding(4) var<storage, read_write> part: array<f32>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;

{% set summed = "vec2<f32>" %}
{% include "include/group_sum_old.wgsl" %}

@compute @workgroup_size(WG)
fn slices(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = wid.y * nwg.x + wid.x;
    // groups past the end sum nothing: barriers want all of them alike
    let c = id % p.channels;
    let first_record = min(id / p.channels * p.slice, p.batch);
    let last_record = min(first_record + p.slice, p.batch);
    let mean = stats[c];
    var sum = vec4<f32>();
    var products = vec4<f32>();
    for (var r = first_record; r < last_record; r++) {
        let begin = (r * p.channels + c) * p.len;
        let end = begin + p.len;
        for (var q = begin / 4u + lid; 4u * q < end; q += WG) {
            let i = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q;
            let v = select(vec4<f32>(), g[q], (i >= vec4<u32>(begin)) & (i < vec4<u32>(end)));
            sum += v;
            products += v * (x[q] - mean);
        }
    }
    let all = group_sum(vec2<f32>(sum.x + sum.y + (sum.z + sum.w), products.x + products.y + (products.z + products.w)), lid);
    if lid == 0u && first_record < p.batch {
        part[2u * id] = all.x;
        part[2u * id + 1u] = all.y * stats[p.channels + c];
    }
}

@compute @workgroup_size(WG)
fn combine(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= p.channels { return; }
    var total = vec2<f32>();
    for (var s = 0u; s < p.slices; s++) {
        let i = 2u * (s * p.channels + c);
        total += vec2<f32>(part[i], part[i + 1u]);
    }
    sums[c] = total.x;
    sums[p.channels + c] = total.y;
}
