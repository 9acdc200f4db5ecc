// Spans of vec4s: a thread does four parameters at a time, and a group a span of them, for which the factors that all parameters
// share are computed once.
// Formula and operands as in 01_naive, with g, w, m, v as vec4s (buffers are padded to whole ones). Loops are do-while:
// so the compiler of the software adapter keeps the lanes in step.
//@ alias: plain WG=64 span=64
//@ alias: tile WG=8 span=512
//@ alias: wide WG=64 span=256
//@ default: true
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256
//@ knob span: 512 if software else 256 | 64 128 256 512 1024 2048
//@ let n4: ceil(n, 4)
//@ let span: max(min(span, ceil(n4, 64)), WG)
//@ groups adam: ceil(n4, span)

struct Params { n4: u32, span: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<Words>;
@group(0) @binding(2) var<storage, read> norm2: array<f32>;
@group(0) @binding(3) var<storage, read> hyper: array<f32>;
@group(0) @binding(4) var<storage, read> s: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<Words>;
@group(0) @binding(6) var<storage, read_write> m: array<Words>;
@group(0) @binding(7) var<storage, read_write> v: array<Words>;
@group(0) @binding(8) var<storage, read> part: array<u32>;

{% include "include/words.wgsl" %}

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn adam(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let start = (wid.y * nwg.x + wid.x) * p.span;
    let end = min(start + p.span, p.n4);
    var i = start + lid;
    // by bits: compilers may take it that there are no infinities
    let odd = s[0] > 1.0 && (bitcast<u32>(norm2[0]) & 0x7f800000u) == 0x7f800000u;
    if odd || i >= end { return; }
    let lr = hyper[0];
    let unscale = 1.0 / s[0];
    var shrink = unscale;
    if hyper[6] > 0.0 { shrink *= min(1.0, hyper[6] / (sqrt(norm2[0]) * unscale + 1e-6)); }
    let keep = 1.0 - lr * hyper[5];
    loop {
        let own = 7u + 2u * part[i / 16u];
        let c1 = hyper[own];
        if c1 > 0.0 {
            let old = values(w[i]);
            let grad = values(g[i]) * shrink + hyper[4] * old;
            let mean = hyper[1] * values(m[i]) + (1.0 - hyper[1]) * grad;
            let square = hyper[2] * values(v[i]) + (1.0 - hyper[2]) * grad * grad;
            m[i] = words(mean);
            v[i] = words(square);
            w[i] = words(old * keep - lr * (mean / c1) / (sqrt(square / hyper[own + 1u]) + hyper[3]));
        }
        i += WG;
        continuing { break if i >= end; }
    }
}
