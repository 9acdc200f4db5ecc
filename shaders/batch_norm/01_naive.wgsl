// The formulas as loops: a sum is one thread a channel, everything else one value a thread.
//   stats       moments[0..5, c] = mean, 1 / sqrt(var + eps), unbiased variance, w[c] / sqrt(var + eps), bias[c] of x over batch and time
//   stats_fixed the same of the running estimates mean, variance
//   apply       y = f((x - mean[c]) gain[c] + shift[c] + z), f max(0, .) (relu) and dropout (drop); norm, norm2 are moments;
//               z = 0 (second 0), x2 (1) or (x2 - mean2[c]) gain2[c] + shift2[c] (2)
//   back_sums   table[0..10, c] of g' = scale g where out > 0, else 0 (relu), else scale g: sums of g', g' xhat, g' xhat2;
//               sum of g' / N; gain, mean, slope; gain2, mean2, slope2; N = batch len, slope = rstd (sum of g' xhat) / N
//   back        dx = gain[c] (g' - (sum of g' / N)[c] - (x - mean[c]) slope[c]); dx2 = g' (second 1) or as dx of x2 (second 2)
//   sums        totals[0..2, c] = sum of g, sum of g xhat, xhat = (x - mean[c]) rstd[c]
//   grad        dx = w[c] rstd[c] (g - g_sums[0, c] / N - xhat g_sums[1, c] / N)
//   running     running_mean += momentum (mean - running_mean), and the variance
//
// x, x2, g, out, y, dx, dx2  [batch, channels, len]    moments, norm, norm2  [5, channels]    table, coefficients  [10, pitch]
// totals, g_sums  [2, channels]    state  [3], see dropout    all others  [channels]
//@ threads stats: channels
//@ threads stats_fixed: channels
//@ threads apply: batch * channels * len
//@ threads back_sums: channels
//@ threads back: batch * channels * len
//@ threads sums: channels
//@ threads grad: batch * channels * len
//@ threads running: channels
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Params { n: u32, batch: u32, channels: u32, len: u32 }
struct Stats { batch: u32, channels: u32, len: u32, eps: f32 }
struct Apply { n: u32, channels: u32, len: u32, site: u32, threshold: u32, scale: f32 }
struct Back { n: u32, batch: u32, channels: u32, len: u32, pitch: u32, scale: f32 }
struct Running { channels: u32, momentum: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(0) var<uniform> ps: Stats;
@group(0) @binding(0) var<uniform> pa: Apply;
@group(0) @binding(0) var<uniform> pb: Back;
@group(0) @binding(0) var<uniform> pr: Running;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> x2: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read> out: array<f32>;
@group(0) @binding(5) var<storage, read> norm: array<f32>;
@group(0) @binding(6) var<storage, read> norm2: array<f32>;
@group(0) @binding(7) var<storage, read> w: array<f32>;
@group(0) @binding(8) var<storage, read> bias: array<f32>;
@group(0) @binding(9) var<storage, read> mean: array<f32>;
@group(0) @binding(10) var<storage, read> variance: array<f32>;
@group(0) @binding(11) var<storage, read> state: array<u32>;
@group(0) @binding(12) var<storage, read> coefficients: array<f32>;
@group(0) @binding(13) var<storage, read> g_sums: array<f32>;
@group(0) @binding(14) var<storage, read_write> moments: array<f32>;
@group(0) @binding(15) var<storage, read_write> y: array<f32>;
@group(0) @binding(16) var<storage, read_write> table: array<f32>;
@group(0) @binding(17) var<storage, read_write> dx: array<f32>;
@group(0) @binding(18) var<storage, read_write> dx2: array<f32>;
@group(0) @binding(19) var<storage, read_write> totals: array<f32>;
@group(0) @binding(20) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(21) var<storage, read_write> running_variance: array<f32>;

override second: u32 = 0u;
override relu: bool = false;
override drop: bool = false;
override WG: u32 = 64u;
{% include "include/philox.wgsl" %}

fn put(c: u32, mean: f32, variance: f32, unbiased: f32) {
    let rstd = 1.0 / sqrt(variance + ps.eps);
    moments[c] = mean;
    moments[ps.channels + c] = rstd;
    moments[2u * ps.channels + c] = unbiased;
    moments[3u * ps.channels + c] = rstd * w[c];
    moments[4u * ps.channels + c] = bias[c];
}

@compute @workgroup_size(WG)
fn stats(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= ps.channels { return; }
    let count = f32(ps.batch * ps.len);
    var sum = 0.0;
    for (var b = 0u; b < ps.batch; b++) {
        var own = 0.0;
        for (var t = 0u; t < ps.len; t++) { own += x[(b * ps.channels + c) * ps.len + t]; }
        sum += own;
    }
    let mean = sum / count;
    var squares = 0.0;
    for (var b = 0u; b < ps.batch; b++) {
        var own = 0.0;
        for (var t = 0u; t < ps.len; t++) {
            let d = x[(b * ps.channels + c) * ps.len + t] - mean;
            own += d * d;
        }
        squares += own;
    }
    put(c, mean, squares / count, squares / max(count - 1.0, 1.0));
}

@compute @workgroup_size(WG)
fn stats_fixed(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c < ps.channels { put(c, mean[c], variance[c], variance[c]); }
}

@compute @workgroup_size(WG)
fn apply(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= pa.n { return; }
    let c = i / pa.len % pa.channels;
    var v = (x[i] - norm[c]) * norm[3u * pa.channels + c] + norm[4u * pa.channels + c];
    if second == 1u { v += x2[i]; }
    if second == 2u { v += (x2[i] - norm2[c]) * norm2[3u * pa.channels + c] + norm2[4u * pa.channels + c]; }
    if relu { v = max(v, 0.0); }
    if drop { v = select(0.0, v * pa.scale, keeps(i, pa.site, vec3<u32>(state[0], state[1], state[2]), pa.threshold)); }
    y[i] = v;
}

// g' at element i.
fn passed(i: u32) -> f32 { return select(g[i] * pb.scale, 0.0, relu && out[i] <= 0.0); }

@compute @workgroup_size(WG)
fn back_sums(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= pb.channels { return; }
    let count = f32(pb.batch * pb.len);
    let rstd = norm[pb.channels + c];
    let rstd2 = norm2[pb.channels + c];
    var sum = 0.0;
    var product = 0.0;
    var product2 = 0.0;
    for (var b = 0u; b < pb.batch; b++) {
        var own = 0.0;
        var own1 = 0.0;
        var own2 = 0.0;
        for (var t = 0u; t < pb.len; t++) {
            let i = (b * pb.channels + c) * pb.len + t;
            own += passed(i);
            own1 += passed(i) * (x[i] - norm[c]) * rstd;
            if second == 2u { own2 += passed(i) * (x2[i] - norm2[c]) * rstd2; }
        }
        sum += own;
        product += own1;
        product2 += own2;
    }
    var all = array(sum, product, product2, sum / count,
        norm[3u * pb.channels + c], norm[c], product / count * rstd,
        norm2[3u * pb.channels + c], norm2[c], product2 / count * rstd2);
    for (var i = 0u; i < 10u; i++) { table[i * pb.pitch + c] = all[i]; }
}

@compute @workgroup_size(WG)
fn back(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= pb.n { return; }
    let c = i / pb.len % pb.channels;
    let rest = passed(i) - coefficients[3u * pb.pitch + c];
    dx[i] = coefficients[4u * pb.pitch + c] * (rest - (x[i] - coefficients[5u * pb.pitch + c]) * coefficients[6u * pb.pitch + c]);
    if second == 1u { dx2[i] = passed(i); }
    if second == 2u {
        dx2[i] = coefficients[7u * pb.pitch + c] * (rest - (x2[i] - coefficients[8u * pb.pitch + c]) * coefficients[9u * pb.pitch + c]);
    }
}

@compute @workgroup_size(WG)
fn sums(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= p.channels { return; }
    var sum = 0.0;
    var product = 0.0;
    for (var b = 0u; b < p.batch; b++) {
        var own = 0.0;
        var own1 = 0.0;
        for (var t = 0u; t < p.len; t++) {
            let i = (b * p.channels + c) * p.len + t;
            own += g[i];
            own1 += g[i] * (x[i] - norm[c]) * norm[p.channels + c];
        }
        sum += own;
        product += own1;
    }
    totals[c] = sum;
    totals[p.channels + c] = product;
}

@compute @workgroup_size(WG)
fn grad(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    let c = i / p.len % p.channels;
    let count = f32(p.batch * p.len);
    let xhat = (x[i] - norm[c]) * norm[p.channels + c];
    dx[i] = w[c] * norm[p.channels + c] * (g[i] - g_sums[c] / count - xhat * g_sums[p.channels + c] / count);
}

@compute @workgroup_size(WG)
fn running(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= pr.channels { return; }
    running_mean[c] += pr.momentum * (norm[c] - running_mean[c]);
    running_variance[c] += pr.momentum * (norm[2u * pr.channels + c] - running_variance[c]);
}
