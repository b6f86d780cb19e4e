//! Tells the linker which world the component has.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=wit");
    let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo:rustc-cdylib-link-arg=--component-type={folder}/wit/node.wit");
        // The core keeps nothing large on the stack, which by default takes a MiB of every instance.
        println!("cargo:rustc-cdylib-link-arg=-zstack-size={}", 64 << 10);
    }
}
