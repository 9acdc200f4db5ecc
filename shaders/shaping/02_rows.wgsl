// Rows: a group goes along a row of the last dimension, so that nothing is divided for an element, and stores whole vec4s; for
// rows of 32 and more.
// Formula and operands as in 01_naive, with y as vec4s (buffers are padded to whole ones; see words). A row owns the vec4s that
// begin in it; the last of them may reach into the next row.
//@ alias: tile WG=8
//@ alias: wide WG=64
//@ default: true
//@ fits: d3 >= 32
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256
//@ let n: d0 * d1 * d2 * d3
//@ let rows: d0 * d1 * d2
//@ let repeated: s3 == 0
//@ groups strided: rows
{% include "include/words.wgsl" %}

struct Params { rows: u32, d1: u32, d2: u32, d3: u32, s0: u32, s1: u32, s2: u32, s3: u32, offset: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Words>;

override repeated: bool = false;
override WG: u32 = 64u;

fn start(row: u32) -> u32 {
    let r2 = row / p.d2;
    return p.offset + (r2 / p.d1) * p.s0 + (r2 % p.d1) * p.s1 + (row % p.d2) * p.s2;
}

@compute @workgroup_size(WG)
fn strided(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let row = wid.y * nwg.x + wid.x;
    if row >= p.rows { return; }
    let own = start(row);
    let next = start(min(row + 1u, p.rows - 1u));
    let pair = vec2<f32>(x[own], x[next]);
    let begin = row * p.d3;
    let end = (begin + p.d3 + 3u) / 4u;
    var q = (begin + 3u) / 4u + lid;
    if q >= end { return; }
    loop {
        let i = vec4<u32>(0u, 1u, 2u, 3u) + (4u * q - begin);
        let inside = i < vec4<u32>(p.d3);
        if repeated {
            y[q] = words(select(pair.yyyy, pair.xxxx, inside));
        } else {
            let at = select(vec4<u32>(next) + (i - p.d3) * p.s3, vec4<u32>(own) + i * p.s3, inside);
            y[q] = words(vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]));
        }
        q += WG;
        continuing { break if q >= end; }
    }
}
