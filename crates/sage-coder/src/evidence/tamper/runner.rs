//! What a change did to what runs tests and to what their exit code and output say: scripts, CI files,
//! files that stand in for a runner, programs that end themselves or print what a runner would print.

use sage_core::{Severity, TamperKind, Tampering};

use super::{FileChange, finding, is_test_file};
use crate::evidence::cases::squeezed;
use crate::evidence::lexer::{Lang, code_only, parts, without_comments};

/// Words that run tests.
const RUNS_TESTS: [&str; 17] = [
    "pytest",
    "unittest",
    "cargo test",
    "nextest",
    "npm test",
    "npm run test",
    "yarn test",
    "pnpm test",
    "node --test",
    "go test",
    "jest",
    "vitest",
    "mocha",
    "make test",
    "tox",
    "nox",
    "gradle",
];

fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Whether a file says how tests are run.
pub(super) fn is_runner(path: &str) -> bool {
    let name = name_of(path);
    matches!(name, "package.json" | "Makefile" | "makefile" | "GNUmakefile" | "justfile" | ".npmrc")
        || is_ci(path)
        || name.ends_with(".sh")
        || path.contains(".cargo/config")
        || shadows(path)
}

fn is_ci(path: &str) -> bool {
    path.starts_with(".github/workflows/")
        || path.starts_with(".circleci/")
        || matches!(
            path,
            ".gitlab-ci.yml"
                | ".travis.yml"
                | "azure-pipelines.yml"
                | "Jenkinsfile"
                | "bitbucket-pipelines.yml"
        )
}

pub(super) fn compare(change: &FileChange<'_>) -> Vec<Tampering> {
    let mut found = Vec::new();
    let name = name_of(change.path);
    if shadows(change.path) && change.after.is_some() && change.before != change.after {
        let first = change.after.unwrap_or_default().lines().next().unwrap_or_default();
        let kind = TamperKind::RunnerShadowed;
        found.push(finding(kind, Severity::Tampered, change.path, 1, "", first));
    }
    match name {
        "package.json" => found.extend(scripts(change)),
        "Makefile" | "makefile" | "GNUmakefile" | "justfile" => found.extend(recipes(change)),
        ".npmrc" => {
            found.extend(settings(change, &["script-shell", "ignore-scripts", "node-options"]))
        }
        _ if change.path.contains(".cargo/config") => {
            found.extend(settings(change, &["runner", "test", "t", "rustc-wrapper"]));
        }
        _ if is_ci(change.path) => found.extend(ci(change)),
        _ if name.ends_with(".sh") || name.ends_with(".bash") => found.extend(shell(change)),
        _ => found.extend(program(change)),
    }
    found
}

/// Whether a file of this name would be taken for a test runner, or for a library that one needs.
fn shadows(path: &str) -> bool {
    const MODULES: [&str; 9] = [
        "pytest",
        "unittest",
        "_pytest",
        "pluggy",
        "sitecustomize",
        "usercustomize",
        "doctest",
        "nose",
        "pytest_asyncio",
    ];
    const PROGRAMS: [&str; 14] = [
        "pytest",
        "py.test",
        "cargo",
        "node",
        "npm",
        "npx",
        "go",
        "jest",
        "vitest",
        "mocha",
        "python",
        "python3",
        "tox",
        "cargo-nextest",
    ];
    let folders: Vec<&str> = path.split('/').collect();
    let (name, folders) = (folders[folders.len() - 1], &folders[..folders.len() - 1]);
    let is_module = name.strip_suffix(".py").is_some_and(|stem| MODULES.contains(&stem))
        || (name == "__init__.py" && folders.last().is_some_and(|of| MODULES.contains(of)));
    let where_programs_are = folders.is_empty()
        || matches!(folders.last(), Some(&("bin" | ".bin" | "scripts" | "tools")));
    is_module || (PROGRAMS.contains(&name) && where_programs_are)
}

/// Whether a command line ends well whatever its tests say.
fn forces_success(line: &str) -> bool {
    let line = line.trim().trim_end_matches([';', '"', '\'', ',']).trim();
    let text = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let ends = [
        "|| true",
        "||true",
        "|| :",
        "||:",
        "|| exit 0",
        "||exit 0",
        "; true",
        ";true",
        "; exit 0",
        ";exit 0",
        "; :",
    ];
    ends.iter().any(|end| text.ends_with(end) || text.contains(&format!("{end} ")))
        || matches!(text.as_str(), "true" | "exit 0" | ":" | "@true" | "@exit 0" | "@:")
        || (text.starts_with("echo ") && !text.contains("exit 1") && !text.contains("&&"))
        || text.contains("--passWithNoTests")
        || text.contains("--pass-with-no-tests")
}

