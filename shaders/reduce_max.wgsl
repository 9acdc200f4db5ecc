// Maximum over the middle dimension and where it is: y[o, i] = max over r of x[o, r, i], index[o, i] the first r that has it.
//
// x  [O, R, I]    y, index  [O, I]
// Dispatch: one thread per output, WG threads per group, folded over two dimensions.

struct Params { n_out: u32, reduce: u32, inner: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> index: array<u32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let out = (wid.y * nwg.x + wid.x) * WG + lid;
    if out >= p.n_out { return; }
    let first = (out / p.inner) * p.reduce * p.inner + out % p.inner;
    var best = x[first];
    var at = 0u;
    for (var r = 1u; r < p.reduce; r++) {
        let v = x[first + r * p.inner];
        if v > best {
            best = v;
            at = r;
        }
    }
    y[out] = best;
    index[out] = at;
}
