// Dropout: y[i] = scale x[i] where uniform(i) >= threshold, else 0, with uniform numbers of 16 bits. They come from Philox
// (include/philox.wgsl) with key = seed and counter = (i / 8, site, step, 0): the same for the same seed, step and site on
// every device, and nothing has to be kept for the backward pass.
//
// x, y   [n] as vec4s (buffers are padded to whole ones)    state  [3]: seed low word, seed high word, step
// Dispatch: one group of WG threads per `span` times eight elements, folded over two dimensions. Loops end with their test,
// see conv1d.wgsl.

struct Params { n: u32, site: u32, threshold: u32, scale: f32, span: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

override WG: u32 = 64u;

{% include "include/philox.wgsl" %}

fn drop(pair: u32) {
    let keep = kept(pair, p.site, vec3<u32>(state[0], state[1], state[2]), p.threshold);
    let q = 2u * pair;
    y[q] = select(vec4<f32>(), x[q] * p.scale, keep[0]);
    if q * 4u + 4u < p.n { y[q + 1u] = select(vec4<f32>(), x[q + 1u] * p.scale, keep[1]); }
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
