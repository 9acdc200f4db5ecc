// Vectors: a thread moves whole vec4s, and a group goes along a row, so that nothing is divided for an element.
//
// rows. Lays a signal out for the convolutions in tiles: row (c, r) holds phase r (of `phases`) of channel c of all records, one behind
// the other at `pitch` places, `lead` zeros before the first, zeros between them and behind the last. So every window
// starts at a vec4, none needs a bounds check, and a tile may run over several records:
//   y[c, r, lead + (b folds + f) pitch + m] = x[b, c, step m + (r + f) every], 0 outside [0, L)
// Folds are the phases of a dilated convolution: records of their own. One of `phases` and `folds` is 1.
// x  [B, C, L]    y  [C, phases, 4 quads]; lead, pitch, quads in vec4s
//
// points. Fast short convolution, the transform of its input (the rest is done by conv1d/05_fast): Toom-Cook F(4, 4) in one dimension.
// A convolution is cut into pieces of four taps and its output into tiles of four positions; a piece and a tile need seven
// multiplications instead of sixteen, those of the values that two polynomials take at seven points:
//   y[4 m .. 4 m + 4) = A sum over pieces i, rows u of (G w_i)[u] * (B x)[u, m + i]
// As a tile is as long as a piece, all pieces (and all branches) read one transform B x of the input, made here:
//   v[t, u, m] = sum over j of B[t, j] x[u, 4 m + shift + j],  j < 7
// The points are 0, 1, -1, 2, -2, 1/2 and infinity. G (`weights`) has the rows (1, a, a^2, a^3) / f(a), f(a) the
// product of a - b over the other points b; B the coefficients of the product of x - b; A (conv1d/04_subgroup_shuffle) the columns
// (1, a, a^2, a^3); infinity stands for the highest coefficient. In f32 the error is about 2.5 times that of the direct
// sum.
// src  [rows, 4 from_quads] from rows    v  [7, rows, 4 quads], 0 where src ends
//
// grads. For the weight's gradient, which is the transpose of y in the weights: G^T of the sum over tiles of (A^T g) (B x):
//   h[t, u, lead + m] = sum over e < 4 of A[e, t] src[u, 4 (start + m) + e]
// with zeros for m < 0 and where src ends; `lead` is a multiple of 4, in tiles, `start` the first position's tile.
// src  [rows, 4 from_quads] from rows, of the output's gradient    h  [7, rows, 4 quads]
//
// weights. Lays the weights of one branch out for the tiles: oc virtual output channels and du rows together, tap by tap.
//   forward:     v = o,           u = (c, r):  laid[block, trip, d, j, i] = w[v, c, k],  k = S (j + j0 - lead) + r + pad
//   transposed:  v = (c, r),      u = o:       laid[block, trip, d, j, i] = w[u, c, k],  k = pad + r - S (j + j0 - lead)
// with v = oc block + i, u = du trip + d; 0 where v, u or k is outside. r counts the phases of the strided side, all of
// them when transposed, else those that taps meet.
//
// fast: not the taps themselves but pieces of four, at the seven points of `points`; taps counts pieces:
//   laid[t, block, trip, d, i, o] = sum over e of G[t, e] tap[4 i + e],  t < 7, `point` values from one t to the next
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
{% include "include/quad.wgsl" %}

struct Rows {
    n: u32, chunks: u32, records: u32, channels: u32,   // records: B folds
    quads: u32, pitch: u32, lead: u32,                  // in vec4s
    step: u32, every: u32, phases: u32, folds: u32, len: u32,
}
struct Points { n: u32, rows: u32, from_quads: u32, quads: u32 }
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
@group(0) @binding(3) var<storage, read> src: array<Quad>;
@group(0) @binding(4) var<storage, read_write> v: array<Words>;
@group(0) @binding(5) var<storage, read> w: array<{{ "Words" if paired else "f32" }}>;
@group(0) @binding(6) var<storage, read_write> laid: array<{{ "Pair" if paired else "f32" }}>;
@group(0) @binding(7) var<storage, read_write> h: array<Words>;

override shift: u32 = 0u;
override transposed: bool = false;
override fast: bool = false;
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

