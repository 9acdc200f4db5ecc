// Fast short convolution, the transform of its input (the rest is done by conv1d_tile): Toom-Cook F(4, 4) in one dimension.
// A convolution is cut into pieces of four taps and its output into tiles of four positions; a piece and a tile need seven
// multiplications instead of sixteen, those of the values that two polynomials take at seven points:
//   y[4 m .. 4 m + 4) = A sum over pieces i, rows u of (G w_i)[u] * (B x)[u, m + i]
// As a tile is as long as a piece, all pieces (and all branches) read one transform B x of the input, made here:
//   v[t, u, m] = sum over j of B[t, j] x[u, 4 m + SHIFT + j],  j < 7
// The points are 0, 1, -1, 2, -2, 1/2 and infinity. G (conv1d_tile_weights) has the rows (1, a, a^2, a^3) / f(a), f(a) the
// product of a - b over the other points b; B the coefficients of the product of x - b; A (conv1d_tile) the columns
// (1, a, a^2, a^3); infinity stands for the highest coefficient. In f32 the error is about 2.5 times that of the sum
// written out.
//
// src  [rows, 4 quads] from conv1d_rows    v  [7, rows, 4 vquads], 0 where src ends
// SHIFT  0 to 3
// A template (minijinja); its constant: half, src holds f16, see include/quad.wgsl
// Dispatch: one thread per (u, four m), folded over two dimensions.

{# defaults: half=0 #}
{% include "include/quad.wgsl" %}

struct Params { n: u32, rows: u32, quads: u32, vquads: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> src: array<Quad>;
@group(0) @binding(2) var<storage, read_write> v: array<vec4<f32>>;

override SHIFT: u32 = 0u;
override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let u = id / p.vquads;
    let m = id % p.vquads * 4u;
    let inside = m + 5u < p.quads;
    let q = select(0u, u * p.quads + m, inside);
    let a1 = unpacked(src[q + 1u]);
    let a2 = unpacked(src[q + 2u]);
    let a3 = unpacked(src[q + 3u]);
    let a4 = unpacked(src[q + 4u]);
    // column c: value c of a vec4, for the four tiles
    let t0 = transpose(mat4x4<f32>(unpacked(src[q]), a1, a2, a3));
    let t1 = transpose(mat4x4<f32>(a1, a2, a3, a4));
    let t2 = transpose(mat4x4<f32>(a2, a3, a4, unpacked(src[q + 5u])));
    var x = array<vec4<f32>, 12>(t0[0], t0[1], t0[2], t0[3], t1[0], t1[1], t1[2], t1[3], t2[0], t2[1], t2[2], t2[3]);
    let d1 = x[SHIFT + 1u];
    let d2 = x[SHIFT + 2u];
    let d3 = x[SHIFT + 3u];
    let d4 = x[SHIFT + 4u];
    let d5 = x[SHIFT + 5u];
    // every product but that of 1/2 has the factor x - 1/2
    let e0 = d1 - 0.5 * x[SHIFT];
    let e1 = d2 - 0.5 * d1;
    let e2 = d3 - 0.5 * d2;
    let e3 = d4 - 0.5 * d3;
    let e4 = d5 - 0.5 * d4;
    let e5 = x[SHIFT + 6u] - 0.5 * d5;
    let one = e4 - 4.0 * e2;
    let one_odd = e3 - 4.0 * e1;
    let two = e4 - e2;
    let two_odd = 2.0 * (e3 - e1);
    let size = p.rows * p.vquads;
    let keep = select(0.0, 1.0, inside);
    v[id] = keep * (e4 - 5.0 * e2 + 4.0 * e0);
    v[id + size] = keep * (one + one_odd);
    v[id + 2u * size] = keep * (one - one_odd);
    v[id + 3u * size] = keep * (two + two_odd);
    v[id + 4u * size] = keep * (two - two_odd);
    v[id + 5u * size] = keep * (d5 - 5.0 * d3 + 4.0 * d1);
    v[id + 6u * size] = keep * (e5 - 5.0 * e3 + 4.0 * e1);
}
