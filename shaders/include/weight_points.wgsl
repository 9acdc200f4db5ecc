// For the fast weight gradient: where the sum of a piece goes, and the gradient from the sums at the points.
// Writes piece i of rows ra of a and rb of b; `at` counts points and slices.
fn put(at: u32, ra: u32, rb: u32, i: u32, sum: f32) {
    {%- if swap %}
    let o = rb;
    let u = ra;
    let piece = {{ taps - 1 }}u - i;
    {%- else %}
    let o = ra;
    let u = rb;
    let piece = i;
    {%- endif %}
    if o < p.out && u < p.x_rows { part[((at * p.out + o) * p.x_rows + u) * {{ taps }}u + piece] = sum; }
}

override WG: u32 = 64u;

@group(0) @binding(8) var<storage, read_write> dw: array<f32>;

// G: the powers of the points 0, 1, -1, 2, -2 and 1/2 over the product of the distances to the others; infinity.
const G = array<vec4<f32>, 7>(
    vec4<f32>(-0.5, 0.0, 0.0, 0.0),
    vec4<f32>(-1.0, -1.0, -1.0, -1.0) / 3.0,
    vec4<f32>(1.0, -1.0, 1.0, -1.0) / 9.0,
    vec4<f32>(1.0, 2.0, 4.0, 8.0) / 36.0,
    vec4<f32>(-1.0, 2.0, -4.0, 8.0) / 60.0,
    vec4<f32>(32.0, 16.0, 8.0, 4.0) / 45.0,
    vec4<f32>(0.0, 0.0, 0.0, 1.0),
);

// Adds slices and points in order: one weight a thread.
@compute @workgroup_size(WG)
fn combine(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let k = i32(id % p.kernel);
    let c = id / p.kernel % p.c_in;
    let o = id / p.kernel / p.c_in;
    // k = stride (tap + first) + phase + pad, the phase not negative
    let place = k - p.pad - i32(p.stride) * p.first;
    let tap = u32(place) / p.stride;
    let u = c * p.phases + u32(place) % p.stride;
    let size = p.out * p.x_rows * {{ taps }}u;
    var at = (o * p.x_rows + u) * {{ taps }}u + tap / 4u;
    var dw_k = 0.0;
    for (var t = 0u; t < 7u; t++) {
        var sum = 0.0;
        for (var s = 0u; s < p.slices; s++) {
            sum += part[at];
            at += size;
        }
        dw_k += G[t][tap % 4u] * sum;
    }
    dw[id] = dw_k;
}
