//! What the versions of the batch normalisation's kernels may ask for.

use crate::ops::family::{Family, Kernel};

macro_rules! sizes {
    ($summing:expr $(, $more:expr)*) => {
        &[("batch", 2), ("channels", 3), ("len", 19), ("summing", $summing) $(, $more)*]
    };
}

pub(super) const STATS: Kernel = Kernel {
    name: "stats",
    formula: "moments[0..5, c] = mean, 1 / sqrt(var + eps), unbiased variance, w[c] / sqrt(var + eps), bias[c], of x over batch and time",
    operands: &[
        ("x", "[batch, channels, len]"),
        ("w", "[channels]"),
        ("bias", "[channels]"),
        ("moments", "[5, channels]"),
    ],
    sizes: sizes!(1),
    floats: &[("eps", 1e-5)],
    ..Kernel::of("batch_norm")
};

pub(super) const STATS_FIXED: Kernel = Kernel {
    name: "stats_fixed",
    formula: "moments as of stats, with the running estimates in the place of the batch's",
    operands: &[
        ("mean", "[channels]"),
        ("variance", "[channels]"),
        ("w", "[channels]"),
        ("bias", "[channels]"),
        ("moments", "[5, channels]"),
    ],
    sizes: sizes!(0),
    floats: &[("eps", 1e-5)],
    ..Kernel::of("batch_norm")
};

pub(super) const APPLY: Kernel = Kernel {
    name: "apply",
    formula: "y = f((x - mean[c]) gain[c] + shift[c] + z), z = 0, x2, or x2 normalised (second), f max(0, .) (relu), dropout (drop)",
    operands: &[
        ("x", "[batch, channels, len]"),
        ("norm", "[5, channels]: moments"),
        ("x2", "[batch, channels, len]"),
        ("norm2", "[5, channels]: moments"),
        ("state", "[3]: seed low word, seed high word, step"),
        ("y", "[batch, channels, len]"),
    ],
    sizes: sizes!(0, ("second", 2), ("relu", 1), ("drop", 1), ("site", 1), ("threshold", 1 << 14)),
    floats: &[("scale", 4.0 / 3.0)],
    ..Kernel::of("batch_norm")
};

pub(super) const BACK_SUMS: Kernel = Kernel {
    name: "back_sums",
    formula: "table[0..10, c]: sums of g', g' xhat, g' xhat2; sum of g' / N; gain, mean, slope; gain2, mean2, slope2",
    operands: &[
        ("g", "[batch, channels, len]"),
        ("out", "[batch, channels, len]: y of apply"),
        ("x", "[batch, channels, len]"),
        ("norm", "[5, channels]: moments"),
        ("x2", "[batch, channels, len]"),
        ("norm2", "[5, channels]: moments"),
        ("table", "[10, pitch]"),
    ],
    sizes: sizes!(1, ("second", 2), ("relu", 1), ("pitch", 64)),
    floats: &[("scale", 4.0 / 3.0)],
    ..Kernel::of("batch_norm")
};

pub(super) const BACK: Kernel = Kernel {
    name: "back",
    formula: "dx = gain[c] (g' - (sum of g' / N)[c] - (x - mean[c]) slope[c]), dx2 = g' or as dx of x2 (second)",
    operands: &[
        ("g", "[batch, channels, len]"),
        ("out", "[batch, channels, len]: y of apply"),
        ("x", "[batch, channels, len]"),
        ("x2", "[batch, channels, len]"),
        ("coefficients", "[10, pitch]: table of back_sums"),
        ("dx", "[batch, channels, len]"),
        ("dx2", "[batch, channels, len]"),
    ],
    sizes: sizes!(0, ("second", 2), ("relu", 1), ("pitch", 64)),
    floats: &[("scale", 4.0 / 3.0)],
    ..Kernel::of("batch_norm")
};

pub(super) const SUMS: Kernel = Kernel {
    name: "sums",
    formula: "totals[0..2, c] = sum of g, sum of g xhat, xhat = (x - mean[c]) rstd[c]",
    operands: &[
        ("g", "[batch, channels, len]"),
        ("x", "[batch, channels, len]"),
        ("norm", "[5, channels]: moments"),
        ("totals", "[2, channels]"),
    ],
    sizes: sizes!(1),
    ..Kernel::of("batch_norm")
};

pub(super) const GRAD: Kernel = Kernel {
    name: "grad",
    formula: "dx = w[c] rstd[c] (g - g_sums[0, c] / N - xhat g_sums[1, c] / N)",
    operands: &[
        ("g", "[batch, channels, len]"),
        ("x", "[batch, channels, len]"),
        ("norm", "[5, channels]: moments"),
        ("w", "[channels]"),
        ("g_sums", "[2, channels]: totals of sums"),
        ("dx", "[batch, channels, len]"),
    ],
    sizes: sizes!(0),
    ..Kernel::of("batch_norm")
};

pub(super) const RUNNING: Kernel = Kernel {
    name: "running",
    formula: "running_mean[c] += momentum (mean[c] - running_mean[c]), and the unbiased variance",
    operands: &[("norm", "[5, channels]: moments"), ("running_mean", "[channels]"), ("running_variance", "[channels]")],
    sizes: sizes!(0),
    floats: &[("momentum", 0.1)],
    ..Kernel::of("batch_norm")
};

pub(in crate::ops) const FAMILY: Family = Family {
    name: "batch_norm",
    kernels: &[&STATS, &STATS_FIXED, &APPLY, &BACK_SUMS, &BACK, &SUMS, &GRAD, &RUNNING],
    operations: &["batch_norm"],
};
