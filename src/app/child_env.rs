//! The environment that commands see: what builds and tests need, never a secret.

use crate::env_vars::{EnvVars, looks_secret};

/// Variables that are passed on when set.
const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TERM",
    "TMPDIR",
    "TZ",
    // Rust
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "CARGO_TARGET_DIR",
    "RUSTFLAGS",
    // Go
    "GOPATH",
    "GOROOT",
    "GOCACHE",
    "GOMODCACHE",
    "GOFLAGS",
    "GOPROXY",
    "GOTOOLCHAIN",
    // Python
    "VIRTUAL_ENV",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "CONDA_PREFIX",
    // JavaScript
    "NVM_DIR",
    "NVM_BIN",
    "NODE_PATH",
    "NODE_OPTIONS",
    // Java, C and the rest
    "JAVA_HOME",
    "MAVEN_OPTS",
    "GRADLE_USER_HOME",
    "CC",
    "CXX",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
    "PKG_CONFIG_PATH",
    "LD_LIBRARY_PATH",
    "LIBRARY_PATH",
    "CPATH",
    "MAKEFLAGS",
    // Certificates and caches
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
];

/// Variables that are set for every command: leave no caches in the work tree, never wait for input.
const SET: &[(&str, &str)] = &[
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("PYTEST_ADDOPTS", "-p no:cacheprovider"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("CI", "1"),
    ("NO_COLOR", "1"),
];

/// The environment for commands, by name. `extra` are further names from `tools.environment`; the
/// second result lists those of them that look secret and are therefore not passed on.
pub fn child_environment(env: &EnvVars, extra: &[String]) -> (Vec<(String, String)>, Vec<String>) {
    let (refused, extra): (Vec<&String>, Vec<&String>) =
        extra.iter().partition(|name| looks_secret(name));
    let is_passed_on = |name: &str| {
        PASSED_ON.contains(&name)
            || name.starts_with("LC_")
            || extra.iter().any(|wanted| *wanted == name)
    };
    let mut children: Vec<(String, String)> = env
        .iter()
        .filter(|(name, _)| is_passed_on(name) && !looks_secret(name))
        .filter(|(name, _)| !SET.iter().any(|(set, _)| set == name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    children.extend(SET.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    children.sort();
    (children, refused.into_iter().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_reach_commands_even_when_asked_for() {
        let env = EnvVars::of(&[
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("OPENAI_API_KEY", "sk-1"),
            ("DATABASE_PASSWORD", "x"),
            ("MY_FLAG", "1"),
            ("SAGE_TRACE_ID", "t"),
            ("PYTEST_ADDOPTS", "--lf"),
        ]);
        let extra = ["MY_FLAG".to_owned(), "OPENAI_API_KEY".to_owned()];
        let (children, refused) = child_environment(&env, &extra);
        let names: Vec<&str> = children.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "CI",
                "GIT_TERMINAL_PROMPT",
                "LC_ALL",
                "MY_FLAG",
                "NO_COLOR",
                "PATH",
                "PYTEST_ADDOPTS",
                "PYTHONDONTWRITEBYTECODE"
            ]
        );
        assert!(children.contains(&("PYTEST_ADDOPTS".into(), "-p no:cacheprovider".into())));
        assert_eq!(refused, ["OPENAI_API_KEY"]);
    }
}
