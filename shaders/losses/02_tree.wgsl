// A tree: the loss is summed by a group of threads, a record each at a time, instead of by one thread.
// Formula and operands as in 01_naive.
//@ alias: plain WG_SUMS=64
//@ alias: wide WG_SUMS=256
//@ default: true
//@ let subgroup: 0
//@ knob WG_SUMS: 8 if software else 256 | 8 16 32 64 128 256
//@ groups cross_entropy: 1
{% include "include/cross_entropy.wgsl" %}
