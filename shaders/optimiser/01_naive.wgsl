// The formulas as they stand: one parameter a thread, of all parameters at once (they lie in one flat buffer).
//   adam   g' = g / s min(1, clip / (sqrt(norm2) / s + 1e-6))   (clip 0: off)   [+ decay w, Adam's coupled weight decay]
//          m = b1 m + (1 - b1) g',  v = b2 v + (1 - b2) g'^2
//          w = (1 - lr decay_decoupled) w - lr (m / c1) / (sqrt(v / c2) + eps)
//   with c1 = 1 - b1^step, c2 = 1 - b2^step, s the factor that the loss was multiplied with (loss_scale). With s above 1,
//   non-finite gradients change nothing. All that changes from step to step is in hyper, a buffer. Each part of the
//   parameters has its own step, and so its own c1 and c2: 0 for one that is not part of this step, which stays as it is.
//   sgd    m = mu m + share g',  w = w - lr m,  with Nesterov's momentum w - lr (g' + mu m);  decay is part of g'
//   loss_scale  scale[0] halved after non-finite gradients, doubled after 500 steps without; between 1 and 2^24
//
// g, w, m, v  [n]    norm2  [1]: sum of g^2 over all parameters    s  [2]: s first
// hyper  [7 + 2 P]: lr, b1, b2, eps, decay (coupled), decay (decoupled), clip; c1 and c2 of each of P parts
// part  [n / 64, rounded up]: the part that 64 parameters belong to    scale  [2]: factor, steps since it last changed
// of sgd: hyper  [5 + P]: lr, mu, decay, clip, 1 for Nesterov's; share of each of P parts: 1 in its first step, then
// 1 - dampening, and less than 0 for one that is not part of this step
//@ threads adam: n
//@ threads sgd: n
//@ threads loss_scale: 1
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Params { n: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> norm2: array<f32>;
@group(0) @binding(3) var<storage, read> hyper: array<f32>;
@group(0) @binding(4) var<storage, read> s: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<f32>;
@group(0) @binding(6) var<storage, read_write> m: array<f32>;
@group(0) @binding(7) var<storage, read_write> v: array<f32>;
@group(0) @binding(8) var<storage, read> part: array<u32>;
@group(0) @binding(9) var<storage, read_write> scale: array<f32>;

const GROWTH: f32 = 500.0;
override WG: u32 = 64u;

// By bits: compilers may take it that there are no infinities.
fn odd() -> bool { return (bitcast<u32>(norm2[0]) & 0x7f800000u) == 0x7f800000u; }

@compute @workgroup_size(WG)
fn adam(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n || (s[0] > 1.0 && odd()) { return; }
    let c1 = hyper[7u + 2u * part[i / 64u]];
    let c2 = hyper[8u + 2u * part[i / 64u]];
    if c1 <= 0.0 { return; }
    var shrink = 1.0 / s[0];
    if hyper[6] > 0.0 { shrink *= min(1.0, hyper[6] / (sqrt(norm2[0]) / s[0] + 1e-6)); }
    let grad = g[i] * shrink + hyper[4] * w[i];
    m[i] = hyper[1] * m[i] + (1.0 - hyper[1]) * grad;
    v[i] = hyper[2] * v[i] + (1.0 - hyper[2]) * grad * grad;
    w[i] = (1.0 - hyper[0] * hyper[5]) * w[i] - hyper[0] * (m[i] / c1) / (sqrt(v[i] / c2) + hyper[3]);
}

@compute @workgroup_size(WG)
fn sgd(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n || (s[0] > 1.0 && odd()) { return; }
    let share = hyper[5u + part[i / 64u]];
    if share < 0.0 { return; }
    var shrink = 1.0 / s[0];
    if hyper[3] > 0.0 { shrink *= min(1.0, hyper[3] / (sqrt(norm2[0]) / s[0] + 1e-6)); }
    let grad = g[i] * shrink + hyper[2] * w[i];
    // undampened to the bits of a plain sum, also where that is one instruction
    m[i] = hyper[1] * m[i] + select(share * grad, grad, share == 1.0);
    var direction = m[i];
    if hyper[4] > 0.0 { direction = grad + hyper[1] * m[i]; }
    w[i] -= hyper[0] * direction;
}

@compute @workgroup_size(WG)
fn loss_scale(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    if (wid.y * nwg.x + wid.x) * WG + lid > 0u { return; }
    if odd() {
        scale[0] = max(1.0, 0.5 * scale[0]);
        scale[1] = 0.0;
    } else if scale[1] + 1.0 >= GROWTH {
        scale[0] = min(16777216.0, 2.0 * scale[0]);
        scale[1] = 0.0;
    } else {
        scale[1] += 1.0;
    }
}
