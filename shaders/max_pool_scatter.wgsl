// Backward of max pooling: y[r, s] = sum of g[r, t] over the windows t whose maximum was at s. Each position looks at
// the windows that cover it, in order: no atomics.
//
// g, index  [R, T]    y  [R, L]
// A thread serves the `stride` positions [u stride - pad, (u + 1) stride - pad) of segment u, which windows up to u cover.
// PAIRS  kernel 2, stride 2, no padding: every window is a segment of its own
// Dispatch: one group of WG threads per row and chunk of `span` segments, folded over two dimensions.

struct Params {
    rows: u32, len: u32, out_len: u32, kernel: u32, stride: u32, pad: u32, chunks: u32, span: u32,
    segments: u32, reach: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override PAIRS: bool = false;
override WG: u32 = 64u;

fn serve(row: u32, segment: u32) {
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

// Segment u of pairs; behind the last window an odd sample may be left, which nothing covers.
fn serve_pair(row: u32, u: u32) {
    let j = row * p.out_len + min(u, p.out_len - 1u);
    let v = select(0.0, g[j], u < p.out_len);
    let odd = (index[j] & 1u) == 1u;
    let to = row * p.len + 2u * u;
    y[to] = select(v, 0.0, odd);
    if 2u * u + 1u < p.len { y[to + 1u] = select(0.0, v, odd); }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / p.chunks;
    if row >= p.rows { return; }
    let start = group % p.chunks * p.span;
    let end = min(start + p.span, p.segments);
    var u = start + lid;
    if u >= end { return; }
    loop {
        if PAIRS { serve_pair(row, u); } else { serve(row, u); }
        u += WG;
        continuing { break if u >= end; }
    }
}
