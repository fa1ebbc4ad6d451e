//! Command lines as people and models write them, and what is run for them here.

use super::listing::{extension, folder, is_below, name, stem};
use super::shell::{Part, Simple, parts, quote, simple};
use super::{JsRunner, PYTEST_LITE, ProjectFacts, PythonFacts, is_test_file};

/// The interpreter of a folder into which a command has moved: its own, else the machine's.
const PYTHON_THERE: &str = "$(for p in .venv/bin/python venv/bin/python python3 python; do \
                            command -v \"$p\" && break; done)";

/// A command that can be run in the project's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runnable {
    /// What to call it in reports and to a model.
    pub shown: String,
    /// The line for `sh -c`.
    pub line: String,
}

/// Puts a command line into the project's environment: `python` and `pytest` become the project's own
/// interpreter, with `src/` on the path where modules are in there; runners from `node_modules` are
/// found; pytest becomes the built-in runner where it is not installed; `go test` names its tests.
/// Everything else stays.
#[must_use]
pub fn runnable(command: &str, facts: &ProjectFacts) -> Runnable {
    let fallback = PythonFacts { interpreter: "python3".to_owned(), ..PythonFacts::default() };
    let python = facts.python.as_ref().unwrap_or(&fallback);
    let mut runnable = Runnable { shown: String::new(), line: String::new() };
    let (mut has_moved, mut is_built_in) = (false, false);
    for part in parts(command) {
        let text = match part {
            Part::Joint(text) => {
                runnable.push(text);
                continue;
            }
            Part::Command(text) => text,
        };
        let Some(found) = simple(text) else {
            runnable.push(text);
            continue;
        };
        match found.program.as_str() {
            // From here on, paths of the project would mean something else.
            "cd" | "pushd" => {
                has_moved = true;
                runnable.push(text);
            }
            "python" | "python3" | "pytest" | "py.test" => {
                is_built_in |= runnable.push_python(&found, python, has_moved);
            }
            program if program == python.interpreter => {
                is_built_in |= runnable.push_python(&found, python, has_moved);
            }
            "go" if facts.go.as_ref().is_some_and(|go| go.lists_tests) => runnable.push_go(&found),
            program => match local_runner(program, facts).filter(|_| !has_moved) {
                Some(path) => runnable.push(&format!("{}{path}{}", found.prefix, found.rest)),
                None => runnable.push(text),
            },
        }
    }
    if is_built_in {
        runnable.shown.push_str(" (built-in runner)");
    }
    runnable
}

impl Runnable {
    fn push(&mut self, text: &str) {
        self.shown.push_str(text);
        self.line.push_str(text);
    }

    /// `go test` with the option that makes it name each test.
    fn push_go(&mut self, found: &Simple<'_>) {
        self.shown.push_str(&format!("{}{}{}", found.prefix, found.program, found.rest));
        let arguments = found.rest.trim_start();
        let rest = match arguments.strip_prefix("test") {
            Some(rest) if rest.is_empty() || rest.starts_with(char::is_whitespace) => {
                format!(" test -v{rest}")
            }
            _ => found.rest.to_owned(),
        };
        self.line.push_str(&format!("{}{}{rest}", found.prefix, found.program));
    }

    /// Whether the built-in runner takes the place of pytest.
    fn push_python(&mut self, found: &Simple<'_>, python: &PythonFacts, has_moved: bool) -> bool {
        if has_moved {
            self.push_python_there(found);
            return false;
        }
        let program = python.interpreter.as_str();
        self.push(found.prefix);
        if python.src_layout && !found.prefix.contains("PYTHONPATH=") {
            self.push("PYTHONPATH=src ");
        }
        let Some(arguments) = pytest_arguments(found) else {
            self.push(&format!("{program}{}", found.rest));
            return false;
        };
        if python.has_pytest {
            self.push(&format!("{program} -m pytest -p no:cacheprovider{arguments}"));
            return false;
        }
        let script = quote(PYTEST_LITE).unwrap_or_default();
        self.shown.push_str(&format!("{program} -m pytest{arguments}"));
        self.line.push_str(&format!("{program} -c {script}{arguments}"));
        true
    }

    /// In another folder, the project's interpreter and its answers count for nothing.
    fn push_python_there(&mut self, found: &Simple<'_>) {
        let Simple { prefix, program, rest, .. } = found;
        self.shown.push_str(&format!("{prefix}{program}{rest}"));
        self.line.push_str(prefix);
        self.line.push_str(PYTHON_THERE);
        match pytest_arguments(found) {
            // Hands over to pytest where that is installed.
            Some(arguments) => {
                let script = quote(PYTEST_LITE).unwrap_or_default();
                self.line.push_str(&format!(" -c {script}{arguments}"));
            }
            None => self.line.push_str(rest),
        }
    }
}

/// What follows `pytest` or `python -m pytest`; `None` for any other command.
fn pytest_arguments<'a>(found: &Simple<'a>) -> Option<&'a str> {
    if matches!(found.program.as_str(), "pytest" | "py.test") {
        return Some(found.rest);
    }
    let rest = found.rest.trim_start().strip_prefix("-m")?.trim_start().strip_prefix("pytest")?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(rest)
}