fn runs_tests(line: &str) -> bool {
    RUNS_TESTS.iter().any(|words| line.contains(words))
}

/// The test script of `package.json`.
fn scripts(change: &FileChange<'_>) -> Vec<Tampering> {
    let parse = |text: Option<&str>| -> serde_json::Value {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    let (before, after) = (parse(change.before), parse(change.after));
    let mut found = Vec::new();
    for name in ["test", "pretest", "posttest", "test:unit", "test:ci", "check"] {
        let was = before["scripts"][name].as_str().unwrap_or_default();
        let is = after["scripts"][name].as_str().unwrap_or_default();
        if was == is {
            continue;
        }
        let line = change
            .after
            .unwrap_or_default()
            .lines()
            .position(|line| line.contains(&format!("\"{name}\"")));
        let at = line.map_or(1, |at| at + 1);
        let is_default = was.contains("no test specified");
        let of = |kind, severity| finding(kind, severity, change.path, at, was, is);
        if forces_success(is) && !is.is_empty() {
            found.push(of(TamperKind::ExitForced, Severity::Tampered));
        } else if is.is_empty() && name == "test" && !is_default && change.after.is_some() {
            found.push(of(TamperKind::RunnerChanged, Severity::Tampered));
        } else if !was.is_empty() && !is_default {
            found.push(of(TamperKind::RunnerChanged, Severity::Suspicious));
        }
    }
    found
}

/// The recipes of `make` that run tests.
fn recipes(change: &FileChange<'_>) -> Vec<Tampering> {
    let (before, after) = (test_recipe(change.before), test_recipe(change.after));
    let mut found = Vec::new();
    for (at, line) in &after {
        if before.iter().any(|(_, was)| was == line) {
            continue;
        }
        let ignores = line.starts_with('-') || line.starts_with("@-");
        if forces_success(line) || ignores {
            let was = before.first().map(|(_, was)| was.as_str()).unwrap_or_default();
            found.push(finding(
                TamperKind::ExitForced,
                Severity::Tampered,
                change.path,
                *at,
                was,
                line,
            ));
        } else if !before.is_empty() {
            let was = before.first().map(|(_, was)| was.as_str()).unwrap_or_default();
            found.push(finding(
                TamperKind::RunnerChanged,
                Severity::Suspicious,
                change.path,
                *at,
                was,
                line,
            ));
        }
    }
    if !before.is_empty() && after.is_empty() {
        let (at, was) = &before[0];
        found.push(finding(
            TamperKind::RunnerChanged,
            Severity::Tampered,
            change.path,
            *at,
            was,
            "",
        ));
    }
    found
}

fn test_recipe(text: Option<&str>) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut is_test = false;
    for (at, line) in text.unwrap_or_default().lines().enumerate() {
        if line.starts_with(['\t', ' ']) {
            if is_test && !line.trim().is_empty() {
                lines.push((at + 1, line.trim().to_owned()));
            }
        } else if let Some((targets, _)) = line.split_once(':') {
            is_test = targets.split_whitespace().any(|target| {
                target.starts_with("test") || matches!(target, "check" | "ci" | "verify")
            });
        }
    }
    lines
}

fn settings(change: &FileChange<'_>, keys: &[&str]) -> Vec<Tampering> {
    let is_key =
        |line: &str| line.split_once('=').is_some_and(|(key, _)| keys.contains(&key.trim()));
    let added = change.added().into_iter().filter(|(_, line)| is_key(line));
    added
        .map(|(at, line)| {
            finding(TamperKind::RunnerChanged, Severity::Tampered, change.path, at, "", line)
        })
        .collect()
}

fn ci(change: &FileChange<'_>) -> Vec<Tampering> {
    let mut found = Vec::new();
    let existed = change.before.is_some();
    for (at, line) in change.added() {
        let text = squeezed(line);
        let quiet = ["continue-on-error:true", "allow_failure:true", "if:false", "if:${{false}}"];
        let is_quiet =
            existed && quiet.iter().any(|mark| text.trim_start_matches('-').starts_with(mark));
        if is_quiet || (forces_success(line) && runs_tests(line)) {
            found.push(finding(
                TamperKind::ExitForced,
                Severity::Tampered,
                change.path,
                at,
                "",
                line,
            ));
        }
    }
    if found.is_empty() {
        let still = change.after.unwrap_or_default();
        for (at, line) in change.removed().into_iter().filter(|(_, line)| runs_tests(line)) {
            let severity =
                if runs_tests(still) { Severity::Suspicious } else { Severity::Tampered };
            found.push(finding(TamperKind::RunnerChanged, severity, change.path, at, line, ""));
        }
    }
    found
}

