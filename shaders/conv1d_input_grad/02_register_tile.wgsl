// Register tile: conv1d/03_register_tile goes through the taps in reverse, of one phase of the stride at a time; a load
// serves for many multiply-adds as there.
//   the sum of 01_naive
//@ alias: plain
//@ default: true
//@ let TRANSPOSED: 1
//@ let src_channels: channels
//@ let src_first: first
//@ let src_len: out_len
//@ let depth: out_g
//@ let dst_channels: c_in
//@ let dst_first: 0
//@ let dst_len: len
//@ let width: in_g
//@ let relu: 0
//@ let m: stride // gcd(stride, dilation)
//@ let q: dilation // gcd(stride, dilation)
//@ let phases: min(m, kernel)
//@ let taps: ceil(kernel, m)
//@ let fours: taps // 4
//@ let FOURS: taps >= 4
//@ let REST: taps % 4
//@ let blocks: ceil(width, 4)
//@ let gap: m * dilation if TRANSPOSED else q
//@ let tiles: ceil(dst_len, 16 * gap) * gap
//@ let vectors: groups * blocks * depth * phases * taps
//@ scratch packed: 4 * vectors
//@ kernel conv1d_input_grad: pack, main
//@ threads pack: vectors
//@ threads main: batch * groups * blocks * tiles
//@ knob WG: 64 | 8 16 32 64 128 256

{% include "conv1d/03_register_tile.wgsl" %}
