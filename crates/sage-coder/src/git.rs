//! Asking git, through its command line, without touching what is the user's.
//!
//! Every call runs without hooks, without signing, without background work, and takes no optional locks.
//! A call that needs an index gets a private one. Output goes through files, so that it arrives byte for
//! byte and apart from what git has to say about it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// How long one call may take: a large repository has to be looked at as a whole.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Settings under which every call runs.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "commit.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
];

/// The line that keeps git's words apart from its output.
const LINE: &str = r#"exec git "$@" <"$SAGE_GIT_IN" >"$SAGE_GIT_OUT" 2>"$SAGE_GIT_SAYS""#;

/// git in one folder.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    cwd: PathBuf,
    scratch: PathBuf,
    env: Vec<(String, String)>,
}

/// What a call came to.
#[derive(Debug)]
pub(crate) struct Said {
    pub ok: bool,
    pub stdout: Vec<u8>,
    /// Its complaints, in one line.
    pub complaint: String,
}

impl Said {
    /// The output as text, without the newline at its end.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end().to_owned()
    }
}

impl Git {
    /// git in `cwd`, with the environment of child processes; `scratch` is a folder for its output.
    pub(crate) fn new(cwd: &Path, scratch: &Path, env: &[(String, String)]) -> Self {
        let mut env = env.to_vec();
        for (name, value) in
            [("GIT_OPTIONAL_LOCKS", "0"), ("GIT_LFS_SKIP_SMUDGE", "1"), ("LC_ALL", "C")]
        {
            env.retain(|(known, _)| known != name);
            env.push((name.to_owned(), value.to_owned()));
        }
        Self { cwd: cwd.to_owned(), scratch: scratch.to_owned(), env }
    }

    /// The same with a variable set.
    pub(crate) fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut git = self.clone();
        git.env.retain(|(known, _)| known != name);
        git.env.push((name.to_owned(), value.into()));
        git
    }

    /// The same in another folder.
    pub(crate) fn at(&self, cwd: &Path) -> Self {
        Self { cwd: cwd.to_owned(), ..self.clone() }
    }

    /// The same with a private index that begins as a copy of the user's.
    pub(crate) async fn with_private_index(&self) -> Result<(Self, PrivateIndex)> {
        let io = |source| Error::Io { doing: "creating", path: self.scratch.clone(), source };
        let folder =
            tempfile::Builder::new().prefix("git-index-").tempdir_in(&self.scratch).map_err(io)?;
        let path = folder.path().join("index");
        let own = self.run(&["rev-parse", "--git-path", "index"]).await?;
        if own.ok {
            let own = self.cwd.join(own.text());
            // A repository without a commit has none yet.
            let _ = fs::copy(own, &path);
        }
        Ok((self.with("GIT_INDEX_FILE", path.to_string_lossy()), PrivateIndex(folder)))
    }

    /// Runs git; that it fails is an answer.
    pub(crate) async fn run(&self, args: &[&str]) -> Result<Said> {
        self.run_with(args, b"").await
    }

    /// Runs git with this input.
    pub(crate) async fn run_with(&self, args: &[&str], input: &[u8]) -> Result<Said> {
        let io = |source| Error::Io { doing: "writing below", path: self.scratch.clone(), source };
        let file = || NamedTempFile::with_prefix_in("git-", &self.scratch).map_err(io);
        let (mut given, out, says) = (file()?, file()?, file()?);
        given.write_all(input).map_err(io)?;
        let mut argv = vec!["/bin/sh", "-c", LINE, "git"];
        for setting in SETTINGS {
            argv.extend(["-c", setting]);
        }
        argv.extend(args);
        let mut env = self.env.clone();
        for (name, file) in
            [("SAGE_GIT_IN", &given), ("SAGE_GIT_OUT", &out), ("SAGE_GIT_SAYS", &says)]
        {
            env.push((name.to_owned(), file.path().to_string_lossy().into_owned()));
        }
        let ended = sage_tool::process::output(&argv, &self.cwd, &env, TIMEOUT).await?;
        let complaint = String::from_utf8_lossy(&fs::read(says.path()).map_err(io)?).into_owned();
        let complaint: Vec<&str> =
            complaint.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        Ok(Said {
            ok: ended.exit_code == Some(0),
            stdout: fs::read(out.path()).map_err(io)?,
            complaint: complaint.join("; "),
        })
    }

    /// Runs git and gives its output; that it fails is an error.
    pub(crate) async fn ask(&self, args: &[&str]) -> Result<String> {
        let said = self.run(args).await?;
        if said.ok {
            Ok(said.text())
        } else {
            Err(Error::Git { doing: args.join(" "), complaint: said.complaint })
        }
    }

    /// Whether the folder is in a work tree that git will work with.
    pub(crate) async fn is_usable(&self) -> bool {
        let asked = self.run(&["rev-parse", "--is-inside-work-tree"]).await;
        asked.is_ok_and(|said| said.ok && said.text() == "true")
    }

    /// The commit that is checked out; `None` where there is none yet.
    pub(crate) async fn head(&self) -> Result<Option<String>> {
        let said = self.run(&["rev-parse", "--verify", "-q", "HEAD^{commit}"]).await?;
        Ok(said.ok.then(|| said.text()))
    }
}

/// An index that nobody else uses; gone when dropped.
#[derive(Debug)]
pub(crate) struct PrivateIndex(
    #[expect(dead_code, reason = "held for its drop")] tempfile::TempDir,
);
