// Gradient of a convolution with respect to the weight of one branch, in register tiles, for adapters where a subgroup
// is the workgroup; in parts over the batch, which reduce.wgsl adds in a fixed order:
//   part[s, o, c, k] = sum over b in slice s, n of g[b, first_g + o, n] x[b, (c, r), n + first + j],  k = S (j + j0 - lead) + r + pad
//
// x, g  from conv1d_rows (x in phases r, u = (c, r); g in one)    part  [slices, C_out, C_in, K]
// A template (minijinja); its constants:
//   lanes    of a subgroup; lane i owns the positions [i P, i P + P) of a tile of lanes P
//   oc, uc   output and virtual input channels a group computes, all taps of each
//   p        positions a lane loads at once, a multiple of 4
//   taps     of the window; shift, 0 to 3: values between a vec4 and the window's start
//   mj       taps whose sums are in flight together: 8 is what registers hold
// Every lane sums over its own positions and keeps oc uc taps sums; only at the end the lanes add up.
// Dispatch: one group per (slice, block of oc channels, block of uc channels), folded over two dimensions.
{%- set xyzw = ["x", "y", "z", "w"] %}
{%- set tail = shift + taps - 1 %}
{%- set edges = (tail + 4 * lanes - 1) // (4 * lanes) %}

struct Params {
    n: u32, o_blocks: u32, u_blocks: u32, tiles: u32,
    pitch: u32, rows: u32, offset: u32,                     // x: pitch and offset in vec4s, rows a record
    g_pitch: u32, g_rows: u32, g_first: u32, g_offset: u32, // g likewise, its first row
    batch: u32, slice: u32,
    out: u32, c_in: u32, kernel: u32, stride: u32, phases: u32, pad: i32, first: i32,  // first = j0 - lead
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> part: array<f32>;

// The sum over all lanes of tap j of channels o and u, written by the first.
fn put(lane: u32, slice: u32, o: u32, u: u32, j: u32, sum: f32) {
    let total = subgroupAdd(sum);
    let k = i32(p.stride) * (i32(j) + p.first) + i32(u % p.phases) + p.pad;
    let c = u / p.phases;
    if lane == 0u && o < p.out && c < p.c_in && k >= 0 && k < i32(p.kernel) {
        part[((slice * p.out + o) * p.c_in + c) * p.kernel + u32(k)] = total;
    }
}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = wid.y * nwg.x + wid.x;
    if id >= p.n { return; }
    let ub = id % p.u_blocks * {{ uc }}u;
    let ob = id / p.u_blocks % p.o_blocks * {{ oc }}u;
    let slice = id / p.u_blocks / p.o_blocks;
    let next = (lane + 1u) % {{ lanes }}u;
    let last = lane == {{ lanes - 1 }}u;
    // channels past the end read the last one's rows; nobody stores them
    {%- for u in range(uc) %}
    let xr{{ u }} = min(ub + {{ u }}u, p.rows - 1u) * p.pitch;
    {%- endfor %}
    {%- for o in range(oc) %}
    let gr{{ o }} = (p.g_first + min(ob + {{ o }}u, p.out - 1u)) * p.g_pitch;
    {%- endfor %}

    {%- for o in range(oc) %}{% for u in range(uc) %}
    {% for j in range(taps) %}var a{{ o }}_{{ u }}_{{ j }} = 0.0; {% endfor %}
    {%- endfor %}{% endfor %}
    var b = slice * p.slice;
    let end = min(p.batch, b + p.slice);
    loop {
        var at = b * p.rows * p.pitch + p.offset;
        var g_at = b * p.g_rows * p.g_pitch + p.g_offset + lane * {{ p // 4 }}u;
        var tiles = p.tiles;
        loop {
            {%- for u in range(uc) %}
            {%- for i in range(p // 4) %}
            let v{{ u }}_{{ i }} = x[at + xr{{ u }} + lane * {{ p // 4 }}u + {{ i }}u];
            {%- endfor %}
            {%- for i in range(edges) %}
            let e{{ u }}_{{ i }} = x[at + xr{{ u }} + {{ lanes * p // 4 + i * lanes }}u + lane];
            {%- endfor %}
            {%- for j in range(p + tail) %}
            {%- if j < p %}
            let x{{ u }}_{{ j }} = v{{ u }}_{{ j // 4 }}.{{ xyzw[j % 4] }};
            {%- else %}
            {%- set f = j - p %}
            let x{{ u }}_{{ j }} = select(subgroupShuffle(x{{ u }}_{{ f }}, next), subgroupBroadcast(e{{ u }}_{{ f // (4 * lanes) }}.{{ xyzw[f % 4] }}, {{ f % (4 * lanes) // 4 }}u), last);
            {%- endif %}
            {%- endfor %}
            {%- endfor %}
            {%- for o in range(oc) %}
            {%- for i in range(p // 4) %}
            let g{{ o }}_{{ i }} = g[g_at + gr{{ o }} + {{ i }}u];
            {%- endfor %}
            {%- endfor %}
            {%- for o in range(oc) %}{% for u in range(uc) %}{% for j0 in range(0, taps, mj) %}
            {%- for q in range(p) %}
            {% for j in range(j0, [j0 + mj, taps]|min) %}a{{ o }}_{{ u }}_{{ j }} += g{{ o }}_{{ q // 4 }}.{{ xyzw[q % 4] }} * x{{ u }}_{{ q + j + shift }}; {% endfor %}
            {%- endfor %}
            {%- endfor %}{% endfor %}{% endfor %}
            at += {{ lanes * p // 4 }}u;
            g_at += {{ lanes * p // 4 }}u;
            tiles--;
            continuing { break if tiles == 0u; }
        }
        b++;
        continuing { break if b >= end; }
    }

    {%- for o in range(oc) %}{% for u in range(uc) %}
    {% for j in range(taps) %}put(lane, slice, ob + {{ o }}u, ub + {{ u }}u, {{ j }}u, a{{ o }}_{{ u }}_{{ j }}); {% endfor %}
    {%- endfor %}{% endfor %}
}
