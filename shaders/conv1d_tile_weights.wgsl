// Lays the weights of one branch out for conv1d_tile: OC virtual output channels and DU rows together, tap by tap.
//   forward:     v = o,           u = (c, r):  y[block, trip, d, j, i] = w[v, c, k],  k = S (j + j0 - lead) + r + pad
//   TRANSPOSED:  v = (c, r),      u = o:       y[block, trip, d, j, i] = w[u, c, k],  k = pad + r - S (j + j0 - lead)
// with v = OC block + i, u = DU trip + d; 0 where v, u or k is outside. r counts the phases of the strided side, all of
// them when TRANSPOSED, else those that taps meet.
//
// w  [C_out, C_in, K]    y  [blocks, trips, row] from `base` on, a row of DU taps OC values and zeros up to a multiple of
// what a subgroup loads at once
// Dispatch: one group of WG threads per (block, trip), folded over two dimensions.

struct Params {
    n: u32, base: u32, row: u32, depth: u32, trips: u32, du: u32, oc: u32,
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
    let id = wid.y * nwg.x + wid.x;
    if id >= p.n { return; }
    let block = id / p.trips * p.oc;
    let trip = id % p.trips * p.du;
    let row = p.base + id * p.row;
    for (var d = 0u; d < p.du; d++) {
        let u = trip + d;
        for (var i = lid; i < p.oc; i += WG) {
            let v = block + i;
            let phased = select(u, v, TRANSPOSED);
            let o = select(v, u, TRANSPOSED);
            let c = phased / p.phases;
            let inside = u < p.depth && o < p.c_out && c < p.c_in;
            let from_w = select(0u, (o * p.c_in + c) * p.kernel, inside);
            let step = select(i32(p.stride), -i32(p.stride), TRANSPOSED);
            var k = p.pad + i32(phased % p.phases) + step * p.first;
            for (var j = 0u; j < p.taps; j++) {
                let tap = inside && u32(k) < p.kernel;
                y[row + (d * p.taps + j) * p.oc + i] = select(0.0, w[from_w + select(0u, u32(k), tap)], tap);
                k += step;
            }
        }
    }
    for (var f = p.du * p.taps * p.oc + lid; f < p.row; f += WG) { y[row + f] = 0.0; }
}
