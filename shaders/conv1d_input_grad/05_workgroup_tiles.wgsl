// Workgroup tiles: conv1d/06_workgroup_tiles over the rows of the output's gradient, for wide adapters.
//   the sum of 01_naive
//@ alias: wide
//@ layout: src=rows w=tiles
//@ default: not software or native
//@ knob oc: 16 | 1 2 3 4 5 6 7 8 10 12 16 20 24 32
//@ knob du: 4 if taps <= 15 else 2 | 1 2 4
//@ try: oc=8
//@ try: oc=32 if taps <= 15
//@ try: oc=16 du=1
//@ let oc: even(width, oc)
//@ let unit: 4
//@ let trip: 1
//@ let load: 4
//@ let blocks: ceil(width, oc)
//@ let tiles: ceil(places, 128)
//@ groups: blocks * tiles
{% include "conv1d/06_workgroup_tiles.wgsl" %}
