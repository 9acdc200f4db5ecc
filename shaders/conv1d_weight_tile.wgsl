// Gradient of a convolution with respect to the weight of one branch, in register tiles, for adapters where a subgroup
// is the workgroup; in parts over the positions, which reduce.wgsl adds in a fixed order:
//   part[s, o, c, k] = sum over n in slice s of g[first_g + o, n] x[(c, r), n + j0 + j],  k = S (j + j0 - lead) + r + pad
// The signal of one side stays in its lanes (a), the other's window is handed round (b): a = g and b = x, or, where that
// leaves fewer lanes idle, a = x and b = g with the taps in reverse.
//
// a, b  from conv1d_rows (x in phases r, u = (c, r); g in one), n over all records    part  [slices, C_out, C_in, K]
// A template (minijinja); its constants:
//   lanes    of a subgroup; a lane is a row of a
//   va, ub   a group computes va lanes rows of a and ub rows of b, all taps of each
//   p        positions a trip takes, a multiple of 4
//   taps     of the window; shift, 0 to 3: values between a vec4 and the window's start
//   mv, mj   vectors of lanes and taps whose sums are in flight together: 8 in all is what registers hold
//   swap     a is x
// A lane loads its own row of a; b's window is loaded once a subgroup, a vec4 a lane (a lane a row where the window is
// one tap), and broadcast.
// Dispatch: one group per (slice, block of rows of a, block of rows of b), folded over two dimensions.
{# defaults: lanes=8 va=1 ub=4 p=8 taps=21 shift=2 mv=1 mj=8 swap=0 half=0 #}
{%- set xyzw = ["x", "y", "z", "w"] %}
{%- set window = p + shift + taps - 1 %}
{%- set loads = (window + 4 * lanes - 1) // (4 * lanes) %}

{% include "include/quad.wgsl" %}

struct Params {
    n: u32, a_blocks: u32, b_blocks: u32,
    trips: u32, slice: u32,                              // of all positions, of a slice
    a_quads: u32, a_first: u32, a_rows: u32, a_offset: u32, // vec4s of a row, first row, rows, vec4s before the first position
    b_quads: u32, b_first: u32, b_rows: u32, b_offset: u32,
    out: u32, c_in: u32, kernel: u32, stride: u32, phases: u32, pad: i32, first: i32,  // first = j0 - lead
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<Quad>;
@group(0) @binding(2) var<storage, read> b: array<Quad>;
@group(0) @binding(3) var<storage, read_write> part: array<f32>;

// Writes tap j of rows ra of a and rb of b.
fn put(slice: u32, ra: u32, rb: u32, j: u32, sum: f32) {
    {%- if swap %}
    let o = rb;
    let u = ra;
    let tap = {{ taps - 1 }} - i32(j);
    {%- else %}
    let o = ra;
    let u = rb;
    let tap = i32(j);
    {%- endif %}
    let k = i32(p.stride) * (tap + p.first) + i32(u % p.phases) + p.pad;
    let c = u / p.phases;
    if o < p.out && c < p.c_in && k >= 0 && k < i32(p.kernel) {
        part[((slice * p.out + o) * p.c_in + c) * p.kernel + u32(k)] = sum;
    }
}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = wid.y * nwg.x + wid.x;
    if id >= p.n { return; }
    let rb = id % p.b_blocks * {{ ub }}u;
    let ra = id / p.b_blocks % p.a_blocks * {{ va * lanes }}u;
    let slice = id / p.b_blocks / p.a_blocks;
    // rows past the end read the last one; nobody stores them
    {%- for v in range(va) %}
    let ar{{ v }} = (p.a_first + min(ra + {{ v * lanes }}u + lane, p.a_rows - 1u)) * p.a_quads + p.a_offset;
    {%- endfor %}
    {%- if taps == 1 %}
    {%- for u in range(0, ub, lanes) %}
    let br{{ u }} = (p.b_first + min(rb + {{ u }}u + lane, p.b_rows - 1u)) * p.b_quads + p.b_offset;
    {%- endfor %}
    {%- else %}
    {%- for u in range(ub) %}
    let br{{ u }} = (p.b_first + min(rb + {{ u }}u, p.b_rows - 1u)) * p.b_quads + p.b_offset + lane;
    {%- endfor %}
    {%- endif %}

    {%- for v in range(va) %}{% for u in range(ub) %}
    {% for j in range(taps) %}var s{{ v }}_{{ u }}_{{ j }} = 0.0; {% endfor %}
    {%- endfor %}{% endfor %}
    var at = slice * p.slice * {{ p // 4 }}u;
    let end = min(p.trips, (slice + 1u) * p.slice) * {{ p // 4 }}u;
    loop {
        {%- for v in range(va) %}
        {%- for i in range(p // 4) %}
        let a{{ v }}_{{ i }} = unpacked(a[ar{{ v }} + at + {{ i }}u]);
        {%- endfor %}
        {%- endfor %}
        {%- if taps == 1 %}
        {%- for u in range(0, ub, lanes) %}
        {%- for i in range((window + 3) // 4) %}
        let e{{ u }}_{{ i }} = unpacked(b[br{{ u }} + at + {{ i }}u]);
        {%- endfor %}
        {%- for u1 in range(u, [u + lanes, ub]|min) %}
        {%- for j in range(shift, window) %}
        let b{{ u1 }}_{{ j }} = subgroupBroadcast(e{{ u }}_{{ j // 4 }}.{{ xyzw[j % 4] }}, {{ u1 - u }}u);
        {%- endfor %}
        {%- endfor %}
        {%- endfor %}
        {%- else %}
        {%- for u in range(ub) %}
        {%- for i in range(loads) %}
        let e{{ u }}_{{ i }} = unpacked(b[br{{ u }} + at + {{ i * lanes }}u]);
        {%- endfor %}
        {%- for j in range(shift, window) %}
        let b{{ u }}_{{ j }} = subgroupBroadcast(e{{ u }}_{{ j // (4 * lanes) }}.{{ xyzw[j % 4] }}, {{ j % (4 * lanes) // 4 }}u);
        {%- endfor %}
        {%- endfor %}
        {%- endif %}
        {%- for u in range(ub) %}{% for v0 in range(0, va, mv) %}{% for j0 in range(0, taps, mj) %}
        {%- for q in range(p) %}
        {% for v in range(v0, [v0 + mv, va]|min) %}{% for j in range(j0, [j0 + mj, taps]|min) %}s{{ v }}_{{ u }}_{{ j }} += a{{ v }}_{{ q // 4 }}.{{ xyzw[q % 4] }} * b{{ u }}_{{ q + j + shift }}; {% endfor %}{% endfor %}
        {%- endfor %}
        {%- endfor %}{% endfor %}{% endfor %}
        at += {{ p // 4 }}u;
        continuing { break if at >= end; }
    }

    // by way of an array and in loops: stores written out take longer to compile than all the rest
    var sums: array<f32, {{ va * ub * taps }}>;
    {%- for v in range(va) %}{% for u in range(ub) %}
    {% for j in range(taps) %}sums[{{ (v * ub + u) * taps + j }}] = s{{ v }}_{{ u }}_{{ j }}; {% endfor %}
    {%- endfor %}{% endfor %}
    var f = 0u;
    for (var v = 0u; v < {{ va }}u; v++) {
        for (var u = 0u; u < {{ ub }}u; u++) {
            for (var j = 0u; j < {{ taps }}u; j++) {
                put(slice, ra + v * {{ lanes }}u + lane, rb + u, j, sums[f]);
                f++;
            }
        }
    }
}
