//! The texts of the files that `sage init` creates.

use std::fmt::Write as _;

use super::Project;
use crate::settings::{Kind, TABLE};

const RULES_HEAD: &str = "\
# Rules of this project

<!--
  Every model that works here is given these lines. Write one rule per line, short and checkable:
  what must always hold, what must never happen, how things are done here. `sage rules validate` finds
  rules that contradict each other. Rules for one role go to `.sage/rules.<role>.md`.
  Comments like this one are not given to models.
-->

- Keep changes small and to the point; do not reformat what you do not change.
- Follow the style of the file you are in.
- Every change of behaviour comes with a test.
";

/// `.sage/rules.md`.
pub fn rules(project: &Project) -> String {
    let mut text = RULES_HEAD.to_owned();
    for language in project.languages() {
        let rule = match *language {
            "Rust" => "- Rust: code passes `cargo fmt --check` and `cargo clippy`.",
            "Python" => {
                "- Python: tests are pytest tests in `tests/`; public functions have type hints."
            }
            "JavaScript" => {
                "- JavaScript: use the scripts of `package.json`; add no dependency without need."
            }
            "Go" => {
                "- Go: code is formatted with `gofmt`; errors are wrapped with what was being done."
            }
            "Java" => "- Java: tests are JUnit tests beside the package they test.",
            _ => continue,
        };
        text.push_str(rule);
        text.push('\n');
    }
    text
}

/// `.sage/config.yaml`: every setting as a comment, so that the file can be read as documentation.
pub fn config() -> String {
    let mut text = String::from(
        "# Settings of this project for sage. Remove the `#` in front of a setting to change it, or use\n\
         # `sage config set KEY VALUE`. `sage config show` prints what is in effect and why.\n",
    );
    let mut section = "";
    for setting in TABLE {
        let (of, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if of != section {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{of}:\n");
            section = of;
        }
        let value = match (setting.kind, setting.default) {
            (Kind::List, "") => " []",
            (_, default) => &if default.is_empty() { String::new() } else { format!(" {default}") },
        };
        let _ = write!(
            text,
            "  # {} ({})\n  # {name}:{value}\n",
            setting.doc,
            setting.kind.to_string().replace('`', "")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::settings::{find, read_file, set_in_yaml};

    #[test]
    fn the_settings_file_is_valid_sets_nothing_and_can_be_edited() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, config()).unwrap();
        assert!(read_file(&path).unwrap().is_empty());
        for setting in TABLE {
            let value = if setting.default.is_empty() { "7" } else { setting.default };
            let edited = set_in_yaml(&config(), find(setting.key).unwrap(), value, Path::new("c"));
            assert!(edited.is_ok_and(|text| text.starts_with("# Settings")), "{}", setting.key);
        }
    }
}
