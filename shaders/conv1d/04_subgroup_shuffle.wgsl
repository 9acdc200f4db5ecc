// Subgroup shuffle: a lane loads its own stretch of the signal once and passes the window's tail to its neighbour, as a
// shuffle costs a tenth of a load on a software adapter; one subgroup is the workgroup, so that nothing waits.
//   dst[v, n] = sum over parts i, rows u of part i, taps j of  w_i[v, u, j] src[u, n + first_i + j]
// Signals lie in padded rows (layouts.rows): both directions of a strided or dilated convolution are then this sum of stride
// 1, with the phases of the strided side as virtual channels v; n runs over all records one behind the other. The input
// gradient of several branches is one sum with a part for each.
//
// src  from layouts.rows    w  from layouts.weights    dst  [batch, channels, len]    bias  [channels]
// A template (minijinja). Its constants:
//   lanes   of a subgroup; lane i owns the positions [i p, i p + p) of a tile of lanes p
//   oc, p   virtual channels and positions a thread computes; p a multiple of 4
//   trip    taps it takes at once, of several rows where a window has fewer
//   mo, mq  channels and positions whose sums are in flight together: 8 in all is what 32 registers hold; those of mq positions,
//           or of mq tiles, are one vector, which makes a kernel's text half as long to read and to keep
//   unit    values of a load, 4 or 8
//   parts   1 to 4; of part i: taps_i, of its window; shift_i, less than unit: values between a unit and the window's start
//   add     adds to what dst holds
//   fast    eleven points, see 05_fast;  half  src holds f16, see include/quad.wgsl
// Virtual channel v of record b and fold f is phase v % split of channel v / split; its position n goes to
// ((n split + phase) folds + f) every of dst's row.
// The unrolled body (taps oc p multiply-adds) must fit the instruction cache, and every weight and sample serve as many of
// them as possible: the defaults below. On an Intel CPU what goes beyond its 32 KiB, some 1350 multiply-adds, costs a third;
// small layers take half of that, which runs as fast and compiles in half the time.
// A CPU without AVX-512 has 16 registers: of windows up to seven taps, one channel at two positions keeps its weights there as
// well; with more sums at once they are put away between taps, which takes up to two thirds longer.
// A tile's groups follow each other: its samples come from the cache for all blocks of channels but the first. A load costs as much as thirty multiply-adds there, one of eight values little more than one of four.
//@ alias: tile
//@ needs: subgroups
//@ fits: lanes > 0
//@ layout: src=rows w=tiles
//@ default: software
//@ let short: registers == 16 and not intel and taps <= 7
//@ let large: depth * width * batch * out_len >= 12000000
//@ knob p: (8 if taps == 1 else 12 if taps <= 7 else 16) if intel else (8 if taps == 1 else 12) if short else 16 if taps <= 15 else 12 | 4 8 12 16 20 24 28 32
//@ knob oc: ((64 if large else 32) if taps == 1 else min(32, max(2, (1350 if large else 700) // (p * taps)))) if intel else (32 if taps == 1 else 11) if short else 16 if taps <= 3 else 11 if taps <= 7 else 8 if taps <= 15 else 11 | 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64
//@ knob mo: 4 if intel else 1 if short else 2 | 1 2 3 4 5 6 7 8
//@ knob mq: 2 if intel or short else 4 | 1 2 4
//@ knob trip: 2 | 1 2 3 4 6 8
//@ let du: 1
//@ try: oc=11 p=12 mo=1 mq=2 if 132 * taps <= 3200
//@ try: oc=32 p=8 mo=1 mq=2 if 256 * taps <= 3200
//@ try: oc=8 p=16 mo=2 mq=4 trip=4 if 128 * taps <= 3200
//@ try: oc=8 p=16 mo=4 mq=2 if 128 * taps <= 3200
//@ try: oc=6 p=16 mo=2 mq=4 if 96 * taps <= 3200
//@ try: oc=11 p=12 mo=4 mq=4 if 132 * taps <= 3200
//@ try: oc=11 p=16 mo=4 mq=2 if 176 * taps <= 3200
//@ try: oc=16 p=16 mo=2 mq=4 if 256 * taps <= 3200
//@ try: oc=22 p=8 mo=2 mq=4 if 176 * taps <= 3200
//@ try: oc=32 p=8 mo=4 mq=2 trip=4 if 1024 * taps <= 3200
//@ let p: p if lanes * p <= places else min(p, 8) if lanes * 8 <= places else 4
//@ let oc: even(width, oc)
//@ let mo: min(mo, oc)
//@ let native: 0
//@ let unit: 8 if software and int64 and p % 8 == 0 else 4
//@ let load: unit * lanes
//@ let blocks: ceil(width, oc)
//@ let tiles: ceil(places, lanes * p)
//@ groups: blocks * tiles
{%- set wide = unit == 8 %}
{%- set component = ["a.x", "a.y", "a.z", "a.w", "b.x", "b.y", "b.z", "b.w"] if wide else ["x", "y", "z", "w"] %}
{%- set unpack = "unpacked8" if wide else "unpacked" %}
{%- set all_taps = [taps_0, taps_1, taps_2, taps_3] %}
{%- set all_shift = [shift_0, shift_1, shift_2, shift_3] %}
{%- set each = 6 if fast else 1 %}
{#- mq positions, or tiles, in one vector #}
{%- set vector = "f32" if mq == 1 else "vec" ~ mq ~ "<f32>" %}

{% include "include/quad.wgsl" %}

struct Params {
    n: u32, tiles: u32, records: u32, pitch: u32,    // records: B folds; pitch: places of a record in a row
    units: u32, channels: u32, first: u32, len: u32, // units of a row; dst: all channels, the first, T
    width: u32, split: u32, folds: u32, every: u32,  // width: virtual channels
    blocks: u32, point: u32, relu: u32,              // of channels; rows of src from one point to the next; 1: max(0, sum + bias)
    depth_0: u32, row_0: u32, offset_0: u32, w_0: u32, // of a part: rows, the first, units before the window and its weights
    depth_1: u32, row_1: u32, offset_1: u32, w_1: u32,
    depth_2: u32, row_2: u32, offset_2: u32, w_2: u32,
    depth_3: u32, row_3: u32, offset_3: u32, w_3: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> src: array<{{ "Octet" if wide else "Quad" }}>;
@group(0) @binding(2) var<storage, read> w: array<{{ "Words8" if wide else "Words" }}>;
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
{%- if fast %}
{% include "include/toom_cook.wgsl" %}
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
    let block = id % p.blocks;
    let tile = id / p.blocks;
    let next = (lane + 1u) % {{ lanes }}u;
    let last = lane == {{ lanes - 1 }}u;

    // sums go through arrays, and through loops whose ends the driver does not know: unrolled stores take longer to compile than
    // all the rest; so does one array of them all, for the compiler goes over all pairs of an array's uses. Of odd lengths, as
    // lines a power of two apart share a place in the cache
    {%- for i in range(p * each // mq) %}
    var sums_{{ i }}: array<{{ vector }}, {{ oc + 1 - oc % 2 }}>;
    {%- endfor %}
    {%- if fast %}
    for (var point = 0u; point < 11u; point++) {
    {%- endif %}
    {%- for o in range(oc) %}
    {% for q in range(0, p, mq) %}var a{{ o }}_{{ q }} = {{ vector }}(); {% endfor %}
    {%- endfor %}
    {%- for i in range(parts) %}
    {%- set taps = all_taps[i] %}
    {%- set rows = [trip // taps, 1]|max %}
    {%- set shift = all_shift[i] %}
    {%- set tail = shift + taps - 1 %}
    {%- set edges = (tail + load - 1) // load %}
    {%- set loads = (taps * oc * rows + load - 1) // load %}
    {
        let trips = (p.depth_{{ i }} + {{ rows - 1 }}u) / {{ rows }}u;
        let start = (p.row_{{ i }}{{ " + point * p.point" if fast }}) * p.units + p.offset_{{ i }} + tile * {{ lanes * p // unit }}u;
        var wi = p.w_{{ i }} + ({{ "point * p.blocks + " if fast }}block) * trips * {{ loads * lanes }}u + lane;
        var u = 0u;
        loop {
            {%- for d in range(rows) %}
            {%- if d == 0 %}
            let r0 = start + u * p.units;
            {%- else %}
            // rows past the end meet weights of zero
            let r{{ d }} = start + min(u + {{ d }}u, p.depth_{{ i }} - 1u) * p.units;
            {%- endif %}
            {%- for l in range(p // unit) %}
            let v{{ d }}_{{ l }} = {{ unpack }}(src[r{{ d }} + lane * {{ p // unit }}u + {{ l }}u]);
            {%- endfor %}
            {%- for l in range(edges) %}
            let e{{ d }}_{{ l }} = {{ unpack }}(src[r{{ d }} + {{ lanes * p // unit + l * lanes }}u + lane]);
            {%- endfor %}
            {%- endfor %}
            {%- for l in range(loads) %}
            let w{{ l }} = {{ "values8" if wide else "values" }}(w[wi + {{ l * lanes }}u]);
            {%- endfor %}
            {%- for d in range(rows) %}
            {%- for j in range(p + tail) %}
            {%- if j < p %}
            let x{{ d }}_{{ j }} = v{{ d }}_{{ j // unit }}.{{ component[j % unit] }};
            {%- else %}
            {%- set f = j - p %}
            let x{{ d }}_{{ j }} = select(subgroupShuffle(x{{ d }}_{{ f }}, next), subgroupBroadcast(e{{ d }}_{{ f // load }}.{{ component[f % unit] }}, {{ f % load // unit }}u), last);
            {%- endif %}
            {%- endfor %}
            {%- endfor %}
            {%- for f in range(taps * oc * rows) %}
            let k{{ f // oc }}_{{ f % oc }} = subgroupBroadcast(w{{ f // load }}.{{ component[f % unit] }}, {{ f % load // unit }}u);
            {%- endfor %}
            {%- for d in range(rows) %}
            {%- for q in range(0, p, mq) %}
            {% for j in range(q + shift, q + shift + taps) %}let y{{ d }}_{{ q }}_{{ j }} = {{ vector }}({% for i in range(mq) %}x{{ d }}_{{ j + i }}{{ ", " if i < mq - 1 }}{% endfor %}); {% endfor %}
            {%- endfor %}
            {%- endfor %}
            {%- for o0 in range(0, oc, mo) %}
            {%- for q in range(0, p, mq) %}
            {%- for d in range(rows) %}
            {%- for j in range(taps) %}
            {% for o in range(o0, [o0 + mo, oc]|min) %}a{{ o }}_{{ q }} += k{{ d * taps + j }}_{{ o }} * y{{ d }}_{{ q }}_{{ q + shift + j }}; {% endfor %}
            {%- endfor %}
            {%- endfor %}
            {%- endfor %}
            {%- endfor %}
            wi += {{ loads * lanes }}u;
            u += {{ rows }}u;
            continuing { break if u >= p.depth_{{ i }}; }
        }
    }
    {%- endfor %}

    {%- if fast %}
    {%- for e in range(6) %}
    let k{{ e }} = TOOM_A[point][{{ e }}];
    {%- endfor %}
    {%- for o in range(oc) %}
    {% for q in range(0, p, mq) %}{% for e in range(6) %}sums_{{ q // mq * 6 + e }}[{{ o }}] += k{{ e }} * a{{ o }}_{{ q }}; {% endfor %}{% endfor %}
    {%- endfor %}
    }
    {%- else %}
    {%- for o in range(oc) %}
    {% for q in range(0, p, mq) %}sums_{{ q // mq }}[{{ o }}] = a{{ o }}_{{ q }}; {% endfor %}
    {%- endfor %}
    {%- endif %}

    // divisions are done lane by lane there: once a thread, and counted on from then
    let n = (tile * {{ lanes }}u + lane) * {{ p * each }}u;
    let step = p.split * p.folds * p.every;
    let t0 = n % p.pitch;
    let record0 = n / p.pitch / p.folds;
    let fold0 = n / p.pitch % p.folds;
    let places = p.records * p.pitch;
    let left = min({{ p * each }}u, places - min(n, places));
    let v0 = block * {{ oc }}u;
    var channel = v0 / p.split;
    var phase = v0 % p.split;
    var row: array<f32, {{ p * each }}>;
    for (var o = 0u; o < min({{ oc }}u, p.width - v0); o++) {
        {%- for i in range(p * each // mq) %}
        {% for m in range(mq) %}row[{{ (i // each * mq + m) * each + i % each }}] = sums_{{ i }}[o]{{ "." ~ "xyzw"[m] if mq > 1 }}; {% endfor %}
        {%- endfor %}
        let shift = bias[p.first + channel];
        // four positions from a multiple of 4 on lie in one record, for its pitch is a multiple of 4
        var record = record0;
        var fold = fold0;
        var t = t0;
        for (var q = 0u; q < left; q += 4u) {
            let to = record * p.channels + p.first + channel;
            let from_t = ((t * p.split + phase) * p.folds + fold) * p.every;
            let s = vec4<f32>(row[q], row[q + 1u], row[q + 2u], row[q + 3u]);
            put(to * p.len, from_t, step, select(s, max(s + shift, vec4<f32>()), p.relu == 1u));
            t += 4u;
            if t >= p.pitch {
                t = 0u;
                fold++;
                if fold == p.folds { fold = 0u; record++; }
            }
        }
        phase++;
        if phase == p.split { phase = 0u; channel++; }
    }
}
