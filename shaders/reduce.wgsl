// Sums over the middle dimension: y[o, s, i] = sum over r in chunk s of f(x[o, r, i]), r in [s c, min(R, (s + 1) c)).
// A long sum is done in two launches (S chunks, then those), always in the same order.
//
// x  [O, R, I]    y  [O, S, I], x as vec4s (buffers are padded to whole ones)
// QUADS  I is a multiple of 4: four sums a thread
// OP    0: f(v) = v, 1: f(v) = v * v
// Rows (I = 1) are summed by reduce_rows.wgsl.
// Dispatch: one thread per output (or four), WG threads per group, folded over two dimensions.

struct Params { n_out: u32, reduce: u32, inner: u32, chunks: u32, chunk: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override OP: u32 = 0u;
override QUADS: bool = false;
override WG: u32 = 64u;

fn f(v: vec4<f32>) -> vec4<f32> { return select(v, v * v, OP == 1u); }

fn at(i: u32) -> f32 { return x[i / 4u][i % 4u]; }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let out = (wid.y * nwg.x + wid.x) * WG + lid;
    let inner = select(p.inner, p.inner / 4u, QUADS);
    if out >= select(p.n_out, p.n_out / 4u, QUADS) { return; }
    let i = out % inner;
    let s = (out / inner) % p.chunks;
    let o = out / inner / p.chunks;
    let end = min(p.reduce, (s + 1u) * p.chunk);
    var total = vec4<f32>();
    for (var r = s * p.chunk; r < end; r++) {
        let place = (o * p.reduce + r) * inner + i;
        if QUADS { total += f(x[place]); } else { total.x += f(vec4<f32>(at(place))).x; }
    }
    if !QUADS {
        y[out] = total.x;
        return;
    }
    y[4u * out] = total.x;
    y[4u * out + 1u] = total.y;
    y[4u * out + 2u] = total.z;
    y[4u * out + 3u] = total.w;
}
