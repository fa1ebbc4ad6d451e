//! JavaScript and TypeScript: `package.json`, and the test runner that Node brings along.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::listing::{Listing, extension, is_below, join};
use super::shell::{in_folder, path_argument};
use super::{Probe, Probes, ProjectFacts, is_test_file};

/// Packages that are verified, at most.
const MAX_ROOTS: usize = 3;

/// Tools that translate sources, whose files Node alone may not understand.
const BUNDLERS: [&str; 10] = [
    "webpack",
    "react-scripts",
    "vite",
    "next",
    "rollup",
    "parcel",
    "@babel/core",
    "esbuild",
    "nuxt",
    "@angular/core",
];

/// The program that runs single test files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum JsRunner {
    Node,
    Jest,
    Vitest,
    Mocha,
}

/// How JavaScript is tested here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JavaScriptFacts {
    /// The runner, if it is installed.
    pub runner: Option<JsRunner>,
    /// The folder with the first `package.json`, or the root.
    pub folder: String,
    /// Sources pass a bundler, so Node may not be able to read them.
    pub is_bundled: bool,
}

pub(super) fn detect(
    listing: &Listing<'_>,
    read: &dyn Fn(&str) -> Option<String>,
    probes: &Probes,
    facts: &mut ProjectFacts,
) {
    let roots = listing.roots(&["package.json"], MAX_ROOTS);
    for root in &roots {
        let manifest = join(root, "package.json");
        let package: Value =
            read(&manifest).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let found = Package { root, manifest: &manifest, package: &package, probes };
        let javascript = found.facts();
        found.verify(listing, &javascript, facts);
        facts.javascript.get_or_insert(javascript);
    }
    if roots.is_empty() && listing.files().any(is_script) {
        let runner = probes.has(Probe::Node).then_some(JsRunner::Node);
        facts.javascript =
            Some(JavaScriptFacts { runner, folder: String::new(), is_bundled: false });
        let is_test = |path: &&str| is_script(path) && is_test_file(path);
        // Beside another language's manifest, loose scripts are not the project's tests.
        if let Some(test) = listing.files().find(is_test)
            && facts.verify.is_empty()
            && runner.is_some()
        {
            facts.add_verify("node --test", test);
        }
    }
}

fn is_script(path: &str) -> bool {
    matches!(extension(path), "js" | "mjs" | "cjs")
}

struct Package<'a> {
    root: &'a str,
    manifest: &'a str,
    package: &'a Value,
    probes: &'a Probes,
}

impl Package<'_> {
    fn facts(&self) -> JavaScriptFacts {
        let script = self.test_script().unwrap_or_default();
        let wants = |name: &str| {
            self.depends_on(name) || script.split_whitespace().any(|word| word == name)
        };
        // Only the root's node_modules are looked at.
        let installed = |probe| self.root.is_empty() && self.probes.has(probe);
        let runner = if wants("vitest") {
            installed(Probe::LocalVitest).then_some(JsRunner::Vitest)
        } else if wants("jest") {
            installed(Probe::LocalJest).then_some(JsRunner::Jest)
        } else if wants("mocha") {
            installed(Probe::LocalMocha).then_some(JsRunner::Mocha)
        } else {
            self.probes.has(Probe::Node).then_some(JsRunner::Node)
        };
        let is_bundled = BUNDLERS.iter().any(|name| self.depends_on(name));
        JavaScriptFacts { runner, folder: self.root.to_owned(), is_bundled }
    }

    fn depends_on(&self, name: &str) -> bool {
        ["dependencies", "devDependencies"].iter().any(|key| !self.package[*key][name].is_null())
    }

    /// `scripts.test`, unless it is what `npm init` writes.
    fn test_script(&self) -> Option<&str> {
        let script = self.package["scripts"]["test"].as_str()?.trim();
        (!script.is_empty() && !script.contains("no test specified")).then_some(script)
    }

    fn verify(
        &self,
        listing: &Listing<'_>,
        javascript: &JavaScriptFacts,
        facts: &mut ProjectFacts,
    ) {
        let Self { root, manifest, .. } = self;
        if self.test_script().is_some() {
            let needs_modules = javascript.runner.is_none() && self.probes.has(Probe::Node);
            let lock = |name: &str| listing.has(&join(root, name));
            let program = if lock("pnpm-lock.yaml") && self.probes.has(Probe::Pnpm) {
                "pnpm"
            } else if lock("yarn.lock") && self.probes.has(Probe::Yarn) {
                "yarn"
            } else {
                "npm"
            };
            if needs_modules && root.is_empty() {
                facts.notes.push(format!(
                    "the test script of {manifest} needs node_modules, which are not installed"
                ));
            } else if program == "npm" && !self.probes.has(Probe::Npm) {
                facts.notes.push(format!("{manifest} has a test script, but npm is not installed"));
            } else if let Some(line) = in_folder(root, &format!("{program} test")) {
                facts.add_verify(line, *manifest);
            }
            return;
        }
        let has_tests = listing
            .files()
            .any(|path| is_below(path, root) && is_script(path) && is_test_file(path));
        if has_tests
            && javascript.runner == Some(JsRunner::Node)
            && let Some(line) = in_folder(root, "node --test")
        {
            facts.add_verify(line, *manifest);
        }
    }
}

/// Runs one test file.
pub(super) fn test_command(path: &str, facts: &ProjectFacts) -> Option<String> {
    let runner = match &facts.javascript {
        Some(javascript) => javascript.runner?,
        None => JsRunner::Node,
    };
    let file = path_argument(path)?;
    match runner {
        JsRunner::Jest => Some(format!("node_modules/.bin/jest {file}")),
        JsRunner::Vitest => Some(format!("node_modules/.bin/vitest run {file}")),
        JsRunner::Mocha => Some(format!("node_modules/.bin/mocha {file}")),
        // Node runs JavaScript only.
        JsRunner::Node => is_script(path).then(|| format!("node --test {file}")),
    }
}
