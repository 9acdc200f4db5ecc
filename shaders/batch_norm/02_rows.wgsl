// Rows of vec4s: a group goes along a row (b, c) and reads and writes whole vec4s, so that nothing is divided for an element;
// sums of a channel are those of many groups, each a tree over its threads, added in order.
// Formulas and operands as in 01_naive; x, x2, g, out, y, dx, dx2 as vec4s (buffers are padded to whole ones). A row owns the
// vec4s (in apply pairs of them, as dropout draws eight numbers at a time) that begin in it; the last of them may reach into
// the next row, which has the next channel. A group goes along the rows of a channel in `lot` records, so that what the channel
// needs is loaded once. Rows shorter than a vec4 go one vec4 a thread (`_short`). Loops have do-while form, in which the
// compiler of the software adapter keeps the lanes in step.
//@ alias: plain WG=64 span=64 WG_SUMS=64
//@ alias: wide WG=64 span=256 WG_SUMS=256
//@ default: true
//@ let subgroup: 0
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256
//@ knob span: 512 if software else 256 | 64 128 256 512 1024 2048
//@ knob WG_SUMS: 8 if software else 256 | 8 16 32 64 128 256
//@ let rows: batch * channels
//@ let chunks: ceil(len, 4 * span)
//@ let chunks_of_pairs: ceil(ceil(len, 8), span)
//@ kernel apply: apply_short if len < 8
//@ kernel apply: apply_rows
//@ kernel back: back_short if len < 4
//@ kernel back: back_rows
//@ kernel grad: grad_short if len < 4
//@ kernel grad: grad_rows
//@ let lot: max(1, min(batch, 4 * span // len)) if software else 1
//@ let lots: ceil(batch, lot)
//@ groups apply_rows: lots * channels * chunks_of_pairs
//@ groups back_rows: lots * channels * chunks
//@ groups grad_rows: rows * chunks
//@ threads apply_short: ceil(rows * len, 4)
//@ threads back_short: ceil(rows * len, 4)
//@ threads grad_short: ceil(rows * len, 4)
//@ knob groups: 64 if software else 512 | 16 32 64 128 256 512 1024
//@ let slice: ceil(batch, max(min(ceil(groups, channels), batch), 1))
//@ let slices: ceil(batch, slice)
//@ scratch part: slices * channels * 3
//@ kernel stats: stats_slices, stats_combine
//@ kernel sums: sums_slices, sums_combine
//@ kernel back_sums: back_slices, back_combine
//@ groups stats_slices: slices * channels
//@ threads stats_combine: channels
//@ groups sums_slices: slices * channels
//@ threads sums_combine: channels
//@ groups back_slices: slices * channels
//@ threads back_combine: channels
//@ try: groups=16 if summing
//@ try: groups=32 if summing
//@ try: groups=128 if summing
//@ try: groups=256 if summing
//@ try: groups=1024 if summing
//@ try: WG=8 span=128 if software and not summing
//@ try: WG=8 span=2048 if software and not summing
//@ try: WG=16 span=512 if software and not summing
//@ try: WG=32 span=1024 if software and not summing
//@ try: WG=64 span=64 if not software and not summing
//@ try: WG=64 span=1024 if not software and not summing
//@ try: WG=128 span=512 if not software and not summing
//@ try: WG=256 span=256 if not software and not summing
//@ try: WG=256 span=1024 if not software and not summing
// A template (minijinja); its constant: drop, y ends with the dropout of dropout/02_octets, to the same bits
{# defaults: drop=0 #}
{% include "include/channel_sums.wgsl" %}

struct ApplyParams {
    batch: u32, lot: u32, rows: u32, channels: u32, len: u32, chunks_of_pairs: u32, span: u32, site: u32, threshold: u32, scale: f32,
}
struct RowParams { rows: u32, channels: u32, len: u32, chunks: u32, span: u32 }
struct BackRowParams { batch: u32, lot: u32, rows: u32, channels: u32, len: u32, chunks: u32, span: u32, pitch: u32, scale: f32 }
@group(0) @binding(0) var<uniform> pa: ApplyParams;
@group(0) @binding(0) var<uniform> pg: RowParams;
@group(0) @binding(0) var<uniform> pd: BackRowParams;
@group(0) @binding(13) var<storage, read> state: array<u32>;
@group(0) @binding(14) var<storage, read> coefficients: array<f32>;
@group(0) @binding(15) var<storage, read> g_sums: array<f32>;
@group(0) @binding(16) var<storage, read_write> y: array<Words>;
@group(0) @binding(17) var<storage, read_write> dx: array<Words>;
@group(0) @binding(18) var<storage, read_write> dx2: array<Words>;
{% if drop %}
{% include "include/philox.wgsl" %}
{% endif %}
fn f(v: vec4<f32>) -> vec4<f32> {
    if relu { return max(v, vec4<f32>()); }
    return v;
}

@compute @workgroup_size(WG)
fn apply_rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let c = group / pa.chunks_of_pairs % pa.channels;
    let first_record = group / pa.chunks_of_pairs / pa.channels * pa.lot;
    let d = (c + 1u) % pa.channels;
    let mean = vec2<f32>(norm[c], norm[d]);
    let gain = vec2<f32>(norm[3u * pa.channels + c], norm[3u * pa.channels + d]);
    let shift = vec2<f32>(norm[4u * pa.channels + c], norm[4u * pa.channels + d]);
    let mean2 = vec2<f32>(norm2[c], norm2[d]);
    let gain2 = vec2<f32>(norm2[3u * pa.channels + c], norm2[3u * pa.channels + d]);
    let shift2 = vec2<f32>(norm2[4u * pa.channels + c], norm2[4u * pa.channels + d]);
    for (var record = first_record; record < min(first_record + pa.lot, pa.batch); record++) {
        let row = record * pa.channels + c;
        let next = (row + 1u) * pa.len;
        let first = (row * pa.len + 7u) / 8u + group % pa.chunks_of_pairs * pa.span;
        let end = min((next + 7u) / 8u, first + pa.span);
        var h = first + lid;
        if h >= end { continue; }
        loop {
            {%- if drop %}
            let keep = kept(h, pa.site, vec3<u32>(state[0], state[1], state[2]), pa.threshold);
            {%- endif %}
            {%- for k in range(2) %}
            {
                let q = 2u * h + {{ k }}u;
                let own = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q < vec4<u32>(next);
                var v = (values(x[q]) - select(mean.yyyy, mean.xxxx, own)) * select(gain.yyyy, gain.xxxx, own) + select(shift.yyyy, shift.xxxx, own);
                if second == 1u { v += values(x2[q]); }
                if second == 2u {
                    v += (values(x2[q]) - select(mean2.yyyy, mean2.xxxx, own)) * select(gain2.yyyy, gain2.xxxx, own) + select(shift2.yyyy, shift2.xxxx, own);
                }
                v = f(v);
                {%- if drop %}
                v = select(vec4<f32>(), v * pa.scale, keep[{{ k }}]);
                {%- endif %}
                {%- if k == 0 %}
                y[q] = words(v);
                {%- else %}
                if 4u * q < pa.rows * pa.len { y[q] = words(v); }
                {%- endif %}
            }
            {%- endfor %}
            h += WG;
            continuing { break if h >= end; }
        }
    }
}