@compute @workgroup_size(WG)
fn points(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p_points.n { return; }
    let u = id / p_points.quads;
    let m = id % p_points.quads * 4u;
    let inside = m + 5u < p_points.from_quads;
    let q = select(0u, u * p_points.from_quads + m, inside);
    let a1 = unpacked(src[q + 1u]);
    let a2 = unpacked(src[q + 2u]);
    let a3 = unpacked(src[q + 3u]);
    let a4 = unpacked(src[q + 4u]);
    // column c: value c of a vec4, for the four tiles
    let t0 = transpose(mat4x4<f32>(unpacked(src[q]), a1, a2, a3));
    let t1 = transpose(mat4x4<f32>(a1, a2, a3, a4));
    let t2 = transpose(mat4x4<f32>(a2, a3, a4, unpacked(src[q + 5u])));
    var x = array<vec4<f32>, 12>(t0[0], t0[1], t0[2], t0[3], t1[0], t1[1], t1[2], t1[3], t2[0], t2[1], t2[2], t2[3]);
    let d1 = x[shift + 1u];
    let d2 = x[shift + 2u];
    let d3 = x[shift + 3u];
    let d4 = x[shift + 4u];
    let d5 = x[shift + 5u];
    // every product but that of 1/2 has the factor x - 1/2
    let e0 = d1 - 0.5 * x[shift];
    let e1 = d2 - 0.5 * d1;
    let e2 = d3 - 0.5 * d2;
    let e3 = d4 - 0.5 * d3;
    let e4 = d5 - 0.5 * d4;
    let e5 = x[shift + 6u] - 0.5 * d5;
    let one = e4 - 4.0 * e2;
    let one_odd = e3 - 4.0 * e1;
    let two = e4 - e2;
    let two_odd = 2.0 * (e3 - e1);
    let size = p_points.rows * p_points.quads;
    let keep = select(0.0, 1.0, inside);
    v[id] = words(keep * (e4 - 5.0 * e2 + 4.0 * e0));
    v[id + size] = words(keep * (one + one_odd));
    v[id + 2u * size] = words(keep * (one - one_odd));
    v[id + 3u * size] = words(keep * (two + two_odd));
    v[id + 4u * size] = words(keep * (two - two_odd));
    v[id + 5u * size] = words(keep * (d5 - 5.0 * d3 + 4.0 * d1));
    v[id + 6u * size] = words(keep * (e5 - 5.0 * e3 + 4.0 * e1));
}

// Tile m of row u of the gradient; zeros before the first position and behind the row.
fn tile(u: u32, m: i32) -> vec4<f32> {
    let inside = m >= 0 && p_grads.start + m < i32(p_grads.from_quads);
    let v = unpacked(src[select(0u, u * p_grads.from_quads + u32(p_grads.start + m), inside)]);
    return select(vec4<f32>(), v, inside);
}

@compute @workgroup_size(WG)
fn grads(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p_grads.n { return; }
    let u = id / p_grads.quads;
    let m = i32(id % p_grads.quads * 4u) - p_grads.lead;
    // column e: value e of four tiles
    let g = transpose(mat4x4<f32>(tile(u, m), tile(u, m + 1), tile(u, m + 2), tile(u, m + 3)));
    let even = g[0] + g[2];
    let odd = g[1] + g[3];
    let even2 = g[0] + 4.0 * g[2];
    let odd2 = 2.0 * g[1] + 8.0 * g[3];
    let size = p_grads.rows * p_grads.quads;
    h[id] = words(g[0]);
    h[id + size] = words(even + odd);
    h[id + 2u * size] = words(even - odd);
    h[id + 3u * size] = words(even2 + odd2);
    h[id + 4u * size] = words(even2 - odd2);
    h[id + 5u * size] = words(g[0] + 0.5 * g[1] + 0.25 * g[2] + 0.125 * g[3]);
    h[id + 6u * size] = words(g[3]);
}

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
    let step = select(i32(p_weights.stride), -i32(p_weights.stride), transposed);
    {%- for e in range(2) %}
    let v{{ e }} = tile / p_weights.trips * p_weights.oc + 2u * i + {{ e }}u;
    let phased{{ e }} = select(u, v{{ e }}, transposed);
    let o{{ e }} = select(v{{ e }}, u, transposed);
    let c{{ e }} = phased{{ e }} / p_weights.phases;
    let inside{{ e }} = u < p_weights.depth && o{{ e }} < p_weights.c_out && c{{ e }} < p_weights.c_in;
    let row{{ e }} = select(0u, (o{{ e }} * p_weights.c_in + c{{ e }}) * p_weights.kernel, inside{{ e }});
    var k{{ e }} = p_weights.pad + i32(phased{{ e }} % p_weights.phases) + step * p_weights.first;
    {%- if stride == 1 %}
    // the lowest of four taps, and its place in a vec4
    let low{{ e }} = i32(row{{ e }}) + k{{ e }} - select(0, 3, transposed);
    let s{{ e }} = u32(low{{ e }}) & 3u;
    var q{{ e }} = low{{ e }} >> 2u;
    var a{{ e }} = load_w(q{{ e }} + select(0, 1, transposed));
    {%- endif %}
    {%- endfor %}
    var at = (p_weights.base + tile * p_weights.row) / 2u + d * p_weights.taps * half + i;
    let point = p_weights.point / 2u;
    var j = 0u;
    loop {
        {%- for e in range(2) %}
        {%- if stride == 1 %}
        let b{{ e }} = load_w(q{{ e }} + select(1, 0, transposed));
        let four{{ e }} = shifted(select(a{{ e }}, b{{ e }}, transposed), select(b{{ e }}, a{{ e }}, transposed), s{{ e }});
        a{{ e }} = b{{ e }};
        q{{ e }} += select(1, -1, transposed);
        let g{{ e }} = taps(select(four{{ e }}, four{{ e }}.wzyx, transposed), inside{{ e }}, k{{ e }}, step);
        {%- else %}
        let g{{ e }} = vec4<f32>(tap(row{{ e }}, inside{{ e }}, k{{ e }}), tap(row{{ e }}, inside{{ e }}, k{{ e }} + step),
            tap(row{{ e }}, inside{{ e }}, k{{ e }} + 2 * step), tap(row{{ e }}, inside{{ e }}, k{{ e }} + 3 * step));
        {%- endif %}
        k{{ e }} += 4 * step;
        {%- endfor %}
        {%- for t in range(4) %}
        let h{{ t }} = vec2<f32>(g0[{{ t }}], g1[{{ t }}]);
        {%- endfor %}
        if fast {
            put(at, -0.5 * h0);
            put(at + point, (h0 + h2 + (h1 + h3)) * (-1.0 / 3.0));
            put(at + 2u * point, (h0 + h2 - (h1 + h3)) * (1.0 / 9.0));
            put(at + 3u * point, (h0 + 4.0 * h2 + (2.0 * h1 + 8.0 * h3)) * (1.0 / 36.0));
            put(at + 4u * point, (h0 + 4.0 * h2 - (2.0 * h1 + 8.0 * h3)) * (-1.0 / 60.0));
            put(at + 5u * point, (h0 + 0.5 * h1 + 0.25 * h2 + 0.125 * h3) * (32.0 / 45.0));
            put(at + 6u * point, h3);
            at += half;
            j++;
        } else {
            {%- for t in range(4) %}
            if j + {{ t }}u < p_weights.taps { put(at + {{ t }}u * half, h{{ t }}); }
            {%- endfor %}
            at += 4u * half;
            j += 4u;
        }
        continuing { break if j >= p_weights.taps; }
    }
    // what is left of the row
    if d > 0u { return; }
    let row = (p_weights.base + tile * p_weights.row) / 2u;
    for (var f = p_weights.du * p_weights.taps * half + i; f < p_weights.row / 2u; f += half) {
        for (var t = 0u; t < select(1u, 7u, fast); t++) { put(row + f + t * point, vec2<f32>()); }
    }
}

