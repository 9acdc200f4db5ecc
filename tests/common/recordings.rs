//! Where the tests find real recordings.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::Write;
use std::path::PathBuf;

/// The folder of the databases: what `EXGNET_DATA` names, else a folder beside the repository.
pub fn data_root() -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).canonicalize().ok();
    exgnet::ecg::data_root().or_else(beside)
}

/// A folder of real recordings, or `None` after saying so.
pub fn recordings(name: &str) -> Option<PathBuf> {
    let folder = data_root().map(|root| root.join(name)).filter(|p| p.is_dir());
    if folder.is_none() {
        let required = std::env::var("EXGNET_REQUIRE_DATA").is_ok_and(|v| v == "1");
        assert!(!required, "recordings `{name}` are missing: set EXGNET_DATA to the folder that holds them");
        // written past the test harness, which keeps the output of passing tests to itself
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: no recordings `{name}` (set EXGNET_DATA to the folder that holds them)"
        );
    }
    folder
}
