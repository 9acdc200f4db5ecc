// Backward of max pooling: y[r, s] = sum of g[r, t] over the windows t whose maximum was at s. Each position looks at
// the windows that cover it, in order: no atomics.
//
// g, index  [R, T]    y  [R, L]
// A thread serves the `stride` positions [u stride - pad, (u + 1) stride - pad) of segment u, which windows up to u cover.
// Dispatch: one thread per row and segment (n in all), WG threads per group, folded over two dimensions.

struct Params { n: u32, len: u32, out_len: u32, kernel: u32, stride: u32, pad: u32, segments: u32, reach: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    let row = i / p.segments;
    let segment = i - row * p.segments;
    let start = segment * p.stride;
    let first = select(0u, segment - p.reach, segment >= p.reach);
    for (var place = start; place < start + p.stride; place++) {
        let s = place - p.pad;
        if place < p.pad || s >= p.len { continue; }
        var sum = 0.0;
        for (var t = first; t <= segment && t < p.out_len; t++) {
            let j = row * p.out_len + t;
            if index[j] == s { sum += g[j]; }
        }
        y[row * p.len + s] = sum;
    }
}
