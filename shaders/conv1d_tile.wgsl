// 1-D convolutions of stride 1 over padded rows, in register tiles, for adapters where a subgroup is the workgroup:
//   dst[v, n] = sum over parts i, rows u of part i, taps j of  w_i[v, u, j] src[u, n + first_i + j]
// Both directions of a strided convolution are this, with the phases of the strided side as virtual channels (see
// conv1d_rows and conv1d_tile_weights); n runs over all records one behind the other. The input gradient of several
// branches is one sum of as many parts. Groups of channels are left to conv1d.wgsl.
// As a fast convolution (conv1d_fast_rows) it is seven such sums over transformed rows, one a point, added up to four
// positions of dst for each place of src:  dst[v, 4 n + e] = sum over points t of A[e, t] sum_t[v, n]
//
// src  from conv1d_rows    w  from conv1d_tile_weights    dst  [B, channels, T]    bias  [channels]
// A template (minijinja); its constants:
//   lanes   of a subgroup; lane i owns the positions [i P, i P + P) of a tile of lanes P
//   oc, p   virtual channels and positions a thread computes; p a multiple of 4
//   parts   1 to 4; of part i: taps_i, of its window; shift_i, 0 to 3: values between a vec4 and the window's start;
//           du_i, rows it takes at once
//   mo, mq  channels and positions whose sums are in flight together: 8 in all is what registers hold
//   add     adds to what dst holds
//   relu    stores max(0, sum + bias of the channel): the layer's end without a pass of its own
//   fast    seven points
//   half    src holds f16, see include/quad.wgsl
// Virtual channel v of record b and fold f is phase v % split of channel v / split; its position n goes to
// ((n split + phase) folds + f) every of dst's row.
// Operands: the window's first p values are loaded by their lane, those behind it come from the next lane (the last
// lane's from an extra load); weights are loaded once a subgroup, a vec4 a lane, and broadcast. A load costs as much as
// a hundred multiply-adds on a software adapter, a broadcast as much as ten.
// Dispatch: one group per (block of oc channels, tile), folded over two dimensions.
{# defaults: lanes=8 oc=5 p=16 parts=1 mo=5 mq=2 add=0 relu=0 fast=0 half=0 taps_0=21 shift_0=2 du_0=1 taps_1=0 shift_1=0 du_1=1 taps_2=0 shift_2=0 du_2=1 taps_3=0 shift_3=0 du_3=1 #}
{%- set xyzw = ["x", "y", "z", "w"] %}
{%- set all_taps = [taps_0, taps_1, taps_2, taps_3] %}
{%- set all_shift = [shift_0, shift_1, shift_2, shift_3] %}
{%- set all_du = [du_0, du_1, du_2, du_3] %}
{%- set each = 4 if fast else 1 %}

{% include "include/quad.wgsl" %}

struct Params {
    n: u32, tiles: u32, records: u32, pitch: u32,    // records: B folds; pitch: places of a record in a row
    quads: u32, channels: u32, first: u32, len: u32, // vec4s of a row; dst: all channels, the first, T
    width: u32, split: u32, folds: u32, every: u32,  // width: virtual channels
    blocks: u32, point: u32,                         // of channels; rows of src from one point to the next
    depth_0: u32, row_0: u32, offset_0: u32, w_0: u32, // of a part: rows, the first, vec4s before the window; its weights
    depth_1: u32, row_1: u32, offset_1: u32, w_1: u32,
    depth_2: u32, row_2: u32, offset_2: u32, w_2: u32,
    depth_3: u32, row_3: u32, offset_3: u32, w_3: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> src: array<Quad>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;
{%- if relu %}
@group(0) @binding(4) var<storage, read> bias: array<f32>;
{%- endif %}
{%- if fast %}

// A: the powers of the points 0, 1, -1, 2, -2, 1/2 and infinity.
const AT_POINT = array<vec4<f32>, 7>(
    vec4<f32>(1.0, 0.0, 0.0, 0.0),
    vec4<f32>(1.0, 1.0, 1.0, 1.0),
    vec4<f32>(1.0, -1.0, 1.0, -1.0),
    vec4<f32>(1.0, 2.0, 4.0, 8.0),
    vec4<f32>(1.0, -2.0, 4.0, -8.0),
    vec4<f32>(1.0, 0.5, 0.25, 0.125),
    vec4<f32>(0.0, 0.0, 0.0, 1.0),
);
{%- endif %}

// Four positions of a row of dst that begins at `row`: `t` and those after it, `step` apart.
fn put(row: u32, t: u32, step: u32, s: vec4<f32>) {
    if t < p.len { dst[row + t] {{ "+=" if add else "=" }} s.x; }
    if t + step < p.len { dst[row + t + step] {{ "+=" if add else "=" }} s.y; }
    if t + 2u * step < p.len { dst[row + t + 2u * step] {{ "+=" if add else "=" }} s.z; }
    if t + 3u * step < p.len { dst[row + t + 3u * step] {{ "+=" if add else "=" }} s.w; }
}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = wid.y * nwg.x + wid.x;
    if id >= p.n { return; }
    let tile = id % p.tiles;
    let block = id / p.tiles;
    let next = (lane + 1u) % {{ lanes }}u;
    let last = lane == {{ lanes - 1 }}u;

    // sums go through an array and loops: stores written out take longer to compile than all the rest
    var sums: array<f32, {{ oc * p * each }}>;
    {%- if fast %}
    for (var point = 0u; point < 7u; point++) {
    {%- endif %}
    {%- for o in range(oc) %}
    {% for q in range(p) %}var a{{ o }}_{{ q }} = 0.0; {% endfor %}
    {%- endfor %}
    {%- for i in range(parts) %}
    {%- set taps = all_taps[i] %}
    {%- set shift = all_shift[i] %}
    {%- set du = all_du[i] %}
    {%- set tail = shift + taps - 1 %}
    {%- set edges = (tail + 4 * lanes - 1) // (4 * lanes) %}
    {%- set loads = (taps * oc * du + 4 * lanes - 1) // (4 * lanes) %}
    {
        let trips = (p.depth_{{ i }} + {{ du - 1 }}u) / {{ du }}u;
        let start = (p.row_{{ i }}{{ " + point * p.point" if fast }}) * p.quads + p.offset_{{ i }} + tile * {{ lanes * p // 4 }}u;
        var wi = p.w_{{ i }} + ({{ "point * p.blocks + " if fast }}block) * trips * {{ loads * lanes }}u + lane;
        var u = 0u;
        loop {
            {%- for d in range(du) %}
            {%- if d == 0 %}
            let r0 = start + u * p.quads;
            {%- else %}
            // rows past the end meet weights of zero
            let r{{ d }} = start + min(u + {{ d }}u, p.depth_{{ i }} - 1u) * p.quads;
            {%- endif %}
            {%- for l in range(p // 4) %}
            let v{{ d }}_{{ l }} = unpacked(src[r{{ d }} + lane * {{ p // 4 }}u + {{ l }}u]);
            {%- endfor %}
            {%- for l in range(edges) %}
            let e{{ d }}_{{ l }} = unpacked(src[r{{ d }} + {{ lanes * p // 4 + l * lanes }}u + lane]);
            {%- endfor %}
            {%- endfor %}
            {%- for l in range(loads) %}
            let w{{ l }} = w[wi + {{ l * lanes }}u];
            {%- endfor %}
            {%- for d in range(du) %}
            {%- for j in range(p + tail) %}
            {%- if j < p %}
            let x{{ d }}_{{ j }} = v{{ d }}_{{ j // 4 }}.{{ xyzw[j % 4] }};
            {%- else %}
            {%- set f = j - p %}
            let x{{ d }}_{{ j }} = select(subgroupShuffle(x{{ d }}_{{ f }}, next), subgroupBroadcast(e{{ d }}_{{ f // (4 * lanes) }}.{{ xyzw[f % 4] }}, {{ f % (4 * lanes) // 4 }}u), last);
            {%- endif %}
            {%- endfor %}
            {%- endfor %}
            {%- for f in range(taps * oc * du) %}
            let k{{ f // oc }}_{{ f % oc }} = subgroupBroadcast(w{{ f // (4 * lanes) }}.{{ xyzw[f % 4] }}, {{ f % (4 * lanes) // 4 }}u);
            {%- endfor %}
            {%- for o0 in range(0, oc, mo) %}
            {%- set o1 = [o0 + mo, oc]|min %}
            {%- for q0 in range(0, p, mq) %}
            {%- set q1 = [q0 + mq, p]|min %}
            {%- for d in range(du) %}
            {%- for j in range(taps) %}
            {% for o in range(o0, o1) %}{% for q in range(q0, q1) %}a{{ o }}_{{ q }} += k{{ d * taps + j }}_{{ o }} * x{{ d }}_{{ q + j + shift }}; {% endfor %}{% endfor %}
            {%- endfor %}
            {%- endfor %}
            {%- endfor %}
            {%- endfor %}
            wi += {{ loads * lanes }}u;
            u += {{ du }}u;
            continuing { break if u >= p.depth_{{ i }}; }
        }
    }
    {%- endfor %}

    {%- if fast %}
    let k = AT_POINT[point];
    {%- for o in range(oc) %}
    {% for q in range(p) %}{% for e in range(4) %}sums[{{ (o * p + q) * 4 + e }}] += k.{{ xyzw[e] }} * a{{ o }}_{{ q }}; {% endfor %}{% endfor %}
    {%- endfor %}
    }
    {%- else %}
    {%- for o in range(oc) %}
    {% for q in range(p) %}sums[{{ o * p + q }}] = a{{ o }}_{{ q }}; {% endfor %}
    {%- endfor %}
    {%- endif %}

    let n = (tile * {{ lanes }}u + lane) * {{ p * each }}u;
    let step = p.split * p.folds * p.every;
    for (var o = 0u; o < min({{ oc }}u, p.width - block * {{ oc }}u); o++) {
        let v = block * {{ oc }}u + o;
        {%- if relu %}
        let shift = bias[p.first + v / p.split];
        {%- endif %}
        // four positions from a multiple of 4 on lie in one record, for its pitch is a multiple of 4
        var b = n / p.pitch;
        var t = n % p.pitch;
        for (var q = o * {{ p * each }}u; q < (o + 1u) * {{ p * each }}u; q += 4u) {
            if b < p.records {
                let row = b / p.folds * p.channels + p.first + v / p.split;
                let from_t = ((t * p.split + v % p.split) * p.folds + b % p.folds) * p.every;
                let s = vec4<f32>(sums[q], sums[q + 1u], sums[q + 2u], sums[q + 3u]);
                put(row * p.len, from_t, step, {{ "max(s + shift, vec4<f32>())" if relu else "s" }});
            }
            t += 4u;
            if t >= p.pitch { t = 0u; b++; }
        }
    }
}
