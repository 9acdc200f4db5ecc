// Max pooling: y[r, t] = max of x[r, s] over the window s in [t stride - pad, t stride - pad + kernel) inside [0, L);
// index[r, t] is the first s that has it.
//
// x  [R, L] (rows are batch times channels)    y, index  [R, T]
// Dispatch: one thread per output, WG threads per group, folded over two dimensions.

struct Params { n_out: u32, len: u32, out_len: u32, kernel: u32, stride: u32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> index: array<u32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n_out { return; }
    let row = i / p.out_len;
    let start = (i - row * p.out_len) * p.stride;
    let first = select(0u, start - p.pad, start >= p.pad);
    let end = min(start + p.kernel - p.pad, p.len);
    var best = x[row * p.len + first];
    var at = first;
    for (var s = first + 1u; s < end; s++) {
        let v = x[row * p.len + s];
        if v > best {
            best = v;
            at = s;
        }
    }
    y[i] = best;
    index[i] = at;
}
