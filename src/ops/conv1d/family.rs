//! The families of the convolution, its gradients, and the layouts that they read: what the versions' files may ask for.

use crate::ops::family::{Family, Kernel};

/// Sizes of a branch.
macro_rules! sizes {
    ($($more:expr),* $(,)?) => {
        &[
            ("batch", 2), ("groups", 1), ("c_in", 3), ("in_g", 3), ("out_g", 4), ("len", 19), ("out_len", 19),
            ("channels", 4), ("first", 0), ("kernel", 5), ("stride", 1), ("dilation", 1), ("pad", 2),
            ("depth", 3), ("width", 4), ("taps", 5), ("half", 0), ("native", 0),
            $($more),*
        ]
    };
}

/// Sizes of a sum over rows, see `conv1d/04_subgroup_shuffle`.
macro_rules! sum_sizes {
    ($($more:expr),* $(,)?) => {
        sizes!(
            ("relu", 0), ("add", 0), ("transposed", 0), ("fast", 0),
            ("records", 2), ("pitch", 24), ("units", 128), ("places", 48), ("split", 1), ("folds", 1), ("every", 1),
            ("points", 1), ("point", 0), ("parts", 1),
            ("depth_0", 3), ("row_0", 0), ("offset_0", 0), ("w_0", 0), ("taps_0", 5), ("shift_0", 2),
            ("depth_1", 0), ("row_1", 0), ("offset_1", 0), ("w_1", 0), ("taps_1", 0), ("shift_1", 0),
            ("depth_2", 0), ("row_2", 0), ("offset_2", 0), ("w_2", 0), ("taps_2", 0), ("shift_2", 0),
            ("depth_3", 0), ("row_3", 0), ("offset_3", 0), ("w_3", 0), ("taps_3", 0), ("shift_3", 0),
            $($more),*
        )
    };
}

pub(super) const CONV1D: Kernel = Kernel {
    formula: "dst[b, first + o, t] = sum over c, k of w[o, c, k] src[b, g in_g + c, t stride + k dilation - pad]",
    operands: &[
        ("src", "[batch, groups in_g, len]"),
        ("w", "[groups out_g, in_g, kernel]"),
        ("bias", "[channels]"),
        ("dst", "[batch, channels, out_len]"),
    ],
    sizes: sum_sizes!(),
    layouts: &["src=rows", "src=points", "w=tiles"],
    ..Kernel::of("conv1d")
};

pub(super) const INPUT_GRAD: Kernel = Kernel {
    formula: "dst[b, g in_g + c, i] (+)= sum over o, k with i + pad - k dilation = t stride of w[o, c, k] src[b, first + o, t]",
    operands: &[
        ("src", "[batch, channels, out_len]"),
        ("w", "[groups out_g, in_g, kernel]"),
        ("bias", "not read; for texts of conv1d"),
        ("dst", "[batch, groups in_g, len]"),
    ],
    sizes: sum_sizes!(),
    layouts: &["src=rows", "src=points", "w=tiles"],
    ..Kernel::of("conv1d_input_grad")
};

pub(super) const WEIGHT_GRAD: Kernel = Kernel {
    formula: "dw[o, c, k] = sum over b, t of g[b, first + o, t] x[b, g in_g + c, t stride + k dilation - pad]",
    operands: &[
        ("x", "[batch, groups in_g, len]"),
        ("g", "[batch, channels, out_len]"),
        ("dw", "[groups out_g, in_g, kernel]"),
    ],
    sizes: sizes!(
        ("x_quads", 128),
        ("g_quads", 128),
        ("x_rows", 3),
        ("x_first", 0),
        ("x_point", 3),
        ("places", 48),
        ("lead", 4),
        ("window", 2),
        ("phases", 1),
        ("place", -2),
    ),
    layouts: &["x=rows", "g=rows", "x=points", "g=points"],
    ..Kernel::of("conv1d_weight_grad")
};

pub(super) const ROWS: Kernel = Kernel {
    name: "rows",
    formula: "y[c, r, lead + (b folds + f) pitch + m] = x[b, c, step m + (r + f) every], 0 outside [0, len)",
    operands: &[("x", "[records / folds, channels, len]"), ("y", "[channels, phases, 4 quads]")],
    sizes: &[
        ("records", 2),
        ("channels", 3),
        ("len", 19),
        ("step", 1),
        ("every", 1),
        ("phases", 1),
        ("folds", 1),
        ("quads", 128),
        ("pitch", 6),
        ("lead", 1),
        ("half", 0),
    ],
    ..Kernel::of("layouts")
};

pub(super) const POINTS: Kernel = Kernel {
    name: "points",
    formula: "v[t, first + u, m] = sum over j < 11 of B[t, j] src[u, 6 m + shift + j]",
    operands: &[("src", "[rows, 4 from_quads]"), ("v", "[11, point, 4 quads]")],
    sizes: &[("rows", 3), ("from_quads", 128), ("quads", 64), ("shift", 2), ("first", 0), ("point", 3), ("half", 0)],
    ..Kernel::of("layouts")
};

pub(super) const GRADS: Kernel = Kernel {
    name: "grads",
    formula: "h[t, u, lead + m] = sum over e < 6 of A[e, t] src[u, 6 (start + m) + e]",
    operands: &[("src", "[rows, 4 from_quads]"), ("h", "[11, rows, 4 quads]")],
    sizes: &[("rows", 3), ("from_quads", 128), ("quads", 64), ("start", 4), ("lead", 8), ("half", 0)],
    ..Kernel::of("layouts")
};

pub(super) const WEIGHTS: Kernel = Kernel {
    name: "weights",
    formula: "laid[t, block, trip, d, j, i] = sum over e < 6 of G[t, e] tap(6 j + e), or without `fast` tap(j)",
    operands: &[("w", "[c_out, c_in, kernel]"), ("laid", "[points, blocks, trips, row], from base on")],
    sizes: &[
        ("base", 0),
        ("row", 32),
        ("depth", 3),
        ("blocks", 1),
        ("trips", 3),
        ("du", 1),
        ("oc", 4),
        ("taps", 5),
        ("stride", 1),
        ("phases", 1),
        ("pad", 2),
        ("first", -2),
        ("c_out", 4),
        ("c_in", 3),
        ("kernel", 5),
        ("point", 96),
        ("transposed", 0),
        ("fast", 0),
        ("half", 0),
    ],
    ..Kernel::of("layouts")
};

/// The convolution.
pub(in crate::ops) const CONV1D_FAMILY: Family =
    Family { name: "conv1d", kernels: &[&CONV1D], operations: &["conv1d", "branches", "branches_relu"] };
/// Its gradient with respect to the input.
pub(in crate::ops) const INPUT_GRAD_FAMILY: Family =
    Family { name: "conv1d_input_grad", kernels: &[&INPUT_GRAD], operations: &["conv1d_input_grad", "branches"] };
/// Its gradient with respect to a weight.
pub(in crate::ops) const WEIGHT_GRAD_FAMILY: Family =
    Family { name: "conv1d_weight_grad", kernels: &[&WEIGHT_GRAD], operations: &["conv1d_weight_grad", "branches"] };
/// What they read.
pub(in crate::ops) const LAYOUTS_FAMILY: Family = Family {
    name: "layouts",
    kernels: &[&ROWS, &POINTS, &GRADS, &WEIGHTS],
    operations: &["layouts", "conv1d", "conv1d_input_grad", "conv1d_weight_grad", "branches"],
};
