// Groups: a row is summed by a group of threads that read vec4s, in a tree; columns four a thread, so that a load serves four
// sums.
// Formula and operands as in 01_naive, with x as vec4s (buffers are padded to whole ones).
//@ alias: plain WG_SUMS=64
//@ alias: wide WG_SUMS=256
//@ default: true
//@ let subgroup: 0
//@ knob WG_SUMS: 8 if software else 256 | 8 16 32 64 128 256
//@ knob WG: 64 | 8 16 32 64 128 256
//@ kernel sum: rows if inner == 1 and reduce > 1
//@ kernel sum: quads if inner % 4 == 0
//@ kernel sum: columns
//@ groups rows: outer * chunks
//@ threads quads: outer * chunks * inner // 4
//@ threads columns: outer * chunks * inner
{% include "include/row_sums.wgsl" %}

struct Params { n: u32, reduce: u32, inner: u32, chunks: u32, chunk: u32 }
@group(0) @binding(0) var<uniform> p: Params;
override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn quads(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let i = id % (p.inner / 4u);
    let s = id / (p.inner / 4u) % p.chunks;
    let o = id / (p.inner / 4u) / p.chunks;
    let end = min(p.reduce, (s + 1u) * p.chunk);
    var total = vec4<f32>();
    for (var r = s * p.chunk; r < end; r++) {
        let v = values(x[(o * p.reduce + r) * (p.inner / 4u) + i]);
        total += select(v, v * v, square);
    }
    y[4u * id] = total.x;
    y[4u * id + 1u] = total.y;
    y[4u * id + 2u] = total.z;
    y[4u * id + 3u] = total.w;
}

@compute @workgroup_size(WG)
fn columns(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let i = id % p.inner;
    let s = id / p.inner % p.chunks;
    let o = id / p.inner / p.chunks;
    let end = min(p.reduce, (s + 1u) * p.chunk);
    var total = 0.0;
    for (var r = s * p.chunk; r < end; r++) {
        let place = (o * p.reduce + r) * p.inner + i;
        let v = value(x[place / 4u][place % 4u / PER_WORD], place);
        total += select(v, v * v, square);
    }
    y[id] = total;
}
