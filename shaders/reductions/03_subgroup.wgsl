// Subgroup sums: the group that sums a row is one subgroup, which adds without barriers (a barrier costs microseconds on a
// software adapter); rows alone, everything else is that of 02_groups.
//@ alias: tile
//@ needs: subgroups
//@ fits: lanes > 0 and inner == 1 and reduce > 1
//@ default: software
//@ let subgroup: 1
//@ let WG_SUMS: lanes
//@ kernel sum: rows
//@ groups rows: outer * chunks
{% include "include/row_sums.wgsl" %}