fn local_runner(program: &str, facts: &ProjectFacts) -> Option<&'static str> {
    match (program, facts.javascript.as_ref()?.runner?) {
        ("jest", JsRunner::Jest) => Some("node_modules/.bin/jest"),
        ("vitest", JsRunner::Vitest) => Some("node_modules/.bin/vitest"),
        ("mocha", JsRunner::Mocha) => Some("node_modules/.bin/mocha"),
        _ => None,
    }
}

/// Whether a command line certainly runs all the tests of a file. No for whatever cannot be told from
/// the line, such as `make test`.
#[must_use]
pub fn runs_test_file(command: &str, path: &str) -> bool {
    for part in parts(command) {
        match part {
            // What comes after may not run, or not in this folder.
            Part::Joint("||" | "|" | "&" | "(" | ")") => return false,
            Part::Joint(_) => {}
            Part::Command(text) => {
                let Some(found) = simple(text) else { continue };
                if matches!(found.program.as_str(), "cd" | "pushd") {
                    return false;
                }
                if runs(&found, path) {
                    return true;
                }
            }
        }
    }
    false
}

fn runs(found: &Simple<'_>, path: &str) -> bool {
    let Some(arguments) = &found.arguments else { return false };
    let program = found.program.rsplit('/').next().unwrap_or_default();
    let words: Vec<&str> = arguments.iter().map(|word| word.trim_start_matches("./")).collect();
    let is_python = extension(path) == "py";
    match (program, words.as_slice()) {
        ("pytest" | "py.test", words) => is_python && pytest_runs(words, path),
        ("python" | "python3", ["-m", "pytest", words @ ..]) => {
            is_python && pytest_runs(words, path)
        }
        ("python" | "python3", ["-m", "unittest", words @ ..]) => {
            is_python && unittest_runs(words, path)
        }
        ("python" | "python3", [file]) => is_python && *file == path,
        ("cargo", ["test", words @ ..]) => extension(path) == "rs" && cargo_runs(words, path),
        ("go", ["test", words @ ..]) => extension(path) == "go" && go_runs(words, path),
        ("node", [first, words @ ..]) if *first == "--test" => {
            let files: Vec<&&str> = words.iter().filter(|word| !word.starts_with('-')).collect();
            match files.as_slice() {
                [] => matches!(extension(path), "js" | "mjs" | "cjs") && is_test_file(path),
                files => files.iter().any(|file| **file == path),
            }
        }
        ("jest" | "vitest" | "mocha", words) => words.contains(&path),
        _ => false,
    }
}

/// Options of pytest that take the next word.
const PYTEST_VALUES: [&str; 6] = ["-p", "-W", "-c", "-o", "--rootdir", "--tb"];

fn pytest_runs(words: &[&str], path: &str) -> bool {
    let mut targets = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        // A selection may leave the file's tests out.
        let selects = matches!(*word, "-k" | "-m" | "--lf" | "--co")
            || ["--ignore", "--deselect", "--last-failed", "--collect-only"]
                .iter()
                .any(|option| word.starts_with(option));
        if selects {
            return false;
        }
        if PYTEST_VALUES.contains(word) {
            at += 1;
        } else if !word.starts_with('-') {
            targets.push(word.trim_end_matches('/'));
        }
        at += 1;
    }
    targets.is_empty()
        || targets.iter().any(|target| *target == path || *target == "." || is_below(path, target))
}

fn unittest_runs(words: &[&str], path: &str) -> bool {
    let module = path.strip_suffix(".py").unwrap_or(path).replace('/', ".");
    match words
        .iter()
        .filter(|word| !matches!(**word, "-v" | "-q" | "-b" | "-f"))
        .collect::<Vec<_>>()
        .as_slice()
    {
        // Discovery finds the files of one folder for certain, and enters others only if they are
        // packages.
        [first, rest @ ..] if **first == "discover" => {
            let start = match rest {
                [] => "",
                [flag, dir] if matches!(**flag, "-s" | "--start-directory") => {
                    dir.trim_end_matches('/')
                }
                [dir] => dir.trim_end_matches('/'),
                _ => return false,
            };
            let start = if start == "." { "" } else { start };
            folder(path) == start && name(path).starts_with("test")
        }
        words => words.iter().any(|word| **word == path || **word == module),
    }
}

fn cargo_runs(words: &[&str], path: &str) -> bool {
    if let Some(at) = words.iter().position(|word| *word == "--test") {
        let is_target = folder(path).rsplit('/').next() == Some("tests");
        return is_target && words.get(at + 1) == Some(&stem(path)) && words.len() == at + 2;
    }
    words.iter().all(|word| {
        matches!(
            *word,
            "-q" | "--quiet"
                | "--workspace"
                | "--all"
                | "--all-targets"
                | "--all-features"
                | "--offline"
                | "--locked"
        )
    })
}

fn go_runs(words: &[&str], path: &str) -> bool {
    if words.iter().any(|word| word.starts_with("-run") || word.starts_with("-skip")) {
        return false;
    }
    let package = folder(path);
    words.iter().filter(|word| !word.starts_with('-')).any(|word| {
        let word = word.trim_end_matches('/');
        match word.strip_suffix("...") {
            Some(base) => {
                let base = base.trim_end_matches('/');
                base.is_empty() || package == base || is_below(package, base)
            }
            None => package == word || (package.is_empty() && word == "."),
        }
    })
}
