// Dropout's random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). A call gives
// eight uniform numbers of 16 bits for eight elements in a row: halves of its words, the lower one first.

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

// Which of the eight elements `8 at` and after are kept: the first four, the others. `state` is [seed low word, seed high
// word, step].
fn kept(at: u32, site: u32, state: vec3<u32>, threshold: u32) -> array<vec4<bool>, 2> {
    let words = philox(vec4<u32>(at, site, state.z, 0u), state.xy);
    let low = words & vec4<u32>(0xffffu);
    let high = words >> vec4<u32>(16u);
    let least = vec4<u32>(threshold);
    return array(vec4<u32>(low.x, high.x, low.y, high.y) >= least, vec4<u32>(low.z, high.z, low.w, high.w) >= least);
}

// Whether element i is kept.
fn keeps(i: u32, site: u32, state: vec3<u32>, threshold: u32) -> bool {
    var words = philox(vec4<u32>(i / 8u, site, state.z, 0u), state.xy);
    return (words[i % 8u / 2u] >> (16u * (i % 2u)) & 0xffffu) >= threshold;
}
