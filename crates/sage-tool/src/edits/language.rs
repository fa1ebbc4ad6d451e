//! Which language a code fence may claim for which file.

/// Families of languages that are often named for one another.
const FAMILIES: [(&[&str], &[&str]); 12] = [
    (&["python", "py", "python3"], &["py", "pyi", "pyw"]),
    (&["rust", "rs"], &["rs"]),
    (&["go", "golang"], &["go"]),
    (
        &["javascript", "js", "jsx", "typescript", "ts", "tsx", "vue", "svelte", "node"],
        &["js", "jsx", "ts", "tsx", "mjs", "cjs", "mts", "cts", "vue", "svelte"],
    ),
    (&["java"], &["java"]),
    (&["json", "jsonc"], &["json", "jsonc", "json5", "lock", "ipynb", "webmanifest"]),
    (&["yaml", "yml"], &["yaml", "yml"]),
    (&["toml"], &["toml", "lock"]),
    (&["html"], &["html", "htm", "vue", "svelte", "hbs", "njk", "j2", "jinja", "tmpl", "erb"]),
    (&["css", "scss", "sass", "less"], &["css", "scss", "sass", "less"]),
    (&["c", "cpp", "c++", "cc"], &["c", "h", "cc", "cpp", "cxx", "hpp", "hh", "ino", "cu"]),
    (&["sql"], &["sql"]),
];

/// Languages of things that are typed or printed, not stored.
const SHELLS: [&str; 14] = [
    "bash",
    "sh",
    "shell",
    "zsh",
    "fish",
    "console",
    "terminal",
    "shell-session",
    "shellsession",
    "powershell",
    "cmd",
    "output",
    "log",
    "stdout",
];

/// How the language of a fence goes with the file that it is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Fits,
    /// Something to type or something printed, shown under the name of a file.
    Shell,
    Differs,
}

/// Compares the language on a fence with a file's extension.
pub(super) fn fit(language: &str, path: &str) -> Fit {
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if SHELLS.contains(&language) {
        let is_script = matches!(
            extension,
            "sh" | "bash" | "zsh" | "fish" | "ps1" | "bat" | "cmd" | "env" | "log"
        ) || !name.contains('.')
            || name.starts_with('.');
        return if is_script { Fit::Fits } else { Fit::Shell };
    }
    let of_language = |(languages, _): &&(&[&str], &[&str])| languages.contains(&language);
    let of_extension = |(_, extensions): &&(&[&str], &[&str])| extensions.contains(&extension);
    match FAMILIES.iter().find(of_language) {
        Some(family)
            if !of_extension(&family) && FAMILIES.iter().any(|other| of_extension(&other)) =>
        {
            Fit::Differs
        }
        _ => Fit::Fits,
    }
}

/// Whether fences and marker lines may be part of a file's text.
pub(super) fn is_prose(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    matches!(extension.to_lowercase().as_str(), "md" | "mdx" | "markdown" | "rst" | "txt" | "adoc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_must_fit_the_name() {
        assert_eq!(fit("python", "a.py"), Fit::Fits);
        assert_eq!(fit("ts", "a.jsx"), Fit::Fits);
        assert_eq!(fit("", "a.py"), Fit::Fits);
        assert_eq!(fit("brainfuck", "a.py"), Fit::Fits);
        assert_eq!(fit("bash", "a.py"), Fit::Shell);
        assert_eq!(fit("bash", "a.sh"), Fit::Fits);
        assert_eq!(fit("sh", "Dockerfile"), Fit::Fits);
        assert_eq!(fit("json", "a.py"), Fit::Differs);
    }
}
