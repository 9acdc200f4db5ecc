// Batch normalisation, applied, and what may follow it, in one pass:
//   y = f((x - mean[c]) gain[c] + b[c] + z)
// with z nothing, another tensor, or another one's batch normalisation, and f nothing, max(0, .), or that and dropout.
//
// x, x2, y  [B, C, T], read and written as vec4 (buffers are padded to whole vec4s)
// stats, stats2  [5, C] from batch_norm_stats: mean, rstd, variance, gain, b    state  [3], see dropout.wgsl
// SECOND  0: no z;  1: z = x2;  2: z = (x2 - mean2[c]) gain2[c] + b2[c]     RELU  f is max(0, .)
// A template (minijinja); its constant: drop, f ends with the dropout of dropout.wgsl, to the same bits
{# defaults: drop=0 #}
// A row owns the pairs of vec4s that begin in it; the last of them may reach into the next row, which has the next channel.
// Dispatch: `main` one group of WG threads per row (b, c) and chunk of `span` pairs: no division per element; `short`, for
// rows of fewer than 8 values, one thread per vec4; both folded over two dimensions. Loops end with their test, see conv1d.wgsl.

struct Params { rows: u32, channels: u32, len: u32, chunks: u32, span: u32, site: u32, threshold: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> x2: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> stats2: array<f32>;
@group(0) @binding(5) var<storage, read> state: array<u32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;

override SECOND: u32 = 0u;
override RELU: bool = false;
override WG: u32 = 64u;
{% if drop %}
{% include "include/philox.wgsl" %}
{% endif %}
fn f(v: vec4<f32>) -> vec4<f32> {
    if RELU { return max(v, vec4<f32>()); }
    return v;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / p.chunks;
    if row >= p.rows { return; }
    let c = row % p.channels;
    let d = (c + 1u) % p.channels;
    let mean = vec2<f32>(stats[c], stats[d]);
    let gain = vec2<f32>(stats[3u * p.channels + c], stats[3u * p.channels + d]);
    let shift = vec2<f32>(stats[4u * p.channels + c], stats[4u * p.channels + d]);
    let mean2 = vec2<f32>(stats2[c], stats2[d]);
    let gain2 = vec2<f32>(stats2[3u * p.channels + c], stats2[3u * p.channels + d]);
    let shift2 = vec2<f32>(stats2[4u * p.channels + c], stats2[4u * p.channels + d]);
    let next = (row + 1u) * p.len;
    let first = (row * p.len + 7u) / 8u + group % p.chunks * p.span;
    let end = min((next + 7u) / 8u, first + p.span);
    var h = first + lid;
    if h >= end { return; }
    loop {
        {%- if drop %}
        let keep = kept(h, p.site, vec3<u32>(state[0], state[1], state[2]), p.threshold);
        {%- endif %}
        {%- for k in range(2) %}
        {
            let q = 2u * h + {{ k }}u;
            let own = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q < vec4<u32>(next);
            var v = (x[q] - select(mean.yyyy, mean.xxxx, own)) * select(gain.yyyy, gain.xxxx, own) + select(shift.yyyy, shift.xxxx, own);
            if SECOND == 1u { v += x2[q]; }
            if SECOND == 2u {
                v += (x2[q] - select(mean2.yyyy, mean2.xxxx, own)) * select(gain2.yyyy, gain2.xxxx, own) + select(shift2.yyyy, shift2.xxxx, own);
            }
            v = f(v);
            {%- if drop %}
            v = select(vec4<f32>(), v * p.scale, keep[{{ k }}]);
            {%- endif %}
            {%- if k == 0 %}
            y[q] = v;
            {%- else %}
            if 4u * q < p.rows * p.len { y[q] = v; }
            {%- endif %}
        }
        {%- endfor %}
        h += WG;
        continuing { break if h >= end; }
    }
}

@compute @workgroup_size(WG)
fn short(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let q = (wid.y * nwg.x + wid.x) * WG + lid;
    if 4u * q >= p.rows * p.len { return; }
    var all = vec4<f32>();
    for (var k = 0u; k < 4u; k++) {
        let c = (4u * q + k) / p.len % p.channels;
        var v = (x[q][k] - stats[c]) * stats[3u * p.channels + c] + stats[4u * p.channels + c];
        if SECOND == 1u { v += x2[q][k]; }
        if SECOND == 2u { v += (x2[q][k] - stats2[c]) * stats2[3u * p.channels + c] + stats2[4u * p.channels + c]; }
        all[k] = v;
    }
    all = f(all);
    {%- if drop %}
    var keep = kept(q / 2u, p.site, vec3<u32>(state[0], state[1], state[2]), p.threshold);
    all = select(vec4<f32>(), all * p.scale, keep[q % 2u]);
    {%- endif %}
    y[q] = all;
}
