//! Go: modules and `go test`.

use serde::{Deserialize, Serialize};

use super::listing::{Listing, extension, folder, is_below, join};
use super::shell::{in_folder, path_argument};
use super::{Probe, Probes, ProjectFacts, is_test_file};

/// Modules that are verified, at most.
const MAX_MODULES: usize = 3;

/// With more test files than this, a line for each test would crowd out what a failed one says.
const MAX_LISTED_FILES: usize = 40;

/// Go modules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GoFacts {
    /// Folders with a `go.mod`.
    pub modules: Vec<String>,
    /// Whether `go test` is asked to name each test, as it counts them in no other way.
    pub lists_tests: bool,
}

pub(super) fn detect(listing: &Listing<'_>, probes: &Probes, facts: &mut ProjectFacts) {
    let modules = listing.roots(&["go.mod"], MAX_MODULES);
    if modules.is_empty() {
        return;
    }
    for module in &modules {
        let manifest = join(module, "go.mod");
        if !probes.has(Probe::Go) {
            facts.notes.push(format!("{manifest} is there, but go is not installed"));
        } else if let Some(line) = in_folder(module, "go test ./...") {
            facts.add_verify(line, manifest);
        }
    }
    let tests = listing.files().filter(|path| extension(path) == "go" && is_test_file(path));
    facts.go = Some(GoFacts {
        modules: modules.into_iter().map(str::to_owned).collect(),
        lists_tests: tests.count() <= MAX_LISTED_FILES,
    });
}

/// Runs the tests of the package that the file belongs to.
pub(super) fn test_command(path: &str, facts: &ProjectFacts) -> Option<String> {
    let modules = facts.go.as_ref().map(|go| go.modules.as_slice()).unwrap_or_default();
    let module = modules
        .iter()
        .filter(|module| is_below(path, module))
        .max_by_key(|module| module.len())
        .map_or("", String::as_str);
    let package = folder(path).strip_prefix(module)?.trim_start_matches('/');
    let package = if package.is_empty() { "./".to_owned() } else { format!("./{package}/") };
    in_folder(module, &format!("go test {}", path_argument(&package)?))
}
