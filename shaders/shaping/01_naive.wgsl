// The formulas as they stand: one value a thread.
//   strided      y[i0, i1, i2, i3] = x[offset + i0 s0 + i1 s1 + i2 s2 + i3 s3]: permutation, slicing, expansion (stride 0)
//   write_block  y[o, start + r, i] = x[o, r, i], the rest of y stays: concatenation (a launch a part), padding (y cleared)
//   pick         y[o, m, i] = x[o, index[o, m, i], i]: the logit of a class, the derivative of place and of max pooling's
//                backward pass
//   place        y[o, r, i] = x[o, i] if r == index[o, i] else 0: the derivative of pick and of the maximum
//
// strided: x any, y [d0, d1, d2, d3]    write_block: x [outer, r_in, inner], y [outer, r_out, inner]
// pick: x [outer, extent, inner], index, y [outer, picks, inner]    place: x, index [outer, inner], y [outer, extent, inner]
//@ threads strided: d0 * d1 * d2 * d3
//@ threads write_block: outer * r_in * inner
//@ threads pick: outer * picks * inner
//@ threads place: outer * extent * inner
//@ knob WG: 64 | 8 16 32 64 128 256

struct Strided { n: u32, d1: u32, d2: u32, d3: u32, s0: u32, s1: u32, s2: u32, s3: u32, offset: u32 }
struct Block { n: u32, r_in: u32, r_out: u32, inner: u32, start: u32 }
struct Pick { n: u32, extent: u32, picks: u32, inner: u32 }
struct Place { n: u32, extent: u32, inner: u32 }
@group(0) @binding(0) var<uniform> p: Strided;
@group(0) @binding(0) var<uniform> pb: Block;
@group(0) @binding(0) var<uniform> pp: Pick;
@group(0) @binding(0) var<uniform> pl: Place;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn strided(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = (wid.y * nwg.x + wid.x) * WG + lid;
    if i >= p.n { return; }
    let i3 = i % p.d3;
    let r3 = i / p.d3;
    let i2 = r3 % p.d2;
    let r2 = r3 / p.d2;
    y[i] = x[p.offset + (r2 / p.d1) * p.s0 + (r2 % p.d1) * p.s1 + i2 * p.s2 + i3 * p.s3];
}

@compute @workgroup_size(WG)
fn write_block(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let j = (wid.y * nwg.x + wid.x) * WG + lid;
    if j >= pb.n { return; }
    let block = pb.r_in * pb.inner;
    let o = j / block;
    y[(o * pb.r_out + pb.start) * pb.inner + j % block] = x[j];
}

@compute @workgroup_size(WG)
fn pick(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let j = (wid.y * nwg.x + wid.x) * WG + lid;
    if j >= pp.n { return; }
    let o = j / (pp.inner * pp.picks);
    y[j] = x[(o * pp.extent + index[j]) * pp.inner + j % pp.inner];
}

@compute @workgroup_size(WG)
fn place(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let j = (wid.y * nwg.x + wid.x) * WG + lid;
    if j >= pl.n { return; }
    let source = (j / pl.inner / pl.extent) * pl.inner + j % pl.inner;
    y[j] = select(0.0, x[source], j / pl.inner % pl.extent == index[source]);
}
