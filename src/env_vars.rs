//! The environment, read once: the only reader of variables in the program.
//!
//! Everything else asks the snapshot [`EnvVars`], which tests make from pairs. Variables that set a
//! setting are named in `settings/table.rs`; all others are listed here, so that a misspelt `SAGE_…`
//! variable can be told from one that is meant for somebody else.

use std::collections::BTreeMap;

use sage_core::nearest;

use crate::settings;

/// A variable that is no setting.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it does, for `docs/env.md`.
    pub doc: &'static str,
}

/// Variables that are read besides those of the settings.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "OPENAI_API_KEY",
        doc: "key of the `openai` provider, unless `models.yaml` names another variable with `api_key_env`",
    },
    Variable {
        name: "OPENAI_BASE_URL",
        doc: "address of the `openai` provider, unless `models.yaml` has one; default `https://api.openai.com/v1`",
    },
    Variable {
        name: "OLLAMA_HOST",
        doc: "address of the `ollama` provider, unless `models.yaml` has one; default `http://127.0.0.1:11434`",
    },
    Variable {
        name: "SAGE_NON_INTERACTIVE",
        doc: "`1`: never wait for input, even on a terminal; `sage run --research` then approves its plan in your name and logs that",
    },
    Variable {
        name: "SAGE_SESSION_ID",
        doc: "the session that a run belongs to, instead of the project's own",
    },
    Variable { name: "SAGE_TRACE_ID", doc: "an id of yours that a run carries in its metrics" },
    Variable {
        name: "SAGE_TOOL_POLICY",
        doc: "`standard` or `strict`: how much tools may do without asking, instead of `tool_policy` of `.sage/policy.json`",
    },
    Variable {
        name: "SAGE_FAULT_KILL_AFTER_SEQ",
        doc: "for crash tests: the process kills itself right after appending the event with this number",
    },
    Variable {
        name: "SAGE_FAULT_PANIC",
        doc: "for tests of the report about faults: the program panics before the command begins",
    },
    Variable {
        name: "NO_COLOR",
        doc: "when set and not empty: no colour, unless `--color always`",
    },
    Variable { name: "TERM", doc: "`dumb` means a terminal without colour" },
    Variable {
        name: "COLUMNS",
        doc: "width of the output in columns, instead of the terminal's own",
    },
    Variable { name: "VISUAL", doc: "the editor for plans" },
    Variable { name: "EDITOR", doc: "the editor for plans when `VISUAL` is not set" },
    Variable {
        name: "XDG_CONFIG_HOME",
        doc: "where the user's `sage/config.yaml` and `sage/models.yaml` are; default `~/.config`",
    },
    Variable {
        name: "TMPDIR",
        doc: "where copies for dry runs and other temporary files go; default `/tmp`",
    },
    Variable { name: "HOME", doc: "your home folder: `~/.sage/rules.md`" },
];

/// A snapshot of the environment. Values that are not valid UTF-8 are read with replacement
/// characters; empty values count as not set.
#[derive(Debug, Clone, Default)]
pub struct EnvVars {
    values: BTreeMap<String, String>,
}

impl EnvVars {
    /// Reads the environment of this process.
    #[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
    pub fn read() -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self {
            values: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
        }
    }

    /// A snapshot of these pairs.
    #[cfg(test)]
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { values: pairs.iter().map(owned).collect() }
    }

    /// A variable's value; `None` when unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Every variable, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether a variable is set to something that means yes.
    pub fn is_on(&self, name: &str) -> bool {
        let means_no = |value: &str| {
            matches!(value.to_ascii_lowercase().as_str(), "0" | "false" | "no" | "off")
        };
        self.get(name).is_some_and(|value| !means_no(value))
    }

    /// Values of variables whose names look secret, to be kept out of logs.
    pub fn secret_values(&self) -> Vec<String> {
        let secret = |(name, value): (&str, &str)| looks_secret(name).then(|| value.to_owned());
        self.iter().filter_map(secret).filter(|value| !value.is_empty()).collect()
    }

    /// `SAGE_…` variables that nothing reads, with the name that was probably meant.
    pub fn unknown(&self) -> Vec<(String, Option<&'static str>)> {
        let known: Vec<&'static str> =
            known_names().filter(|name| name.starts_with("SAGE_")).collect();
        self.values
            .keys()
            .filter(|name| name.starts_with("SAGE_") && !known.contains(&name.as_str()))
            .map(|name| (name.clone(), nearest(name, known.iter().copied())))
            .collect()
    }

    /// The editor: `VISUAL`, else `EDITOR`.
    pub fn editor(&self) -> Option<&str> {
        self.get("VISUAL").or_else(|| self.get("EDITOR"))
    }
}

/// Every variable that is read by name.
pub fn known_names() -> impl Iterator<Item = &'static str> {
    let of_settings = settings::TABLE.iter().filter_map(|setting| setting.env);
    of_settings.chain(VARIABLES.iter().map(|variable| variable.name))
}

/// Whether a variable's name says that its value is a secret.
pub fn looks_secret(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "KEY",
        "KEYS",
        "APIKEY",
        "TOKEN",
        "TOKENS",
        "SECRET",
        "SECRETS",
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "PASS",
        "CREDENTIAL",
        "CREDENTIALS",
        "PAT",
        "DSN",
        "COOKIE",
        "PRIVATE",
        "AUTH",
    ];
    const ENDINGS: &[&str] = &["KEY", "TOKEN", "SECRET", "PASSWORD"];
    // A socket's path and the working directory are no secrets, whatever they are called.
    const NOT_SECRET: &[&str] = &["SSH_AUTH_SOCK", "PWD", "OLDPWD"];
    let name = name.to_ascii_uppercase();
    if NOT_SECRET.contains(&name.as_str()) {
        return false;
    }
    name.split(['_', '-', '.']).any(|word| WORDS.contains(&word))
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_recognised_by_name() {
        for name in
            ["OPENAI_API_KEY", "GITHUB_TOKEN", "MYAPIKEY", "db_password", "NPM_AUTH", "SENTRY_DSN"]
        {
            assert!(looks_secret(name), "{name}");
        }
        for name in
            ["PATH", "PWD", "OLDPWD", "SSH_AUTH_SOCK", "KEYBOARD", "COMPASS", "MONKEYS_DIR", "TERM"]
        {
            assert!(!looks_secret(name), "{name}");
        }
        let env = EnvVars::of(&[("A_TOKEN", "abc123"), ("B_KEY", ""), ("PATH", "/bin")]);
        assert_eq!(env.secret_values(), ["abc123"]);
    }

    #[test]
    fn a_misspelt_variable_is_found_with_the_name_that_was_meant() {
        let env =
            EnvVars::of(&[("SAGE_NON_INTERACTVE", "1"), ("SAGE_TRACE_ID", "x"), ("OTHER", "1")]);
        assert_eq!(
            env.unknown(),
            [("SAGE_NON_INTERACTVE".to_owned(), Some("SAGE_NON_INTERACTIVE"))]
        );
    }

    #[test]
    fn an_empty_or_negative_value_is_off() {
        let env = EnvVars::of(&[("A", "1"), ("B", ""), ("C", "0"), ("D", "False"), ("E", "yes")]);
        let on: Vec<bool> = ["A", "B", "C", "D", "E", "F"].map(|name| env.is_on(name)).to_vec();
        assert_eq!(on, [true, false, false, false, true, false]);
    }
}
