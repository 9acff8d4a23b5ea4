//! Exports the C plugin interface from the program: tells the linker the list of symbols.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Given by the build script of tollgate-ts.
    println!("cargo:rerun-if-env-changed=DEP_TOLLGATE_TS_DYNAMIC_LIST");
    if let Ok(list) = std::env::var("DEP_TOLLGATE_TS_DYNAMIC_LIST") {
        println!("cargo:rustc-link-arg-bins=-Wl,--dynamic-list={list}");
    }
}
