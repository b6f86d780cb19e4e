//! Tells the linker where flash and RAM are: the script of `cortex-m-rt` includes `memory.x`.

fn main() {
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-changed=memory.x");
}
