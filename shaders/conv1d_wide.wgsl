// conv1d_tile for wide adapters: the same sum over the same rows and weights, in workgroup tiles, without subgroups:
//   dst[v, n] = sum over parts i, rows u of part i, taps j of  w_i[v, u, j] src[u, n + first_i + j]
//
// src  from conv1d_rows    w  from conv1d_tile_weights    dst  [B, channels, T], positions as in conv1d_tile
// A template (minijinja); its constants:
//   oc      virtual channels of a group
//   parts   1 to 4; of part i: taps_i, of its window; shift_i, 0 to 3: values between a vec4 and the window's start;
//           du_i, rows that are staged at once
//   add     adds to what dst holds
//   relu    stores max(0, sum + bias of the channel)
//   half    src holds f16, see include/quad.wgsl
//   native  and is multiplied in f16: so are the sums over the taps of a row, which are added in f32
//   (lanes, p, mo, mq and fast are conv1d_tile's and have no meaning here)
// 64 threads stage du rows of 128 positions and their weights, then each computes every channel of two positions, 64
// apart: neighbours read neighbours, and a weight is the same for all.
// Dispatch: one group per (block of oc channels, 128 positions), folded over two dimensions.
{# defaults: lanes=16 oc=16 p=8 parts=1 mo=2 mq=4 add=0 relu=0 fast=0 half=0 native=0 taps_0=21 shift_0=2 du_0=2 taps_1=0 shift_1=0 du_1=1 taps_2=0 shift_2=0 du_2=1 taps_3=0 shift_3=0 du_3=1 #}
{%- set all_taps = [taps_0, taps_1, taps_2, taps_3] %}
{%- set all_shift = [shift_0, shift_1, shift_2, shift_3] %}
{%- set all_du = [du_0, du_1, du_2, du_3] %}
{%- set taps = all_taps[:parts]|max %}
{%- set du = all_du[:parts]|max %}
{%- set quads = (128 + 3 + taps + 3) // 4 %}

{% include "include/quad.wgsl" %}

struct Params {
    n: u32, tiles: u32, records: u32, pitch: u32,
    quads: u32, channels: u32, first: u32, len: u32,
    width: u32, split: u32, folds: u32, every: u32,
    depth_0: u32, row_0: u32, offset_0: u32, w_0: u32,
    depth_1: u32, row_1: u32, offset_1: u32, w_1: u32,
    depth_2: u32, row_2: u32, offset_2: u32, w_2: u32,
    depth_3: u32, row_3: u32, offset_3: u32, w_3: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> src: array<Quad>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;
{%- if relu %}
@group(0) @binding(4) var<storage, read> bias: array<f32>; // [channels]
{%- endif %}

var<workgroup> window: array<vec4<Number>, {{ du * quads }}>;
var<workgroup> weights: array<vec4<Number>, {{ (du * taps * oc + 3) // 4 }}>;

fn sample(i: u32) -> Number { return window[i / 4u][i % 4u]; }
fn weight(i: u32) -> Number { return weights[i / 4u][i % 4u]; }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = wid.y * nwg.x + wid.x;
    // groups past the end work on the last tile and store nothing: barriers want all of them alike
    let tile = min(id, p.n - 1u) % p.tiles;
    let block = min(id, p.n - 1u) / p.tiles;
    {%- for o in range(oc) %}
    var a{{ o }} = vec2<f32>();
    {%- endfor %}
    {%- for i in range(parts) %}
    {%- set row = (all_taps[i] * oc * all_du[i] + 3) // 4 %}
    for (var u = 0u; u < p.depth_{{ i }}; u += {{ all_du[i] }}u) {
        for (var f = lid; f < {{ all_du[i] * quads }}u; f += 64u) {
            // rows past the end meet weights of zero
            let from_row = p.row_{{ i }} + min(u + f / {{ quads }}u, p.depth_{{ i }} - 1u);
            window[f] = unpacked(src[from_row * p.quads + p.offset_{{ i }} + tile * 32u + f % {{ quads }}u]);
        }
        let trips = (p.depth_{{ i }} + {{ all_du[i] - 1 }}u) / {{ all_du[i] }}u;
        for (var f = lid; f < {{ row }}u; f += 64u) {
            weights[f] = vec4<Number>(w[p.w_{{ i }} + (block * trips + u / {{ all_du[i] }}u) * {{ row }}u + f]);
        }
        workgroupBarrier();
        for (var d = 0u; d < {{ all_du[i] }}u; d++) {
            {%- if native %}
            {%- for o in range(oc) %}
            var h{{ o }} = vec2<f16>();
            {%- endfor %}
            {%- endif %}
            for (var j = 0u; j < {{ all_taps[i] }}u; j++) {
                let at = d * {{ 4 * quads }}u + lid + j + {{ all_shift[i] }}u;
                let x = vec2<Number>(sample(at), sample(at + 64u));
                let k = (d * {{ all_taps[i] }}u + j) * {{ oc }}u;
                {%- for o in range(oc) %}
                {{ "h" if native else "a" }}{{ o }} += weight(k + {{ o }}u) * x;
                {%- endfor %}
            }
            {%- if native %}
            {%- for o in range(oc) %}
            a{{ o }} += vec2<f32>(h{{ o }});
            {%- endfor %}
            {%- endif %}
        }
        workgroupBarrier();
    }
    {%- endfor %}
    if id >= p.n { return; }
    for (var half = 0u; half < 2u; half++) {
        let n = tile * 128u + half * 64u + lid;
        let b = n / p.pitch;
        let t = n % p.pitch;
        if b >= p.records { continue; }
        {%- for o in range(oc) %}
        {
            let v = block * {{ oc }}u + {{ o }}u;
            let to = ((t * p.split + v % p.split) * p.folds + b % p.folds) * p.every;
            if v < p.width && to < p.len {
                let s = a{{ o }}[half];
                dst[(b / p.folds * p.channels + p.first + v / p.split) * p.len + to] {{ "+=" if add else "=" }} {{ "max(s + bias[p.first + v / p.split], 0.0)" if relu else "s" }};
            }
        }
        {%- endfor %}
    }
}
