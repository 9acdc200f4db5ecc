//! The mutants: a file below `shaders/`, what is changed in it, and where it shows.

/// A change of one file.
pub struct Mutant {
    /// The file, without `.wgsl`.
    pub file: &'static str,
    pub kind: Kind,
    /// What is wrong then.
    pub what: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    /// All occurrences; else there must be one.
    pub all: bool,
    /// Family and version that run it; none: those of the file.
    pub at: Option<(&'static str, &'static str)>,
    /// Why it computes the same for every input, where it does.
    pub equivalent: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Sign,
    Bound,
    Index,
    Barrier,
    OnePercent,
    SomeRecords,
    OneLane,
    Tail,
    Span,
    Constant,
    Forgotten,
    Padding,
    Header,
}

impl Kind {
    pub const ALL: &[Self] = &[
        Sign,
        Bound,
        Index,
        Barrier,
        OnePercent,
        SomeRecords,
        OneLane,
        Tail,
        Span,
        Constant,
        Forgotten,
        Padding,
        Header,
    ];
}

use Kind::*;

const fn m(file: &'static str, kind: Kind, what: &'static str, from: &'static str, to: &'static str) -> Mutant {
    Mutant { file, kind, what, from, to, all: false, at: None, equivalent: None }
}

impl Mutant {
    const fn at(self, family: &'static str, version: &'static str) -> Self {
        Self { at: Some((family, version)), ..self }
    }

    const fn all(self) -> Self {
        Self { all: true, ..self }
    }

    const fn equivalent(self, why: &'static str) -> Self {
        Self { equivalent: Some(why), ..self }
    }
}

