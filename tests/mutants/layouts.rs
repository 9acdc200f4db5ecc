//! Mutants of what the convolutions read: words, layouts and f16.

use super::Kind::*;
use super::{Mutant, m};

pub const MUTANTS: &[Mutant] = &[
    // words
    m("include/words", Index, "second of two in a word", "u32(w.y), u32(w.y >> 32u)", "u32(w.y), u32(w.y)")
        .at("conv1d", "04_subgroup_shuffle"),
    // layouts
    m(
        "layouts/01_naive",
        Index,
        "highest coefficient of a gradient's tile",
        "TOOM_A[t][e] * src[tile + e]",
        "TOOM_A[t][e] * src[tile + min(e, 4u)]",
    ),
    m(
        "layouts/02_vectors",
        Sign,
        "a gradient's tile at a negative point",
        "(even{{ t }} - odd{{ t }})",
        "(odd{{ t }} - even{{ t }})",
    ),
    m(
        "layouts/02_vectors",
        Bound,
        "a gradient's row ends",
        "first + 2u < p_grads.from_quads / 2u",
        "first + 1u < p_grads.from_quads / 2u",
    ),
    m(
        "layouts/01_naive",
        Padding,
        "one sample behind the row",
        "record < p.records && i < p.len;",
        "record < p.records && i <= p.len;",
    ),
    m(
        "include/toom_cook",
        Constant,
        "1 % of a coefficient of B",
        "3.4722223, -0.5972222, -10.902778",
        "3.4722223, -0.60319, -10.902778",
    )
    .at("layouts", "01_naive"),
    m("include/toom_cook", Sign, "a factor", "array(-1.44, 0.0", "array(1.44, 0.0").at("layouts", "01_naive"),
    m("layouts/01_naive", Index, "taps one too far", "tap(vc, u, 6u * j + e)", "tap(vc, u, 6u * j + e + 1u)"),
    m("layouts/01_naive", Sign, "taps do not turn round", "select(1, -1, transposed)", "1"),
    m(
        "layouts/02_vectors",
        Forgotten,
        "samples between phases",
        "(phased % p.phases + record % p.folds) * p.every);",
        "(phased % p.phases + record % p.folds));",
    ),
    m(
        "layouts/02_vectors",
        Header,
        "the last chunk of a record",
        "//@ let chunks: ceil(pitch, 4 * WG_ROWS)",
        "//@ let chunks: max(1, pitch // (4 * WG_ROWS))",
    ),
    m(
        "layouts/02_vectors",
        Sign,
        "points b and -b the other way round",
        "keep * (even{{ pair }} - odd{{ pair }})",
        "keep * (odd{{ pair }} - even{{ pair }})",
    ),
    m(
        "layouts/02_vectors",
        Bound,
        "last place of the input",
        "let inside = m + 4u < p_points.from_quads / 2u;",
        "let inside = m + 5u < p_points.from_quads / 2u;",
    ),
    m("layouts/02_vectors", Sign, "weights at infinity", "{%- elif t == 10 -%}h5", "{%- elif t == 10 -%}-h5"),
    m("layouts/02_vectors", Index, "a weight of another point", "TOOM_G[9][3] * h3", "TOOM_G[9][2] * h3")
        .at("conv1d", "05_fast"),
    m(
        "layouts/02_vectors",
        Index,
        "pieces of seven taps",
        "k{{ e }} += {{ piece }} * step;",
        "k{{ e }} += {{ piece + fast }} * step;",
    )
    .at("conv1d_input_grad", "04_fast"),
    m(
        "layouts/02_vectors",
        Forgotten,
        "where the second transform begins",
        "id + p_points.first * p_points.quads",
        "id",
    ),
    m(
        "layouts/02_vectors",
        SomeRecords,
        "channels of the records from the ninth on",
        "let row = (record / p.folds * p.channels",
        "let row = (min(record / p.folds, 7u) * p.channels",
    ),
    m("layouts/03_runs", Header, "fits where the stride is 3", "step <= 2\n", "step <= 3\n"),
    m(
        "include/shifted",
        Index,
        "fourth of four in an odd place",
        "select(b.x, b.z, s >= 2u)",
        "select(b.x, b.y, s >= 2u)",
    )
    .at("layouts", "03_runs"),
    m(
        "layouts/03_runs",
        Index,
        "second vec4 of a phase",
        "inside(shifted(b, d, s), i + 4)",
        "inside(shifted(b, d, s), i)",
    ),
    m(
        "layouts/03_runs",
        Header,
        "an unfinished last vec4",
        "//@ let last: ceil(records * channels * len, 4) - 1",
        "//@ let last: max(1, records * channels * len // 4) - 1",
    ),
    m("layouts/03_runs", Bound, "place behind the last record", "place >= p.records);", "place > p.records);"),
    // f16
    m("include/quad", Index, "second pair of four", "unpack2x16float(q.y)", "unpack2x16float(q.x)")
        .at("conv1d", "04_subgroup_shuffle"),
];
