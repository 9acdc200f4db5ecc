// Workgroup tiles: 64 threads stage rows of both sides in workgroup memory and each keeps the sums of one row of a and
// several of b, for wide adapters; needs no subgroups.
//   part[s, o, c, k] = sum over n in slice s of g[first + o, n] x[(c, r), n + j0 + j],  k = S (j + j0 - lead) + r + pad
//   dw = sum over s of part[s]
//
// x, g  from layouts.rows, as in 03_subgroup_rows    dw  [out_g, c_in, kernel]
// A template (minijinja). Its constants:
//   ub       rows of b a thread works on, all taps of each
//   p        positions a trip takes, a multiple of 4
//   taps     of the window; shift, 0 to 3: values between a vec4 and the window's start
//   swap     a is x, b is g, and the taps run in reverse
//   half     a and b hold f16, see include/quad.wgsl
//   native   and are multiplied in f16: so are the sums over a trip, which are added in f32
// 64 threads stage p positions of 16 rows of a and 4 ub rows of b; a thread keeps the sums of one row of a and ub of b.
//@ alias: wide
//@ layout: x=rows g=rows
//@ default: not software or native
//@ knob swap: 1 if up(x_rows, 16) * 100 // x_rows < up(out_g, 16) * 100 // out_g else 0 | 0 1
//@ let a_rows: x_rows if swap else out_g
//@ let b_rows: out_g if swap else x_rows
//@ knob ub: 8 if taps == 1 else min(4, ceil(32, taps)) | 1 2 3 4 5 6 7 8
//@ knob p: 32 | 4 8 12 16 20 24 28 32
//@ let ub: even(b_rows, ub)
//@ let a_blocks: ceil(a_rows, 16)
//@ let b_blocks: ceil(b_rows, 4 * ub)
//@ let trips: ceil(places, p)
//@ knob slices: 64 if software else 1024 | 1 4 16 64 256 1024
//@ let slice: ceil(trips, max(1, min(trips, ceil(slices, a_blocks * b_blocks))))
//@ let slices: ceil(trips, slice)
//@ let direct: slices == 1
//@ let a_quads: x_quads if swap else g_quads
//@ let b_quads: g_quads if swap else x_quads
//@ let a_first: 0 if swap else first
//@ let b_first: first if swap else 0
//@ let a_offset: lead // 4
//@ let begin: 2 * lead + 1 - window - taps if swap else window
//@ let b_offset: begin // 4
//@ let shift: begin % 4
//@ let out: out_g
//@ let first: window - lead
//@ let weights: out_g * c_in * kernel
//@ scratch part: slices * weights
//@ kernel conv1d_weight_grad: main if direct
//@ kernel conv1d_weight_grad: main, combine
//@ groups main: slices * a_blocks * b_blocks
//@ threads combine: weights
//@ knob WG: 64 | 8 16 32 64 128 256
{% set part = "dw" if direct else "part" %}
{%- set a = "x" if swap else "g" %}
{%- set b = "g" if swap else "x" %}
{%- set a_quads = p // 4 %}
{%- set b_quads = (p + shift + taps - 1 + 3) // 4 %}

{% include "include/quad.wgsl" %}

struct Params {
    n: u32, weights: u32, slices: u32, a_blocks: u32, b_blocks: u32,
    trips: u32, slice: u32,
    a_quads: u32, a_first: u32, a_rows: u32, a_offset: u32,
    b_quads: u32, b_first: u32, b_rows: u32, b_offset: u32,
    out: u32, c_in: u32, kernel: u32, stride: u32, phases: u32, pad: i32, first: i32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<Quad>;
@group(0) @binding(2) var<storage, read> g: array<Quad>;
@group(0) @binding(3) var<storage, read_write> {{ part }}: array<f32>;

// one vec4 more a row, so that threads of neighbouring rows meet other banks
var<workgroup> a_tile: array<vec4<Number>, {{ 16 * (a_quads + 1) }}>;
var<workgroup> b_tile: array<vec4<Number>, {{ 4 * ub * b_quads }}>;

fn b_at(i: u32) -> Number { return b_tile[i / 4u][i % 4u]; }

{% include "include/weight_tap.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = wid.y * nwg.x + wid.x;
    // groups past the end work on the last tile and store nothing: barriers want all of them alike
    let group = min(id, p.n - 1u);
    let rb = group % p.b_blocks * {{ 4 * ub }}u;
    let ra = group / p.b_blocks % p.a_blocks * 16u;
    let slice = group / p.b_blocks / p.a_blocks;
    let own_a = lid % 16u;
    let own_b = lid / 16u * {{ ub }}u;
    {%- for u in range(ub) %}
    {% for j in range(taps) %}var s{{ u }}_{{ j }} = 0.0; {% endfor %}
    {%- endfor %}
    let end = min(p.trips, (slice + 1u) * p.slice);
    for (var trip = slice * p.slice; trip < end; trip++) {
        // rows past the end are the last one again; nobody stores them
        for (var f = lid; f < {{ 16 * a_quads }}u; f += 64u) {
            let row = p.a_first + min(ra + f / {{ a_quads }}u, p.a_rows - 1u);
            a_tile[f / {{ a_quads }}u * {{ a_quads + 1 }}u + f % {{ a_quads }}u] = unpacked({{ a }}[row * p.a_quads + p.a_offset + trip * {{ a_quads }}u + f % {{ a_quads }}u]);
        }
        for (var f = lid; f < {{ 4 * ub * b_quads }}u; f += 64u) {
            let row = p.b_first + min(rb + f / {{ b_quads }}u, p.b_rows - 1u);
            b_tile[f] = unpacked({{ b }}[row * p.b_quads + p.b_offset + trip * {{ a_quads }}u + f % {{ b_quads }}u]);
        }
        workgroupBarrier();
        {%- if native %}
        {%- for u in range(ub) %}
        {% for j in range(taps) %}var h{{ u }}_{{ j }} = 0.0h; {% endfor %}
        {%- endfor %}
        {%- endif %}
        for (var q = 0u; q < {{ p }}u; q++) {
            let v = a_tile[own_a * {{ a_quads + 1 }}u + q / 4u][q % 4u];
            {%- for u in range(ub) %}
            {% for j in range(taps) %}{{ "h" if native else "s" }}{{ u }}_{{ j }} += v * b_at((own_b + {{ u }}u) * {{ 4 * b_quads }}u + q + {{ j + shift }}u); {% endfor %}
            {%- endfor %}
        }
        {%- if native %}
        {%- for u in range(ub) %}
        {% for j in range(taps) %}s{{ u }}_{{ j }} += f32(h{{ u }}_{{ j }}); {% endfor %}
        {%- endfor %}
        {%- endif %}
        workgroupBarrier();
    }
    if id >= p.n { return; }
    {%- for u in range(ub) %}
    let to{{ u }} = place(slice, ra + own_a, rb + own_b + {{ u }}u);
    {% for j in range(taps) %}put(to{{ u }}, {{ j }}u, s{{ u }}_{{ j }}); {% endfor %}
    {%- endfor %}
}
{% include "include/slices.wgsl" %}
