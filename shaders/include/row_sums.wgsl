// Sums of rows, for reductions (inner = 1): a group sums a chunk of a row, read as vec4s (buffers are padded to whole ones).
{% include "include/words.wgsl" %}

override square: bool = false;
override WG_SUMS: u32 = 64u;
{% set adds = "add_up" %}{% set summed = "f32" %}
{%- include "include/group_sum.wgsl" %}

struct RowParams { n: u32, reduce: u32, chunks: u32, chunk: u32 }
@group(0) @binding(0) var<uniform> pr: RowParams;
@group(0) @binding(1) var<storage, read> x: array<Words>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG_SUMS)
fn rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = wid.y * nwg.x + wid.x;
    // groups past the end sum the last row again: barriers want all of them alike
    let o = min(id, pr.n - 1u) / pr.chunks;
    let s = min(id, pr.n - 1u) % pr.chunks;
    let begin = o * pr.reduce + s * pr.chunk;
    let end = o * pr.reduce + min(pr.reduce, (s + 1u) * pr.chunk);
    var sum = vec4<f32>();
    for (var q = begin / 4u + lid; 4u * q < end; q += WG_SUMS) {
        let i = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q;
        let v = select(vec4<f32>(), values(x[q]), (i >= vec4<u32>(begin)) & (i < vec4<u32>(end)));
        sum += select(v, v * v, square);
    }
    let all = add_up(sum.x + sum.y + (sum.z + sum.w), lid);
    if lid == 0u && id < pr.n { y[id] = all; }
}
