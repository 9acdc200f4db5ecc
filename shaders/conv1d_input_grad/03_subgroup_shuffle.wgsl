// Subgroup shuffle: conv1d/04_subgroup_shuffle over the rows of the output's gradient, all branches that can read the same
// rows in one sum, so that the input's gradient is written once.
//   the sum of 01_naive
//@ alias: tile
//@ needs: subgroups
//@ fits: lanes > 0
//@ layout: src=rows w=tiles
//@ default: software
//@ let short: registers == 16 and not intel and taps <= 7
//@ let large: depth * width * batch * out_len >= 12000000
//@ knob p: (8 if taps == 1 else 12 if taps <= 7 else 16) if intel else (8 if taps == 1 else 12) if short else 16 if taps <= 15 else 12 | 4 8 12 16 20 24 28 32
//@ knob oc: ((64 if large else 32) if taps == 1 else min(32, max(2, (1350 if large else 700) // (p * taps)))) if intel else (32 if taps == 1 else 11) if short else 16 if taps <= 3 else 11 if taps <= 7 else 8 | 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64
//@ knob mo: 4 if intel else 1 if short else 2 | 1 2 3 4 5 6 7 8
//@ knob mq: 2 if intel or short else 4 | 1 2 4
//@ knob trip: 2 | 1 2 3 4 6 8
//@ let du: 1
//@ try: oc=11 p=12 mo=1 mq=2 if 132 * taps <= 3200
//@ try: oc=32 p=8 mo=1 mq=2 if 256 * taps <= 3200
//@ try: oc=8 p=16 mo=2 mq=4 trip=4 if 128 * taps <= 3200
//@ try: oc=8 p=16 mo=4 mq=2 if 128 * taps <= 3200
//@ try: oc=6 p=16 mo=2 mq=4 if 96 * taps <= 3200
//@ try: oc=11 p=12 mo=4 mq=4 if 132 * taps <= 3200
//@ try: oc=11 p=16 mo=4 mq=2 if 176 * taps <= 3200
//@ try: oc=16 p=16 mo=2 mq=4 if 256 * taps <= 3200
//@ try: oc=22 p=8 mo=2 mq=4 if 176 * taps <= 3200
//@ try: oc=32 p=8 mo=4 mq=2 trip=4 if 1024 * taps <= 3200
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
