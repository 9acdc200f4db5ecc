// Lays the rows of a signal out for the tile kernels: cut into phases (the first `phases` of `stride`), each with `lead` zeros before it and
// zeros up to `pitch` after it, so that every window starts at a vec4 and none needs a bounds check:
//   y[row, r, m] = x[row, stride (m - lead) + r], 0 outside [0, L)
//
// x  [rows, L]    y  [rows, phases, pitch], pitch a multiple of 4
// Dispatch: one group of WG threads per (row, r) and chunk of 4 WG vec4s, folded over two dimensions: no division per
// element.

struct Params { n: u32, chunks: u32, quads: u32, stride: u32, phases: u32, lead: u32, len: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

override WG: u32 = 64u;

// The sample at position i of the row that starts at `row`; zero outside. Negative i wrap to large ones.
fn at(row: u32, i: i32) -> f32 {
    return select(0.0, x[row + min(u32(i), p.len - 1u)], u32(i) < p.len);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let group = wid.y * nwg.x + wid.x;
    if group >= p.n { return; }
    let phased = group / p.chunks;
    let row = phased / p.phases * p.len;
    let r = i32(phased % p.phases);
    let step = i32(p.stride);
    let start = group % p.chunks * 4u * WG;
    for (var q = start + lid; q < min(start + 4u * WG, p.quads); q += WG) {
        let i = (i32(4u * q) - i32(p.lead)) * step + r;
        y[phased * p.quads + q] = vec4<f32>(at(row, i), at(row, i + step), at(row, i + 2 * step), at(row, i + 3 * step));
    }
}
