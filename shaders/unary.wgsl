// Element-wise functions of one tensor: y[i] = f(x[i]), one case a row of the table in src/ops/elementwise.rs.
//
// x, y   [n] in any shape, read and written as vec4 (buffers are padded to whole vec4s)
// a, b   scalars of the row: factor, summand, clamp limits
// OP     the row's code; a constant, so that the switch costs nothing
// Dispatch: one group of WG threads per `span` vec4s, folded over two dimensions. Loops end with their test, see conv1d.wgsl.

struct Params { n4: u32, span: u32, a: f32, b: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

override OP: u32 = 0u;
override WG: u32 = 64u;

fn f(v: vec4<f32>) -> vec4<f32> {
    switch OP {
        case 0u: { return -v; }
        case 1u: { return p.a * v; }
        case 2u: { return v + p.a; }
        case 3u: { return max(v, vec4<f32>(0.0)); }
        // exp of a negative number only: no overflow on either side
        case 4u: { let e = exp(-abs(v)); return select(e, vec4<f32>(1.0), v >= vec4<f32>(0.0)) / (1.0 + e); }
        case 5u: { let e = exp(-2.0 * abs(v)); return sign(v) * (1.0 - e) / (1.0 + e); }
        case 6u: { return exp(v); }
        case 7u: { return log(v); }
        case 8u: { return sqrt(v); }
        case 9u: { return 1.0 / sqrt(v); }
        case 10u: { return abs(v); }
        case 11u: { return v * v; }
        case 12u: { return clamp(v, vec4<f32>(p.a), vec4<f32>(p.b)); }
        case 13u: { return 1.0 / v; }
        // Huber's function with beta 1 (the core of smooth-L1)
        case 14u: { let m = abs(v); return select(m - 0.5, 0.5 * v * v, m < vec4<f32>(1.0)); }
        default: { return v; }
    }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let start = (wid.y * nwg.x + wid.x) * p.span;
    let end = min(start + p.span, p.n4);
    var i = start + lid;
    if i >= end { return; }
    loop {
        y[i] = f(x[i]);
        i += WG;
        continuing { break if i >= end; }
    }
}
