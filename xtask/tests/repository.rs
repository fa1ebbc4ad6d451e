//! The repository itself passes its own checks.

#[test]
fn crates_use_lower_layers_only() {
    let problems = xtask::layers::check(&xtask::root()).unwrap();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn files_are_tidy() {
    let findings = xtask::tidy::check(&xtask::root()).unwrap();
    let problems: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}
