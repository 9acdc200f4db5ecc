// Subgroup rows: a lane keeps a row of one side and a subgroup passes the other side's window from lane to lane, so that a load
// serves a whole subgroup; in parts over the positions that are added in order.
//   part[s, o, c, k] = sum over n in slice s of g[first + o, n] x[(c, r), n + j0 + j],  k = S (j + j0 - lead) + r + pad
//   dw = sum over s of part[s]
// The signal of one side stays in its lanes (a), the other's window moves (b): a = g and b = x, or, where that
// leaves fewer lanes idle, a = x and b = g with the taps in reverse (swap).
//
// x, g  from layouts.rows (x in phases r, u = (c, r); g in one), n over all records    dw  [out_g, c_in, kernel]
// A template (minijinja). Its constants:
//   lanes    of a subgroup; a lane is a row of a
//   va, ub   a group computes va lanes rows of a and ub rows of b, all taps of each
//   p        positions a trip takes, a multiple of 4
//   unit     values of a load, 4 or 8
//   taps     of the window; shift, less than unit: values between a unit and the window's start
//   mv, mj   vectors of lanes and taps whose sums are in flight together: 8 in all is what registers hold
//   swap     a is x
//   fast     seven points, see 05_fast
// A lane loads its own row of a; b's windows are loaded once a subgroup, a lane a row or, where those are fewer loads, a row
// by all lanes together, and broadcast.
//@ alias: tile
//@ needs: subgroups
//@ fits: lanes > 0
//@ layout: x=rows g=rows
//@ default: software
//@ let few: registers == 16 and not intel
//@ knob swap: 1 if up(x_rows, lanes) * 100 // x_rows < up(out_g, lanes) * 100 // out_g else 0 | 0 1
//@ let fast: 0
//@ let points: 1
//@ let x_lead: lead
//@ let a_rows: x_rows if swap else out_g
//@ let b_rows: out_g if swap else x_rows
//@ knob va: (4 if taps == 1 else 2 if taps <= 7 else 1) if intel else (4 if taps == 1 else 2 if taps <= 11 else 1) if few else 8 if taps == 1 else 4 if taps <= 7 else 2 if taps <= 11 else 1 | 1 2 3 4 6 8
//@ knob ub: (16 if taps == 1 else 8) if intel else 16 if taps == 1 else 8 if taps <= (11 if few else 7) else 4 | 1 2 3 4 5 6 7 8 12 16
//@ knob p: (8 if taps == 1 or taps > 11 else 12) if intel else 4 if taps == 1 else 8 | 4 8 12 16 20 24 28 32
//@ let va: even(ceil(a_rows, lanes), va)
//@ let ub: even(b_rows, ub)
//@ knob mv: 1 if va == 1 else (4 if taps == 1 else 2) if intel else 4 if taps == 1 else 1 if taps <= 7 and not few else 2 | 1 2 3 4 5 6 7 8
//@ knob mj: (1 if taps == 1 else 6 if taps <= 11 else 8) if intel else 8 if va == 1 else 1 if taps == 1 else 6 if taps <= 7 and not few else 4 | 1 2 3 4 5 6 7 8
//@ let mv: min(mv, va)
//@ let native: 0
//@ try: va=2 ub=8 p=8 mv=2 mj=4 swap=0 if 128 * taps <= 3200
//@ try: va=2 ub=8 p=8 mv=2 mj=4 swap=1 if 128 * taps <= 3200
//@ try: va=1 ub=4 p=8 mv=1 mj=8 swap=0 if 32 * taps <= 3200
//@ try: va=1 ub=4 p=8 mv=1 mj=8 swap=1 if 32 * taps <= 3200
//@ try: va=2 ub=4 p=8 mv=2 mj=4 swap=0 if 64 * taps <= 3200
//@ try: va=2 ub=4 p=8 mv=2 mj=4 swap=1 if 64 * taps <= 3200
//@ try: va=2 ub=8 p=16 mv=1 mj=6 swap=0 if 256 * taps <= 3200
//@ try: va=2 ub=8 p=16 mv=1 mj=6 swap=1 if 256 * taps <= 3200
//@ try: va=4 ub=8 p=8 mv=2 mj=3 swap=0 if 256 * taps <= 3200
//@ try: va=4 ub=8 p=8 mv=2 mj=3 swap=1 if 256 * taps <= 3200
//@ try: va=4 ub=8 p=8 mv=1 mj=6 swap=0 if 256 * taps <= 3200
//@ try: va=4 ub=8 p=8 mv=1 mj=6 swap=1 if 256 * taps <= 3200
//@ try: va=8 ub=16 p=4 mv=4 mj=1 swap=0 if 512 * taps <= 3200
//@ try: va=8 ub=16 p=4 mv=4 mj=1 swap=1 if 512 * taps <= 3200
//@ try: va=4 ub=16 p=8 mv=4 mj=1 swap=0 if 512 * taps <= 3200
//@ try: va=4 ub=16 p=8 mv=4 mj=1 swap=1 if 512 * taps <= 3200
//@ let a_blocks: ceil(a_rows, va * lanes)
//@ let b_blocks: ceil(b_rows, ub)
//@ let trips: ceil(places, p)
//@ knob slices: 64 if software else 1024 | 1 4 16 64 256 1024
//@ let slice: ceil(trips, max(1, min(trips, ceil(slices, points * a_blocks * b_blocks))))
//@ let slices: ceil(trips, slice)
//@ let direct: slices == 1
//@ let unit: 8 if software and int64 and p % 8 == 0 else 4
//@ let a_units: (x_quads if swap else g_quads) * 4 // unit
//@ let b_units: (g_quads if swap else x_quads) * 4 // unit
//@ let a_first: 0 if swap else first
//@ let b_first: first if swap else 0
//@ let a_offset: (x_lead if swap else lead) // unit
//@ let begin: lead + x_lead + 1 - window - taps if swap else window
//@ let b_offset: begin // unit
//@ let shift: begin % unit
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
{%- set wide = unit == 8 %}
{%- set component = ["a.x", "a.y", "a.z", "a.w", "b.x", "b.y", "b.z", "b.w"] if wide else ["x", "y", "z", "w"] %}
{%- set unpack = "unpacked8" if wide else "unpacked" %}
{%- set type = "Octet" if wide else "Quad" %}
{%- set window = p + shift + taps - 1 %}
{%- set loads = (window + unit * lanes - 1) // (unit * lanes) %}
{%- set by_rows = (window + unit - 1) // unit * ((ub + lanes - 1) // lanes) <= ub * loads %}

{% include "include/quad.wgsl" %}

struct Params {
    n: u32, weights: u32, slices: u32, a_blocks: u32, b_blocks: u32,
    trips: u32, slice: u32,                              // of all positions, of a slice
    a_units: u32, a_first: u32, a_rows: u32, a_offset: u32, // units of a row, first row, rows, units before the first position
    b_units: u32, b_first: u32, b_rows: u32, b_offset: u32,
    va: u32, ub: u32, taps: u32,
    out: u32, c_in: u32, kernel: u32, stride: u32, phases: u32, pad: i32, first: i32,  // first = j0 - lead
    {{ 'a_point: u32, b_point: u32, x_rows: u32,' if fast }} // rows of a and b from one point to the next
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<{{ type }}>;
@group(0) @binding(2) var<storage, read> g: array<{{ type }}>;
@group(0) @binding(3) var<storage, read_write> {{ part }}: array<f32>;

{% if fast %}{% include "include/weight_points.wgsl" %}{% else %}{% include "include/weight_tap.wgsl" %}{% endif %}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = wid.y * nwg.x + wid.x;
    if id >= p.n { return; }
    let rb = id % p.b_blocks * {{ ub }}u;
    let ra = id / p.b_blocks % p.a_blocks * {{ va * lanes }}u;
    let slice = id / p.b_blocks / p.a_blocks{{ ' % p.slices' if fast }};
    {%- if fast %}
    let point = id / p.b_blocks / p.a_blocks / p.slices;
    {%- endif %}
    // rows past the end read the last one; nobody stores them
    {%- for v in range(va) %}
    let ar{{ v }} = ({{ 'point * p.a_point + ' if fast }}p.a_first + min(ra + {{ v * lanes }}u + lane, p.a_rows - 1u)) * p.a_units + p.a_offset;
    {%- endfor %}
    {%- if by_rows %}
    {%- for u in range(0, ub, lanes) %}
    let br{{ u }} = ({{ 'point * p.b_point + ' if fast }}p.b_first + min(rb + {{ u }}u + lane, p.b_rows - 1u)) * p.b_units + p.b_offset;
    {%- endfor %}
    {%- else %}
    {%- for u in range(ub) %}
    let br{{ u }} = ({{ 'point * p.b_point + ' if fast }}p.b_first + min(rb + {{ u }}u, p.b_rows - 1u)) * p.b_units + p.b_offset + lane;
    {%- endfor %}
    {%- endif %}

    {%- for v in range(va) %}{% for u in range(ub) %}
    {% for j in range(taps) %}var s{{ v }}_{{ u }}_{{ j }} = 0.0; {% endfor %}
    {%- endfor %}{% endfor %}
    var at = slice * p.slice * {{ p // unit }}u;
    let end = min(p.trips, (slice + 1u) * p.slice) * {{ p // unit }}u;
    loop {
        {%- for v in range(va) %}
        {%- for i in range(p // unit) %}
        let a{{ v }}_{{ i }} = {{ unpack }}({{ a }}[ar{{ v }} + at + {{ i }}u]);
        {%- endfor %}
        {%- endfor %}
        {%- if by_rows %}
        {%- for u in range(0, ub, lanes) %}
        {%- for i in range((window + unit - 1) // unit) %}
        let e{{ u }}_{{ i }} = {{ unpack }}({{ b }}[br{{ u }} + at + {{ i }}u]);
        {%- endfor %}
        {%- for u1 in range(u, [u + lanes, ub]|min) %}
        {%- for j in range(shift, window) %}
        let b{{ u1 }}_{{ j }} = subgroupBroadcast(e{{ u }}_{{ j // unit }}.{{ component[j % unit] }}, {{ u1 - u }}u);
        {%- endfor %}
        {%- endfor %}
        {%- endfor %}
        {%- else %}
        {%- for u in range(ub) %}
        {%- for i in range(loads) %}
        let e{{ u }}_{{ i }} = {{ unpack }}({{ b }}[br{{ u }} + at + {{ i * lanes }}u]);
        {%- endfor %}
        {%- for j in range(shift, window) %}
        let b{{ u }}_{{ j }} = subgroupBroadcast(e{{ u }}_{{ j // (unit * lanes) }}.{{ component[j % unit] }}, {{ j % (unit * lanes) // unit }}u);
        {%- endfor %}
        {%- endfor %}
        {%- endif %}
        {%- for u in range(ub) %}{% for v0 in range(0, va, mv) %}{% for j0 in range(0, taps, mj) %}
        {%- for q in range(p) %}
        {% for v in range(v0, [v0 + mv, va]|min) %}{% for j in range(j0, [j0 + mj, taps]|min) %}s{{ v }}_{{ u }}_{{ j }} += a{{ v }}_{{ q // unit }}.{{ component[q % unit] }} * b{{ u }}_{{ q + j + shift }}; {% endfor %}{% endfor %}
        {%- endfor %}
        {%- endfor %}{% endfor %}{% endfor %}
        at += {{ p // unit }}u;
        continuing { break if at >= end; }
    }

    // by way of an array, in loops whose ends the driver does not know: unrolled stores take longer to compile than all the rest
    var sums: array<f32, {{ va * ub * taps }}>;
    {%- for v in range(va) %}{% for u in range(ub) %}
    {% for j in range(taps) %}sums[{{ (v * ub + u) * taps + j }}] = s{{ v }}_{{ u }}_{{ j }}; {% endfor %}
    {%- endfor %}{% endfor %}
    var f = 0u;
    for (var v = 0u; v < p.va; v++) {
        for (var u = 0u; u < p.ub; u++) {
            let to = place({{ 'point * p.slices + ' if fast }}slice, ra + v * {{ lanes }}u + lane, rb + u);
            for (var j = 0u; j < p.taps; j++) {
                put(to, j, sums[f]);
                f++;
            }
        }
    }
}
{% if not fast %}{% include "include/slices.wgsl" %}{% endif %}
