// The formulas as they stand: one value a thread; a row's gradient goes through all the positions.
//   embedding       y[n, d] = table[index[n], d]
//   embedding_grad  dt[v, d] = sum of g[n, d] over the n with index[n] = v, in their order
//
// table, dt  [rows, width]    index  [positions]    y, g  [positions, width]
//@ threads embedding: positions * width
//@ threads embedding_grad: rows * width
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Params { n: u32, positions: u32, width: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> g: array<f32>;
@group(0) @binding(5) var<storage, read_write> dt: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn embedding(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    y[i] = table[index[i / p.width] * p.width + i % p.width];
}

@compute @workgroup_size(WG)
fn embedding_grad(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    var sum = 0.0;
    for (var n = 0u; n < p.positions; n++) {
        if index[n] == i / p.width { sum += g[n * p.width + i % p.width]; }
    }
    dt[i] = sum;
}
