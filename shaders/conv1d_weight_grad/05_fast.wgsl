// Fast convolution: eleven products for a piece of six taps and a tile of six positions instead of 36, the transpose of
// conv1d/05_fast in the weights.
//   part[t, s, o, u, i] = sum over tiles m in slice s of h[t, first + o, m] v[t, u, m + i]
//   dw[o, c, k] = sum over t, s of G[t, e] part[t, s, o, u, i],  6 i + e the tap k of row u = (c, r)
// x from layouts.points, g from layouts.grads; taps counts pieces. The sums are those of 03_subgroup_rows, at every point. On an
// Intel CPU widths share kernels as in conv1d/05_fast: blocks have 22 or 11 rows of b where no more of those are idle than of 16.
//@ alias: fast
//@ needs: subgroups
//@ fits: lanes > 0 and taps >= 3
//@ layout: x=points g=points
//@ default: software and ceil(kernel, stride) >= (3 if (intel or registers == 16) and channels > width else 10) and width >= (10 if intel or registers == 16 else 32) and (depth * width * batch * out_len >= 12000000 if intel or registers == 16 else depth * width >= 2500)
//@ let few: registers == 16 and not intel
//@ knob swap: 1 if up(x_rows, lanes) * 100 // x_rows < up(out_g, lanes) * 100 // out_g else 0 | 0 1
//@ let fast: 1
//@ let points: 11
//@ let direct: 0
//@ let x_lead: 0
//@ let a_rows: x_rows if swap else out_g
//@ let b_rows: out_g if swap else x_rows
//@ knob va: (4 if taps == 1 else 2) if intel else 2 if few else 8 if taps == 1 else 4 if taps <= 7 else 2 if taps <= 11 else 1 | 1 2 3 4 6 8
//@ knob ub: ((22 if taps <= 2 else 11) if taps <= 6 and up(b_rows, 11) <= up(b_rows, 16) else 16 if taps <= 2 else 8) if intel else 8 if few else 16 if taps == 1 else 8 if taps <= 7 else 4 | 1 2 3 4 5 6 7 8 11 12 16 22
//@ knob p: 4 if taps == 1 and not intel and not few else 8 | 4 8 12 16
//@ let va: even(ceil(a_rows, lanes), va)
//@ let ub: ub if up(b_rows, ub) * 100 <= 110 * b_rows else even(b_rows, ub)
//@ knob mv: 1 if va == 1 else (4 if taps == 1 else 2) if intel else 2 if few else 4 if taps == 1 else 1 if taps <= 7 else 2 | 1 2 3 4 5 6 7 8
//@ knob mj: 4 if intel or few else 8 if va == 1 else 1 if taps == 1 else 6 if taps <= 7 else 4 | 1 2 3 4 5 6 7 8
//@ let mv: min(mv, va)
//@ let native: 0
//@ try: va=2 ub=8 p=8 mv=2 mj=4 swap=0 if 128 * taps <= 3200
//@ try: va=2 ub=8 p=8 mv=2 mj=4 swap=1 if 128 * taps <= 3200
//@ try: va=2 ub=8 p=16 mv=1 mj=6 swap=0 if 256 * taps <= 3200
//@ try: va=2 ub=8 p=16 mv=1 mj=6 swap=1 if 256 * taps <= 3200
//@ try: va=4 ub=8 p=8 mv=2 mj=3 swap=0 if 256 * taps <= 3200
//@ try: va=4 ub=8 p=8 mv=2 mj=3 swap=1 if 256 * taps <= 3200
//@ try: va=4 ub=8 p=8 mv=1 mj=6 swap=0 if 256 * taps <= 3200
//@ try: va=4 ub=8 p=8 mv=1 mj=6 swap=1 if 256 * taps <= 3200
//@ try: va=8 ub=16 p=4 mv=4 mj=1 swap=0 if 512 * taps <= 3200
//@ try: va=8 ub=16 p=4 mv=4 mj=1 swap=1 if 512 * taps <= 3200
//@ try: va=4 ub=16 p=8 mv=4 mj=1 swap=0 if 512 * taps <= 3200
//@ try: va=4 ub=16 p=8 mv=4 mj=1 swap=1 if 512 * taps <= 3200
//@ let a_blocks: ceil(a_rows, va * lanes)
//@ let b_blocks: ceil(b_rows, ub)
//@ let trips: ceil(places, p)
//@ knob slices: 64 if software else 1024 | 1 4 16 64 256 1024
//@ let slice: ceil(trips, max(1, min(trips, ceil(slices, points * a_blocks * b_blocks))))
//@ let slices: ceil(trips, slice)
//@ let a_point: x_point if swap else channels
//@ let b_point: channels if swap else x_point
//@ let unit: 8 if software and int64 and p % 8 == 0 else 4
//@ let a_units: (x_quads if swap else g_quads) * 4 // unit
//@ let b_units: (g_quads if swap else x_quads) * 4 // unit
//@ let a_first: x_first if swap else first
//@ let b_first: first if swap else x_first
//@ let a_offset: (x_lead if swap else lead) // unit
//@ let begin: lead + x_lead + 1 - window - taps if swap else window
//@ let b_offset: begin // unit
//@ let shift: begin % unit
//@ let first: place
//@ let out: out_g
//@ let weights: out_g * c_in * kernel
//@ scratch part: points * slices * out_g * x_rows * taps
//@ kernel conv1d_weight_grad: main, combine
//@ groups main: points * slices * a_blocks * b_blocks
//@ threads combine: out_g * x_rows * taps
//@ knob WG: 64 | 8 16 32 64 128 256
{% include "conv1d_weight_grad/03_subgroup_rows.wgsl" %}
