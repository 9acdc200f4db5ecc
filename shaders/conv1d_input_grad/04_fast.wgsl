// Fast convolution: conv1d/05_fast over the rows of the output's gradient, eleven multiplications for six values of six
// taps instead of 36.
//   the sum of 01_naive
//@ alias: fast
//@ needs: subgroups
//@ fits: lanes > 0 and taps >= 3
//@ layout: src=points w=tiles
//@ let few: registers == 16 and not intel
//@ default: software and ceil(kernel, stride) >= 10 and width >= (10 if intel or registers == 16 else 32) and (depth * width * batch * out_len >= 12000000 if intel or registers == 16 else depth * width >= (2500 if ceil(kernel, stride) >= 20 else 4096))
//@ knob p: (8 if width >= 40 else 12) if intel else 8 if few else 16 | 4 8 12 16
//@ knob oc: min(32, max(2, 1200 // (p * taps))) if intel else min(22, max(2, 1000 // (p * taps))) if few else 16 if taps <= 3 else 11 | 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64
//@ knob mo: 4 if intel else 1 if few else 2 | 1 2 3 4 5 6 7 8
//@ knob mq: 2 if intel or few else 4 | 1 2 4
//@ knob trip: 4 if intel else 1 | 1 2 3 4 6 8
//@ let du: 1
//@ try: oc=22 p=8 mo=1 mq=2
//@ try: oc=8 p=16 mo=2 mq=4
//@ try: oc=11 p=12 mo=4 mq=2
//@ try: oc=16 p=16 mo=4 mq=2
//@ let p: p if lanes * p <= places else min(p, 8) if lanes * 8 <= places else 4
//@ let oc: even(width, oc)
//@ let mo: min(mo, oc)
//@ let native: 0
//@ let unit: 8 if software and int64 and p % 8 == 0 else 4
//@ let load: unit * lanes
//@ let blocks: ceil(width, oc)
//@ let tiles: ceil(places, lanes * p)
//@ groups: blocks * tiles
{% include "conv1d/04_subgroup_shuffle.wgsl" %}
