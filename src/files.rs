//! Writes files whole or not at all, and reads them with an error that says what was being done.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::failure::Failure;

/// The most that a file of settings, rules or state may hold.
const MAX_TEXT_BYTES: u64 = 16 * 1024 * 1024;

/// The text of a file that a project may have brought along. Under its name may be anything: a pipe would
/// be waited for, and a device has no end.
pub fn read_text(path: &Path) -> io::Result<String> {
    let meta = fs::metadata(path)?;
    if !meta.is_file() || meta.len() > MAX_TEXT_BYTES {
        return Err(io::Error::other(format!("it is no file of at most {MAX_TEXT_BYTES} bytes")));
    }
    fs::read_to_string(path)
}

/// The text of a file; `None` when it does not exist.
pub fn read_if_exists(path: &Path) -> Result<Option<String>, Failure> {
    match read_text(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Failure::environment(format!("reading {}", path.display())).because(error))
        }
    }
}

/// Replaces a file in one step, creating its folders. The mode of an existing file is kept; a link is
/// followed.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::environment(format!("writing {}", path.display())).because(error)
    };
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    let permissions = match fs::metadata(&target) {
        Ok(metadata) => metadata.permissions(),
        Err(_) => ordinary(),
    };
    file.as_file().set_permissions(permissions).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Temporary files are private; what people share in a project is not.
fn ordinary() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o644)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_mode_and_through_its_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_whole(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        write_whole(&folder.path().join("a/b"), b"x").unwrap();
        assert_eq!(read_if_exists(&folder.path().join("a/b")).unwrap().as_deref(), Some("x"));
        assert_eq!(read_if_exists(&folder.path().join("c")).unwrap(), None);
        assert!(read_if_exists(folder.path()).is_err());
        assert!(read_text(Path::new("/dev/zero")).is_err());
    }
}
