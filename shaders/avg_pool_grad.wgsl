// Backward of average pooling: y[r, s] = sum over the windows t that hold s of g[r, t] / (size of window t).
// Windows as in avg_pool.wgsl.
//
// g  [R, T]    y  [R, L]
// Dispatch: one group of WG threads per row and chunk of `span` values of y, folded over two dimensions.

struct Params { rows: u32, len: u32, out_len: u32, kernel: u32, stride: u32, pad: u32, chunks: u32, span: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override ADAPTIVE: u32 = 0u;
override COUNT_PAD: u32 = 0u;
override WG: u32 = 64u;

fn gathered(row: u32, s: u32) -> f32 {
    var sum = 0.0;
    if ADAPTIVE == 1u {
        // Window t holds s exactly if floor(t L / T) <= s < ceil((t + 1) L / T): between these bounds all do.
        let last = min(((s + 1u) * p.out_len - 1u) / p.len, p.out_len - 1u);
        for (var t = s * p.out_len / p.len; t <= last; t++) {
            let first = t * p.len / p.out_len;
            let end = ((t + 1u) * p.len + p.out_len - 1u) / p.out_len;
            if first <= s && s < end { sum += g[row * p.out_len + t] / f32(end - first); }
        }
    } else {
        let reach = s + p.pad;
        for (var t = select(0u, (reach - p.kernel) / p.stride + 1u, reach >= p.kernel); t * p.stride <= reach && t < p.out_len; t++) {
            let start = t * p.stride;
            let first = select(0u, start - p.pad, start >= p.pad);
            let end = min(start + p.kernel - p.pad, p.len);
            sum += g[row * p.out_len + t] / f32(select(end - first, p.kernel, COUNT_PAD == 1u));
        }
    }
    return sum;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / p.chunks;
    if row >= p.rows { return; }
    let start = group % p.chunks * p.span;
    let end = min(start + p.span, p.len);
    var s = start + lid;
    if s >= end { return; }
    loop {
        y[row * p.len + s] = gathered(row, s);
        s += WG;
        continuing { break if s >= end; }
    }
}
