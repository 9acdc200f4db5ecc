// Subgroup sums: the threads that sum a channel are one subgroup, which adds without barriers (a barrier costs microseconds on
// a software adapter); the sums alone, everything else is that of 02_rows.
//@ alias: tile
//@ needs: subgroups
//@ fits: lanes > 0
//@ default: software
//@ let subgroup: 1
//@ let WG_SUMS: lanes
//@ knob WG: 8 if software else 64 | 8 16 32 64 128 256
//@ knob groups: 64 if software else 512 | 16 32 64 128 256 512 1024
//@ let slice: ceil(batch, max(min(ceil(groups, channels), batch), 1))
//@ let slices: ceil(batch, slice)
//@ scratch part: slices * channels * 3
//@ kernel stats: stats_slices, stats_combine
//@ kernel sums: sums_slices, sums_combine
//@ kernel back_sums: back_slices, back_combine
//@ groups stats_slices: slices * channels
//@ threads stats_combine: channels
//@ groups sums_slices: slices * channels
//@ threads sums_combine: channels
//@ groups back_slices: slices * channels
//@ threads back_combine: channels
//@ try: groups=16
//@ try: groups=32
//@ try: groups=128
//@ try: groups=256
//@ try: groups=1024
{% include "include/channel_sums.wgsl" %}
