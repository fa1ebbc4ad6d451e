//! Rust: packages and `cargo test`.

use serde::{Deserialize, Serialize};

use super::listing::{Listing, folder, is_below, join, name, stem};
use super::shell::{in_folder, path_argument, quote};
use super::{Probe, Probes, ProjectFacts};

/// Manifests that are read, at most.
const MAX_PACKAGES: usize = 64;
/// Separate roots that are verified, at most.
const MAX_ROOTS: usize = 3;

/// Cargo packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RustFacts {
    /// Folders of packages with the packages' names.
    pub packages: Vec<(String, String)>,
    /// Topmost folders with a manifest.
    pub roots: Vec<String>,
}

pub(super) fn detect(
    listing: &Listing<'_>,
    read: &dyn Fn(&str) -> Option<String>,
    probes: &Probes,
    facts: &mut ProjectFacts,
) {
    let roots = listing.roots(&["Cargo.toml"], MAX_ROOTS);
    if roots.is_empty() {
        return;
    }
    let manifests = listing.files().filter(|path| name(path) == "Cargo.toml").take(MAX_PACKAGES);
    let packages = manifests
        .filter_map(|path| Some((folder(path).to_owned(), package_name(&read(path)?)?)))
        .collect();
    for root in &roots {
        let manifest = join(root, "Cargo.toml");
        if !probes.has(Probe::Cargo) {
            facts.notes.push(format!("{manifest} is there, but cargo is not installed"));
        } else if let Some(line) = in_folder(root, "cargo test") {
            facts.add_verify(line, manifest);
        }
    }
    let roots = roots.into_iter().map(str::to_owned).collect();
    facts.rust = Some(RustFacts { packages, roots });
}

/// `name` in the section `[package]`.
fn package_name(manifest: &str) -> Option<String> {
    let mut in_package = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            in_package = line == "[package]";
        } else if in_package
            && let Some((key, value)) = line.split_once('=')
            && key.trim() == "name"
        {
            let value = value.trim().strip_prefix('"')?;
            return value.split_once('"').map(|(name, _)| name.to_owned());
        }
    }
    None
}

/// Runs the tests of one file. A file under `tests/` is a target of its own; unit tests run with their
/// package.
pub(super) fn test_command(path: &str, facts: &ProjectFacts) -> Option<String> {
    let Some(rust) = &facts.rust else { return Some("cargo test".to_owned()) };
    let root =
        rust.roots.iter().filter(|root| is_below(path, root)).max_by_key(|root| root.len())?;
    let package = rust
        .packages
        .iter()
        .filter(|(folder, _)| is_below(path, folder))
        .max_by_key(|(folder, _)| folder.len());
    let mut command = "cargo test".to_owned();
    let mut package_folder = root.as_str();
    if let Some((folder, name)) = package {
        package_folder = folder;
        if folder != root {
            command.push_str(&format!(" -p {}", quote(name)?));
        }
    }
    let inside = path.strip_prefix(package_folder)?.trim_start_matches('/');
    if let Some(target) = inside.strip_prefix("tests/") {
        let target = match target.split_once('/') {
            Some((target, _)) => target,
            None => stem(target),
        };
        command.push_str(&format!(" --test {}", path_argument(target)?));
    }
    in_folder(root, &command)
}
