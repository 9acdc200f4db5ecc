// Mean and variance of each channel over batch and time, in two steps without cancellation:
//   `slices`: part[s, c] = (mean, sum of squared deviations) of channel c in the records of slice s, in one pass over them
//   minus their first value: a sample of n lies at most sqrt(n) standard deviations from the mean, so little can cancel
//   `combine`: slices merged in order (Chan et al. 1979); stats[0, c] = mean, stats[1, c] = 1 / sqrt(var + eps) with the
//   biased variance, stats[2, c] = the unbiased variance (for the running estimate), stats[3, c] = stats[1, c] w[c] and
//   stats[4, c] = b[c], so that y = (x - stats[0]) stats[3] + stats[4]
//   `fixed`: the same table from the running estimates instead: part[0] = mean, part[1] = variance
//
// x  [B, C, T], read as vec4 (buffers are padded to whole vec4s)    w, b  [C]    part  [slices, C, 2] or, for `fixed`,
// [2, C]    stats  [5, C]
// A template (minijinja); its constant: lanes, see include/group_sum.wgsl
{# defaults: lanes=0 #}
// Dispatch: `slices` one group of WG threads per (slice, channel); the others one thread per channel; folded over two
// dimensions.

struct Params { batch: u32, channels: u32, len: u32, slice: u32, slices: u32, eps: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> part: array<f32>;
@group(0) @binding(5) var<storage, read_write> stats: array<f32>;

{% set summed = "vec2<f32>" %}
{% include "include/group_sum_old.wgsl" %}

@compute @workgroup_size(WG)
fn slices(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = wid.y * nwg.x + wid.x;
    // groups past the end sum nothing: barriers want all of them alike
    let c = id % p.channels;
    let first_record = min(id / p.channels * p.slice, p.batch);
    let last_record = min(first_record + p.slice, p.batch);
    let start = (min(first_record, p.batch - 1u) * p.channels + c) * p.len;
    let first = x[start / 4u][start % 4u];
    var sum = vec4<f32>();
    var squares = vec4<f32>();
    for (var r = first_record; r < last_record; r++) {
        let begin = (r * p.channels + c) * p.len;
        let end = begin + p.len;
        for (var q = begin / 4u + lid; 4u * q < end; q += WG) {
            let i = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q;
            let d = select(vec4<f32>(), x[q] - first, (i >= vec4<u32>(begin)) & (i < vec4<u32>(end)));
            sum += d;
            squares += d * d;
        }
    }
    let all = group_sum(vec2<f32>(sum.x + sum.y + (sum.z + sum.w), squares.x + squares.y + (squares.z + squares.w)), lid);
    if lid == 0u && first_record < p.batch {
        let mean = all.x / f32((last_record - first_record) * p.len);
        part[2u * id] = first + mean;
        part[2u * id + 1u] = max(all.y - all.x * mean, 0.0);
    }
}

fn put(c: u32, mean: f32, variance: f32, unbiased: f32) {
    let rstd = 1.0 / sqrt(variance + p.eps);
    stats[c] = mean;
    stats[p.channels + c] = rstd;
    stats[2u * p.channels + c] = unbiased;
    stats[3u * p.channels + c] = rstd * w[c];
    stats[4u * p.channels + c] = b[c];
}

@compute @workgroup_size(WG)
fn combine(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= p.channels { return; }
    var mean = 0.0;
    var m2 = 0.0;
    var seen = 0.0;
    for (var s = 0u; s < p.slices; s++) {
        let i = 2u * (s * p.channels + c);
        let count = f32((min((s + 1u) * p.slice, p.batch) - s * p.slice) * p.len);
        let d = part[i] - mean;
        mean += d * count / (seen + count);
        m2 += part[i + 1u] + d * d * count * seen / (seen + count);
        seen += count;
    }
    put(c, mean, m2 / seen, m2 / max(seen - 1.0, 1.0));
}

@compute @workgroup_size(WG)
fn fixed(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= p.channels { return; }
    let variance = part[p.channels + c];
    put(c, part[c], variance, variance);
}
