//! Mutants of elementwise operations, shaping, matmul and embedding.

use super::Kind::*;
use super::{Mutant, m};

pub const MUTANTS: &[Mutant] = &[
    // elementwise
    m(
        "include/elementwise",
        Bound,
        "sigmoid between 0 and 1",
        "select(e, Value(1.0), v >= Value(0.0))",
        "select(e, Value(1.0), v >= Value(1.0))",
    )
    .at("elementwise", "02_spans"),
    m("include/elementwise", Sign, "tanh of negative numbers", "return sign(v) * (1.0 - e)", "return (1.0 - e)")
        .at("elementwise", "02_spans"),
    m("include/elementwise", OnePercent, "Huber's constant", "select(m - 0.5,", "select(m - 0.505,")
        .at("elementwise", "02_spans"),
    m(
        "include/elementwise",
        Bound,
        "gradient above the upper limit",
        "(v >= Value(a)) & (v <= Value(b))",
        "(v >= Value(a))",
    )
    .at("elementwise", "01_naive"),
    m("elementwise/01_naive", Index, "second dimension", "i / q.d3 / q.d2 % q.d1", "i / q.d3 % q.d1"),
    m("elementwise/01_naive", Bound, "last value", "if i < p.n { y[i]", "if i + 1u < p.n { y[i]"),
    m(
        "elementwise/02_spans",
        OneLane,
        "fourth of four",
        "offsets(min(4u * i + 3u, q.n - 1u))",
        "offsets(min(4u * i + 2u, q.n - 1u))",
    ),
    m(
        "elementwise/02_spans",
        Header,
        "the last span",
        "//@ groups unary: ceil(n4, span)",
        "//@ groups unary: max(1, n4 // span)",
    ),
    m(
        "elementwise/02_spans",
        Tail,
        "an unfinished vec4",
        "min(start + q.span, (q.n + 3u) / 4u)",
        "min(start + q.span, q.n / 4u)",
    ),
    m(
        "elementwise/02_spans",
        Span,
        "last vec4 of a span",
        "let end = min(start + p.span, p.n4);",
        "let end = min(start + p.span - 1u, p.n4);",
    ),
    // functions of one value and of two
    m("include/elementwise", OnePercent, "erf from 1 on", "far * t + 0.633291781", "far * t + 0.639624699")
        .at("elementwise", "02_spans"),
    m("include/elementwise", Bound, "where erf's polynomials meet", "t < Value(0.9375)", "t < Value(2.9375)")
        .at("elementwise", "01_naive"),
    m("include/elementwise", Constant, "the cube in the GELU's other form", "0.044715 * v", "0.045162 * v")
        .at("elementwise", "02_spans"),
    m("include/elementwise", Sign, "even powers of negative numbers", "(u < Value(0.0)) & odd", "u < Value(0.0)")
        .at("elementwise", "02_spans"),
    m("include/elementwise", Bound, "the power 16", "i < 5u; i++", "i < 4u; i++").at("elementwise", "01_naive"),
    m("include/elementwise", Forgotten, "half of the gradient", "Value(0.5), u == v", "Value(1.0), u == v")
        .at("elementwise", "02_spans"),
    m("include/elementwise", Bound, "a condition below 0", "u, v == Value(0.0)); }", "u, v <= Value(0.0)); }")
        .at("elementwise", "02_spans"),
    // shaping
    m("shaping/01_naive", Index, "start of a block", "(o * pb.r_out + pb.start)", "(o * pb.r_in + pb.start)"),
    m("shaping/01_naive", Index, "pick from another row", "(o * pp.extent + index[j])", "(o * pp.picks + index[j])"),
    m(
        "shaping/01_naive",
        SomeRecords,
        "1 % from the fourth record on",
        "select(0.0, x[source], j",
        "select(0.0, x[source] * select(1.0, 1.01, j / pl.inner / pl.extent > 2u), j",
    ),
    m("shaping/01_naive", Index, "stride of another dimension", "(r2 % p.d1) * p.s1 + i2", "(r2 % p.d1) * p.s2 + i2"),
    m("shaping/02_rows", Index, "third dimension", "(row % p.d2) * p.s2", "(row / p.d2) * p.s2"),
    m("shaping/02_rows", Header, "the last row", "//@ groups strided: rows", "//@ groups strided: max(1, rows - 1)"),
    m("shaping/02_rows", Header, "fits rows of one", "//@ fits: d3 >= 32", "//@ fits: d3 >= 1"),
    // matmul
    m(
        "matmul/01_naive",
        Forgotten,
        "batch of the second factor",
        "let iv = b * p.vb + col * p.vc;",
        "let iv = col * p.vc;",
    ),
    m("matmul/01_naive", Bound, "depth of 128 at most", "k < p.depth; k++", "k < min(p.depth, 128u); k++"),
    m(
        "matmul/01_naive",
        OnePercent,
        "the last row of a matrix",
        "    y[i] = sum;",
        "    y[i] = sum * select(1.0, 1.01, row + 1u == p.rows);",
    ),
    // embedding
    m("embedding/01_naive", Index, "row of another position", "table[index[i / p.width]", "table[index[i % p.width]"),
    m("embedding/01_naive", Bound, "last position", "n < p.positions; n++", "n + 1u < p.positions; n++"),
    m("embedding/02_chains", Forgotten, "what follows the first", "n = next[n - 1u];", "n = 0u;"),
    m("embedding/02_chains", Index, "first of a row", "first[row] = n + 1u;", "first[row] = n;"),
    m(
        "embedding/02_chains",
        Header,
        "the last link",
        "//@ threads link: positions",
        "//@ threads link: max(1, positions - 1)",
    ),
];
