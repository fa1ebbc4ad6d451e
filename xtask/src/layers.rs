//! Which crate may use which: a crate uses lower layers only, and crates of one layer never meet.
//!
//! The table here is the one of `ARCHITECTURE_STATUS.md`. A new crate, or a new arrow between crates,
//! is a change of design: it starts with a row here.

use std::path::Path;

use anyhow::Context as _;
use cargo_metadata::{DependencyKind, MetadataCommand};

/// Every product crate and its layer.
const LAYERS: &[(&str, u8)] = &[
    ("sage-core", 0),
    ("sage-graph", 1),
    ("sage-log", 1),
    ("sage-model", 1),
    ("sage-tool", 1),
    ("sage-engine", 2),
    ("sage-agent", 2),
    ("sage-coder", 3),
    ("sage", 4),
];

/// Crates for development, and the only crates of ours that each may use. Product crates may have
/// `sage-testkit` as a dev-dependency and nothing else of these.
const DEV_CRATES: &[(&str, &[&str])] =
    &[(TESTKIT, &["sage-core"]), ("xtask", &["sage-core", TESTKIT])];
const TESTKIT: &str = "sage-testkit";

/// Dependencies that one crate owns; others use that crate.
const OWNERS: &[(&str, &str)] = &[
    ("petgraph", "sage-graph"),
    ("reqwest", "sage-model"),
    ("rustls", "sage-model"),
    ("process-wrap", "sage-tool"),
    ("clap", "sage"),
    ("clap_complete", "sage"),
];

/// Crates that know no async runtime.
const WITHOUT_RUNTIME: &[&str] = &["sage-core", "sage-graph"];
const RUNTIMES: &[&str] = &["tokio", "tokio-util", "futures-util"];

/// One crate of the workspace, as far as the rules look at it.
#[derive(Debug, Clone, Default)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// What it is built with: normal and build dependencies.
    pub dependencies: Vec<String>,
    /// What its tests are built with besides.
    pub dev_dependencies: Vec<String>,
}

/// Reads the workspace at `root` and lists what breaks the rules.
pub fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("reading the workspace's manifests")?;
    let crates: Vec<Crate> = metadata
        .workspace_packages()
        .into_iter()
        .map(|package| {
            let names = |is_dev: bool| {
                let of_kind = package
                    .dependencies
                    .iter()
                    .filter(move |it| (it.kind == DependencyKind::Development) == is_dev);
                of_kind.map(|it| it.name.clone()).collect()
            };
            Crate {
                name: package.name.to_string(),
                dependencies: names(false),
                dev_dependencies: names(true),
            }
        })
        .collect();
    Ok(problems(&crates))
}

/// Lists what breaks the rules.
#[must_use]
pub fn problems(crates: &[Crate]) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, _) in LAYERS {
        if !crates.iter().any(|it| it.name == *name) {
            problems.push(format!("{name} is in the table of layers and not in the workspace"));
        }
    }
    for it in crates {
        match (layer(&it.name), allowed_to_dev_crate(&it.name)) {
            (Some(own), _) => product_crate(it, own, &mut problems),
            (None, Some(allowed)) => {
                let used = it.dependencies.iter().chain(&it.dev_dependencies);
                for name in used.filter(|name| is_ours(name) && !allowed.contains(&name.as_str())) {
                    problems.push(format!("{} must not use {name}", it.name));
                }
            }
            (None, None) => problems.push(format!("{} is in no layer", it.name)),
        }
    }
    problems
}

fn product_crate(it: &Crate, own: u8, problems: &mut Vec<String>) {
    let name = &it.name;
    let dev = it.dev_dependencies.iter().filter(|used| *used != TESTKIT);
    for used in it.dependencies.iter().chain(dev) {
        match layer(used) {
            Some(other) if other >= own => {
                problems.push(format!("{name} (layer {own}) must not use {used} (layer {other})"));
            }
            None if allowed_to_dev_crate(used).is_some() => {
                problems.push(format!("{name} must not be built with {used}"));
            }
            _ => {}
        }
    }
    for used in &it.dependencies {
        let owner = OWNERS.iter().find(|(dependency, _)| dependency == used);
        if let Some((_, owner)) = owner.filter(|(_, owner)| owner != name) {
            problems.push(format!("{name} must not use {used} directly: {owner} owns it"));
        }
        if WITHOUT_RUNTIME.contains(&name.as_str()) && RUNTIMES.contains(&used.as_str()) {
            problems.push(format!("{name} must not know an async runtime, and uses {used}"));
        }
    }
}

fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}

fn allowed_to_dev_crate(name: &str) -> Option<&'static [&'static str]> {
    DEV_CRATES.iter().find(|(known, _)| *known == name).map(|(_, allowed)| *allowed)
}

fn is_ours(name: &str) -> bool {
    layer(name).is_some() || allowed_to_dev_crate(name).is_some()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn it(name: &str, dependencies: &str, dev_dependencies: &str) -> Crate {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Crate {
            name: name.to_owned(),
            dependencies: words(dependencies),
            dev_dependencies: words(dev_dependencies),
        }
    }

    #[test]
    fn every_arrow_that_does_not_lead_down_is_reported() {
        let mut crates: Vec<Crate> = LAYERS.iter().map(|(name, _)| it(name, "", "")).collect();
        assert_eq!(problems(&crates), Vec::<String>::new());
        crates.retain(|it| it.name != "sage-log");
        crates.push(it("sage-core", "tokio serde", ""));
        crates.push(it("sage-graph", "sage-core petgraph sage-model", "sage-testkit sage-tool"));
        crates.push(it("sage-agent", "sage-core sage-tool reqwest sage-testkit", "xtask"));
        crates.push(it("sage-testkit", "sage-core sage-log", ""));
        crates.push(it("sage-moon", "", ""));
        expect![[r#"
            sage-log is in the table of layers and not in the workspace
            sage-core must not know an async runtime, and uses tokio
            sage-graph (layer 1) must not use sage-model (layer 1)
            sage-graph (layer 1) must not use sage-tool (layer 1)
            sage-agent must not be built with sage-testkit
            sage-agent must not be built with xtask
            sage-agent must not use reqwest directly: sage-model owns it
            sage-testkit must not use sage-log
            sage-moon is in no layer"#]]
        .assert_eq(&problems(&crates).join("\n"));
    }
}
