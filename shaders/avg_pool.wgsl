// Average pooling: y[r, t] = mean of x[r, s] over the window of t.
//   ADAPTIVE 0: s in [t stride - pad, t stride - pad + kernel) inside [0, L); divided by the number of samples inside,
//               or by the kernel where COUNT_PAD is 1
//   ADAPTIVE 1: s in [floor(t L / T), ceil((t + 1) L / T))
//
// x  [R, L]    y  [R, T]
// Dispatch: one group of WG threads per row and chunk of `span` outputs, folded over two dimensions. Loops end with their
// test, see conv1d.wgsl.

struct Params { rows: u32, len: u32, out_len: u32, kernel: u32, stride: u32, pad: u32, chunks: u32, span: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override ADAPTIVE: u32 = 0u;
override COUNT_PAD: u32 = 0u;
override WG: u32 = 64u;

fn mean(row: u32, t: u32) -> f32 {
    var first = t * p.len / p.out_len;
    var end = ((t + 1u) * p.len + p.out_len - 1u) / p.out_len;
    if ADAPTIVE == 0u {
        let start = t * p.stride;
        first = select(0u, start - p.pad, start >= p.pad);
        end = min(start + p.kernel - p.pad, p.len);
    }
    var sum = 0.0;
    for (var s = first; s < end; s++) { sum += x[row * p.len + s]; }
    return sum / f32(select(end - first, p.kernel, ADAPTIVE == 0u && COUNT_PAD == 1u));
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
        y[row * p.out_len + t] = mean(row, t);
        t += WG;
        continuing { break if t >= end; }
    }
}
