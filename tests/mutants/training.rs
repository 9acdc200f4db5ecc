//! Mutants of what training alone runs: dropout, losses and optimisers.

use super::Kind::*;
use super::{Mutant, m};

pub const MUTANTS: &[Mutant] = &[
    // dropout
    m("include/philox", Constant, "nine rounds", "round < 10u", "round < 9u").at("dropout", "02_octets"),
    m("include/philox", Constant, "second word of the key", "0xBB67AE85u", "0xBB67AE84u").at("dropout", "01_naive"),
    m("include/philox", Index, "halves of a word", ">> (16u * (i % 2u))", ">> (16u * ((i + 1u) % 2u))")
        .at("dropout", "01_naive"),
    m(
        "include/philox",
        Index,
        "order of the words",
        "vec4<u32>(low.z, high.z, low.w, high.w) >= least",
        "vec4<u32>(low.z, low.w, high.z, high.w) >= least",
    )
    .at("batch_norm", "02_rows"),
    m("dropout/01_naive", Bound, "last value", "if i >= p.n { return; }", "if i + 1u >= p.n { return; }"),
    m(
        "dropout/02_octets",
        Index,
        "second half of an octet",
        "values(x[q + 1u]) * p.scale, keep[1]",
        "values(x[q + 1u]) * p.scale, keep[0]",
    ),
    m("dropout/02_octets", Tail, "second half of the last octet", "if q * 4u + 4u < p.n {", "if q * 4u + 8u < p.n {"),
    m("dropout/02_octets", Header, "the last span", "//@ groups: ceil(n8, span)", "//@ groups: max(1, n8 // span)"),
    m("dropout/02_octets", Span, "second round of a thread", "pair += WG;", "pair += WG + 1u;"),
    m(
        "dropout/02_octets",
        OnePercent,
        "scale of the first half",
        "values(x[q]) * p.scale",
        "values(x[q]) * p.scale * 1.01",
    ),
    // losses
    m("losses/01_naive", Forgotten, "largest logit", "(log(sum) - (x[first + c] - top))", "(log(sum) - x[first + c])"),
    m("losses/01_naive", Forgotten, "mass of the targets", "/ sum * mass - t", "/ sum - t"),
    m(
        "losses/01_naive",
        Constant,
        "smoothing over one class fewer",
        "pt.smoothing / f32(pt.classes)",
        "pt.smoothing / f32(pt.classes - 1u)",
    ),
    m(
        "include/cross_entropy",
        SomeRecords,
        "eight records at most",
        "b < p.batch; b += WG_SUMS",
        "b < min(p.batch, 8u); b += WG_SUMS",
    )
    .at("losses", "02_tree"),
    m(
        "include/cross_entropy",
        Bound,
        "last class",
        "for (var c = 0u; c < p.classes; c++) { total",
        "for (var c = 0u; c + 1u < p.classes; c++) { total",
    )
    .at("losses", "03_subgroup"),
    // optimiser
    m(
        "optimiser/01_naive",
        Index,
        "correction of the second moment",
        "(sqrt(v[i] / c2) + hyper[3])",
        "(sqrt(v[i] / c1) + hyper[3])",
    ),
    m(
        "optimiser/01_naive",
        Constant,
        "clipping of gradients that were scaled",
        "hyper[6] / (sqrt(norm2[0]) / s[0] + 1e-6)",
        "hyper[6] / (sqrt(norm2[0]) + 1e-6)",
    ),
    m(
        "optimiser/01_naive",
        Bound,
        "parameters that are not part of the step",
        "if c1 <= 0.0 { return; }",
        "if c1 < 0.0 { return; }",
    ),
    m(
        "optimiser/01_naive",
        OnePercent,
        "scale after non-finite gradients",
        "max(1.0, 0.5 * scale[0])",
        "max(1.0, 0.505 * scale[0])",
    ),
    m("optimiser/01_naive", Bound, "one step more before it doubles", "scale[1] + 1.0 >= GROWTH", "scale[1] >= GROWTH"),
    m("optimiser/01_naive", Forgotten, "momentum's sum", "m[i] = hyper[1] * m[i] + select", "m[i] = m[i] + select"),
    m("optimiser/01_naive", Forgotten, "dampening", "select(share * grad, grad, share == 1.0)", "grad"),
    m("optimiser/01_naive", Forgotten, "decay of SGD", "shrink + hyper[2] * w[i]", "shrink"),
    m("optimiser/02_spans", Index, "part of a parameter", "part[i / 16u]", "part[i / 64u]"),
    m("optimiser/02_spans", Index, "correction of the second moment", "hyper[own + 1u]", "hyper[own]"),
    m(
        "optimiser/02_spans",
        Header,
        "the last span",
        "//@ groups adam: ceil(n4, span)",
        "//@ groups adam: max(1, n4 // span)",
    ),
    m("optimiser/02_spans", Forgotten, "decoupled decay", "let keep = 1.0 - lr * hyper[5];", "let keep = 1.0;"),
    m("optimiser/02_spans", Forgotten, "scale of the loss", "let unscale = 1.0 / s[0];", "let unscale = 1.0;"),
];
