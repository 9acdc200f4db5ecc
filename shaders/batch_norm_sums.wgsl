// The two sums that the backward pass of batch normalisation needs, per channel over batch and time:
//   sums[0, c] = sum of g  (the gradient of the shift),  sums[1, c] = sum of g xhat  (the gradient of the weight),
// xhat = (x - mean[c]) rstd[c]. In two steps: `rows` one row each into part, `combine` adds the rows in order.
//
// g, x  [B, C, T]    stats  [3, C]    part  [B, C, 2]    sums  [2, C]
// Dispatch: `rows` one group of WG threads per row; `combine` one thread per channel; folded over two dimensions.

struct Params { batch: u32, channels: u32, len: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<f32>;
@group(0) @binding(4) var<storage, read_write> part: array<f32>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;

override WG: u32 = 64u;

var<workgroup> tree: array<vec2<f32>, WG>;

@compute @workgroup_size(WG)
fn rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let row = wid.y * nwg.x + wid.x;
    let inside = row < p.batch * p.channels;
    let end = select(0u, p.len, inside);
    let c = row % p.channels;
    let mean = stats[c];
    var total = vec2<f32>();
    for (var t = lid; t < end; t += WG) {
        let v = g[row * p.len + t];
        total += vec2<f32>(v, v * (x[row * p.len + t] - mean));
    }
    tree[lid] = total;
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lid < half { tree[lid] += tree[lid + half]; }
    }
    if lid == 0u && inside {
        part[2u * row] = tree[0].x;
        part[2u * row + 1u] = tree[0].y * stats[p.channels + c];
    }
}

@compute @workgroup_size(WG)
fn combine(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let c = (wid.y * nwg.x + wid.x) * WG + lid;
    if c >= p.channels { return; }
    var total = vec2<f32>();
    for (var b = 0u; b < p.batch; b++) {
        let i = 2u * (b * p.channels + c);
        total += vec2<f32>(part[i], part[i + 1u]);
    }
    sums[c] = total.x;
    sums[p.channels + c] = total.y;
}
