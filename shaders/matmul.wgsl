// Matrix product over a batch: y[b] = op(u[b]) op(v[b]), plain version: one thread per element.
// Strides express transposed operands and (batch stride 0) one matrix shared by the whole batch.
//
// u  [B?, M, K] (or [K, M])    v  [B?, K, N] (or [N, K])    y  [B, M, N]
// Dispatch: one thread per element of y, WG threads per group, folded over two dimensions.

struct Params { n: u32, rows: u32, cols: u32, depth: u32, ub: u32, ur: u32, ud: u32, vb: u32, vd: u32, vc: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> u: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    let col = i % p.cols;
    let row = (i / p.cols) % p.rows;
    let b = i / p.cols / p.rows;
    let iu = b * p.ub + row * p.ur;
    let iv = b * p.vb + col * p.vc;
    var sum = 0.0;
    for (var k = 0u; k < p.depth; k++) { sum += u[iu + k * p.ud] * v[iv + k * p.vd]; }
    y[i] = sum;
}
