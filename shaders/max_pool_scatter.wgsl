// Backward of max pooling: y[r, s] = sum of g[r, t] over the windows t whose maximum was at s. Each position looks at
// the windows that cover it, in order: no atomics.
//
// g, index  [R, T]    y  [R, L], n elements
// Dispatch: one thread per element of y, WG threads per group, folded over two dimensions.

struct Params { n: u32, len: u32, out_len: u32, kernel: u32, stride: u32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let j = (wid.y * nwg.x + wid.x) * WG + lid;
    if j >= p.n { return; }
    let row = j / p.len;
    let s = j - row * p.len;
    let reach = s + p.pad;
    var t = select(0u, (reach - p.kernel) / p.stride + 1u, reach >= p.kernel);
    var sum = 0.0;
    for (; t * p.stride <= reach && t < p.out_len; t++) {
        let i = row * p.out_len + t;
        if index[i] == s { sum += g[i]; }
    }
    y[j] = sum;
}
