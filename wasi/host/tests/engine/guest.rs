//! The component under test: built by cargo as a user would build it, once for each test binary.
//!
//! The suite of the workspace includes this file too; keep it free of everything else.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// The component's file, which is as new as its source.
pub(crate) static FILE: LazyLock<PathBuf> = LazyLock::new(build);

fn build() -> PathBuf {
    // A directory of its own: a cargo that runs these tests may hold the lock of the outer one.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("wasm");
    let built = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--release", "--package", "gocache-component"])
        .args(["--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target)
        // What the outer build is instrumented with (coverage, sanitizers) is not for the guest.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo runs: it runs this test");
    assert!(
        built.status.success(),
        "the component cannot be built; if its target is missing: `rustup target add wasm32-wasip2`\n{}",
        String::from_utf8_lossy(&built.stderr),
    );
    target.join("wasm32-wasip2/release/gocache_component.wasm")
}
