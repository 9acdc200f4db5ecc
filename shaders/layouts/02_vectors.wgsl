// Vectors: a thread moves whole vec4s, and a group goes along a row, so that nothing is divided for an element.
//
// rows. Lays a signal out for the convolutions in tiles: row (c, r) holds phase r (of `phases`) of channel c of all records, one behind
// the other at `pitch` places, `lead` zeros before the first, zeros between them and behind the last. So every window
// starts at a vec4, none needs a bounds check, and a tile may run over several records:
//   y[c, r, lead + (b folds + f) pitch + m] = x[b, c, step m + (r + f) every], 0 outside [0, L)
// Folds are the phases of a dilated convolution: records of their own. One of `phases` and `folds` is 1.
// x  [B, C, L]    y  [C, phases, 4 quads]; lead, pitch, quads in vec4s
//
// points. Fast short convolution, the transform of its input (include/toom_cook.wgsl; the rest is done by conv1d/05_fast):
//   v[t, first + u, m] = sum over j of B[t, j] x[u, 6 m + shift + j],  j < 11
// src  [rows, 4 from_quads] from rows    v  [11, point, 4 quads], 0 where src ends
//
// grads. For the weight's gradient, which is the transpose of y in the weights: G^T of the sum over tiles of (A^T g) (B x):
//   h[t, u, lead + m] = sum over e < 6 of A[e, t] src[u, 6 (start + m) + e]
// with zeros for m < 0 and where src ends; `lead` and `start`, the first position's tile, are multiples of 4.
// src  [rows, 4 from_quads] from rows, of the output's gradient    h  [11, rows, 4 quads]
//
// Both take four tiles a thread: three loads of eight values.
//
// weights. Lays the weights of one branch out for the tiles: oc virtual output channels and du rows together, tap by tap.
//   forward:     v = o,           u = (c, r):  laid[block, trip, d, j, i] = w[v, c, k],  k = S (j + j0 - lead) + r + pad
//   transposed:  v = (c, r),      u = o:       laid[block, trip, d, j, i] = w[u, c, k],  k = pad + r - S (j + j0 - lead)
// with v = oc block + i, u = du trip + d; 0 where v, u or k is outside. r counts the phases of the strided side, all of
// them when transposed, else those that taps meet.
//
// fast: not the taps themselves but pieces of six, at the points of `points`; taps counts pieces:
//   laid[t, block, trip, d, i, o] = sum over e of G[t, e] tap[6 i + e],  t < 11, `point` values from one t to the next
// w  [C_out, C_in, K]    laid  [blocks, trips, row] from `base` on, a row of du taps oc values and zeros up to a multiple of
// what is loaded at once
//@ default: true
//@ groups rows: channels * phases * records * chunks
//@ threads points: rows * quads
//@ threads grads: rows * quads
//@ groups weights: blocks * trips
//@ let paired: oc is defined and oc % 2 == 0 and row % 2 == 0 and base % 2 == 0
//@ kernel weights: weights_paired if paired
//@ kernel weights: weights
//@ let last_w: ceil(c_out * c_in * kernel, 4) - 1
//@ threads weights_paired: blocks * trips * du * oc // 2
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256
//@ knob WG_ROWS: 32 if software else 64 | 8 16 32 64 128 256
//@ let chunks: ceil(pitch, 4 * WG_ROWS)
//@ knob WG_WEIGHTS: 8 if software else 32 | 8 16 32 64 128 256
{# defaults: fast=0 transposed=0 shift=0 #}
{%- set wide = software and int64 %}
{%- set xyzw = ["x", "y", "z", "w"] %}

{% include "include/quad.wgsl" %}
{% include "include/toom_cook.wgsl" %}

struct Rows {
    n: u32, chunks: u32, records: u32, channels: u32,   // records: B folds
    quads: u32, pitch: u32, lead: u32,                  // in vec4s
    step: u32, every: u32, phases: u32, folds: u32, len: u32,
}
struct Points { n: u32, rows: u32, from_quads: u32, quads: u32, first: u32, point: u32 }
struct Grads { n: u32, rows: u32, from_quads: u32, quads: u32, start: i32, lead: i32 }
struct Weights {
    n: u32, base: u32, row: u32, depth: u32, trips: u32, du: u32, oc: u32,
    taps: u32, stride: u32, phases: u32, pad: i32, first: i32,   // first = j0 - lead
    c_out: u32, c_in: u32, kernel: u32, point: u32, last_w: u32,   // last vec4 of w
}
@group(0) @binding(0) var<uniform> p: Rows;
@group(0) @binding(0) var<uniform> p_points: Points;
@group(0) @binding(0) var<uniform> p_weights: Weights;
@group(0) @binding(0) var<uniform> p_grads: Grads;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<Quad>;
@group(0) @binding(3) var<storage, read> {{ "src: array<Octet>" if wide else "src: array<Quad>" }};
@group(0) @binding(4) var<storage, read_write> v: array<Words>;
@group(0) @binding(5) var<storage, read> w: array<{{ "Words" if paired else "f32" }}>;
@group(0) @binding(6) var<storage, read_write> laid: array<{{ "Pair" if paired else "f32" }}>;
@group(0) @binding(7) var<storage, read_write> h: array<Words>;

override WG: u32 = 64u;
override WG_ROWS: u32 = 64u;
override WG_WEIGHTS: u32 = 64u;

// The sample at position i of the row that starts at `row`; zero outside. Negative i wrap to large ones.
fn at(row: u32, i: i32) -> f32 {
    return select(0.0, x[row + min(u32(i), p.len - 1u)], u32(i) < p.len);
}

@compute @workgroup_size(WG_ROWS)
fn rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    if group >= p.n { return; }
    let chunk = group % p.chunks;
    let record = group / p.chunks % p.records;
    let phased = group / p.chunks / p.records;
    let row = (record / p.folds * p.channels + phased / p.phases) * p.len;
    let r = i32((phased % p.phases + record % p.folds) * p.every);
    let step = i32(p.step);
    let zero = p.lead + record * p.pitch;
    var first = zero + chunk * 4u * WG_ROWS;
    var end = min(first + 4u * WG_ROWS, zero + p.pitch);
    if record == 0u && chunk == 0u { first = 0u; }
    if record == p.records - 1u && chunk == p.chunks - 1u { end = p.quads; }
    for (var q = first + lid; q < end; q += WG_ROWS) {
        let i = (i32(q) - i32(zero)) * 4 * step + r;
        y[phased * p.quads + q] = packed(vec4<f32>(at(row, i), at(row, i + step), at(row, i + 2 * step), at(row, i + 3 * step)));
    }
}