pub const MUTANTS: &[Mutant] = &[
    // conv1d/01_naive
    m(
        "conv1d/01_naive",
        Index,
        "channels of the first group alone",
        "id / p.out_len % (p.groups * p.out_g)",
        "id / p.out_len % p.out_g",
    ),
    m("conv1d/01_naive", Padding, "one sample behind the row", "i - p.pad < p.len", "i - p.pad <= p.len"),
    m("conv1d/01_naive", Forgotten, "no bias", "max(sum + bias[p.first + o], 0.0)", "max(sum, 0.0)"),
    m(
        "conv1d/01_naive",
        SomeRecords,
        "1 % from the fourth record on",
        "* p.out_len + t] = sum;",
        "* p.out_len + t] = sum * select(1.0, 1.01, b > 2u);",
    ),
    // conv1d/02_positions
    m(
        "conv1d/02_positions",
        Index,
        "the last position steps by one",
        "at(row, i + 3 * stride)",
        "at(row, i + 2 * stride + 1)",
    ),
    m("conv1d/02_positions", Tail, "three of four are written", "min(4u, p.out_len - t)", "min(3u, p.out_len - t)"),
    m("conv1d/02_positions", Forgotten, "no dilation", "i += i32(p.dilation);", "i += 1;"),
    m(
        "conv1d/02_positions",
        Header,
        "positions past a multiple of four",
        "//@ let quads: ceil(out_len, 4)",
        "//@ let quads: max(1, out_len // 4)",
    ),
    m(
        "conv1d/02_positions",
        Sign,
        "no ReLU below zero: the wrong way",
        "max(sum + bias[p.first + o], vec4<f32>())",
        "max(sum - bias[p.first + o], vec4<f32>())",
    ),
    // conv1d/03_register_tile, which is conv1d_input_grad/02_register_tile too
    m("conv1d/03_register_tile", Bound, "third channel of a last block of three", "if left > 2u {", "if left > 3u {"),
    m(
        "conv1d/03_register_tile",
        Bound,
        "a phase that no tap hits",
        "positive % i32(p.stride) == 0",
        "positive % i32(p.stride) <= 1",
    )
    .at("conv1d_input_grad", "02_register_tile"),
    m(
        "conv1d/03_register_tile",
        Forgotten,
        "does not add",
        "else if add { dst[i] += v; }",
        "else if add { dst[i] = v; }",
    )
    .at("conv1d_input_grad", "02_register_tile"),
    m(
        "conv1d/03_register_tile",
        OneLane,
        "last position, fourth tap",
        "a15 += v0 * x15 + v1 * x16 + v2 * x17 + v3 * x18;",
        "a15 += v0 * x15 + v1 * x16 + v2 * x17 + v3 * x17;",
    ),
    m(
        "conv1d/03_register_tile",
        OnePercent,
        "every sum",
        "let v = select(vec4<f32>(), sum, hit);",
        "let v = select(vec4<f32>(), sum * 1.01, hit);",
    ),
    m(
        "conv1d/03_register_tile",
        Index,
        "taps in reverse, one too far",
        "select(j, p.taps - 1u - j, TRANSPOSED)",
        "select(j, p.taps - j, TRANSPOSED)",
    )
    .at("conv1d_input_grad", "02_register_tile"),
    m(
        "conv1d/03_register_tile",
        Header,
        "one tap of three left over",
        "//@ let REST: taps % 4",
        "//@ let REST: min(taps % 4, 2)",
    ),
    m(
        "conv1d/03_register_tile",
        Header,
        "positions behind the last full tile",
        "//@ let tiles: ceil(dst_len, 16 * gap) * gap",
        "//@ let tiles: max(1, dst_len // (16 * gap)) * gap",
    ),
    m(
        "conv1d/03_register_tile",
        Padding,
        "no bound behind the row",
        "return select(0.0, src[row + min(u32(i), p.src_len - 1u)], u32(i) < p.src_len);",
        "return select(0.0, src[row + min(u32(i), p.src_len - 1u)], i >= 0);",
    ),
    m("conv1d/03_register_tile", Index, "the window moves by three", "s += 4 * step;", "s += 3 * step;"),
    // conv1d/04_subgroup_shuffle, which the fast one and the input's gradient include
    m(
        "conv1d/04_subgroup_shuffle",
        Tail,
        "last position of a row",
        "if t + 3u * step < p.len {",
        "if t + 3u * step + 1u < p.len {",
    ),
    m(
        "conv1d/04_subgroup_shuffle",
        Index,
        "tail of the neighbour after the next",
        "let next = (lane + 1u) %",
        "let next = (lane + 2u) %",
    ),
    m(
        "conv1d/04_subgroup_shuffle",
        OneLane,
        "further vec4s of the last lane's tail",
        "// (4 * lanes) }}.{{ xyzw[f % 4] }}, {{ f % (4 * lanes) // 4 }}u), last);",
        "// (4 * lanes) }}.{{ xyzw[f % 4] }}, 0u), last);",
    ),
    m(
        "conv1d/04_subgroup_shuffle",
        Index,
        "a second load of weights is passed over",
        "wi += {{ loads * lanes }}u;",
        "wi += {{ lanes }}u;",
    ),
    m(
        "conv1d/04_subgroup_shuffle",
        Constant,
        "1 % of a power at -2",
        "vec4<f32>(1.0, -2.0, 4.0, -8.0)",
        "vec4<f32>(1.0, -2.0, 4.0, -8.08)",
    )
    .at("conv1d", "05_fast"),
    m(
        "conv1d/04_subgroup_shuffle",
        Constant,
        "a power at 1/2",
        "vec4<f32>(1.0, 0.5, 0.25, 0.125)",
        "vec4<f32>(1.0, 0.5, 0.25, 0.25)",
    )
    .at("conv1d_input_grad", "04_fast"),
    m(
        "conv1d/04_subgroup_shuffle",
        SomeRecords,
        "steps to the next record one vec4 late",
        "if t >= p.pitch { t = 0u; b++; }",
        "if t > p.pitch { t = 0u; b++; }",
    ),
    m(
        "conv1d/04_subgroup_shuffle",
        Index,
        "folds as records",
        "let row = b / p.folds * p.channels",
        "let row = b * p.channels",
    ),
    m(
        "conv1d/04_subgroup_shuffle",
        Index,
        "window of the first part for all",
        "+ p.offset_{{ i }} + tile",
        "+ p.offset_0 + tile",
    )
    .at("conv1d_input_grad", "03_subgroup_shuffle"),
    m(
        "conv1d/04_subgroup_shuffle",
        OneLane,
        "1 % in the last lane",
        "sums[{{ o * p + q }}] = a{{ o }}_{{ q }};",
        "sums[{{ o * p + q }}] = a{{ o }}_{{ q }} * select(1.0, 1.01, last);",
    ),
    m(
        "conv1d/04_subgroup_shuffle",
        Header,
        "the last tile",
        "//@ let tiles: ceil(places, lanes * p)",
        "//@ let tiles: max(1, places // (lanes * p))",
    ),
    m(
        "conv1d/04_subgroup_shuffle",
        Header,
        "one group too few",
        "//@ groups: blocks * tiles",
        "//@ groups: max(1, blocks * tiles - 1)",
    ),
    m("conv1d/04_subgroup_shuffle", Forgotten, "no bias", "max(s + shift, vec4<f32>())", "max(s, vec4<f32>())"),
    m(
        "conv1d/04_subgroup_shuffle",
        Forgotten,
        "fourth of four does not add",
        "dst[row + t + 3u * step] {{ \"+=\" if add else \"=\" }} s.w;",
        "dst[row + t + 3u * step] = s.w;",
    )
    .at("conv1d_input_grad", "03_subgroup_shuffle"),
    m(
        "conv1d/04_subgroup_shuffle",
        Index,
        "second row of those taken at once",
        "let x{{ d }}_{{ j }} = v{{ d }}_{{ j // 4 }}.{{ xyzw[j % 4] }};",
        "let x{{ d }}_{{ j }} = v0_{{ j // 4 }}.{{ xyzw[j % 4] }};",
    ),
    m(
        "conv1d/05_fast",
        Header,
        "one group too few",
        "//@ groups: blocks * tiles",
        "//@ groups: max(1, blocks * tiles - 1)",
    ),
    m(
        "conv1d/05_fast",
        Header,
        "the last tile",
        "//@ let tiles: ceil(places, lanes * p)",
        "//@ let tiles: max(1, places // (lanes * p))",
    ),
    m(
        "conv1d/05_fast",
        Header,
        "rows instead of points",
        "//@ layout: src=points w=tiles",
        "//@ layout: src=rows w=tiles",
    )
    .equivalent("rows ask for the direct sum: the text is that of 04_subgroup_shuffle then"),
    // conv1d/06_workgroup_tiles
    m(
        "conv1d/06_workgroup_tiles",
        Barrier,
        "before the staged window is read",
        "        workgroupBarrier();\n        for (var d",
        "        for (var d",
    ),
    m(
        "conv1d/06_workgroup_tiles",
        Barrier,
        "before it is staged again",
        "        workgroupBarrier();\n    }\n    {%- endfor %}",
        "    }\n    {%- endfor %}",
    ),
    m("conv1d/06_workgroup_tiles", Index, "second position of a thread", "sample(at + 64u)", "sample(at + 63u)"),
    m(
        "conv1d/06_workgroup_tiles",
        Bound,
        "last channel",
        "if v < p.width && to < p.len {",
        "if v + 1u < p.width && to < p.len {",
    ),
    m(
        "conv1d/06_workgroup_tiles",
        Forgotten,
        "sums of the last row alone in f16",
        "a{{ o }} += vec2<f32>(h{{ o }});",
        "a{{ o }} = vec2<f32>(h{{ o }});",
    ),
    m(
        "conv1d/06_workgroup_tiles",
        SomeRecords,
        "1 % in the ninth record",
        "let s = a{{ o }}[half];",
        "let s = a{{ o }}[half] * select(1.0, 1.01, b == 8u);",
    ),
    m(
        "conv1d/06_workgroup_tiles",
        Tail,
        "end of the last staged window",
        "f < {{ du * quads }}u; f += 64u",
        "f < {{ (du - 1) * quads + 32 }}u; f += 64u",
    ),
    m("conv1d/06_workgroup_tiles", Header, "rows that are taken at once", "//@ let load: 4", "//@ let load: 8"),
    // conv1d_input_grad
    m(
        "conv1d_input_grad/01_naive",
        Bound,
        "positions that the stride steps over",
        "&& at % p.stride == 0u && at",
        "&& at",
    ),
    m("conv1d_input_grad/01_naive", Forgotten, "does not add", "    if add { sum += dst[id]; }\n", ""),
    m(
        "conv1d_input_grad/01_naive",
        Index,
        "channels of the first branch",
        "(b * p.channels + p.first + o) * p.out_len",
        "(b * p.channels + o) * p.out_len",
    ),
    m("conv1d_input_grad/01_naive", Bound, "last tap", "k < p.kernel; k++", "k < max(p.kernel, 2u) - 1u; k++"),
    m(
        "conv1d_input_grad/02_register_tile",
        Header,
        "channels of the first branch",
        "//@ let src_first: first",
        "//@ let src_first: 0",
    ),
    m(
        "conv1d_input_grad/02_register_tile",
        Header,
        "places between a thread's positions",
        "//@ let gap: m * dilation if TRANSPOSED else q",
        "//@ let gap: m",
    ),
    m(
        "conv1d_input_grad/02_register_tile",
        Header,
        "a phase of taps too few",
        "//@ let phases: min(m, kernel)",
        "//@ let phases: max(1, min(m, kernel) - 1)",
    ),
    m(
        "conv1d_input_grad/03_subgroup_shuffle",
        Header,
        "channels past a whole block",
        "//@ let blocks: ceil(width, oc)",
        "//@ let blocks: max(1, (width - 1) // oc)",
    ),
    m(
        "conv1d_input_grad/03_subgroup_shuffle",
        Header,
        "one group too few",
        "//@ groups: blocks * tiles",
        "//@ groups: max(1, blocks * tiles - 1)",
    ),
    m(
        "conv1d_input_grad/04_fast",
        Header,
        "weights laid out for another load",
        "//@ let load: 4 * lanes",
        "//@ let load: 4",
    ),
    m(
        "conv1d_input_grad/05_workgroup_tiles",
        Header,
        "weights laid out for another load",
        "//@ let load: 4",
        "//@ let load: 8",
    ),
    m(
        "conv1d/06_workgroup_tiles",
        Forgotten,
        "does not add",
        "* p.len + to] {{ \"+=\" if add else \"=\" }}",
        "* p.len + to] =",
    )
    .at("conv1d_input_grad", "05_workgroup_tiles"),
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
        "unpacked({{ b }}[br{{ u }} + at + {{ i * lanes }}u])",
        "unpacked({{ b }}[br{{ u }} + at + {{ i * lanes - i }}u])",
    ),
    m("conv1d_weight_grad/03_subgroup_rows", Index, "first row of those that lanes hold", "{{ u1 - u }}u);", "0u);"),
    m("include/weight_tap", Sign, "taps in reverse, one too far", "{{ taps - 1 }} - i32(j)", "{{ taps }} - i32(j)")
        .at("conv1d_weight_grad", "03_subgroup_rows"),
    m("include/weight_tap", Bound, "first tap", "k >= 0 && k < i32(p.kernel)", "k > 0 && k < i32(p.kernel)")
        .at("conv1d_weight_grad", "03_subgroup_rows"),
    m(
        "conv1d_weight_grad/03_subgroup_rows",
        OneLane,
        "1 % in the sixth lane",
        "+ lane, rb + u, j, sums[f]);",
        "+ lane, rb + u, j, sums[f] * select(1.0, 1.01, lane == 5u));",
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
    m("include/weight_points", Index, "pieces not turned round", "{{ taps - 1 }}u - i;", "i;")
        .at("conv1d_weight_grad", "05_fast"),
    m("include/weight_points", Constant, "weights at 1/2, 1 % of one", "32.0, 16.0, 8.0, 4.0", "32.0, 16.0, 8.08, 4.0")
        .at("conv1d_weight_grad", "05_fast"),
    m("include/weight_points", Forgotten, "place in a piece", "G[t][tap % 4u]", "G[t][0]")
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
    // f16
    m("include/quad", Index, "second pair of four", "unpack2x16float(q.y)", "unpack2x16float(q.x)")
        .at("conv1d", "04_subgroup_shuffle"),
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
