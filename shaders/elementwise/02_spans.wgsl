// Spans of vec4s: a thread does four values at a time, and a group a span of them, so that there are few groups and no division
// for a value.
// Formulas and operands as in 01_naive, with x, u, v, y as vec4s (buffers are padded to whole ones; see words). Operands that are
// repeated are read one by one through strides, or (`_rows`) by a group for each row of the last dimension, which owns the
// vec4s that begin in it; the last of them may reach into the next row. Loops are do-while: so the compiler of the
// software adapter keeps the lanes in step.
//@ alias: plain WG=64 span=64
//@ alias: tile WG=8 span=512
//@ alias: wide WG=64 span=256
//@ default: true
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256
//@ knob span: 512 if software else 256 | 64 128 256 512 1024 2048
//@ let n4: ceil(n, 4)
//@ let span: max(min(span, ceil(n4, 64)), WG)
//@ groups unary: ceil(n4, span)
//@ let rows: n // d3
//@ let d0: n // (d1 * d2 * d3)
//@ let u_whole: u3 == 1 and (d2 == 1 or u2 == d3) and (d1 == 1 or u1 == d2 * d3) and (d0 == 1 or u0 == d1 * d2 * d3)
//@ let v_whole: v3 == 1 and (d2 == 1 or v2 == d3) and (d1 == 1 or v1 == d2 * d3) and (d0 == 1 or v0 == d1 * d2 * d3)
//@ kernel binary: binary_rows if broadcast and d3 >= 32
//@ kernel binary: binary
//@ groups binary: ceil(n4, span)
//@ groups binary_rows: rows

struct UnaryParams { n4: u32, span: u32, a: f32, b: f32 }
struct BinaryParams {
    n: u32, d1: u32, d2: u32, d3: u32, u0: u32, u1: u32, u2: u32, u3: u32, v0: u32, v1: u32, v2: u32, v3: u32,
    rows: u32, a: f32, b: f32, span: u32,
}
@group(0) @binding(0) var<uniform> p: UnaryParams;
@group(0) @binding(0) var<uniform> q: BinaryParams;
@group(0) @binding(1) var<storage, read> x: array<Words>;
@group(0) @binding(2) var<storage, read> u: array<Words>;
@group(0) @binding(3) var<storage, read> v: array<Words>;
@group(0) @binding(4) var<storage, read_write> y: array<Words>;

override broadcast: bool = false;
override u_whole: bool = true;
override v_whole: bool = true;
override u3: u32 = 1u;
override v3: u32 = 1u;
override WG: u32 = 64u;
alias Value = vec4<f32>;
{% include "include/words.wgsl" %}
{% include "include/elementwise.wgsl" %}

@compute @workgroup_size(WG)
fn unary(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let start = (wid.y * nwg.x + wid.x) * p.span;
    let end = min(start + p.span, p.n4);
    var i = start + lid;
    if i >= end { return; }
    loop {
        y[i] = words(of_one(values(x[i]), p.a, p.b));
        i += WG;
        continuing { break if i >= end; }
    }
}

fn u_at(o: u32) -> f32 { return value(u[o / 4u][o % 4u / PER_WORD], o); }
fn v_at(o: u32) -> f32 { return value(v[o / 4u][o % 4u / PER_WORD], o); }

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
    if !broadcast { return of_two(values(u[i]), values(v[i]), q.a, q.b); }
    let o0 = offsets(4u * i);
    let o1 = offsets(min(4u * i + 1u, q.n - 1u));
    let o2 = offsets(min(4u * i + 2u, q.n - 1u));
    let o3 = offsets(min(4u * i + 3u, q.n - 1u));
    let us = vec4<f32>(u_at(o0.x), u_at(o1.x), u_at(o2.x), u_at(o3.x));
    let vs = vec4<f32>(v_at(o0.y), v_at(o1.y), v_at(o2.y), v_at(o3.y));
    return of_two(us, vs, q.a, q.b);
}

@compute @workgroup_size(WG)
fn binary(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let start = (wid.y * nwg.x + wid.x) * q.span;
    let end = min(start + q.span, (q.n + 3u) / 4u);
    var i = start + lid;
    if i >= end { return; }
    loop {
        y[i] = words(at(i));
        i += WG;
        continuing { break if i >= end; }
    }
}

// Where a row of u and of v begins.
fn starts(row: u32) -> vec2<u32> {
    let i2 = row % q.d2;
    let r2 = row / q.d2;
    let i1 = r2 % q.d1;
    let i0 = r2 / q.d1;
    return vec2<u32>(i0 * q.u0 + i1 * q.u1 + i2 * q.u2, i0 * q.v0 + i1 * q.v1 + i2 * q.v2);
}

@compute @workgroup_size(WG)
fn binary_rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let row = wid.y * nwg.x + wid.x;
    if row >= q.rows { return; }
    let own = starts(row);
    let next = starts(min(row + 1u, q.rows - 1u));
    // what repeats along the row
    let us = vec2<f32>(u_at(own.x), u_at(next.x));
    let vs = vec2<f32>(v_at(own.y), v_at(next.y));
    let begin = row * q.d3;
    let end = (begin + q.d3 + 3u) / 4u;
    var i = (begin + 3u) / 4u + lid;
    if i >= end { return; }
    loop {
        let k = vec4<u32>(0u, 1u, 2u, 3u) + (4u * i - begin);
        let inside = k < vec4<u32>(q.d3);
        let at = select(k - q.d3, k, inside);
        var a = select(us.yyyy, us.xxxx, inside);
        if u_whole {
            a = values(u[i]);
        } else if u3 != 0u {
            let o = select(vec4<u32>(next.x), vec4<u32>(own.x), inside) + at;
            a = vec4<f32>(u_at(o.x), u_at(o.y), u_at(o.z), u_at(o.w));
        }
        var b = select(vs.yyyy, vs.xxxx, inside);
        if v_whole {
            b = values(v[i]);
        } else if v3 != 0u {
            let o = select(vec4<u32>(next.y), vec4<u32>(own.y), inside) + at;
            b = vec4<f32>(v_at(o.x), v_at(o.y), v_at(o.z), v_at(o.w));
        }
        y[i] = words(of_two(a, b, q.a, q.b));
        i += WG;
        continuing { break if i >= end; }
    }
}
