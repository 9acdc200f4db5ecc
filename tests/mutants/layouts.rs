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
        "sum = src[tile + 3u];",
        "sum = src[tile + 2u];",
    ),
    m("layouts/02_vectors", Constant, "a gradient's tile at 2", "2.0 * g[1] + 8.0 * g[3]", "2.0 * g[1] + 4.0 * g[3]"),
    m(
        "layouts/02_vectors",
        Bound,
        "a gradient's row ends",
        "p_grads.start + m < i32(p_grads.from_quads)",
        "p_grads.start + m <= i32(p_grads.from_quads)",
    ),
    m(
        "layouts/01_naive",
        Padding,
        "one sample behind the row",
        "record < p.records && i < p.len;",
        "record < p.records && i <= p.len;",
    ),
    m(
        "layouts/01_naive",
        Constant,
        "1 % of a coefficient of B",
        "0.0, 2.0, -2.0, -4.5, 0.5, 1.0, 0.0,",
        "0.0, 2.0, -2.0, -4.545, 0.5, 1.0, 0.0,",
    ),
    m("layouts/01_naive", Constant, "a factor", "0.027777778, -0.016666668", "0.027777778, -0.016666666e1"),
    m("layouts/01_naive", Index, "taps one too far", "tap(vc, u, 4u * j + e - 1u)", "tap(vc, u, 4u * j + e)"),
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
        "a coefficient at 1/2",
        "keep * (d5 - 5.0 * d3 + 4.0 * d1)",
        "keep * (d5 + 5.0 * d3 + 4.0 * d1)",
    ),
    m(
        "layouts/02_vectors",
        Bound,
        "last place of the input",
        "let inside = m + 5u < p_points.from_quads;",
        "let inside = m + 6u < p_points.from_quads;",
    ),
    m(
        "layouts/02_vectors",
        Sign,
        "weights at -2",
        "(2.0 * g1 + 8.0 * g3)) * (-1.0 / 60.0)",
        "(2.0 * g1 + 8.0 * g3)) * (1.0 / 60.0)",
    ),
    m("layouts/02_vectors", Constant, "weights at 1/2, 1 % of one", "0.25 * g2 + 0.125", "0.2525 * g2 + 0.125")
        .at("conv1d", "05_fast"),
    m("layouts/02_vectors", Index, "pieces of five taps", "k += 3 * step;", "k += 4 * step;")
        .at("conv1d_input_grad", "04_fast"),
    m("layouts/02_vectors", Forgotten, "taps of the highest coefficient", "= g3;", "= g2;"),
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
