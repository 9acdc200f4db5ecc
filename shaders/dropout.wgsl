// Dropout: y[i] = scale x[i] where uniform(i) >= threshold, else 0, with uniform numbers of 16 bits. They come from
// Philox4x32-10 (Salmon et al. 2011) with key = seed and counter = (i / 8, site, step, 0): halves of its words, the lower
// one first. The same for the same seed, step and site on every device, and nothing has to be kept for the backward pass.
//
// x, y   [n] as vec4s (buffers are padded to whole ones)    state  [3]: seed low word, seed high word, step
// Dispatch: one thread per eight elements, WG threads per group, folded over two dimensions.

struct Params { n: u32, site: u32, threshold: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

override WG: u32 = 64u;

// The 64-bit product of two words as (high, low): WGSL has no wide multiplication.
fn mul_wide(a: u32, b: u32) -> vec2<u32> {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let low = al * bl;
    let mid = ah * bl + (low >> 16u);
    let mid2 = al * bh + (mid & 0xffffu);
    return vec2<u32>(ah * bh + (mid >> 16u) + (mid2 >> 16u), a * b);
}

fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round++) {
        let u = mul_wide(0xD2511F53u, c.x);
        let v = mul_wide(0xCD9E8D57u, c.z);
        c = vec4<u32>(v.x ^ c.y ^ k.x, v.y, u.x ^ c.w ^ k.y, u.y);
        k += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let pair = (wid.y * nwg.x + wid.x) * WG + lid;
    if pair * 8u >= p.n { return; }
    let words = philox(vec4<u32>(pair, p.site, state[2], 0u), vec2<u32>(state[0], state[1]));
    let low = words & vec4<u32>(0xffffu);
    let high = words >> vec4<u32>(16u);
    let q = 2u * pair;
    y[q] = select(vec4<f32>(), x[q] * p.scale, vec4<u32>(low.x, high.x, low.y, high.y) >= vec4<u32>(p.threshold));
    if q * 4u + 4u < p.n {
        y[q + 1u] = select(vec4<f32>(), x[q + 1u] * p.scale, vec4<u32>(low.z, high.z, low.w, high.w) >= vec4<u32>(p.threshold));
    }
}
