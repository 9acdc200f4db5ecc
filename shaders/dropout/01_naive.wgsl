// The formula as it stands: one value a thread.
//   y[i] = scale x[i] where uniform(i) >= threshold, else 0, with uniform numbers of 16 bits
// They come from Philox (include/philox.wgsl) with key = seed and counter = (i / 8, site, step, 0): the same for the same seed,
// step and site on every device, and nothing has to be kept for the backward pass.
//
// x, y  [n]    state  [3]: seed low word, seed high word, step
//@ threads: n
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Params { n: u32, site: u32, threshold: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;
{% include "include/philox.wgsl" %}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    let keep = keeps(i, p.site, vec3<u32>(state[0], state[1], state[2]), p.threshold);
    y[i] = select(0.0, x[i] * p.scale, keep);
}
