// Sums for the backward pass of batch_norm.wgsl, of one normalisation or of two that were added, per channel over batch and
// time: of g', of g' xhat and of g' xhat2, where
//   g' = scale g where y > 0, else 0  (RELU: what went through max(0, .), and through dropout, whose zeros are zeros of y)
//   xhat = (x - mean[c]) rstd[c]
// In two steps: `slices` some records each into part, `combine` adds the slices in order and prepares what batch_norm_back
// needs for each channel.
//
// g, y, x, x2  [B, C, T] as vec4s    stats, stats2  from batch_norm_stats    part  [slices, C, 3]
// table  [10, pitch]: sums of g', g' xhat, g' xhat2; sum of g' / N; gain, mean, slope; gain2, mean2, slope2, where
//   N = B T, gain = w rstd, slope = rstd (sum of g' xhat) / N
// RELU, TWO (there are two)
// A template (minijinja); its constant: lanes, see include/group_sum.wgsl
{# defaults: lanes=0 #}
// Dispatch: `slices` one group of WG threads per (slice, channel); `combine` one thread per channel; folded over two
// dimensions.

struct Params { batch: u32, channels: u32, len: u32, slice: u32, slices: u32, pitch: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> stats: array<f32>;
@group(0) @binding(5) var<storage, read> x2: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> stats2: array<f32>;
@group(0) @binding(7) var<storage, read_write> part: array<f32>;
@group(0) @binding(8) var<storage, read_write> table: array<f32>;

override RELU: bool = false;
override TWO: bool = false;

{% set summed = "vec3<f32>" %}
{% include "include/group_sum_old.wgsl" %}

@compute @workgroup_size(WG)
fn slices(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = wid.y * nwg.x + wid.x;
    // groups past the end sum nothing: barriers want all of them alike
    let c = id % p.channels;
    let first_record = min(id / p.channels * p.slice, p.batch);
    let last_record = min(first_record + p.slice, p.batch);
    let mean = stats[c];
    let mean2 = stats2[c];
    var sum = vec4<f32>();
    var products = vec4<f32>();
    var products2 = vec4<f32>();
    for (var r = first_record; r < last_record; r++) {
        let begin = (r * p.channels + c) * p.len;
        let end = begin + p.len;
        for (var q = begin / 4u + lid; 4u * q < end; q += WG) {
            let i = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q;
            var v = select(vec4<f32>(), g[q] * p.scale, (i >= vec4<u32>(begin)) & (i < vec4<u32>(end)));
            if RELU { v = select(vec4<f32>(), v, y[q] > vec4<f32>()); }
            sum += v;
            products += v * (x[q] - mean);
            if TWO { products2 += v * (x2[q] - mean2); }
        }
    }
    let all = group_sum(vec3<f32>(total(sum), total(products), total(products2)), lid);
    if lid == 0u && first_record < p.batch {
        part[3u * id] = all.x;
        part[3u * id + 1u] = all.y * stats[p.channels + c];
        part[3u * id + 2u] = all.z * stats2[p.channels + c];
    }
}

fn total(v: vec4<f32>) -> f32 { return v.x + v.y + (v.z + v.w); }

@compute @workgroup_size(WG)
fn combine(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= p.channels { return; }
    var all = vec3<f32>();
    for (var s = 0u; s < p.slices; s++) {
        let i = 3u * (s * p.channels + c);
        all += vec3<f32>(part[i], part[i + 1u], part[i + 2u]);
    }
    let n = f32(p.batch * p.len);
    let rstd = stats[p.channels + c];
    let rstd2 = stats2[p.channels + c];
    var row = array(all.x, all.y, all.z, all.x / n,
        stats[3u * p.channels + c], stats[c], all.y / n * rstd,
        stats2[3u * p.channels + c], stats2[c], all.z / n * rstd2);
    for (var i = 0u; i < 10u; i++) { table[i * p.pitch + c] = row[i]; }
}
