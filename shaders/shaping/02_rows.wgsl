// Rows: a group goes along a row of the last dimension, so that nothing is divided for an element; for rows of 32 and more.
// Formula and operands as in 01_naive.
//@ alias: tile WG=8
//@ alias: wide WG=64
//@ default: true
//@ fits: d3 >= 32
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256
//@ let n: d0 * d1 * d2 * d3
//@ groups strided: d0 * d1 * d2

struct Params { n: u32, d1: u32, d2: u32, d3: u32, s0: u32, s1: u32, s2: u32, s3: u32, offset: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn strided(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let r3 = wid.y * nwg.x + wid.x;
    if r3 * p.d3 >= p.n { return; }
    let r2 = r3 / p.d2;
    let begin = p.offset + (r2 / p.d1) * p.s0 + (r2 % p.d1) * p.s1 + (r3 % p.d2) * p.s2;
    var i3 = lid;
    if i3 >= p.d3 { return; }
    loop {
        y[r3 * p.d3 + i3] = x[begin + i3 * p.s3];
        i3 += WG;
        continuing { break if i3 >= p.d3; }
    }
}
