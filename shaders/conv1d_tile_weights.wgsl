// Lays the weights of one branch out for conv1d_tile: OC virtual output channels together, tap by tap.
//   forward:     v = o,           u = (c, r):  y[block, u, j, i] = w[v, c, k],  k = S (j + j0 - lead) + r + pad
//   TRANSPOSED:  v = (c, r),      u = o:       y[block, u, j, i] = w[u, c, k],  k = pad + r - S (j + j0 - lead)
// with v = OC block + i; 0 where v or k is outside. r counts the phases of the strided side, all of them when TRANSPOSED, else those that taps meet.
//
// w  [C_out, C_in, K]    y  [blocks, U, row], a row of taps OC values and zeros up to a multiple of what a subgroup
// loads at once
// Dispatch: one thread per value of y, WG threads per group, folded over two dimensions.

struct Params {
    n: u32, row: u32, depth: u32, oc: u32,
    taps: u32, stride: u32, phases: u32, pad: i32, first: i32,   // first = j0 - lead
    c_out: u32, c_in: u32, kernel: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override TRANSPOSED: bool = false;
override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let f = id % p.row;
    let u = id / p.row % p.depth;
    let v = id / p.row / p.depth * p.oc + f % p.oc;
    let j = f / p.oc;
    let phased = select(u, v, TRANSPOSED);
    let o = select(v, u, TRANSPOSED);
    let c = phased / p.phases;
    let r = i32(phased % p.phases);
    let at = i32(p.stride) * (i32(j) + p.first);
    let k = p.pad + r + select(at, -at, TRANSPOSED);
    let inside = j < p.taps && o < p.c_out && c < p.c_in && k >= 0 && k < i32(p.kernel);
    y[id] = select(0.0, w[select(0u, (o * p.c_in + c) * p.kernel + u32(k), inside)], inside);
}
