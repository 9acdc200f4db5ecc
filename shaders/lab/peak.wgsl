// The adapter's ceiling for multiply-adds: sixteen independent chains a thread, nothing loaded on the way. The factor is
// read from a buffer, so that nothing can be worked out beforehand.
//
// x  [1]    y  [threads]
// Dispatch: WG threads per group; a thread does 16 * 8 * trips multiply-adds.

struct Params { n: u32, trips: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

struct Sums { a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32> }

fn once(s: Sums, k: f32, t: f32) -> Sums { return Sums(s.a * k + t, s.b * k + t, s.c * k + t, s.d * k + t); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let k = x[0];
    let t = f32(lid) * 0.001;
    var s = Sums(vec4<f32>(0.1, 0.2, 0.3, 0.4), vec4<f32>(0.5, 0.6, 0.7, 0.8), vec4<f32>(0.9, 1.0, 1.1, 1.2), vec4<f32>(1.3, 1.4, 1.5, 1.6));
    var trips = p.trips;
    loop {
        s = once(once(once(once(once(once(once(once(s, k, t), k, t), k, t), k, t), k, t), k, t), k, t), k, t);
        trips--;
        continuing { break if trips == 0u; }
    }
    let sum = s.a + s.b + s.c + s.d;
    y[id] = sum.x + sum.y + sum.z + sum.w;
}