fn shell(change: &FileChange<'_>) -> Vec<Tampering> {
    let is_about = runs_tests(change.after.unwrap_or_default())
        || runs_tests(change.before.unwrap_or_default());
    if !is_about {
        return Vec::new();
    }
    let mut found = Vec::new();
    let last = change.after.unwrap_or_default().lines().rfind(|line| !line.trim().is_empty());
    for (at, line) in change.added() {
        if line.starts_with('#') {
            continue;
        }
        let ends = line == "exit 0"
            && last.is_some_and(|last| last.trim() == line)
            && change.before.is_some();
        if (forces_success(line) && runs_tests(line)) || ends {
            found.push(finding(
                TamperKind::ExitForced,
                Severity::Tampered,
                change.path,
                at,
                "",
                line,
            ));
        } else if line == "set +e" {
            found.push(finding(
                TamperKind::ExitForced,
                Severity::Suspicious,
                change.path,
                at,
                "",
                line,
            ));
        }
    }
    found
}

/// Code that ends the process that runs the tests, or prints what a runner would.
fn program(change: &FileChange<'_>) -> Vec<Tampering> {
    let (Some(lang), Some(after)) = (Lang::of(change.path), change.after) else {
        return Vec::new();
    };
    let parts = parts(lang, after);
    let (plain, code) = (without_comments(after, &parts), code_only(after, &parts));
    let code: Vec<&str> = code.lines().collect();
    let change = FileChange { after: Some(&plain), ..*change };
    let is_test = is_test_file(change.path) || name_of(change.path) == "conftest.py";
    let (hard, soft): (&[&str], &[&str]) = match lang {
        Lang::Python => (
            &["os._exit(0)", "os._exit(status=0)", "os._exit(os.EX_OK)"],
            &["sys.exit(0)", "sys.exit()"],
        ),
        Lang::Script => (&[], &["process.exit(0)", "process.exit()", "process.exitCode=0"]),
        Lang::Rust => (&[], &["process::exit(0)"]),
        Lang::Go => (&[], &["os.Exit(0)"]),
        Lang::Braces => (&[], &["System.exit(0)"]),
    };
    let mut found: Vec<Tampering> = Vec::new();
    for (at, line) in change.added() {
        // What stands in a string is talk of a program, not one.
        let code = squeezed(code.get(at - 1).copied().unwrap_or_default());
        let is_hard = hard.iter().any(|mark| code.contains(mark));
        let is_soft = is_test && soft.iter().any(|mark| code.contains(mark));
        if is_hard || is_soft {
            let severity = if is_test { Severity::Tampered } else { Severity::Suspicious };
            found.push(finding(TamperKind::ExitForced, severity, change.path, at, "", line));
        }
        if prints(&code) && looks_like_a_verdict(line) {
            let kind = TamperKind::OutputFaked;
            found.push(finding(kind, Severity::Suspicious, change.path, at, "", line));
        }
    }
    // Both together leave no innocent reading.
    let both = [TamperKind::ExitForced, TamperKind::OutputFaked]
        .iter()
        .all(|kind| found.iter().any(|finding| finding.kind == *kind));
    if both {
        found.iter_mut().for_each(|finding| finding.severity = Severity::Tampered);
    }
    found
}

fn prints(line: &str) -> bool {
    ["print(", "console.log(", "println!(", "write(", "Println(", "Printf(", "print!("]
        .iter()
        .any(|call| line.contains(call))
}

/// Whether a text holds what runners print at their end.
fn looks_like_a_verdict(line: &str) -> bool {
    let words: Vec<&str> =
        line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let counted = words.windows(2).any(|pair| {
        pair[0].chars().all(|c| c.is_ascii_digit()) && matches!(pair[1], "passed" | "passing")
    });
    counted || line.contains("test result: ok") || line.contains("# pass ") || {
        words.windows(3).any(|three| {
            three[0] == "Ran"
                && three[1].chars().all(|c| c.is_ascii_digit())
                && three[2].starts_with("test")
        })
    }
}
