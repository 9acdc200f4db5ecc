// The formulas as loops: one output a thread, which goes through its window or through the windows that hold it.
//   max_pool       y[r, t] = max of x[r, s] over the window [t stride - pad, t stride - pad + kernel) of t inside [0, len);
//                  at[r, t] is the first s that has it
//   max_pool_back  dx[r, s] = sum of g[r, t] over the windows t whose maximum was at s (index)
//   avg_pool       y[r, t] = mean of x[r, s] over the window, divided by its samples inside [0, len), or (count_pad) by kernel
//   avg_pool_back  dx[r, s] = sum of g[r, t] / (divisor of t) over the windows t that hold s
// adaptive: the window of t is [floor(t len / out_len), ceil((t + 1) len / out_len)).
//
// x, dx  [rows, len]    y, at, g, index  [rows, out_len]
//@ threads max_pool: rows * out_len
//@ threads max_pool_back: rows * len
//@ threads avg_pool: rows * out_len
//@ threads avg_pool_back: rows * len
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Params { n: u32, len: u32, out_len: u32, kernel: u32, stride: u32, pad: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> index: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> at: array<u32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

override adaptive: bool = false;
override count_pad: bool = false;
override WG: u32 = 64u;

// First sample of window t, and the one behind its last.
fn first(t: u32) -> u32 {
    if adaptive { return t * p.len / p.out_len; }
    return max(t * p.stride, p.pad) - p.pad;
}

fn end(t: u32) -> u32 {
    if adaptive { return ((t + 1u) * p.len + p.out_len - 1u) / p.out_len; }
    return min(t * p.stride + p.kernel - p.pad, p.len);
}

// A window at or before the first that holds sample s.
fn earliest(s: u32) -> u32 {
    if adaptive { return s * p.out_len / p.len; }
    return (max(s + p.pad, p.kernel) - p.kernel) / p.stride;
}

@compute @workgroup_size(WG)
fn max_pool(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let row = id / p.out_len * p.len;
    let t = id % p.out_len;
    var best = first(t);
    for (var s = first(t) + 1u; s < end(t); s++) {
        if x[row + s] > x[row + best] { best = s; }
    }
    y[id] = x[row + best];
    at[id] = best;
}

@compute @workgroup_size(WG)
fn max_pool_back(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let row = id / p.len * p.out_len;
    let s = id % p.len;
    var sum = 0.0;
    for (var t = earliest(s); t < p.out_len && first(t) <= s; t++) {
        if index[row + t] == s { sum += g[row + t]; }
    }
    dx[id] = sum;
}

@compute @workgroup_size(WG)
fn avg_pool(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let row = id / p.out_len * p.len;
    let t = id % p.out_len;
    var sum = 0.0;
    for (var s = first(t); s < end(t); s++) { sum += x[row + s]; }
    y[id] = sum / f32(select(end(t) - first(t), p.kernel, count_pad));
}

@compute @workgroup_size(WG)
fn avg_pool_back(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let row = id / p.len * p.out_len;
    let s = id % p.len;
    var sum = 0.0;
    for (var t = earliest(s); t < p.out_len && first(t) <= s; t++) {
        if s < end(t) { sum += g[row + t] / f32(select(end(t) - first(t), p.kernel, count_pad)); }
    }
    dx[id] = sum;
}
