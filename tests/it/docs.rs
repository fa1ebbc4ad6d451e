//! The generated pages of the documentation are those that the program prints now.

use crate::support::sandbox;

#[test]
fn generated_pages_are_up_to_date() {
    let sandbox = sandbox();
    for (page, file) in [("cli", "docs/cli.md"), ("env", "docs/env.md")] {
        let printed = sandbox.run(&["__docs", page]);
        printed.expect_code(0);
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(printed.stdout == committed, "{file} is out of date: run `cargo xtask docs`");
    }
}
