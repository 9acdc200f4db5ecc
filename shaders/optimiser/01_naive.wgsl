// The formulas: one parameter a thread.
//   g' = g / s min(1, clip / (sqrt(norm2) / s + 1e-6))   (clip 0: off)        [+ decay w, Adam's coupled weight decay]
//   m = b1 m + (1 - b1) g',  v = b2 v + (1 - b2) g'^2
//   w = (1 - lr decay_decoupled) w - lr (m / c1) / (sqrt(v / c2) + eps)
// Adam and AdamW over all parameters at once (they lie in one flat buffer), with clipping by the global norm;
// c1 = 1 - b1^step, c2 = 1 - b2^step, s the factor that the loss was multiplied with. With s above 1, non-finite gradients
// change nothing. All that changes from step to step is in `hyper`, a buffer. Each parameter has its own step, and so its own
// c1 and c2: 0 for one that is not part of this step, which stays as it is.
//   loss_scale: halves the scale after gradients that are not finite, doubles it after `growth` steps without
//
// g, w, m, v  [n]    norm2  [1]: sum of g^2 over all parameters    scale  [2]: s, steps since it last changed
// hyper  [7 + 2 P]: lr, b1, b2, eps, decay (coupled), decay (decoupled), clip; c1 and c2 of each of P parameters
// part  [n / 64, rounded up]: the parameter that 64 values belong to
//@ threads adam: n
//@ threads loss_scale: 1
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Params { n: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> norm2: array<f32>;
@group(0) @binding(3) var<storage, read> hyper: array<f32>;
@group(0) @binding(4) var<storage, read> scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<f32>;
@group(0) @binding(6) var<storage, read_write> m: array<f32>;
@group(0) @binding(7) var<storage, read_write> v: array<f32>;
@group(0) @binding(8) var<storage, read> part: array<u32>;
@group(0) @binding(9) var<storage, read_write> state: array<f32>;

override growth: f32 = 500.0;
override WG: u32 = 64u;

// By bits: compilers may take it that there are no infinities.
fn finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }

@compute @workgroup_size(WG)
fn adam(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    let own = 7u + 2u * part[i / 64u];
    if hyper[own] <= 0.0 || (scale[0] > 1.0 && !finite(norm2[0])) { return; }
    let lr = hyper[0];
    var shrink = 1.0 / scale[0];
    if hyper[6] > 0.0 { shrink *= min(1.0, hyper[6] / (sqrt(norm2[0]) / scale[0] + 1e-6)); }
    let grad = g[i] * shrink + hyper[4] * w[i];
    m[i] = hyper[1] * m[i] + (1.0 - hyper[1]) * grad;
    v[i] = hyper[2] * v[i] + (1.0 - hyper[2]) * grad * grad;
    w[i] = w[i] * (1.0 - lr * hyper[5]) - lr * (m[i] / hyper[own]) / (sqrt(v[i] / hyper[own + 1u]) + hyper[3]);
}

@compute @workgroup_size(WG)
fn loss_scale(@builtin(local_invocation_index) lid: u32) {
    if lid > 0u { return; }
    let grown = state[1] + 1.0 >= growth;
    if !finite(norm2[0]) { state[0] = max(1.0, 0.5 * state[0]); }
    else if grown { state[0] = min(16777216.0, 2.0 * state[0]); }
    state[1] = select(state[1] + 1.0, 0.0, grown || !finite(norm2[0]));
}
