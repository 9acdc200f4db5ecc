// The formula as a loop: one element of the product a thread.
//   y[b, r, c] = sum over k of u[b ub + r ur + k ud] v[b vb + k vd + c vc]
// Strides express transposed operands and (batch stride 0) one matrix that the whole batch shares. Large products go as
// convolutions of one tap, in the versions of conv1d.
//
// u  [batch?, rows, depth] (or [depth, rows])    v  [batch?, depth, cols] (or [cols, depth])    y  [batch, rows, cols]
//@ alias: plain
//@ threads: batch * rows * cols
//@ knob WG: 64 | 8 16 32 64 128 256

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
