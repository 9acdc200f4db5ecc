//! Texts that tests compare with. `EXGNET_GOLDENS=write` rewrites them.

use std::path::Path;

/// Whether a variable asks to write what a test otherwise compares.
pub fn asked(name: &str) -> bool {
    std::env::var(name).is_ok_and(|v| v == "write")
}

/// Compares `found` with the file `name` below `tests/goldens`, line by line.
pub fn same_as_golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name);
    if asked("EXGNET_GOLDENS") {
        std::fs::write(&path, found).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    for (i, (is, was)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(is, was, "line {} of {name}; EXGNET_GOLDENS=write rewrites it", i + 1);
    }
    assert_eq!(found, expected, "{name}");
}
