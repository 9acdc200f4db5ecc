// Copy through strides: y[i0, i1, i2, i3] = x[offset + i0 s0 + i1 s1 + i2 s2 + i3 s3].
// Serves permutation, slicing and expansion (stride 0).
//
// x  any    y  [d0, d1, d2, d3], n elements
// Dispatch: `main` one thread per element of y, WG threads per group; `rows`, for long last dimensions, one group of WG
// threads per row of d3 elements: no division per element; both folded over two dimensions.

struct Params { n: u32, d1: u32, d2: u32, d3: u32, s0: u32, s1: u32, s2: u32, s3: u32, offset: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    let i3 = i % p.d3;
    let r3 = i / p.d3;
    let i2 = r3 % p.d2;
    let r2 = r3 / p.d2;
    y[i] = x[p.offset + (r2 / p.d1) * p.s0 + (r2 % p.d1) * p.s1 + i2 * p.s2 + i3 * p.s3];
}

@compute @workgroup_size(WG)
fn rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let r3 = wid.y * nwg.x + wid.x;
    if r3 * p.d3 >= p.n { return; }
    let r2 = r3 / p.d2;
    let begin = p.offset + (r2 / p.d1) * p.s0 + (r2 % p.d1) * p.s1 + (r3 % p.d2) * p.s2;
    var i3 = lid;
    if i3 >= p.d3 { return; }
    loop {
        y[r3 * p.d3 + i3] = x[begin + i3 * p.s3];
        i3 += WG;
        continuing { break if i3 >= p.d3; }
    }
}
