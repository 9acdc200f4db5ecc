// Runs: a thread goes along a run of a row and loads every vec4 of x once, for all phases, as a load costs more than its
// bytes on a software adapter; strides 1 and 2 without folds.
//   y[c, r, lead + b pitch + m] = x[b, c, step m + r], 0 outside [0, L)
//
// x  [B, C, L]    y  [C, step, 4 quads]; lead, pitch, quads in vec4s
// step  stride and phases, 1 or 2
// Places of records continue behind the last one, to the end of the row.
//@ fits: folds == 1 and every == 1 and step == phases and step <= 2
//@ default: software
//@ let runs: ceil(pitch, 16)
//@ let places: ceil(quads - lead, pitch)
//@ let run: ceil(pitch, runs)
//@ let last: ceil(records * channels * len, 4) - 1
//@ threads rows: channels * places * runs
//@ knob WG: 8 | 8 16 32 64
{% include "include/quad.wgsl" %}

struct Params {
    n: u32, runs: u32, places: u32, records: u32, channels: u32,
    quads: u32, pitch: u32, lead: u32, run: u32,                  // in vec4s
    len: u32, last: u32,                                          // last vec4 of x
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<Words>;
@group(0) @binding(2) var<storage, read_write> y: array<Quad>;

override step: u32 = 1u;
override WG: u32 = 8u;

fn load(q: i32) -> vec4<f32> { return values(x[min(u32(max(q, 0)), p.last)]); }

{% include "include/shifted.wgsl" %}

// v where its positions i, i + 1, ... lie in the record, else 0. Negative positions wrap to large ones.
fn inside(v: vec4<f32>, i: i32) -> vec4<f32> {
    let at = vec4<u32>(vec4<i32>(0, 1, 2, 3) + i);
    return select(vec4<f32>(), v, at < vec4<u32>(p.len));
}

@compute @workgroup_size(WG)
fn rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let run = id % p.runs;
    let place = id / p.runs % p.places;
    let c = id / p.runs / p.places;
    let zero = p.lead + place * p.pitch;
    var q = zero + run * p.run;
    let end = min(min(q + p.run, zero + p.pitch), p.quads);
    if place == 0u && run == 0u { q = 0u; }
    if q >= end { return; }
    let row = i32((min(place, p.records - 1u) * p.channels + c) * p.len);
    // a record behind the last one has no position inside
    var i = (i32(q) - i32(zero)) * i32(4u * step) + select(0, i32(p.len), place >= p.records);
    let s = u32(row + i) & 3u;
    var from_x = (row + i) >> 2u;
    var a = load(from_x);
    loop {
        let b = load(from_x + 1);
        let v = inside(shifted(a, b, s), i);
        if step == 1u {
            y[c * p.quads + q] = packed(v);
            a = b;
        } else {
            let d = load(from_x + 2);
            let w = inside(shifted(b, d, s), i + 4);
            y[2u * c * p.quads + q] = packed(vec4<f32>(v.xz, w.xz));
            y[(2u * c + 1u) * p.quads + q] = packed(vec4<f32>(v.yw, w.yw));
            a = d;
        }
        from_x += i32(step);
        i += i32(4u * step);
        q++;
        continuing { break if q >= end; }
    }
}
