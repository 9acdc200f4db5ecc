//! Kernels by what they do, from the names of their shaders.

/// The family of a kernel called `name`: file, entry point and constants, as in `conv1d/05_fast.rows oc=8`; in earlier files,
/// when shaders had no folders, `conv1d_tile lanes=8 fast=1`. Kernels of no known family stand alone.
pub fn family(name: &str) -> &str {
    let file = name.split(|c: char| c.is_whitespace() || c == '.').next().unwrap_or_default();
    let fast = file.contains("fast") || name.split_whitespace().any(|word| word.eq_ignore_ascii_case("fast=1"));
    match file.split_once('/').map_or(file, |(folder, _)| folder) {
        "conv1d" | "conv1d_input_grad" | "conv1d_tile" | "conv1d_wide" if fast => "fast convolution",
        "conv1d" | "conv1d_input_grad" | "conv1d_tile" | "conv1d_wide" => "direct convolution",
        "conv1d_weight_grad" | "conv1d_weight_tile" | "conv1d_weight_wide" => "weight gradient",
        "conv1d_fast_rows" => "fast transform",
        "elementwise" | "binary" | "unary" => "element-wise",
        "reductions" | "reduce" | "reduce_rows" => "sums",
        "shaping" | "strided" => "copies",
        "matmul" => "linear layers",
        "optimiser" | "adam" => "Adam",
        "" => "unnamed",
        s if s == "layouts" || s.starts_with("conv1d_") => "convolution layout",
        s if s.starts_with("batch_norm") => "batch normalisation",
        s if s.starts_with("max_pool") => "max pooling",
        s if s.starts_with("cross_entropy") => "cross-entropy",
        other => other,
    }
}

/// Whether a family does the arithmetic of convolutions, the transform of fast ones with it, their operands laid out: what
/// the suite counts as inside of convolutions.
pub fn is_convolution(family: &str) -> bool {
    ["direct convolution", "fast convolution", "fast transform", "weight gradient"].contains(&family)
}

#[cfg(test)]
mod tests {
    use super::{family, is_convolution};

    #[test]
    fn kernels_have_families() {
        for (name, expected, convolution) in [
            ("conv1d_tile lanes=8 add=0 fast=1 half=0", "fast convolution", true),
            ("conv1d_tile lanes=8 add=0 fast=0", "direct convolution", true),
            ("conv1d_tile_weights TRANSPOSED=1 FAST=1", "convolution layout", false),
            ("conv1d_fast_rows SHIFT=2 half=0", "fast transform", true),
            ("batch_norm_sums.slices", "batch normalisation", false),
            ("reduce_rows OP=1", "sums", false),
            ("gather BIG=1", "gather", false),
            ("", "unnamed", false),
            ("conv1d/05_fast.rows oc=8", "fast convolution", true),
            ("conv1d/04_subgroup_shuffle", "direct convolution", true),
            ("conv1d_weight_grad/02_tile.main lanes=8", "weight gradient", true),
            ("layouts/02_rows", "convolution layout", false),
            ("losses/01_naive.cross_entropy", "losses", false),
        ] {
            assert_eq!((family(name), is_convolution(expected)), (expected, convolution), "{name}");
        }
    }
}
