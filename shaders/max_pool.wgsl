// Max pooling: y[r, t] = max of x[r, s] over the window s in [t stride - pad, t stride - pad + kernel) inside [0, L);
// index[r, t] is the first s that has it.
//
// x  [R, L] (rows are batch times channels)    y, index  [R, T]
// PAIRS  kernel 2, stride 2, no padding, without the loop over the window
// Dispatch: one group of WG threads per row and chunk of `span` outputs, folded over two dimensions: no division per
// element. Loops end with their test, see conv1d.wgsl.

struct Params { rows: u32, len: u32, out_len: u32, kernel: u32, stride: u32, pad: u32, chunks: u32, span: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> index: array<u32>;

override PAIRS: bool = false;
override WG: u32 = 64u;

fn window(row: u32, t: u32) {
    let start = t * p.stride;
    let first = select(0u, start - p.pad, start >= p.pad);
    let end = min(start + p.kernel - p.pad, p.len);
    var best = x[row * p.len + first];
    var at = first;
    for (var s = first + 1u; s < end; s++) {
        let v = x[row * p.len + s];
        if v > best {
            best = v;
            at = s;
        }
    }
    y[row * p.out_len + t] = best;
    index[row * p.out_len + t] = at;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    let row = group / p.chunks;
    if row >= p.rows { return; }
    let start = group % p.chunks * p.span;
    let end = min(start + p.span, p.out_len);
    var t = start + lid;
    if t >= end { return; }
    loop {
        if PAIRS {
            let u = x[row * p.len + 2u * t];
            let v = x[row * p.len + 2u * t + 1u];
            y[row * p.out_len + t] = max(u, v);
            index[row * p.out_len + t] = 2u * t + select(0u, 1u, v > u);
        } else {
            window(row, t);
        }
        t += WG;
        continuing { break if t >= end; }
    }
}