@compute @workgroup_size(WG)
fn apply_short(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let q = (wid.y * nwg.x + wid.x) * WG + lid;
    if 4u * q >= pa.rows * pa.len { return; }
    var all = vec4<f32>();
    for (var k = 0u; k < 4u; k++) {
        let c = (4u * q + k) / pa.len % pa.channels;
        var v = (values(x[q])[k] - norm[c]) * norm[3u * pa.channels + c] + norm[4u * pa.channels + c];
        if second == 1u { v += values(x2[q])[k]; }
        if second == 2u { v += (values(x2[q])[k] - norm2[c]) * norm2[3u * pa.channels + c] + norm2[4u * pa.channels + c]; }
        all[k] = v;
    }
    all = f(all);
    {%- if drop %}
    var keep = kept(q / 2u, pa.site, vec3<u32>(state[0], state[1], state[2]), pa.threshold);
    all = select(vec4<f32>(), all * pa.scale, keep[q % 2u]);
    {%- endif %}
    y[q] = words(all);
}

@compute @workgroup_size(WG)
fn back_rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let c = group / pd.chunks % pd.channels;
    let first_record = group / pd.chunks / pd.channels * pd.lot;
    let d = (c + 1u) % pd.channels;
    let mass = vec2<f32>(coefficients[3u * pd.pitch + c], coefficients[3u * pd.pitch + d]);
    let gain = vec2<f32>(coefficients[4u * pd.pitch + c], coefficients[4u * pd.pitch + d]);
    let mean = vec2<f32>(coefficients[5u * pd.pitch + c], coefficients[5u * pd.pitch + d]);
    let slope = vec2<f32>(coefficients[6u * pd.pitch + c], coefficients[6u * pd.pitch + d]);
    let gain2 = vec2<f32>(coefficients[7u * pd.pitch + c], coefficients[7u * pd.pitch + d]);
    let mean2 = vec2<f32>(coefficients[8u * pd.pitch + c], coefficients[8u * pd.pitch + d]);
    let slope2 = vec2<f32>(coefficients[9u * pd.pitch + c], coefficients[9u * pd.pitch + d]);
    for (var record = first_record; record < min(first_record + pd.lot, pd.batch); record++) {
        let row = record * pd.channels + c;
        let next = (row + 1u) * pd.len;
        let first = (row * pd.len + 3u) / 4u + group % pd.chunks * pd.span;
        let end = min((next + 3u) / 4u, first + pd.span);
        var q = first + lid;
        if q >= end { continue; }
        loop {
            let own = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q < vec4<u32>(next);
            var v = values(g[q]) * pd.scale;
            if relu { v = select(vec4<f32>(), v, values(out[q]) > vec4<f32>()); }
            let rest = v - select(mass.yyyy, mass.xxxx, own);
            dx[q] = words(select(gain.yyyy, gain.xxxx, own) * (rest - (values(x[q]) - select(mean.yyyy, mean.xxxx, own)) * select(slope.yyyy, slope.xxxx, own)));
            if second == 1u { dx2[q] = words(v); }
            if second == 2u {
                dx2[q] = words(select(gain2.yyyy, gain2.xxxx, own) * (rest - (values(x2[q]) - select(mean2.yyyy, mean2.xxxx, own)) * select(slope2.yyyy, slope2.xxxx, own)));
            }
            q += WG;
            continuing { break if q >= end; }
        }
    }
}

