// Reorders what the convolution kernels read as one vec4 a step: four neighbouring channels together, zeros past the
// group's last one and past the end. For i = 0..3:
//   main, forward:     y[g, ob, c, r, j] = w[g C_out/G + 4 ob + i, c, r + m j]
//   main, TRANSPOSED:  y[g, cb, o, r, j] = w[g C_out/G + o, 4 cb + i, r + m (taps - 1 - j)]
//   gradient:          y[b, g, ob, t]    = w[b, first + g C_out/G + 4 ob + i, t]
//
// main      w [C_out, C_in/G, K]    y [G, blocks, C_in/G (TRANSPOSED: C_out/G), phases, taps], one vec4 a thread
//           The taps lie by phases r (see conv1d.wgsl).
// gradient  w [B, channels, T]      y [B, G, blocks, 4 fours], four vec4s a thread: a thread's divisions cost as much
//           as its loads
// Dispatch: WG threads per group, folded over two dimensions.

struct Params {
    n: u32, groups: u32, blocks: u32, out_g: u32,
    // main
    in_g: u32, kernel: u32, m: u32, phases: u32, taps: u32,
    // gradient
    channels: u32, first: u32, out_len: u32, fours: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

override TRANSPOSED: bool = false;
override WG: u32 = 64u;

// w at i, or 0; reads nothing outside.
fn value(i: u32, inside: bool) -> f32 {
    return select(0.0, w[select(0u, i, inside)], inside);
}

fn weight(g: u32, o: u32, c: u32, k: u32) -> f32 {
    let inside = o < p.out_g && c < p.in_g && k < p.kernel;
    let i = ((g * p.out_g + o) * p.in_g + c) * p.kernel + k;
    return value(i, inside);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let depth = select(p.in_g, p.out_g, TRANSPOSED);
    let j = id % p.taps;
    let r = (id / p.taps) % p.phases;
    let d = (id / p.taps / p.phases) % depth;
    let block = (id / p.taps / p.phases / depth) % p.blocks;
    let g = id / p.taps / p.phases / depth / p.blocks;
    let k = r + p.m * select(j, p.taps - 1u - j, TRANSPOSED);
    let c = 4u * block;
    if TRANSPOSED {
        y[id] = vec4<f32>(weight(g, d, c, k), weight(g, d, c + 1u, k), weight(g, d, c + 2u, k), weight(g, d, c + 3u, k));
    } else {
        y[id] = vec4<f32>(weight(g, c, d, k), weight(g, c + 1u, d, k), weight(g, c + 2u, d, k), weight(g, c + 3u, d, k));
    }
}

@compute @workgroup_size(WG)
fn gradient(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    let t = id % p.fours * 4u;
    let row = id / p.fours;
    let o = row % p.blocks * 4u;
    let bg = row / p.blocks;
    let b = bg / p.groups;
    let left = p.out_g - o;
    let i = (b * p.channels + p.first + (bg - b * p.groups) * p.out_g + o) * p.out_len + t;
    for (var u = 0u; u < 4u; u++) {
        let inside = t + u < p.out_len;
        y[4u * id + u] = vec4<f32>(
            value(i + u, inside),
            value(i + u + p.out_len, inside && left > 1u),
            value(i + u + 2u * p.out_len, inside && left > 2u),
            value(i + u + 3u * p.out_len, inside && left > 3u),
        );
    }
}
