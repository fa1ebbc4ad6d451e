//! Appends a rule to a file without ever leaving half a file behind.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::document;
use crate::{Error, Result};

/// What came of adding a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It stands at the end of the file now.
    Appended,
    /// The file has it already and is unchanged.
    AlreadyThere,
}

/// Appends `text` as one list item to the rules file at `path`, creating the file and its folders
/// where needed. Line ends and the mode of an existing file are kept; a link is followed.
///
/// Line breaks in `text` become blanks: one call adds one rule. The file is replaced in one step, so
/// a reader sees it with the rule or without it.
pub fn add(path: &Path, text: &str) -> Result<Added> {
    let words: Vec<&str> = document::without_marker(text).split_whitespace().collect();
    if words.is_empty() {
        return Err(Error::EmptyRule);
    }
    let rule = format!("- {}", words.join(" "));
    let failed = |source: io::Error| Error::WriteRules { path: path.to_owned(), source };
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let before = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    let known = document::parse(&String::from_utf8_lossy(&before));
    let fingerprint = document::parse(&rule).first().map(document::Item::fingerprint);
    if known.iter().any(|item| Some(item.fingerprint()) == fingerprint) {
        return Ok(Added::AlreadyThere);
    }
    replace(&path, &with_line(before, &rule)).map_err(failed)?;
    Ok(Added::Appended)
}

fn with_line(mut bytes: Vec<u8>, line: &str) -> Vec<u8> {
    let line_end: &[u8] =
        if bytes.windows(2).any(|pair| pair == b"\r\n") { b"\r\n" } else { b"\n" };
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        bytes.extend_from_slice(line_end);
    }
    bytes.extend_from_slice(line.as_bytes());
    bytes.extend_from_slice(line_end);
    bytes
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".rules").tempfile_in(folder)?;
    file.write_all(bytes)?;
    match fs::metadata(path) {
        Ok(metadata) => file.as_file().set_permissions(metadata.permissions())?,
        Err(_) => default_mode(file.as_file())?,
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Temporary files are private; a rules file is meant to be read and shared.
#[cfg(unix)]
fn default_mode(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn default_mode(_: &fs::File) -> io::Result<()> {
    Ok(())
}