{#- values n to n + 8 count of a row of src as d0, d1, ...; from is its octet #}
{%- macro octets(from, count) %}
    {%- for i in range(count) %}
    {%- if wide %}
    let o{{ i }} = unpacked8(src[{{ from }} + {{ i }}u]);
    {%- else %}
    let o{{ i }} = Eight(unpacked(src[2u * ({{ from }}) + {{ 2 * i }}u]), unpacked(src[2u * ({{ from }}) + {{ 2 * i + 1 }}u]));
    {%- endif %}
    {% for j in range(8) %}let d{{ 8 * i + j }} = o{{ i }}.{{ "ab"[j // 4] }}.{{ xyzw[j % 4] }}; {% endfor %}
    {%- endfor %}
{%- endmacro %}

@compute @workgroup_size(WG)
fn points(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p_points.n { return; }
    let u = id / p_points.quads;
    let m = id % p_points.quads * 3u;
    let inside = m + 4u < p_points.from_quads / 2u;
    let from_row = select(0u, u * p_points.from_quads / 2u + m, inside);
    {{- octets("from_row", 5) }}
    {%- for j in range(11) %}
    let x{{ j }} = vec4<f32>({% for tile in range(4) %}d{{ 6 * tile + shift + j }}{{ ", " if tile < 3 }}{% endfor %});
    {%- endfor %}
    // every product but that of 1/4 has the factor x - 1/4
    {%- for j in range(10) %}
    let e{{ j }} = x{{ j + 1 }} - 0.25 * x{{ j }};
    {%- endfor %}
    let size = p_points.point * p_points.quads;
    let at = id + p_points.first * p_points.quads;
    let keep = select(0.0, 1.0, inside);
    v[at] = words(keep * (TOOM_B[9][1] * e0 + TOOM_B[9][3] * e2 + TOOM_B[9][5] * e4 + TOOM_B[9][7] * e6 + e8));
    {%- for pair in range(4) %}
    let even{{ pair }} = TOOM_PAIR[{{ pair }}][0] * e2 + TOOM_PAIR[{{ pair }}][1] * e4 + TOOM_PAIR[{{ pair }}][2] * e6 + e8;
    let odd{{ pair }} = TOOM_A[{{ 2 * pair + 1 }}][1] * (TOOM_PAIR[{{ pair }}][0] * e1 + TOOM_PAIR[{{ pair }}][1] * e3 + TOOM_PAIR[{{ pair }}][2] * e5 + e7);
    v[at + {{ 2 * pair + 1 }}u * size] = words(keep * (even{{ pair }} + odd{{ pair }}));
    v[at + {{ 2 * pair + 2 }}u * size] = words(keep * (even{{ pair }} - odd{{ pair }}));
    {%- endfor %}
    v[at + 9u * size] = words(keep * (TOOM_B[9][1] * x1 + TOOM_B[9][3] * x3 + TOOM_B[9][5] * x5 + TOOM_B[9][7] * x7 + x9));
    v[at + 10u * size] = words(keep * (TOOM_B[9][1] * e1 + TOOM_B[9][3] * e3 + TOOM_B[9][5] * e5 + TOOM_B[9][7] * e7 + e9));
}

@compute @workgroup_size(WG)
fn grads(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p_grads.n { return; }
    let u = id / p_grads.quads;
    let m = i32(id % p_grads.quads * 4u) - p_grads.lead;
    let first = u32(max(p_grads.start + m, 0)) / 4u * 3u;
    let inside = m >= 0 && first + 2u < p_grads.from_quads / 2u;
    let from_row = select(0u, u * p_grads.from_quads / 2u + first, inside);
    {{- octets("from_row", 3) }}
    {%- for e in range(6) %}
    let g{{ e }} = select(vec4<f32>(), vec4<f32>({% for tile in range(4) %}d{{ 6 * tile + e }}{{ ", " if tile < 3 }}{% endfor %}), inside);
    {%- endfor %}
    let size = p_grads.rows * p_grads.quads;
    h[id] = words(g0);
    {%- for t in [1, 3, 5, 7] %}
    let even{{ t }} = g0 + TOOM_A[{{ t }}][2] * g2 + TOOM_A[{{ t }}][4] * g4;
    let odd{{ t }} = TOOM_A[{{ t }}][1] * g1 + TOOM_A[{{ t }}][3] * g3 + TOOM_A[{{ t }}][5] * g5;
    h[id + {{ t }}u * size] = words(even{{ t }} + odd{{ t }});
    h[id + {{ t + 1 }}u * size] = words(even{{ t }} - odd{{ t }});
    {%- endfor %}
    h[id + 9u * size] = words(g0 + TOOM_A[9][1] * g1 + TOOM_A[9][2] * g2 + TOOM_A[9][3] * g3 + TOOM_A[9][4] * g4 + TOOM_A[9][5] * g5);
    h[id + 10u * size] = words(g5);
}

{#- the taps h0 to h5 of a piece at point t #}
{%- macro at_point(t) -%}
    {%- if t == 0 -%}TOOM_G[0][0] * h0
    {%- elif t == 10 -%}h5
    {%- elif t == 9 -%}TOOM_G[9][0] * h0 + TOOM_G[9][1] * h1 + TOOM_G[9][2] * h2 + TOOM_G[9][3] * h3 + TOOM_G[9][4] * h4 + TOOM_G[9][5] * h5
    {%- else -%}TOOM_G[{{ t }}][0] * ((h0 + TOOM_A[{{ t }}][2] * h2 + TOOM_A[{{ t }}][4] * h4) + (TOOM_A[{{ t }}][1] * h1 + TOOM_A[{{ t }}][3] * h3 + TOOM_A[{{ t }}][5] * h5))
    {%- endif %}
{%- endmacro %}
{%- set piece = 6 if fast else 4 %}

{% if paired %}
fn load_w(q: i32) -> vec4<f32> { return values(w[min(u32(max(q, 0)), p_weights.last_w)]); }

// A thread lays two channels' taps out, side by side in a word, and reads them as vec4s along the kernel where they are neighbours.
@compute @workgroup_size(WG)
fn weights_paired(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p_weights.n { return; }
    let half = p_weights.oc / 2u;
    let i = id % half;
    let d = id / half % p_weights.du;
    let tile = id / half / p_weights.du;
    let u = tile % p_weights.trips * p_weights.du + d;
    let step = {{ "-" if transposed }}i32(p_weights.stride);
    {%- for e in range(2) %}
    let v{{ e }} = tile / p_weights.trips * p_weights.oc + 2u * i + {{ e }}u;
    let phased{{ e }} = {{ "v" ~ e if transposed else "u" }};
    let o{{ e }} = {{ "u" if transposed else "v" ~ e }};
    let c{{ e }} = phased{{ e }} / p_weights.phases;
    let inside{{ e }} = u < p_weights.depth && o{{ e }} < p_weights.c_out && c{{ e }} < p_weights.c_in;
    let row{{ e }} = select(0u, (o{{ e }} * p_weights.c_in + c{{ e }}) * p_weights.kernel, inside{{ e }});
    var k{{ e }} = p_weights.pad + i32(phased{{ e }} % p_weights.phases) + step * p_weights.first;
    {%- if stride == 1 and not fast %}
    // the lowest of four taps, and its place in a vec4
    let low{{ e }} = i32(row{{ e }}) + k{{ e }}{{ " - 3" if transposed }};
    var q{{ e }} = low{{ e }} >> 2u;
    let s{{ e }} = u32(low{{ e }}) & 3u;
    var a{{ e }} = load_w(q{{ e }}{{ " + 1" if transposed }});
    {%- endif %}
    {%- endfor %}
    var at = (p_weights.base + tile * p_weights.row) / 2u + d * p_weights.taps * half + i;
    let point = p_weights.point / 2u;
    var j = 0u;
    loop {
        {%- for e in range(2) %}
        {%- if stride == 1 %}
        {%- if fast %}
        let low{{ e }} = i32(row{{ e }}) + k{{ e }}{{ " - " ~ (piece - 1) if transposed }};
        let b{{ e }} = load_w((low{{ e }} >> 2u) + 1);
        let four0_{{ e }} = shifted(load_w(low{{ e }} >> 2u), b{{ e }}, u32(low{{ e }}) & 3u);
        let four1_{{ e }} = shifted(b{{ e }}, load_w((low{{ e }} >> 2u) + 2), u32(low{{ e }}) & 3u);
        {%- elif transposed %}
        let b{{ e }} = load_w(q{{ e }});
        let four0_{{ e }} = shifted(b{{ e }}, a{{ e }}, s{{ e }});
        a{{ e }} = b{{ e }};
        q{{ e }}--;
        {%- else %}
        let b{{ e }} = load_w(q{{ e }} + 1);
        let four0_{{ e }} = shifted(a{{ e }}, b{{ e }}, s{{ e }});
        a{{ e }} = b{{ e }};
        q{{ e }}++;
        {%- endif %}
        {%- endif %}
        {%- for t in range(piece) %}
        {%- set place = piece - 1 - t if transposed else t %}
        {%- if stride == 1 %}
        let tap{{ t }}_{{ e }} = kept(four{{ place // 4 }}_{{ e }}.{{ xyzw[place % 4] }}, inside{{ e }}, k{{ e }} + {{ t }} * step);
        {%- else %}
        let tap{{ t }}_{{ e }} = tap(row{{ e }}, inside{{ e }}, k{{ e }} + {{ t }} * step);
        {%- endif %}
        {%- endfor %}
        k{{ e }} += {{ piece }} * step;
        {%- endfor %}
        {%- for t in range(piece) %}
        let h{{ t }} = vec2<f32>(tap{{ t }}_0, tap{{ t }}_1);
        {%- endfor %}
        {%- if fast %}
        {%- for t in range(11) %}
        put(at + {{ t }}u * point, {{ at_point(t) }});
        {%- endfor %}
        at += half;
        j++;
        {%- else %}
        {%- for t in range(piece) %}
        if j + {{ t }}u < p_weights.taps { put(at + {{ t }}u * half, h{{ t }}); }
        {%- endfor %}
        at += {{ piece }}u * half;
        j += {{ piece }}u;
        {%- endif %}
        continuing { break if j >= p_weights.taps; }
    }
    // what is left of the row
    if d > 0u { return; }
    let row = (p_weights.base + tile * p_weights.row) / 2u;
    for (var f = p_weights.du * p_weights.taps * half + i; f < p_weights.row / 2u; f += half) {
        for (var t = 0u; t < {{ 11 if fast else 1 }}u; t++) { put(row + f + t * point, vec2<f32>()); }
    }
}

fn put(at: u32, v: vec2<f32>) { laid[at] = pair(v.x, v.y); }

// Tap k where the kernel has it, else 0.
fn kept(v: f32, inside: bool, k: i32) -> f32 { return select(0.0, v, inside && u32(k) < p_weights.kernel); }

fn tap(row: u32, inside: bool, k: i32) -> f32 {
    let there = inside && u32(k) < p_weights.kernel;
    let i = row + select(0u, u32(k), there);
    return select(0.0, value(w[i / 4u][i % 4u / PER_WORD], i), there);
}
{% include "include/shifted.wgsl" %}
{% else %}
// Tap k of the kernel at `row` of w; 0 outside. Negative k wrap to large ones.
fn tap(row: u32, inside: bool, k: i32) -> f32 {
    let there = inside && u32(k) < p_weights.kernel;
    return select(0.0, w[row + select(0u, u32(k), there)], there);
}

@compute @workgroup_size(WG_WEIGHTS)
fn weights(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = wid.y * nwg.x + wid.x;
    if id >= p_weights.n { return; }
    let block = id / p_weights.trips * p_weights.oc;
    let trip = id % p_weights.trips * p_weights.du;
    let row = p_weights.base + id * p_weights.row;
    for (var d = 0u; d < p_weights.du; d++) {
        let u = trip + d;
        for (var i = lid; i < p_weights.oc; i += WG_WEIGHTS) {
            let v = block + i;
            let phased = {{ "v" if transposed else "u" }};
            let o = {{ "u" if transposed else "v" }};
            let c = phased / p_weights.phases;
            let inside = u < p_weights.depth && o < p_weights.c_out && c < p_weights.c_in;
            let from_w = select(0u, (o * p_weights.c_in + c) * p_weights.kernel, inside);
            let step = {{ "-" if transposed }}i32(p_weights.stride);
            var k = p_weights.pad + i32(phased % p_weights.phases) + step * p_weights.first;
            for (var j = 0u; j < p_weights.taps; j++) {
                let at = row + (d * p_weights.taps + j) * p_weights.oc + i;
                {%- for t in range(piece if fast else 1) %}
                let h{{ t }} = tap(from_w, inside, k);
                k += step;
                {%- endfor %}
                {%- if fast %}
                {%- for t in range(11) %}
                laid[at + {{ t }}u * p_weights.point] = {{ at_point(t) }};
                {%- endfor %}
                {%- else %}
                laid[at] = h0;
                {%- endif %}
            }
        }
    }
    for (var f = p_weights.du * p_weights.taps * p_weights.oc + lid; f < p_weights.row; f += WG_WEIGHTS) {
        for (var t = 0u; t < {{ 11 if fast else 1 }}u; t++) { laid[row + f + t * p_weights.point] = 0.0; }
    }
}
{% endif %}