@compute @workgroup_size(WG)
fn back_short(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let q = (wid.y * nwg.x + wid.x) * WG + lid;
    if 4u * q >= pd.rows * pd.len { return; }
    var v = values(g[q]) * pd.scale;
    if relu { v = select(vec4<f32>(), v, values(out[q]) > vec4<f32>()); }
    var one = vec4<f32>();
    var two = v;
    for (var k = 0u; k < 4u; k++) {
        let c = (4u * q + k) / pd.len % pd.channels;
        let rest = v[k] - coefficients[3u * pd.pitch + c];
        one[k] = coefficients[4u * pd.pitch + c] * (rest - (values(x[q])[k] - coefficients[5u * pd.pitch + c]) * coefficients[6u * pd.pitch + c]);
        if second == 2u {
            two[k] = coefficients[7u * pd.pitch + c] * (rest - (values(x2[q])[k] - coefficients[8u * pd.pitch + c]) * coefficients[9u * pd.pitch + c]);
        }
    }
    dx[q] = words(one);
    if second != 0u { dx2[q] = words(two); }
}

@compute @workgroup_size(WG)
fn grad_rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / pg.chunks;
    if row >= pg.rows { return; }
    let c = row % pg.channels;
    let d = (c + 1u) % pg.channels;
    let n = f32(pg.rows / pg.channels * pg.len);
    let mean = vec2<f32>(norm[c], norm[d]);
    let rstd = vec2<f32>(norm[pg.channels + c], norm[pg.channels + d]);
    let gain = vec2<f32>(w[c], w[d]) * rstd;
    let s0 = vec2<f32>(g_sums[c], g_sums[d]) / n;
    let s1 = vec2<f32>(g_sums[pg.channels + c], g_sums[pg.channels + d]) / n * rstd;
    let next = (row + 1u) * pg.len;
    let first = (row * pg.len + 3u) / 4u + group % pg.chunks * pg.span;
    let end = min((next + 3u) / 4u, first + pg.span);
    var q = first + lid;
    if q >= end { return; }
    loop {
        let own = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q < vec4<u32>(next);
        let slope = (values(x[q]) - select(mean.yyyy, mean.xxxx, own)) * select(s1.yyyy, s1.xxxx, own);
        dx[q] = words(select(gain.yyyy, gain.xxxx, own) * (values(g[q]) - select(s0.yyyy, s0.xxxx, own) - slope));
        q += WG;
        continuing { break if q >= end; }
    }
}

@compute @workgroup_size(WG)
fn grad_short(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let q = (wid.y * nwg.x + wid.x) * WG + lid;
    if 4u * q >= pg.rows * pg.len { return; }
    let n = f32(pg.rows / pg.channels * pg.len);
    var all = vec4<f32>();
    for (var k = 0u; k < 4u; k++) {
        let c = (4u * q + k) / pg.len % pg.channels;
        let rstd = norm[pg.channels + c];
        let slope = (values(x[q])[k] - norm[c]) * rstd * g_sums[pg.channels + c] / n;
        all[k] = w[c] * rstd * (values(g[q])[k] - g_sums[c] / n - slope);
    }
    dx[q] = words(all);
}
