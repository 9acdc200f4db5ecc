// Chains: each position is linked to the next one of the same row, so that a row's gradient goes through its own positions only.
// Formula and operands as in 01_naive, and the same bits, as the chains have the order of the positions. Positions and links
// count from 1, 0 ends a chain; each word is written by one thread.
//@ default: positions * rows * width > 65536
//@ scratch first: rows
//@ scratch next: positions
//@ kernel embedding_grad: clear, link, embedding_grad
//@ threads clear: max(rows, positions)
//@ threads link: positions
//@ threads embedding_grad: rows * width
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256

struct Params { n: u32, rows: u32, positions: u32, width: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> dt: array<f32>;
@group(0) @binding(4) var<storage, read_write> first: array<u32>;
@group(0) @binding(5) var<storage, read_write> next: array<u32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn clear(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i < p.rows { first[i] = 0u; }
    if i < p.positions { next[i] = 0u; }
}

@compute @workgroup_size(WG)
fn link(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let n = (wid.y * nwg.x + wid.x) * WG + lid;
    if n >= p.n { return; }
    let row = index[n];
    // down to the position before this one that has the same row; 0: this is the row's first
    var before = n;
    loop {
        if before == 0u { break; }
        if index[before - 1u] == row { break; }
        before -= 1u;
    }
    if before == 0u { first[row] = n + 1u; } else { next[before - 1u] = n + 1u; }
}

@compute @workgroup_size(WG)
fn embedding_grad(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    var sum = 0.0;
    var n = first[i / p.width];
    loop {
        if n == 0u { break; }
        sum += g[(n - 1u) * p.width + i % p.width];
        n = next[n - 1u];
    }
    dt[i] = sum;
}
