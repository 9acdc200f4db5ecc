// Element-wise functions of two tensors, with broadcasting: y = f(a, b), one case a row of the table in
// src/ops/elementwise.rs.
//
// y          [d0, d1, d2, d3], written as vec4 along the flat index
// a, b       any shape that broadcasts to y's: stride 0 along a broadcast dimension
// lo, hi     scalars of the row
// OP         the row's code
// BROADCAST  0: a and b have y's shape and are read as vec4; 1: read one by one through strides
// Dispatch: one group of WG threads per `span` vec4s, folded over two dimensions. Loops end with their test, see conv1d.wgsl.

struct Params {
    n: u32, d1: u32, d2: u32, d3: u32,
    a0: u32, a1: u32, a2: u32, a3: u32,
    b0: u32, b1: u32, b2: u32, b3: u32,
    lo: f32, hi: f32, span: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

override OP: u32 = 0u;
override BROADCAST: u32 = 0u;
override WG: u32 = 64u;

fn f(u: vec4<f32>, v: vec4<f32>) -> vec4<f32> {
    switch OP {
        case 0u: { return u + v; }
        case 1u: { return u - v; }
        case 2u: { return u * v; }
        case 3u: { return u / v; }
        // u where v is positive: the gradient of relu
        case 4u: { return select(vec4<f32>(0.0), u, v > vec4<f32>(0.0)); }
        // u with v's sign: the gradient of abs
        case 5u: { return u * sign(v); }
        // u where v lies between the limits: the gradient of clamp
        case 6u: { return select(vec4<f32>(0.0), u, (v >= vec4<f32>(p.lo)) & (v <= vec4<f32>(p.hi))); }
        default: { return u; }
    }
}

fn offsets(i: u32) -> vec2<u32> {
    let i3 = i % p.d3;
    let r3 = i / p.d3;
    let i2 = r3 % p.d2;
    let r2 = r3 / p.d2;
    let i1 = r2 % p.d1;
    let i0 = r2 / p.d1;
    return vec2<u32>(i0 * p.a0 + i1 * p.a1 + i2 * p.a2 + i3 * p.a3, i0 * p.b0 + i1 * p.b1 + i2 * p.b2 + i3 * p.b3);
}

fn at(i: u32) -> vec4<f32> {
    if BROADCAST == 0u { return f(a[i], b[i]); }
    let o0 = offsets(4u * i);
    let o1 = offsets(min(4u * i + 1u, p.n - 1u));
    let o2 = offsets(min(4u * i + 2u, p.n - 1u));
    let o3 = offsets(min(4u * i + 3u, p.n - 1u));
    let u = vec4<f32>(a[o0.x / 4u][o0.x % 4u], a[o1.x / 4u][o1.x % 4u], a[o2.x / 4u][o2.x % 4u], a[o3.x / 4u][o3.x % 4u]);
    let v = vec4<f32>(b[o0.y / 4u][o0.y % 4u], b[o1.y / 4u][o1.y % 4u], b[o2.y / 4u][o2.y % 4u], b[o3.y / 4u][o3.y % 4u]);
    return f(u, v);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let start = (wid.y * nwg.x + wid.x) * p.span;
    let end = min(start + p.span, (p.n + 3u) / 4u);
    var i = start + lid;
    if i >= end { return; }
    loop {
        y[i] = at(i);
        i += WG;
        continuing { break if i >= end; }
    }
}