fn put(at: u32, v: vec2<f32>) { laid[at] = pair(v.x, v.y); }

// Taps k, k + step, ... where the kernel has them, else 0.
fn taps(v: vec4<f32>, inside: bool, k: i32, step: i32) -> vec4<f32> {
    let at = vec4<u32>(vec4<i32>(0, 1, 2, 3) * step + k);
    return select(vec4<f32>(), v, vec4<bool>(inside) & (at < vec4<u32>(p_weights.kernel)));
}

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
            let phased = select(u, v, transposed);
            let o = select(v, u, transposed);
            let c = phased / p_weights.phases;
            let inside = u < p_weights.depth && o < p_weights.c_out && c < p_weights.c_in;
            let from_w = select(0u, (o * p_weights.c_in + c) * p_weights.kernel, inside);
            let step = select(i32(p_weights.stride), -i32(p_weights.stride), transposed);
            var k = p_weights.pad + i32(phased % p_weights.phases) + step * p_weights.first;
            for (var j = 0u; j < p_weights.taps; j++) {
                let at = row + (d * p_weights.taps + j) * p_weights.oc + i;
                let g0 = tap(from_w, inside, k);
                k += step;
                if !fast {
                    laid[at] = g0;
                    continue;
                }
                let g1 = tap(from_w, inside, k);
                let g2 = tap(from_w, inside, k + step);
                let g3 = tap(from_w, inside, k + 2 * step);
                k += 3 * step;
                laid[at] = -0.5 * g0;
                laid[at + p_weights.point] = (g0 + g2 + (g1 + g3)) * (-1.0 / 3.0);
                laid[at + 2u * p_weights.point] = (g0 + g2 - (g1 + g3)) * (1.0 / 9.0);
                laid[at + 3u * p_weights.point] = (g0 + 4.0 * g2 + (2.0 * g1 + 8.0 * g3)) * (1.0 / 36.0);
                laid[at + 4u * p_weights.point] = (g0 + 4.0 * g2 - (2.0 * g1 + 8.0 * g3)) * (-1.0 / 60.0);
                laid[at + 5u * p_weights.point] = (g0 + 0.5 * g1 + 0.25 * g2 + 0.125 * g3) * (32.0 / 45.0);
                laid[at + 6u * p_weights.point] = g3;
            }
        }
    }
    for (var f = p_weights.du * p_weights.taps * p_weights.oc + lid; f < p_weights.row; f += WG_WEIGHTS) {
        for (var t = 0u; t < select(1u, 7u, fast); t++) { laid[row + f + t * p_weights.point] = 0.0; }
    }
}
{% endif %}
