//! Questions about the machine that only running something answers.

use std::collections::BTreeSet;

use super::listing::{Listing, extension, name};

/// A question; its command exits 0 for yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the command lines say it all")]
pub enum Probe {
    DotVenvPython,
    VenvPython,
    Python3,
    Python,
    Pytest,
    Node,
    Npm,
    Pnpm,
    Yarn,
    LocalJest,
    LocalVitest,
    LocalMocha,
    Cargo,
    Go,
    Make,
    Maven,
    Gradle,
}

impl Probe {
    /// The line for `sh -c`, in the project's folder. Quick, offline and without effects.
    #[must_use]
    pub fn command_line(self) -> String {
        let present = |program: &str| format!("command -v {program} >/dev/null 2>&1");
        match self {
            Self::DotVenvPython => "test -x .venv/bin/python".to_owned(),
            Self::VenvPython => "test -x venv/bin/python".to_owned(),
            Self::Python3 => present("python3"),
            Self::Python => present("python"),
            // The first of the interpreters that `python::interpreter` would choose.
            Self::Pytest => "for p in .venv/bin/python venv/bin/python python3 python; do \
                 if command -v \"$p\" >/dev/null 2>&1; then exec \"$p\" -I -c \
                 'import sys, importlib.util; sys.exit(not importlib.util.find_spec(\"pytest\"))'; \
                 fi; done; exit 1"
                .to_owned(),
            Self::Node => present("node"),
            Self::Npm => present("npm"),
            Self::Pnpm => present("pnpm"),
            Self::Yarn => present("yarn"),
            Self::LocalJest => "test -x node_modules/.bin/jest".to_owned(),
            Self::LocalVitest => "test -x node_modules/.bin/vitest".to_owned(),
            Self::LocalMocha => "test -x node_modules/.bin/mocha".to_owned(),
            Self::Cargo => present("cargo"),
            Self::Go => present("go"),
            Self::Make => present("make"),
            Self::Maven => present("mvn"),
            Self::Gradle => present("gradle"),
        }
    }
}

/// The questions that were answered with yes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probes(BTreeSet<Probe>);

impl Probes {
    /// Records an answer.
    pub fn set(&mut self, probe: Probe, yes: bool) {
        if yes {
            self.0.insert(probe);
        } else {
            self.0.remove(&probe);
        }
    }

    /// Whether the answer was yes; no for a question that was not asked.
    #[must_use]
    pub fn has(&self, probe: Probe) -> bool {
        self.0.contains(&probe)
    }

    /// All of these, and nothing else.
    #[must_use]
    pub fn of(yes: &[Probe]) -> Self {
        Self(yes.iter().copied().collect())
    }
}

/// The questions that matter for a project with these files.
#[must_use]
pub fn needed_probes(files: &[String]) -> Vec<Probe> {
    let listing = Listing::new(files);
    let has_name = |wanted: &[&str]| listing.files().any(|path| wanted.contains(&name(path)));
    let has_kind = |wanted: &[&str]| listing.files().any(|path| wanted.contains(&extension(path)));
    let mut needed = Vec::new();
    if has_kind(&["py"])
        || has_name(&["pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "tox.ini"])
    {
        needed.extend([
            Probe::DotVenvPython,
            Probe::VenvPython,
            Probe::Python3,
            Probe::Python,
            Probe::Pytest,
        ]);
    }
    let has_package = has_name(&["package.json"]);
    if has_package || has_kind(&["js", "mjs", "cjs", "ts"]) {
        needed.push(Probe::Node);
    }
    if has_package {
        needed.extend([Probe::Npm, Probe::LocalJest, Probe::LocalVitest, Probe::LocalMocha]);
        if has_name(&["pnpm-lock.yaml"]) {
            needed.push(Probe::Pnpm);
        }
        if has_name(&["yarn.lock"]) {
            needed.push(Probe::Yarn);
        }
    }
    if has_name(&["Cargo.toml"]) {
        needed.push(Probe::Cargo);
    }
    if has_name(&["go.mod"]) || has_kind(&["go"]) {
        needed.push(Probe::Go);
    }
    if ["Makefile", "makefile", "GNUmakefile"].iter().any(|path| listing.has(path)) {
        needed.push(Probe::Make);
    }
    if has_name(&["pom.xml"]) && !has_name(&["mvnw"]) {
        needed.push(Probe::Maven);
    }
    if has_name(&["build.gradle", "build.gradle.kts"]) && !has_name(&["gradlew"]) {
        needed.push(Probe::Gradle);
    }
    needed
}
