// Lays the weights of one branch out for conv1d_tile: OC virtual output channels and DU rows together, tap by tap.
//   forward:     v = o,           u = (c, r):  y[block, trip, d, j, i] = w[v, c, k],  k = S (j + j0 - lead) + r + pad
//   TRANSPOSED:  v = (c, r),      u = o:       y[block, trip, d, j, i] = w[u, c, k],  k = pad + r - S (j + j0 - lead)
// with v = OC block + i, u = DU trip + d; 0 where v, u or k is outside. r counts the phases of the strided side, all of
// them when TRANSPOSED, else those that taps meet.
//
// FAST: not the taps themselves but pieces of four, at the seven points of conv1d_fast_rows; TAPS counts pieces:
//   y[t, block, trip, d, i, o] = sum over e of G[t, e] tap[4 i + e],  t < 7, `point` values from one t to the next
//
// w  [C_out, C_in, K]    y  [blocks, trips, row] from `base` on, a row of DU taps OC values and zeros up to a multiple of
// what a subgroup loads at once
// Dispatch: one group of WG threads per (block, trip), folded over two dimensions.

struct Params {
    n: u32, base: u32, row: u32, depth: u32, trips: u32, du: u32, oc: u32,
    taps: u32, stride: u32, phases: u32, pad: i32, first: i32,   // first = j0 - lead
    c_out: u32, c_in: u32, kernel: u32, point: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override TRANSPOSED: bool = false;
override FAST: bool = false;
override WG: u32 = 64u;

// Tap k of the kernel at `row` of w; 0 outside. Negative k wrap to large ones.
fn tap(row: u32, inside: bool, k: i32) -> f32 {
    let there = inside && u32(k) < p.kernel;
    return select(0.0, w[row + select(0u, u32(k), there)], there);
}

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
                let at = row + (d * p.taps + j) * p.oc + i;
                let g0 = tap(from_w, inside, k);
                k += step;
                if !FAST {
                    y[at] = g0;
                    continue;
                }
                let g1 = tap(from_w, inside, k);
                let g2 = tap(from_w, inside, k + step);
                let g3 = tap(from_w, inside, k + 2 * step);
                k += 3 * step;
                y[at] = -0.5 * g0;
                y[at + p.point] = (g0 + g2 + (g1 + g3)) * (-1.0 / 3.0);
                y[at + 2u * p.point] = (g0 + g2 - (g1 + g3)) * (1.0 / 9.0);
                y[at + 3u * p.point] = (g0 + 4.0 * g2 + (2.0 * g1 + 8.0 * g3)) * (1.0 / 36.0);
                y[at + 4u * p.point] = (g0 + 4.0 * g2 - (2.0 * g1 + 8.0 * g3)) * (-1.0 / 60.0);
                y[at + 5u * p.point] = (g0 + 0.5 * g1 + 0.25 * g2 + 0.125 * g3) * (32.0 / 45.0);
                y[at + 6u * p.point] = g3;
            }
        }
    }
    for (var f = p.du * p.taps * p.oc + lid; f < p.row; f += WG) {
        for (var t = 0u; t < select(1u, 7u, FAST); t++) { y[row + f + t * p.point] = 0.0; }
    }
}
