// Adds the parts of a weight gradient; `direct`: there is one, and it is the gradient.
override WG: u32 = 64u;
{%- if not direct %}

@group(0) @binding(8) var<storage, read_write> dw: array<f32>;

// Adds the slices in order: one weight a thread.
@compute @workgroup_size(WG)
fn combine(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let id = (wid.y * nwg.x + wid.x) * WG + lid;
    if id >= p.n { return; }
    var sum = 0.0;
    for (var s = 0u; s < p.slices; s++) { sum += part[s * p.weights + id]; }
    dw[id] = sum;
}
{%- endif %}
