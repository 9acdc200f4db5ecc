// Sums over rows: y[o, s] = sum over r in chunk s of f(x[o, r]), r in [s c, min(R, (s + 1) c)), see reduce.wgsl.
//
// x  [O, R], read as vec4 (buffers are padded to whole vec4s)    y  [O, S]
// OP    0: f(v) = v, 1: f(v) = v * v
// A template (minijinja); its constant: lanes, see include/group_sum.wgsl
{# defaults: lanes=0 #}
// Dispatch: one group of WG threads per output, strided partial sums, summed in a fixed order; folded over two dimensions.

struct Params { n_out: u32, reduce: u32, inner: u32, chunks: u32, chunk: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override OP: u32 = 0u;
{% set summed = "f32" %}
{% include "include/group_sum_old.wgsl" %}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let out = wid.y * nwg.x + wid.x;
    // groups past the end sum the last row again: barriers want all of them alike
    let o = min(out, p.n_out - 1u) / p.chunks;
    let s = min(out, p.n_out - 1u) % p.chunks;
    let begin = o * p.reduce + s * p.chunk;
    let end = o * p.reduce + min(p.reduce, (s + 1u) * p.chunk);
    var sum = vec4<f32>();
    for (var q = begin / 4u + lid; 4u * q < end; q += WG) {
        let i = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q;
        let v = select(vec4<f32>(), x[q], (i >= vec4<u32>(begin)) & (i < vec4<u32>(end)));
        sum += select(v, v * v, OP == 1u);
    }
    let all = group_sum(sum.x + sum.y + (sum.z + sum.w), lid);
    if lid == 0u && out < p.n_out { y[out] = all; }
}
