// Sums over batch and time of each channel, for batch_norm: a group sums some records of a channel (`_slices`), and one thread
// a channel adds the slices in order (`_combine`). Formulas and operands as in batch_norm/01_naive.
// stats is one pass without cancellation: `slices` leaves (mean, sum of squared deviations) of values minus their first one
// (a sample of n lies at most sqrt(n) standard deviations from the mean, so little can cancel), and `combine` merges the
// slices (Chan et al. 1979).
// x, x2, g, out as vec4s (buffers are padded to whole ones; see words)    part  [slices, channels, 2 or 3]
{% include "include/words.wgsl" %}

struct SumParams { batch: u32, channels: u32, len: u32, slice: u32, slices: u32 }
struct StatsParams { batch: u32, channels: u32, len: u32, slice: u32, slices: u32, eps: f32 }
struct BackParams { batch: u32, channels: u32, len: u32, slice: u32, slices: u32, pitch: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: SumParams;
@group(0) @binding(0) var<uniform> ps: StatsParams;
@group(0) @binding(0) var<uniform> pb: BackParams;
@group(0) @binding(1) var<storage, read> x: array<Words>;
@group(0) @binding(2) var<storage, read> x2: array<Words>;
@group(0) @binding(3) var<storage, read> g: array<Words>;
@group(0) @binding(4) var<storage, read> out: array<Words>;
@group(0) @binding(5) var<storage, read> norm: array<f32>;
@group(0) @binding(6) var<storage, read> norm2: array<f32>;
@group(0) @binding(7) var<storage, read> w: array<f32>;
@group(0) @binding(8) var<storage, read> bias: array<f32>;
@group(0) @binding(9) var<storage, read_write> part: array<f32>;
@group(0) @binding(10) var<storage, read_write> moments: array<f32>;
@group(0) @binding(11) var<storage, read_write> totals: array<f32>;
@group(0) @binding(12) var<storage, read_write> table: array<f32>;

override second: u32 = 0u;
override relu: bool = false;
override WG: u32 = 64u;
override WG_SUMS: u32 = 64u;
{% set adds = "sum2" %}{% set summed = "vec2<f32>" %}
{%- include "include/group_sum.wgsl" %}
{% set adds = "sum3" %}{% set summed = "vec3<f32>" %}
{%- include "include/group_sum.wgsl" %}

fn total(v: vec4<f32>) -> f32 { return v.x + v.y + (v.z + v.w); }

@compute @workgroup_size(WG_SUMS)
fn stats_slices(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = wid.y * nwg.x + wid.x;
    // groups past the end sum nothing: barriers want all of them alike
    let c = id % ps.channels;
    let first_record = min(id / ps.channels * ps.slice, ps.batch);
    let last_record = min(first_record + ps.slice, ps.batch);
    let start = (min(first_record, ps.batch - 1u) * ps.channels + c) * ps.len;
    let first = value(x[start / 4u][start % 4u / PER_WORD], start);
    var sum = vec4<f32>();
    var squares = vec4<f32>();
    for (var r = first_record; r < last_record; r++) {
        let begin = (r * ps.channels + c) * ps.len;
        let end = begin + ps.len;
        for (var q = begin / 4u + lid; 4u * q < end; q += WG_SUMS) {
            let i = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q;
            let d = select(vec4<f32>(), values(x[q]) - first, (i >= vec4<u32>(begin)) & (i < vec4<u32>(end)));
            sum += d;
            squares += d * d;
        }
    }
    let all = sum2(vec2<f32>(total(sum), total(squares)), lid);
    if lid == 0u && first_record < ps.batch {
        let mean = all.x / f32((last_record - first_record) * ps.len);
        part[2u * id] = first + mean;
        part[2u * id + 1u] = max(all.y - all.x * mean, 0.0);
    }
}

@compute @workgroup_size(WG)
fn stats_combine(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= ps.channels { return; }
    var mean = 0.0;
    var m2 = 0.0;
    var seen = 0.0;
    for (var s = 0u; s < ps.slices; s++) {
        let i = 2u * (s * ps.channels + c);
        let count = f32((min((s + 1u) * ps.slice, ps.batch) - s * ps.slice) * ps.len);
        let d = part[i] - mean;
        mean += d * count / (seen + count);
        m2 += part[i + 1u] + d * d * count * seen / (seen + count);
        seen += count;
    }
    let rstd = 1.0 / sqrt(m2 / seen + ps.eps);
    moments[c] = mean;
    moments[ps.channels + c] = rstd;
    moments[2u * ps.channels + c] = m2 / max(seen - 1.0, 1.0);
    moments[3u * ps.channels + c] = rstd * w[c];
    moments[4u * ps.channels + c] = bias[c];
}

@compute @workgroup_size(WG_SUMS)
fn sums_slices(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = wid.y * nwg.x + wid.x;
    let c = id % p.channels;
    let first_record = min(id / p.channels * p.slice, p.batch);
    let last_record = min(first_record + p.slice, p.batch);
    let mean = norm[c];
    var sum = vec4<f32>();
    var products = vec4<f32>();
    for (var r = first_record; r < last_record; r++) {
        let begin = (r * p.channels + c) * p.len;
        let end = begin + p.len;
        for (var q = begin / 4u + lid; 4u * q < end; q += WG_SUMS) {
            let i = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q;
            let v = select(vec4<f32>(), values(g[q]), (i >= vec4<u32>(begin)) & (i < vec4<u32>(end)));
            sum += v;
            products += v * (values(x[q]) - mean);
        }
    }
    let all = sum2(vec2<f32>(total(sum), total(products)), lid);
    if lid == 0u && first_record < p.batch {
        part[2u * id] = all.x;
        part[2u * id + 1u] = all.y * norm[p.channels + c];
    }
}

@compute @workgroup_size(WG)
fn sums_combine(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= p.channels { return; }
    var all = vec2<f32>();
    for (var s = 0u; s < p.slices; s++) {
        let i = 2u * (s * p.channels + c);
        all += vec2<f32>(part[i], part[i + 1u]);
    }
    totals[c] = all.x;
    totals[p.channels + c] = all.y;
}

@compute @workgroup_size(WG_SUMS)
fn back_slices(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = wid.y * nwg.x + wid.x;
    let c = id % pb.channels;
    let first_record = min(id / pb.channels * pb.slice, pb.batch);
    let last_record = min(first_record + pb.slice, pb.batch);
    let mean = norm[c];
    let mean2 = norm2[c];
    var sum = vec4<f32>();
    var products = vec4<f32>();
    var products2 = vec4<f32>();
    for (var r = first_record; r < last_record; r++) {
        let begin = (r * pb.channels + c) * pb.len;
        let end = begin + pb.len;
        for (var q = begin / 4u + lid; 4u * q < end; q += WG_SUMS) {
            let i = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q;
            var v = select(vec4<f32>(), values(g[q]) * pb.scale, (i >= vec4<u32>(begin)) & (i < vec4<u32>(end)));
            if relu { v = select(vec4<f32>(), v, values(out[q]) > vec4<f32>()); }
            sum += v;
            products += v * (values(x[q]) - mean);
            if second == 2u { products2 += v * (values(x2[q]) - mean2); }
        }
    }
    let all = sum3(vec3<f32>(total(sum), total(products), total(products2)), lid);
    if lid == 0u && first_record < pb.batch {
        part[3u * id] = all.x;
        part[3u * id + 1u] = all.y * norm[pb.channels + c];
        part[3u * id + 2u] = all.z * norm2[pb.channels + c];
    }
}

@compute @workgroup_size(WG)
fn back_combine(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= pb.channels { return; }
    var all = vec3<f32>();
    for (var s = 0u; s < pb.slices; s++) {
        let i = 3u * (s * pb.channels + c);
        all += vec3<f32>(part[i], part[i + 1u], part[i + 2u]);
    }
    let n = f32(pb.batch * pb.len);
    let rstd = norm[pb.channels + c];
    let rstd2 = norm2[pb.channels + c];
    var row = array(all.x, all.y, all.z, all.x / n,
        norm[3u * pb.channels + c], norm[c], all.y / n * rstd,
        norm2[3u * pb.channels + c], norm2[c], all.z / n * rstd2);
    for (var i = 0u; i < 10u; i++) { table[i * pb.pitch + c] = row[i]; }
}
