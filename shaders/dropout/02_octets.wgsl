// Octets: a thread does the eight values that one draw of random numbers serves, as two vec4s, and a group a span of them.
// Formula and operands as in 01_naive, with x, y as vec4s (buffers are padded to whole ones). Loops are do-while: so the
// compiler of the software adapter keeps the lanes in step.
//@ alias: plain WG=64 span=64
//@ alias: tile WG=8 span=512
//@ alias: wide WG=64 span=256
//@ default: true
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256
//@ knob span: 512 if software else 256 | 64 128 256 512 1024 2048
//@ let n8: ceil(n, 8)
//@ let span: max(min(span, ceil(n8, 64)), WG)
//@ groups: ceil(n8, span)

struct Params { n: u32, site: u32, threshold: u32, scale: f32, span: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<Words>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Words>;

override WG: u32 = 64u;
{% include "include/words.wgsl" %}
{% include "include/philox.wgsl" %}

fn drop(pair: u32) {
    let keep = kept(pair, p.site, vec3<u32>(state[0], state[1], state[2]), p.threshold);
    let q = 2u * pair;
    y[q] = words(select(vec4<f32>(), values(x[q]) * p.scale, keep[0]));
    if q * 4u + 4u < p.n { y[q + 1u] = words(select(vec4<f32>(), values(x[q + 1u]) * p.scale, keep[1])); }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let start = (wid.y * nwg.x + wid.x) * p.span;
    let end = min(start + p.span, (p.n + 7u) / 8u);
    var pair = start + lid;
    if pair >= end { return; }
    loop {
        drop(pair);
        pair += WG;
        continuing { break if pair >= end; }
    }
}
