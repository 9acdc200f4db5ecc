// Mean and variance of each channel over batch and time, in two steps without cancellation:
//   `rows`: part[b, c] = (mean, sum of squared deviations) of row x[b, c, :], in one pass over the row minus its first
//   value: a sample of a row of n lies at most sqrt(n) standard deviations from its mean, so little can cancel
//   `combine`: rows merged in order (Chan et al. 1979); stats[0, c] = mean, stats[1, c] = 1 / sqrt(var + eps) with the
//   biased variance, stats[2, c] = the unbiased variance (for the running estimate)
//
// x  [B, C, T], read as vec4 (buffers are padded to whole vec4s)    part  [B, C, 2]    stats  [3, C]
// Dispatch: `rows` one group of WG threads per row; `combine` one thread per channel; folded over two dimensions.

struct Params { batch: u32, channels: u32, len: u32, eps: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> part: array<f32>;
@group(0) @binding(3) var<storage, read_write> stats: array<f32>;

override WG: u32 = 64u;

var<workgroup> sums: array<vec2<f32>, WG>;

@compute @workgroup_size(WG)
fn rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let row = wid.y * nwg.x + wid.x;
    let inside = row < p.batch * p.channels;
    let begin = select(0u, row * p.len, inside);
    let end = select(0u, begin + p.len, inside);
    let first = x[begin / 4u][begin % 4u];
    var sum = vec4<f32>();
    var squares = vec4<f32>();
    for (var q = begin / 4u + lid; 4u * q < end; q += WG) {
        let i = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q;
        let d = select(vec4<f32>(), x[q] - first, (i >= vec4<u32>(begin)) & (i < vec4<u32>(end)));
        sum += d;
        squares += d * d;
    }
    sums[lid] = vec2<f32>(sum.x + sum.y + (sum.z + sum.w), squares.x + squares.y + (squares.z + squares.w));
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lid < half { sums[lid] += sums[lid + half]; }
    }
    if lid == 0u && inside {
        let mean = sums[0].x / f32(p.len);
        part[2u * row] = first + mean;
        part[2u * row + 1u] = max(sums[0].y - sums[0].x * mean, 0.0);
    }
}

@compute @workgroup_size(WG)
fn combine(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= p.channels { return; }
    var mean = 0.0;
    var m2 = 0.0;
    for (var b = 0u; b < p.batch; b++) {
        let i = 2u * (b * p.channels + c);
        let d = part[i] - mean;
        let seen = f32(b);
        mean += d / (seen + 1.0);
        m2 += part[i + 1u] + d * d * f32(p.len) * seen / (seen + 1.0);
    }
    let n = f32(p.batch * p.len);
    stats[c] = mean;
    stats[p.channels + c] = 1.0 / sqrt(m2 / n + p.eps);
    stats[2u * p.channels + c] = m2 / max(n - 1.0, 1.0);
}
