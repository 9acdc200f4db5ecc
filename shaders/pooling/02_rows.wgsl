// Rows: a group of threads goes along a row, span places of it, and looks only at the windows that reach a place, so that
// nothing is divided for an element; windows of two samples side by side need no loop, and where they cover whole rows
// (`_pairs`) four of them lie in two vec4s of x and one of y, whatever row these are in (buffers are padded to whole vec4s).
// Formulas and operands as in 01_naive. In max_pool_back a thread serves the stride samples
// [u stride - pad, (u + 1) stride - pad) of segment u, which windows up to u cover. Loops are do-while: so the
// compiler of the software adapter keeps the lanes in step.
//@ alias: plain WG=64 span=64
//@ alias: tile WG=8 span=512
//@ alias: wide WG=64 span=256
//@ default: true
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256
//@ knob span: 512 if software else 256 | 64 128 256 512 1024 2048
//@ let pairs: kernel == 2 and stride == 2 and pad == 0
//@ let paired: pairs and not average and len == 2 * out_len and out_len >= 4
//@ kernel max_pool: max_pool_pairs if paired
//@ kernel max_pool: max_pool
//@ kernel max_pool_back: max_pool_back_pairs if paired
//@ kernel max_pool_back: max_pool_back
//@ let quads: ceil(rows * out_len, 4)
//@ let samples: rows * len
//@ groups max_pool_pairs: ceil(quads, span)
//@ groups max_pool_back_pairs: ceil(quads, span)
//@ let segments: ceil(len + pad, stride)
//@ let reach: ceil(kernel, stride) - 1
//@ let chunks: ceil(out_len, span)
//@ let chunks_back: ceil(len, span)
//@ let chunks_segments: ceil(segments, span)
//@ groups max_pool: rows * chunks
//@ groups max_pool_back: rows * chunks_segments
//@ groups avg_pool: rows * chunks
//@ groups avg_pool_back: rows * chunks_back
//@ try: WG=8 span=128 if software
//@ try: WG=8 span=2048 if software
//@ try: WG=16 span=512 if software
//@ try: WG=32 span=1024 if software
//@ try: WG=64 span=64 if not software
//@ try: WG=64 span=1024 if not software
//@ try: WG=128 span=512 if not software
//@ try: WG=256 span=256 if not software
//@ try: WG=256 span=1024 if not software

{% set numbers = "Words" if paired else "f32" %}{% set integers = "vec4<u32>" if paired else "u32" %}
{%- include "include/words.wgsl" %}

