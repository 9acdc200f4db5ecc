// The adapter's ceiling for memory traffic through a kernel: y = x, `each` vec4s a thread.
//
// x, y  [n] as vec4s
// Dispatch: WG threads per group, which copies WG each vec4s; folded over two dimensions.

struct Params { n: u32, each: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let first = (wid.y * nwg.x + wid.x) * WG * p.each + lid;
    let end = min(p.n, first + WG * p.each);
    if first >= p.n { return; }
    var q = first;
    loop {
        y[q] = x[q];
        q += WG;
        continuing { break if q >= end; }
    }
}
