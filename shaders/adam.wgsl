// Adam and AdamW over all parameters at once (they lie in one flat buffer), with clipping by the global norm:
//   g' = g / s min(1, clip / (sqrt(norm2) / s + 1e-6))   (clip 0: off)        [+ decay w, Adam's coupled weight decay]
//   m = b1 m + (1 - b1) g',  v = b2 v + (1 - b2) g'^2
//   w = (1 - lr decay_decoupled) w - lr (m / c1) / (sqrt(v / c2) + eps)
// with c1 = 1 - b1^step, c2 = 1 - b2^step, s the factor that the loss was multiplied with (loss_scale.wgsl). With s above 1,
// non-finite gradients change nothing. All that changes from step to step is in `hyper`, a buffer. Each parameter has its own
// step, and so its own c1 and c2: 0 for one that is not part of this step, which stays as it is.
//
// g, w, m, v  [n] as vec4s (buffers are padded to whole ones)    norm2  [1]: sum of g^2 over all parameters
// scale  [2]: s first
// hyper  [7 + 2 P]: lr, b1, b2, eps, decay (coupled), decay (decoupled), clip; c1 and c2 of each of P parameters
// part  [n / 64, rounded up]: the parameter that 16 vec4s belong to
// Dispatch: one group of WG threads per `span` vec4s, folded over two dimensions. Loops end with their test, see conv1d.wgsl.

struct Params { n4: u32, span: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> norm2: array<f32>;
@group(0) @binding(3) var<storage, read> hyper: array<f32>;
@group(0) @binding(4) var<storage, read> scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> m: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> v: array<vec4<f32>>;

@group(0) @binding(8) var<storage, read> part: array<u32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let start = (wid.y * nwg.x + wid.x) * p.span;
    let end = min(start + p.span, p.n4);
    var i = start + lid;
    // by bits: compilers may take it that there are no infinities
    let odd = scale[0] > 1.0 && (bitcast<u32>(norm2[0]) & 0x7f800000u) == 0x7f800000u;
    if odd || i >= end { return; }
    let lr = hyper[0];
    let unscale = 1.0 / scale[0];
    var shrink = unscale;
    if hyper[6] > 0.0 { shrink *= min(1.0, hyper[6] / (sqrt(norm2[0]) * unscale + 1e-6)); }
    let keep = 1.0 - lr * hyper[5];
    loop {
        let own = 7u + 2u * part[i / 16u];
        let c1 = hyper[own];
        if c1 > 0.0 {
            let old = w[i];
            let grad = g[i] * shrink + hyper[4] * old;
            let mean = hyper[1] * m[i] + (1.0 - hyper[1]) * grad;
            let square = hyper[2] * v[i] + (1.0 - hyper[2]) * grad * grad;
            m[i] = mean;
            v[i] = square;
            w[i] = old * keep - lr * (mean / c1) / (sqrt(square / hyper[own + 1u]) + hyper[3]);
        }
        i += WG;
        continuing { break if i >= end; }
    }
}
