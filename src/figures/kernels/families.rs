//! Kernels by what they do, from the names of their shaders.

/// The family of a kernel called `name`: file, entry point and constants, as in `conv1d/05_fast.rows oc=8`. Kernels of no known
/// family stand alone.
pub fn family(name: &str) -> &str {
    let file = name.split(|c: char| c.is_whitespace() || c == '.').next().unwrap_or_default();
    let Some((folder, version)) = file.split_once('/') else { return earlier(file, name) };
    match folder {
        "conv1d" | "conv1d_input_grad" if version.contains("fast") => "fast convolution",
        "conv1d" | "conv1d_input_grad" => "direct convolution",
        "conv1d_weight_grad" => "weight gradient",
        "layouts" => "convolution layout",
        "batch_norm" => "batch normalisation",
        "elementwise" => "element-wise",
        "reductions" => "sums",
        "shaping" => "copies",
        "matmul" => "linear layers",
        "optimiser" => "Adam",
        other => other,
    }
}

/// The same of files that were measured when shaders had no folders.
fn earlier<'a>(shader: &'a str, name: &'a str) -> &'a str {
    let fast = name.split_whitespace().any(|word| word.eq_ignore_ascii_case("fast=1"));
    match shader {
        "conv1d" | "conv1d_tile" | "conv1d_wide" if fast => "fast convolution",
        "conv1d" | "conv1d_tile" | "conv1d_wide" => "direct convolution",
        "conv1d_fast_rows" => "fast transform",
        "conv1d_weight_grad" | "conv1d_weight_tile" | "conv1d_weight_wide" => "weight gradient",
        s if s.starts_with("conv1d_") => "convolution layout",
        s if s.starts_with("batch_norm") => "batch normalisation",
        s if s.starts_with("max_pool") => "max pooling",
        s if s.starts_with("cross_entropy") => "cross-entropy",
        "binary" | "unary" => "element-wise",
        "reduce" | "reduce_rows" => "sums",
        "strided" => "copies",
        "matmul" => "linear layers",
        "adam" => "Adam",
        "" => "unnamed",
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
        let found = [
            "conv1d_tile lanes=8 add=0 fast=1 half=0",
            "conv1d_tile lanes=8 add=0 fast=0",
            "conv1d_tile_weights TRANSPOSED=1 FAST=1",
            "conv1d_fast_rows SHIFT=2 half=0",
            "batch_norm_sums.slices",
            "reduce_rows OP=1",
            "gather BIG=1",
            "",
        ]
        .map(family);
        let expected = [
            "fast convolution",
            "direct convolution",
            "convolution layout",
            "fast transform",
            "batch normalisation",
            "sums",
            "gather",
            "unnamed",
        ];
        assert_eq!(found, expected);
        assert_eq!(found.map(is_convolution), [true, true, false, true, false, false, false, false]);
        let found = [
            "conv1d/05_fast.rows oc=8",
            "conv1d/04_subgroup_shuffle",
            "conv1d_weight_grad/02_tile.main lanes=8",
            "layouts/02_rows",
            "losses/01_naive.cross_entropy",
        ]
        .map(family);
        let expected = ["fast convolution", "direct convolution", "weight gradient", "convolution layout", "losses"];
        assert_eq!(found, expected);
        assert_eq!(found.map(is_convolution), [true, true, true, false, false]);
    }
}
