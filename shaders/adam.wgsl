// Adam and AdamW over all parameters at once (they lie in one flat buffer), with clipping by the global norm:
//   g' = g / s min(1, clip / (sqrt(norm2) / s + 1e-6))   (clip 0: off)        [+ decay w, Adam's coupled weight decay]
//   m = b1 m + (1 - b1) g',  v = b2 v + (1 - b2) g'^2
//   w = (1 - lr decay_decoupled) w - lr (m / c1) / (sqrt(v / c2) + eps)
// with c1 = 1 - b1^step, c2 = 1 - b2^step, s the factor that the loss was multiplied with (loss_scale.wgsl). With s above 1,
// gradients that are no numbers change nothing. All that changes from step to step is in `hyper`, a buffer.
//
// g, w, m, v  [n]    norm2  [1]: sum of g^2 over all parameters
// scale  [2]: s first
// hyper  [9]: lr, b1, b2, eps, decay (coupled), decay (decoupled), clip, c1, c2
// Dispatch: one thread per element, WG threads per group, folded over two dimensions.

struct Params { n: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> norm2: array<f32>;
@group(0) @binding(3) var<storage, read> hyper: array<f32>;
@group(0) @binding(4) var<storage, read> scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<f32>;
@group(0) @binding(6) var<storage, read_write> m: array<f32>;
@group(0) @binding(7) var<storage, read_write> v: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    let lr = hyper[0];
    // by bits: compilers may take it that there are no infinities
    if scale[0] > 1.0 && (bitcast<u32>(norm2[0]) & 0x7f800000u) == 0x7f800000u { return; }
    let unscale = 1.0 / scale[0];
    var shrink = unscale;
    if hyper[6] > 0.0 { shrink *= min(1.0, hyper[6] / (sqrt(norm2[0]) * unscale + 1e-6)); }
    let old = w[i];
    let grad = g[i] * shrink + hyper[4] * old;
    let mean = hyper[1] * m[i] + (1.0 - hyper[1]) * grad;
    let square = hyper[2] * v[i] + (1.0 - hyper[2]) * grad * grad;
    m[i] = mean;
    v[i] = square;
    w[i] = old * (1.0 - lr * hyper[5]) - lr * (mean / hyper[7]) / (sqrt(square / hyper[8]) + hyper[3]);
}
