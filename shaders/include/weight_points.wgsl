// For the fast weight gradient: where the sum of a piece goes, and the gradient from the sums at the points.

// Of the sums of two rows: whether there are such rows, and the first sum.
struct Place { inside: bool, first: u32 }

// The place of rows ra of a and rb of b; `at` counts points and slices.
fn place(at: u32, ra: u32, rb: u32) -> Place {
    let o = {{ "rb" if swap else "ra" }};
    let u = {{ "ra" if swap else "rb" }};
    return Place(o < p.out && u < p.x_rows, ((at * p.out + o) * p.x_rows + u) * {{ taps }}u);
}

// Writes the sum of piece i.
fn put(to: Place, i: u32, sum: f32) {
    if to.inside { part[to.first + {{ (taps - 1) ~ "u - i" if swap else "i" }}] = sum; }
}

override WG: u32 = 64u;

@group(0) @binding(8) var<storage, read_write> dw: array<f32>;

{% include "include/toom_cook.wgsl" %}

// Adds slices and points in order: the six weights of a piece a thread.
@compute @workgroup_size(WG)
fn combine(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let size = p.out * p.x_rows * {{ taps }}u;
    var at = (wid.y * nwg.x + wid.x) * WG + lid;
    if at >= size { return; }
    let piece = at % {{ taps }}u;
    let u = at / {{ taps }}u % p.x_rows;
    let o = at / {{ taps }}u / p.x_rows;
    {%- for e in range(6) %}
    var dw{{ e }} = 0.0;
    {%- endfor %}
    {%- for t in range(11) %}
    var sum{{ t }} = 0.0;
    for (var s = 0u; s < p.slices; s++) {
        sum{{ t }} += part[at];
        at += size;
    }
    {%- for e in range(6) %}
    dw{{ e }} += TOOM_G[{{ t }}][{{ e }}] * sum{{ t }};
    {%- endfor %}
    {%- endfor %}
    // k = stride (tap + first) + phase + pad
    let c = u / p.phases;
    var k = i32(p.stride) * (i32(6u * piece) + p.first) + i32(u % p.phases) + p.pad;
    {%- for e in range(6) %}
    if k >= 0 && k < i32(p.kernel) { dw[(o * p.c_in + c) * p.kernel + u32(k)] = dw{{ e }}; }
    k += i32(p.stride);
    {%- endfor %}
}