struct Params { rows: u32, len: u32, out_len: u32, kernel: u32, stride: u32, pad: u32, chunks: u32, span: u32 }
struct Segments {
    rows: u32, len: u32, out_len: u32, stride: u32, pad: u32, chunks_segments: u32, span: u32, segments: u32, reach: u32,
}
struct Back { rows: u32, len: u32, out_len: u32, kernel: u32, stride: u32, pad: u32, chunks_back: u32, span: u32 }
struct Pairs { quads: u32, span: u32, out_len: u32, samples: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(0) var<uniform> u: Segments;
@group(0) @binding(0) var<uniform> b: Back;
@group(0) @binding(0) var<uniform> c: Pairs;
@group(0) @binding(1) var<storage, read> x: array<{{ numbers }}>;
@group(0) @binding(2) var<storage, read> g: array<{{ numbers }}>;
@group(0) @binding(3) var<storage, read> index: array<{{ integers }}>;
@group(0) @binding(4) var<storage, read_write> y: array<{{ numbers }}>;
@group(0) @binding(5) var<storage, read_write> at: array<{{ integers }}>;
@group(0) @binding(6) var<storage, read_write> dx: array<{{ numbers }}>;

override pairs: bool = false;
override adaptive: bool = false;
override count_pad: bool = false;
override WG: u32 = 64u;

{% if paired %}
@compute @workgroup_size(WG)
fn max_pool_pairs(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let start = (wid.y * nwg.x + wid.x) * c.span;
    let end = min(start + c.span, c.quads);
    var q = start + lid;
    if q >= end { return; }
    loop {
        let a = values(x[2u * q]);
        let b = values(x[2u * q + 1u]);
        let one = vec4<f32>(a.xz, b.xz);
        let two = vec4<f32>(a.yw, b.yw);
        let t = vec4<u32>(0u, 1u, 2u, 3u) + 4u * q % c.out_len;
        let place = select(t, t - c.out_len, t >= vec4<u32>(c.out_len));
        y[q] = words(max(one, two));
        at[q] = 2u * place + select(vec4<u32>(0u), vec4<u32>(1u), two > one);
        q += WG;
        continuing { break if q >= end; }
    }
}

@compute @workgroup_size(WG)
fn max_pool_back_pairs(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let start = (wid.y * nwg.x + wid.x) * c.span;
    let end = min(start + c.span, c.quads);
    var q = start + lid;
    if q >= end { return; }
    loop {
        let v = values(g[q]);
        let odd = (index[q] & vec4<u32>(1u)) == vec4<u32>(1u);
        let one = select(v, vec4<f32>(), odd);
        let two = select(vec4<f32>(), v, odd);
        dx[2u * q] = words(vec4<f32>(one.x, two.x, one.y, two.y));
        if 8u * q + 4u < c.samples { dx[2u * q + 1u] = words(vec4<f32>(one.z, two.z, one.w, two.w)); }
        q += WG;
        continuing { break if q >= end; }
    }
}
{% else %}
fn window(row: u32, t: u32) {
    let start = t * p.stride;
    let first = select(0u, start - p.pad, start >= p.pad);
    let end = min(start + p.kernel - p.pad, p.len);
    var best = x[row * p.len + first];
    var place = first;
    for (var s = first + 1u; s < end; s++) {
        let v = x[row * p.len + s];
        if v > best {
            best = v;
            place = s;
        }
    }
    y[row * p.out_len + t] = best;
    at[row * p.out_len + t] = place;
}

@compute @workgroup_size(WG)
fn max_pool(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / p.chunks;
    if row >= p.rows { return; }
    let start = group % p.chunks * p.span;
    let end = min(start + p.span, p.out_len);
    var t = start + lid;
    if t >= end { return; }
    loop {
        if pairs {
            let one = x[row * p.len + 2u * t];
            let two = x[row * p.len + 2u * t + 1u];
            y[row * p.out_len + t] = max(one, two);
            at[row * p.out_len + t] = 2u * t + select(0u, 1u, two > one);
        } else {
            window(row, t);
        }
        t += WG;
        continuing { break if t >= end; }
    }
}

fn serve(row: u32, segment: u32) {
    let start = segment * u.stride;
    let first = select(0u, segment - u.reach, segment >= u.reach);
    for (var place = start; place < start + u.stride; place++) {
        let s = place - u.pad;
        if place < u.pad || s >= u.len { continue; }
        var sum = 0.0;
        for (var t = first; t <= segment && t < u.out_len; t++) {
            let j = row * u.out_len + t;
            if index[j] == s { sum += g[j]; }
        }
        dx[row * u.len + s] = sum;
    }
}

// A segment of pairs; behind the last window an odd sample may be left, which nothing covers.
fn serve_pair(row: u32, segment: u32) {
    let j = row * u.out_len + min(segment, u.out_len - 1u);
    let v = select(0.0, g[j], segment < u.out_len);
    let odd = (index[j] & 1u) == 1u;
    let to = row * u.len + 2u * segment;
    dx[to] = select(v, 0.0, odd);
    if 2u * segment + 1u < u.len { dx[to + 1u] = select(0.0, v, odd); }
}

@compute @workgroup_size(WG)
fn max_pool_back(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / u.chunks_segments;
    if row >= u.rows { return; }
    let start = group % u.chunks_segments * u.span;
    let end = min(start + u.span, u.segments);
    var segment = start + lid;
    if segment >= end { return; }
    loop {
        if pairs { serve_pair(row, segment); } else { serve(row, segment); }
        segment += WG;
        continuing { break if segment >= end; }
    }
}

fn mean(row: u32, t: u32) -> f32 {
    var first = t * p.len / p.out_len;
    var end = ((t + 1u) * p.len + p.out_len - 1u) / p.out_len;
    if !adaptive {
        let start = t * p.stride;
        first = select(0u, start - p.pad, start >= p.pad);
        end = min(start + p.kernel - p.pad, p.len);
    }
    var sum = 0.0;
    for (var s = first; s < end; s++) { sum += x[row * p.len + s]; }
    return sum / f32(select(end - first, p.kernel, count_pad));
}

@compute @workgroup_size(WG)
fn avg_pool(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / p.chunks;
    if row >= p.rows { return; }
    let start = group % p.chunks * p.span;
    let end = min(start + p.span, p.out_len);
    var t = start + lid;
    if t >= end { return; }
    loop {
        y[row * p.out_len + t] = mean(row, t);
        t += WG;
        continuing { break if t >= end; }
    }
}

fn gathered(row: u32, s: u32) -> f32 {
    var sum = 0.0;
    if adaptive {
        // Window t holds s exactly if floor(t L / T) <= s < ceil((t + 1) L / T): between these bounds all do.
        let last = min(((s + 1u) * b.out_len - 1u) / b.len, b.out_len - 1u);
        for (var t = s * b.out_len / b.len; t <= last; t++) {
            let first = t * b.len / b.out_len;
            let end = ((t + 1u) * b.len + b.out_len - 1u) / b.out_len;
            if first <= s && s < end { sum += g[row * b.out_len + t] / f32(end - first); }
        }
    } else {
        let reach = s + b.pad;
        for (var t = select(0u, (reach - b.kernel) / b.stride + 1u, reach >= b.kernel); t * b.stride <= reach && t < b.out_len; t++) {
            let start = t * b.stride;
            let first = select(0u, start - b.pad, start >= b.pad);
            let end = min(start + b.kernel - b.pad, b.len);
            sum += g[row * b.out_len + t] / f32(select(end - first, b.kernel, count_pad));
        }
    }
    return sum;
}

@compute @workgroup_size(WG)
fn avg_pool_back(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / b.chunks_back;
    if row >= b.rows { return; }
    let start = group % b.chunks_back * b.span;
    let end = min(start + b.span, b.len);
    var s = start + lid;
    if s >= end { return; }
    loop {
        dx[row * b.len + s] = gathered(row, s);
        s += WG;
        continuing { break if s >= end; }
    }
}
{%- endif %}
