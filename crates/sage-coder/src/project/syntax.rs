//! Whether a file parses, asked without writing anything.

use super::ProjectFacts;
use super::listing::{extension, name};
use super::shell::path_argument;

/// The command that exits 0 when the file parses; `None` where there is no cheap and certain one.
/// Exit code 127 means that the interpreter is missing and says nothing about the file.
#[must_use]
pub fn syntax_check_for(path: &str, facts: &ProjectFacts) -> Option<String> {
    let file = path_argument(path)?;
    match extension(path) {
        "py" => {
            let program =
                facts.python.as_ref().map_or("python3", |facts| facts.interpreter.as_str());
            // Isolated, so that a file of the project cannot stand in for a module of the library.
            Some(format!(
                "{program} -I -c \"import ast,sys; ast.parse(open(sys.argv[1],'rb').read(), sys.argv[1])\" {file}"
            ))
        }
        "mjs" | "cjs" => Some(format!("node --check {file}")),
        "js" => {
            let is_bundled = facts.javascript.as_ref().is_some_and(|facts| facts.is_bundled);
            (!is_bundled).then(|| format!("node --check {file}"))
        }
        "go" => Some(format!("gofmt -e {file} >/dev/null")),
        "rb" => Some(format!("ruby -c {file}")),
        "php" => Some(format!("php -l {file}")),
        "sh" | "bash" => Some(format!("bash -n {file}")),
        _ => None,
    }
}

/// What is wrong with a file whose format can be read here, without any program: JSON.
#[must_use]
pub fn syntax_error_in(path: &str, text: &str) -> Option<String> {
    let name = name(path);
    // Files of this ending that allow comments.
    let is_relaxed = name.starts_with("tsconfig")
        || name.starts_with("jsconfig")
        || matches!(name, ".eslintrc.json" | "devcontainer.json")
        || path.contains(".vscode/");
    if extension(path) != "json" || is_relaxed {
        return None;
    }
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    serde_json::from_str::<serde::de::IgnoredAny>(text).err().map(|error| error.to_string())
}
