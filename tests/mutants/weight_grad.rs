//! Mutants of conv1d's gradient with respect to the weights.

use super::Kind::*;
use super::{Mutant, m};

pub const MUTANTS: &[Mutant] = &[
    // conv1d_weight_grad
    m(
        "conv1d_weight_grad/01_naive",
        SomeRecords,
        "eight records at most",
        "b < p.batch; b++",
        "b < min(p.batch, 8u); b++",
    ),
    m("conv1d_weight_grad/01_naive", Padding, "first sample", "if i >= p.pad && i", "if i > p.pad && i"),
    m("conv1d_weight_grad/01_naive", Bound, "last position", "t < p.out_len; t++", "t + 1u < max(p.out_len, 2u); t++"),
    m(
        "conv1d_weight_grad/02_register_tile",
        Index,
        "last tap, fourth time",
        "a11 += v0 * x11 + v1 * x12 + v2 * x13 + v3 * x14;",
        "a11 += v0 * x11 + v1 * x12 + v2 * x13 + v3 * x13;",
    ),
    m(
        "conv1d_weight_grad/02_register_tile",
        Span,
        "first record of a slice alone",
        "continuing { break if b >= end; }",
        "continuing { break if true; }",
    ),
    m(
        "conv1d_weight_grad/02_register_tile",
        Tail,
        "one time behind the row",
        "let inside = t + u < p.out_len;",
        "let inside = t + u <= p.out_len;",
    ),
    m(
        "conv1d_weight_grad/02_register_tile",
        Header,
        "times of an unfinished four",
        "//@ let fours: steps // (4 * q)",
        "//@ let fours: max(1, steps // (4 * q) - 1)",
    ),
    m("include/slices", SomeRecords, "the last slice", "s < p.slices; s++", "s + 1u < p.slices; s++")
        .at("conv1d_weight_grad", "02_register_tile"),
    m("include/slices", Span, "eight slices at most", "s < p.slices; s++", "s < min(p.slices, 8u); s++")
        .at("conv1d_weight_grad", "03_subgroup_rows"),
    m(
        "conv1d_weight_grad/03_subgroup_rows",
        Index,
        "further loads of a window",
        "({{ b }}[br{{ u }} + at + {{ i * lanes }}u])",
        "({{ b }}[br{{ u }} + at + {{ i * lanes - i }}u])",
    ),
    m("conv1d_weight_grad/03_subgroup_rows", Index, "first row of those that lanes hold", "{{ u1 - u }}u);", "0u);"),
    m("include/weight_tap", Sign, "taps in reverse, one too far", "(taps - 1) if swap", "taps if swap")
        .at("conv1d_weight_grad", "03_subgroup_rows"),
    m("include/weight_tap", Bound, "first tap", "k >= 0 && k < i32(p.kernel)", "k > 0 && k < i32(p.kernel)")
        .at("conv1d_weight_grad", "03_subgroup_rows"),
    m(
        "conv1d_weight_grad/03_subgroup_rows",
        OneLane,
        "1 % in the sixth lane",
        "put(to, j, sums[f]);",
        "put(to, j, sums[f] * select(1.0, 1.01, lane == 5u));",
    ),
    m(
        "conv1d_weight_grad/03_subgroup_rows",
        Header,
        "start of the window in reverse",
        "//@ let begin: lead + x_lead + 1 - window - taps if swap",
        "//@ let begin: lead + x_lead - window - taps if swap",
    ),
    m(
        "conv1d_weight_grad/03_subgroup_rows",
        Header,
        "positions of an unfinished trip",
        "//@ let trips: ceil(places, p)",
        "//@ let trips: max(1, places // p)",
    ),
    m(
        "conv1d_weight_grad/03_subgroup_rows",
        Header,
        "rows of b past a whole block",
        "//@ let b_blocks: ceil(b_rows, ub)",
        "//@ let b_blocks: max(1, b_rows // (ub + 1))",
    ),
    m(
        "conv1d_weight_grad/03_subgroup_rows",
        Span,
        "last trip of a slice",
        "let end = min(p.trips, (slice + 1u) * p.slice) *",
        "let end = min(p.trips, (slice + 1u) * p.slice - min(1u, p.slice - 1u)) *",
    ),
    m(
        "conv1d_weight_grad/04_workgroup_tiles",
        Barrier,
        "before the tiles are read",
        "        workgroupBarrier();\n        {%- if native %}\n        {%- for u in range(ub) %}\n        {% for j in range(taps) %}var h",
        "        {%- if native %}\n        {%- for u in range(ub) %}\n        {% for j in range(taps) %}var h",
    ),
    m(
        "conv1d_weight_grad/04_workgroup_tiles",
        Barrier,
        "before they are staged again",
        "        workgroupBarrier();\n    }\n    if id >= p.n { return; }",
        "    }\n    if id >= p.n { return; }",
    ),
    m(
        "conv1d_weight_grad/04_workgroup_tiles",
        Index,
        "rows without the vec4 between them",
        "a_tile[own_a * {{ a_quads + 1 }}u + q / 4u]",
        "a_tile[own_a * {{ a_quads }}u + q / 4u]",
    ),
    m(
        "conv1d_weight_grad/04_workgroup_tiles",
        OneLane,
        "rows of the last quarter of the threads",
        "let own_b = lid / 16u * {{ ub }}u;",
        "let own_b = min(lid / 16u, 2u) * {{ ub }}u;",
    ),
    m(
        "conv1d_weight_grad/04_workgroup_tiles",
        Index,
        "trips as long as b's window",
        "p.b_offset + trip * {{ a_quads }}u",
        "p.b_offset + trip * {{ b_quads }}u",
    ),
    m(
        "conv1d_weight_grad/04_workgroup_tiles",
        Header,
        "one group too few",
        "//@ groups main: slices * a_blocks * b_blocks",
        "//@ groups main: max(1, slices * a_blocks * b_blocks - 1)",
    ),
    m("include/weight_points", Index, "pieces not turned round", "(taps - 1) ~ \"u - i\" if swap", "\"i\" if swap")
        .at("conv1d_weight_grad", "05_fast"),
    m("include/toom_cook", Constant, "weights at 5/4, 1 % of one", "-0.3261666, -0.40770823", "-0.3294, -0.40770823")
        .at("conv1d_weight_grad", "05_fast"),
    m("include/weight_points", Forgotten, "place of a piece", "i32(6u * piece)", "i32(piece)")
        .at("conv1d_weight_grad", "05_fast"),
    m(
        "conv1d_weight_grad/05_fast",
        Header,
        "rows from a point to the next",
        "//@ let b_point: channels if swap",
        "//@ let b_point: out_g if swap",
    ),
    m(
        "conv1d_weight_grad/05_fast",
        Header,
        "first row of a branch",
        "//@ let b_first: first if swap",
        "//@ let b_first: 0 if swap",
    ),
];
