// Reorders a convolution's weight so that four neighbouring channels can be read as one vec4; channels past the
// group's last are zero.
//   TRANSPOSED 0 (forward):        y[(g nb + ob) C_in/G + c][k] = w[g C_out/G + 4 ob + j, c, k], j = 0..3
//   TRANSPOSED 1 (input gradient): y[(g nb + cb) C_out/G + o][k] = w[g C_out/G + o, 4 cb + j, k], j = 0..3
//
// w  [C_out, C_in/G, K]    y  n vec4s, nb blocks of four channels a group
// Dispatch: one thread per vec4, WG threads per group, folded over two dimensions.

struct Params { n: u32, in_g: u32, out_g: u32, kernel: u32, blocks: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

override TRANSPOSED: u32 = 0u;
override WG: u32 = 64u;

fn weight(g: u32, o: u32, c: u32, k: u32) -> f32 {
    let inside = o < p.out_g && c < p.in_g;
    let i = ((g * p.out_g + o) * p.in_g + c) * p.kernel + k;
    return select(0.0, w[select(0u, i, inside)], inside);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    let depth = select(p.in_g, p.out_g, TRANSPOSED == 1u);
    let k = i % p.kernel;
    let d = (i / p.kernel) % depth;
    let block = (i / p.kernel / depth) % p.blocks;
    let g = i / p.kernel / depth / p.blocks;
    var v: vec4<f32>;
    for (var j = 0u; j < 4u; j++) {
        if TRANSPOSED == 1u {
            v[j] = weight(g, d, 4u * block + j, k);
        } else {
            v[j] = weight(g, 4u * block + j, d, k);
        }
    }
    y[i] = v;
}
