// Workgroup tiles: 64 threads stage a stretch of the signal and its weights in workgroup memory and read them from there,
// for wide adapters, where neighbours load together and subgroups are no workgroup; needs no subgroups.
//   dst[v, n] = sum over parts i, rows u of part i, taps j of  w_i[v, u, j] src[u, n + first_i + j]
//
// src  from layouts.rows    w  from layouts.weights    dst  [batch, channels, len], positions as in 04_subgroup_shuffle
// A template (minijinja). Its constants, beside those of 04_subgroup_shuffle:
//   oc      virtual channels of a group
//   du      rows that are staged at once: what is staged must fit 16 KiB
//   native  src holds f16 and is multiplied in f16: so are the sums over the taps of a row, which are added in f32
// 64 threads stage du rows of 128 positions and their weights, then each computes every channel of two positions, 64
// apart: neighbours read neighbours, and a weight is the same for all.
//@ alias: wide
//@ layout: src=rows w=tiles
//@ default: not software or native
//@ knob oc: 16 | 1 2 3 4 5 6 7 8 10 12 16 20 24 32
//@ knob du: 4 if taps <= 15 else 2 | 1 2 4
//@ try: oc=8
//@ try: oc=32 if taps <= 15
//@ try: oc=16 du=1
//@ let oc: even(width, oc)
//@ let unit: 4
//@ let trip: 1
//@ let load: 4
//@ let blocks: ceil(width, oc)
//@ let tiles: ceil(places, 128)
//@ groups: blocks * tiles
{%- set all_taps = [taps_0, taps_1, taps_2, taps_3] %}
{%- set all_shift = [shift_0, shift_1, shift_2, shift_3] %}
{%- set taps = all_taps[:parts]|max %}
{%- set quads = (128 + 3 + taps + 3) // 4 %}

{% include "include/quad.wgsl" %}

struct Params {
    n: u32, tiles: u32, records: u32, pitch: u32,
    units: u32, channels: u32, first: u32, len: u32,
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
    {%- set row = (all_taps[i] * oc * du + 3) // 4 %}
    for (var u = 0u; u < p.depth_{{ i }}; u += {{ du }}u) {
        for (var f = lid; f < {{ du * quads }}u; f += 64u) {
            // rows past the end meet weights of zero
            let from_row = p.row_{{ i }} + min(u + f / {{ quads }}u, p.depth_{{ i }} - 1u);
            window[f] = unpacked(src[from_row * p.units + p.offset_{{ i }} + tile * 32u + f % {{ quads }}u]);
        }
        let trips = (p.depth_{{ i }} + {{ du - 1 }}u) / {{ du }}u;
        for (var f = lid; f < {{ row }}u; f += 64u) {
            weights[f] = vec4<Number>(w[p.w_{{ i }} + (block * trips + u / {{ du }}u) * {{ row }}u + f]);
        }
        workgroupBarrier();
        for (var d = 0u; d < {{ du }}u; d++) {
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
