// Spans of vec4s: a thread does four values at a time, and a group a span of them, so that there are few groups and no division
// for a value.
// Formulas and operands as in 01_naive, with x, u, v, y as vec4s (buffers are padded to whole ones). Operands that are repeated
// are read one by one through strides. Loops end with their test: so the compiler of the software adapter keeps the lanes in
// step.
//@ alias: plain WG=64 span=64
//@ alias: tile WG=8 span=512
//@ alias: wide WG=64 span=256
//@ default: true
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256
//@ knob span: 512 if software else 256 | 64 128 256 512 1024 2048
//@ let n4: ceil(n, 4)
//@ let span: max(min(span, ceil(n4, 64)), WG)
//@ groups unary: ceil(n4, span)
//@ groups binary: ceil(n4, span)

struct UnaryParams { n4: u32, span: u32, a: f32, b: f32 }
struct BinaryParams {
    n: u32, d1: u32, d2: u32, d3: u32, u0: u32, u1: u32, u2: u32, u3: u32, v0: u32, v1: u32, v2: u32, v3: u32,
    a: f32, b: f32, span: u32,
}
@group(0) @binding(0) var<uniform> p: UnaryParams;
@group(0) @binding(0) var<uniform> q: BinaryParams;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> u: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

override broadcast: bool = false;
override WG: u32 = 64u;
alias Value = vec4<f32>;
{% include "include/elementwise.wgsl" %}

@compute @workgroup_size(WG)
fn unary(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let start = (wid.y * nwg.x + wid.x) * p.span;
    let end = min(start + p.span, p.n4);
    var i = start + lid;
    if i >= end { return; }
    loop {
        y[i] = of_one(x[i], p.a, p.b);
        i += WG;
        continuing { break if i >= end; }
    }
}

fn offsets(i: u32) -> vec2<u32> {
    let i3 = i % q.d3;
    let r3 = i / q.d3;
    let i2 = r3 % q.d2;
    let r2 = r3 / q.d2;
    let i1 = r2 % q.d1;
    let i0 = r2 / q.d1;
    return vec2<u32>(i0 * q.u0 + i1 * q.u1 + i2 * q.u2 + i3 * q.u3, i0 * q.v0 + i1 * q.v1 + i2 * q.v2 + i3 * q.v3);
}

fn at(i: u32) -> vec4<f32> {
    if !broadcast { return of_two(u[i], v[i], q.a, q.b); }
    let o0 = offsets(4u * i);
    let o1 = offsets(min(4u * i + 1u, q.n - 1u));
    let o2 = offsets(min(4u * i + 2u, q.n - 1u));
    let o3 = offsets(min(4u * i + 3u, q.n - 1u));
    let us = vec4<f32>(u[o0.x / 4u][o0.x % 4u], u[o1.x / 4u][o1.x % 4u], u[o2.x / 4u][o2.x % 4u], u[o3.x / 4u][o3.x % 4u]);
    let vs = vec4<f32>(v[o0.y / 4u][o0.y % 4u], v[o1.y / 4u][o1.y % 4u], v[o2.y / 4u][o2.y % 4u], v[o3.y / 4u][o3.y % 4u]);
    return of_two(us, vs, q.a, q.b);
}

@compute @workgroup_size(WG)
fn binary(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let start = (wid.y * nwg.x + wid.x) * q.span;
    let end = min(start + q.span, (q.n + 3u) / 4u);
    var i = start + lid;
    if i >= end { return; }
    loop {
        y[i] = at(i);
        i += WG;
        continuing { break if i >= end; }
    }
}
