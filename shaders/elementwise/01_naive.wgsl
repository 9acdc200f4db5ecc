// The functions of include/elementwise.wgsl, one value a thread.
//   unary   y[i] = f(x[i])
//   binary  y[i] = f(u[i], v[i]), with broadcasting: stride 0 along a dimension in which u or v is repeated
//
// x  [n]    y  [n], for binary [d0, d1, d2, d3]    u, v  any shape that broadcasts to y's    a, b  the function's scalars
//@ threads unary: n
//@ threads binary: n
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct UnaryParams { n: u32, a: f32, b: f32 }
struct BinaryParams {
    n: u32, d1: u32, d2: u32, d3: u32, u0: u32, u1: u32, u2: u32, u3: u32, v0: u32, v1: u32, v2: u32, v3: u32,
    a: f32, b: f32,
}
@group(0) @binding(0) var<uniform> p: UnaryParams;
@group(0) @binding(0) var<uniform> q: BinaryParams;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> u: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;
alias Value = f32;
{% include "include/elementwise.wgsl" %}

@compute @workgroup_size(WG)
fn unary(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i < p.n { y[i] = of_one(x[i], p.a, p.b); }
}

@compute @workgroup_size(WG)
fn binary(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= q.n { return; }
    let i3 = i % q.d3;
    let i2 = i / q.d3 % q.d2;
    let i1 = i / q.d3 / q.d2 % q.d1;
    let i0 = i / q.d3 / q.d2 / q.d1;
    let iu = i0 * q.u0 + i1 * q.u1 + i2 * q.u2 + i3 * q.u3;
    let iv = i0 * q.v0 + i1 * q.v1 + i2 * q.v2 + i3 * q.v3;
    y[i] = of_two(u[iu], v[iv], q.a, q.b);
}
