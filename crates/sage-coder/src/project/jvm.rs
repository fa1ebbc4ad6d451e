//! Java and Kotlin: Maven and Gradle, with the project's wrapper where it has one.

use serde::{Deserialize, Serialize};

use super::listing::{Listing, join, stem};
use super::shell::{in_folder, quote};
use super::{Probe, Probes, ProjectFacts};

/// Builds that are verified, at most.
const MAX_ROOTS: usize = 2;

/// The build tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum JvmTool {
    Maven,
    Gradle,
}

/// How a project on the Java virtual machine is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JvmFacts {
    /// The tool.
    pub tool: JvmTool,
    /// The program: the wrapper, or the one of the machine.
    pub program: String,
    /// The folder of the build.
    pub folder: String,
}

pub(super) fn detect(listing: &Listing<'_>, probes: &Probes, facts: &mut ProjectFacts) {
    let tools = [
        (JvmTool::Maven, &["pom.xml"][..], "mvnw", "mvn", Probe::Maven),
        (
            JvmTool::Gradle,
            &["build.gradle", "build.gradle.kts"][..],
            "gradlew",
            "gradle",
            Probe::Gradle,
        ),
    ];
    for (tool, manifests, wrapper, program, probe) in tools {
        for root in listing.roots(manifests, MAX_ROOTS) {
            let manifest =
                manifests.iter().map(|name| join(root, name)).find(|path| listing.has(path));
            let Some(manifest) = manifest else { continue };
            let program = if listing.has(&join(root, wrapper)) {
                format!("./{wrapper}")
            } else if probes.has(probe) {
                program.to_owned()
            } else {
                facts.notes.push(format!("{manifest} is there, but {program} is not installed"));
                continue;
            };
            let command = match tool {
                JvmTool::Maven => format!("{program} -B test"),
                JvmTool::Gradle => format!("{program} test"),
            };
            if let Some(line) = in_folder(root, &command) {
                facts.add_verify(line, manifest);
            }
            facts.jvm.get_or_insert(JvmFacts { tool, program, folder: root.to_owned() });
        }
        if facts.jvm.is_some() {
            return;
        }
    }
}

/// Runs one test class.
pub(super) fn test_command(path: &str, facts: &ProjectFacts) -> Option<String> {
    let jvm = facts.jvm.as_ref()?;
    let class = quote(stem(path))?;
    let command = match jvm.tool {
        JvmTool::Maven => format!("{} -B -Dtest={class} test", jvm.program),
        JvmTool::Gradle => format!("{} test --tests {class}", jvm.program),
    };
    in_folder(&jvm.folder, &command)
}
