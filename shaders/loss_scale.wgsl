// Dynamic loss scaling: halves the scale after gradients that are no numbers, doubles it after GROWTH steps without.
//
// norm2  [1]: sum of the squared gradients    state  [2]: scale (1 to 2^24), steps since it last changed
// Dispatch: one thread.

@group(0) @binding(1) var<storage, read> norm2: array<f32>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;

override GROWTH: f32 = 500.0;
override WG: u32 = 1u;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lid: u32) {
    // by bits: compilers may take it that there are no infinities
    if (bitcast<u32>(norm2[0]) & 0x7f800000u) == 0x7f800000u {
        state[0] = max(1.0, 0.5 * state[0]);
        state[1] = 0.0;
    } else if state[1] + 1.0 >= GROWTH {
        state[0] = min(16777216.0, 2.0 * state[0]);
        state[1] = 0.0;
    } else {
        state[1] += 1.0;
    }
}
