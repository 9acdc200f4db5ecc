//! Mutants of batch normalisation, pooling and reductions.

use super::Kind::*;
use super::{Mutant, m};

pub const MUTANTS: &[Mutant] = &[
    // batch_norm
    m(
        "batch_norm/01_naive",
        Constant,
        "biased variance of the running estimate",
        "squares / max(count - 1.0, 1.0)",
        "squares / max(count, 1.0)",
    ),
    m(
        "batch_norm/01_naive",
        Sign,
        "mean of the gradient",
        "let rest = passed(i) - coefficients",
        "let rest = passed(i) + coefficients",
    ),
    m(
        "batch_norm/01_naive",
        Index,
        "sums of the gradient",
        "xhat * g_sums[p.channels + c] / count",
        "xhat * g_sums[c] / count",
    ),
    m(
        "batch_norm/01_naive",
        Bound,
        "gradient where the output is zero",
        "relu && out[i] <= 0.0",
        "relu && out[i] < 0.0",
    ),
    m(
        "batch_norm/01_naive",
        OnePercent,
        "variance of running estimates",
        "put(c, mean[c], variance[c], variance[c])",
        "put(c, mean[c], variance[c] * 1.01, variance[c])",
    ),
    m("batch_norm/01_naive", Index, "running variance", "norm[2u * pr.channels + c]", "norm[pr.channels + c]"),
    m(
        "batch_norm/01_naive",
        Index,
        "shift of what is added",
        "+ norm2[4u * pa.channels + c]",
        "+ norm[4u * pa.channels + c]",
    ),
    m("batch_norm/01_naive", SomeRecords, "nine records at most", "b < pb.batch; b++", "b < min(pb.batch, 9u); b++"),
    m(
        "batch_norm/02_rows",
        Tail,
        "last octet of a row",
        "let end = min((next + 7u) / 8u, first + pa.span);",
        "let end = min(next / 8u, first + pa.span);",
    ),
    m("batch_norm/02_rows", Index, "channel of the next row", "let d = (c + 1u) % pd.channels;", "let d = c;"),
    m(
        "batch_norm/02_rows",
        Index,
        "slope of the next row",
        "select(slope2.yyyy, slope2.xxxx, own)",
        "select(slope2.xxxx, slope2.xxxx, own)",
    ),
    m("batch_norm/02_rows", Index, "second half of an octet of short rows", "keep[q % 2u]", "keep[0]"),
    m(
        "batch_norm/02_rows",
        Header,
        "the last chunk of a row",
        "//@ let chunks: ceil(len, 4 * span)",
        "//@ let chunks: max(1, len // (4 * span))",
    ),
    m(
        "batch_norm/02_rows",
        OnePercent,
        "gradient of short rows",
        "all[k] = w[c] * rstd",
        "all[k] = 1.01 * w[c] * rstd",
    ),
    m(
        "batch_norm/03_subgroup",
        Header,
        "records of an unfinished slice",
        "//@ let slices: ceil(batch, slice)",
        "//@ let slices: max(1, batch // slice)",
    ),
    m(
        "include/channel_sums",
        Forgotten,
        "weight of a merge",
        "d * d * count * seen / (seen + count)",
        "d * d * count / (seen + count)",
    )
    .at("batch_norm", "02_rows"),
    m(
        "include/channel_sums",
        Span,
        "records of the last slice",
        "(min((s + 1u) * ps.slice, ps.batch) - s * ps.slice)",
        "ps.slice",
    )
    .at("batch_norm", "03_subgroup"),
    m(
        "include/channel_sums",
        Constant,
        "squares that cancel",
        "let first = value(x[start / 4u][start % 4u / PER_WORD], start);",
        "let first = 0.0;",
    )
    .at("batch_norm", "02_rows"),
    m(
        "include/channel_sums",
        Tail,
        "first value of the next row",
        "values(g[q]) * pb.scale, (i >= vec4<u32>(begin)) & (i < vec4<u32>(end))",
        "values(g[q]) * pb.scale, (i >= vec4<u32>(begin)) & (i <= vec4<u32>(end))",
    )
    .at("batch_norm", "02_rows"),
    m(
        "include/channel_sums",
        Index,
        "products with the second tensor",
        "part[3u * id + 2u] = all.z",
        "part[3u * id + 2u] = all.y",
    )
    .at("batch_norm", "03_subgroup"),
    m("include/group_sum", Bound, "second thread of the tree", "half > 0u; half /= 2u", "half > 1u; half /= 2u")
        .at("reductions", "02_groups"),
    m(
        "include/group_sum",
        OneLane,
        "last lane of a subgroup",
        "return subgroupAdd(own);",
        "return subgroupAdd(own * select(1.0, 0.0, lid == WG_SUMS - 1u));",
    )
    .at("reductions", "03_subgroup"),
    m(
        "include/group_sum",
        OnePercent,
        "every sum of a subgroup",
        "return subgroupAdd(own);",
        "return subgroupAdd(own * 1.01);",
    )
    .at("losses", "03_subgroup"),
    // pooling
    m(
        "pooling/01_naive",
        Bound,
        "last of equal samples",
        "if x[row + s] > x[row + best]",
        "if x[row + s] >= x[row + best]",
    ),
    m(
        "pooling/01_naive",
        Padding,
        "always divided by the kernel",
        "y[id] = sum / f32(select(end(t) - first(t), p.kernel, count_pad));",
        "y[id] = sum / f32(select(p.kernel, p.kernel, count_pad));",
    ),
    m(
        "pooling/01_naive",
        Index,
        "first window that holds a sample",
        "(max(s + p.pad, p.kernel) - p.kernel) / p.stride;",
        "(max(s + p.pad, p.kernel) - p.kernel) / p.stride + 1u;",
    ),
    m(
        "pooling/01_naive",
        Bound,
        "end of an adaptive window",
        "return ((t + 1u) * p.len + p.out_len - 1u) / p.out_len;",
        "return max((t + 1u) * p.len / p.out_len, t * p.len / p.out_len + 1u);",
    ),
    m(
        "pooling/02_rows",
        Span,
        "the row, where one has several chunks",
        "let row = group / p.chunks;",
        "let row = group / max(p.chunks - 1u, 1u);",
    )
    .all(),
    m(
        "pooling/02_rows",
        Header,
        "the last chunk of a row",
        "//@ let chunks_segments: ceil(segments, span)",
        "//@ let chunks_segments: max(1, segments // span)",
    ),
    m(
        "pooling/02_rows",
        Index,
        "place of a pair",
        "2u * t + select(0u, 1u, two > one);",
        "2u * t + select(1u, 0u, two > one);",
    ),
    m(
        "pooling/02_rows",
        Tail,
        "sample behind the last window",
        "select(0.0, g[j], segment < u.out_len)",
        "select(0.0, g[j], segment <= u.out_len)",
    ),
    m(
        "pooling/02_rows",
        Header,
        "windows that reach a segment",
        "//@ let reach: ceil(kernel, stride) - 1",
        "//@ let reach: kernel // stride - 1",
    ),
    m(
        "pooling/02_rows",
        Index,
        "a window that ends before",
        "(reach - b.kernel) / b.stride + 1u",
        "(reach - b.kernel) / b.stride",
    ),
    m(
        "pooling/02_rows",
        Bound,
        "last adaptive window of a sample",
        "((s + 1u) * b.out_len - 1u) / b.len",
        "(s * b.out_len) / b.len",
    ),
    m(
        "pooling/02_rows",
        Padding,
        "end of a window at the end of the row",
        "let end = min(start + p.kernel - p.pad, p.len);\n    var best",
        "let end = min(start + p.kernel - p.pad, p.len - 1u);\n    var best",
    ),
    // reductions
    m(
        "reductions/01_naive",
        Bound,
        "second of all",
        "for (var r = 1u; r < p.reduce; r++)",
        "for (var r = 2u; r < p.reduce; r++)",
    ),
    m(
        "reductions/01_naive",
        Span,
        "first values of further chunks",
        "for (var r = s * p.chunk;",
        "for (var r = s * (p.chunk + 1u);",
    ),
    m("reductions/01_naive", Forgotten, "no square", "total += select(v, v * v, square);", "total += v;"),
    m(
        "include/row_sums",
        Span,
        "last value of a chunk",
        "min(pr.reduce, (s + 1u) * pr.chunk)",
        "min(pr.reduce, (s + 1u) * pr.chunk - min(s, 1u))",
    )
    .at("reductions", "02_groups"),
    m("include/row_sums", Forgotten, "no square", "sum += select(v, v * v, square);", "sum += v;")
        .at("reductions", "03_subgroup"),
    m("include/row_sums", Tail, "first value of the next row", "(i < vec4<u32>(end))", "(i <= vec4<u32>(end))")
        .at("reductions", "03_subgroup"),
    m("reductions/02_groups", OneLane, "fourth column of four", "= total.w;", "= total.z;"),
    m(
        "reductions/02_groups",
        Header,
        "columns that are no whole vec4s",
        "//@ kernel sum: quads if inner % 4 == 0",
        "//@ kernel sum: quads if inner % 2 == 0",
    ),
    m(
        "reductions/02_groups",
        Index,
        "place in a vec4",
        "x[place / 4u][place % 4u / PER_WORD]",
        "x[place / 4u][place % 2u / PER_WORD]",
    ),
    m(
        "reductions/03_subgroup",
        Header,
        "fits columns",
        "//@ fits: lanes > 0 and inner == 1 and reduce > 1",
        "//@ fits: lanes > 0 and reduce > 1",
    ),
];
