// Lays a signal out for the tile kernels: row (c, r) holds phase r (of `phases`) of channel c of all records, one behind
// the other at `pitch` places, `lead` zeros before the first, zeros between them and behind the last. So every window
// starts at a vec4, none needs a bounds check, and a tile may run over several records:
//   y[c, r, lead + (b folds + f) pitch + m] = x[b, c, step m + (r + f) every], 0 outside [0, L)
// Folds are the phases of a dilated convolution: records of their own. One of `phases` and `folds` is 1.
//
// x  [B, C, L]    y  [C, phases, 4 quads]; lead and pitch are multiples of 4
// A template (minijinja); its constant: half, y holds f16, see include/quad.wgsl
// Dispatch: one group of WG threads per (c, r, b, f) and chunk of 4 WG vec4s, folded over two dimensions: no division per
// element.
{# defaults: half=0 #}
{% include "include/quad.wgsl" %}

struct Params {
    n: u32, chunks: u32, records: u32, channels: u32,   // records: B folds
    quads: u32, pitch: u32, lead: u32,                  // in vec4s
    step: u32, every: u32, phases: u32, folds: u32, len: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<Quad>;

override WG: u32 = 64u;

// The sample at position i of the row that starts at `row`; zero outside. Negative i wrap to large ones.
fn at(row: u32, i: i32) -> f32 {
    return select(0.0, x[row + min(u32(i), p.len - 1u)], u32(i) < p.len);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    if group >= p.n { return; }
    let chunk = group % p.chunks;
    let record = group / p.chunks % p.records;
    let phased = group / p.chunks / p.records;
    let row = (record / p.folds * p.channels + phased / p.phases) * p.len;
    let r = i32((phased % p.phases + record % p.folds) * p.every);
    let step = i32(p.step);
    let zero = p.lead + record * p.pitch;
    var first = zero + chunk * 4u * WG;
    var end = min(first + 4u * WG, zero + p.pitch);
    if record == 0u && chunk == 0u { first = 0u; }
    if record == p.records - 1u && chunk == p.chunks - 1u { end = p.quads; }
    for (var q = first + lid; q < end; q += WG) {
        let i = (i32(q) - i32(zero)) * 4 * step + r;
        y[phased * p.quads + q] = packed(vec4<f32>(at(row, i), at(row, i + step), at(row, i + 2 * step), at(row, i + 3 * step)));
    }
}
