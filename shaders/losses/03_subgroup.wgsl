// Subgroup sums: the group is one subgroup, which adds without barriers (a barrier costs microseconds on a software adapter).
// Formula and operands as in 01_naive.
//@ alias: tile
//@ needs: subgroups
//@ fits: lanes > 0
//@ default: software
//@ let subgroup: 1
//@ let WG_SUMS: lanes
//@ groups cross_entropy: 1
{% include "include/cross_entropy.wgsl" %}
