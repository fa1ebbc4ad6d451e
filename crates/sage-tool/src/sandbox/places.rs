//! What a command sees of the machine: the system, toolchains, the work tree, and nothing else.
//!
//! The list says what is there; what it does not name is not. Inside of what it names, credentials are
//! hidden and the work tree's `.git`, `.sage` and rules are only to be read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::SandboxSettings;
use super::spec::{Access, Place};

/// The system's own folders. Links among them (`/bin` to `usr/bin`) stay links.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix",
    "/gnu",
    "/snap",
    "/var/lib/gems",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
];
/// Secrets among the system's files, for those who may read them.
const SYSTEM_SECRETS: &[&str] = &[
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/pki/private",
    "/etc/docker",
    "/etc/kubernetes",
    "/etc/rancher",
    "/etc/NetworkManager/system-connections",
    "/etc/wireguard",
    "/etc/openvpn",
    "/etc/ppp",
    "/etc/krb5.keytab",
    "/etc/letsencrypt",
    "/etc/sssd",
    "/etc/ipsec.secrets",
    "/etc/netrc",
];
/// Toolchains in the home.
const TOOLCHAINS: &[&str] = &[
    ".rustup",
    ".pyenv",
    ".nvm",
    ".fnm",
    ".volta",
    ".nodenv",
    ".bun",
    ".deno",
    ".npm-global",
    ".yarn",
    ".rbenv",
    ".rvm",
    ".asdf",
    ".sdkman",
    ".jenv",
    ".jdks",
    ".ghcup",
    ".opam",
    ".juliaup",
    ".julia",
    ".dotnet",
    ".goenv",
    ".elan",
    ".nix-profile",
    "miniconda3",
    "anaconda3",
    "miniforge3",
    ".local/bin",
    ".local/lib",
    ".local/share/uv",
    ".local/share/pipx",
    ".local/share/pnpm",
    ".local/share/mise",
    ".local/share/fnm",
    ".local/share/virtualenvs",
    ".local/state/nix",
];
/// Toolchains and package stores that their tools write to as they read: changes are lost.
const STORES: &[&str] = &[".cargo", ".m2", ".gradle", ".ivy2", ".sbt", "go"];
/// Variables whose values are folders or files of toolchains, with `:` between several.
const READ_VARIABLES: &[&str] = &[
    "RUSTUP_HOME",
    "GOROOT",
    "PYENV_ROOT",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "NVM_DIR",
    "NVM_BIN",
    "NODE_PATH",
    "JAVA_HOME",
    "LD_LIBRARY_PATH",
    "LIBRARY_PATH",
    "CPATH",
    "PKG_CONFIG_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
/// The same for stores.
const STORE_VARIABLES: &[&str] = &["CARGO_HOME", "GOPATH", "GOMODCACHE", "GRADLE_USER_HOME"];
/// Credentials within toolchains and stores, relative to the home.
const SECRETS_OF_STORES: &[&str] = &[
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".m2/settings.xml",
    ".m2/settings-security.xml",
    ".gradle/gradle.properties",
    ".gradle/init.gradle",
    ".ivy2/.credentials",
    ".sbt/.credentials",
    ".sbt/credentials",
    ".yarn/.yarnrc",
    ".dotnet/NuGet",
];
/// The same by name, for stores that variables name.
const SECRET_NAMES_OF_STORES: &[&str] =
    &["credentials", "credentials.toml", "settings.xml", "gradle.properties"];
/// What hides in a home, should the work tree hold the home or lie around it.
const SECRETS_OF_HOME: &[&str] = &[
    ".ssh",
    ".aws",
    ".azure",
    ".gnupg",
    ".netrc",
    "_netrc",
    ".config",
    ".docker",
    ".kube",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".password-store",
    ".vault-token",
    ".terraform.d",
    ".terraformrc",
    ".pgpass",
    ".my.cnf",
    ".mozilla",
    ".thunderbird",
    ".local/share/keyrings",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".node_repl_history",
    ".psql_history",
    ".sqlite_history",
    ".lesshst",
    ".viminfo",
    ".gitconfig",
    ".sage/rules.md",
    ".oci",
    ".boto",
    ".s3cfg",
    ".gem/credentials",
];
/// Names by which a folder is somebody's home rather than where something was installed.
const SIGNS_OF_A_HOME: &[&str] = &[".bashrc", ".profile", ".ssh", ".bash_history", ".zshrc"];
/// Folders and files of the work tree that are only to be read.
const PROTECTED: &[&str] = &[".git", ".sage", ".sage-rules.md"];

/// How deep repositories inside the work tree are looked for.
const MAX_NESTED_DEPTH: usize = 8;
/// How many folders are looked into for them.
const MAX_NESTED_FOLDERS: usize = 4000;
/// Folders that are not looked into: no repository of a person is there.
const NOT_LOOKED_INTO: &[&str] = &["node_modules", "target", ".venv", "venv", "__pycache__"];

/// The places of a command in the tree at `root` with these repositories inside, parents first.
pub(super) fn places(
    settings: &SandboxSettings,
    root: &Path,
    nested: &[PathBuf],
    env: &[(String, String)],
    shares_network: bool,
) -> Vec<Place> {
    let mut all = Places::default();
    for path in SYSTEM {
        all.add(Path::new(path), Access::Read);
    }
    // Where names are looked up may be kept outside of /etc.
    if shares_network && let Ok(path) = fs::canonicalize("/etc/resolv.conf") {
        all.add(&path, Access::Read);
    }
    let value = |name: &str| env.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    if let Some(home) = settings.home.as_deref().filter(|home| is_a_place(home)) {
        all.fresh(home);
        TOOLCHAINS.iter().for_each(|name| all.read(&home.join(name), Access::Read, root));
        STORES.iter().for_each(|name| all.read(&home.join(name), Access::Overlay, root));
    }
    let home = settings.home.as_deref();
    for folder in value("PATH").into_iter().flat_map(|path| path.split(':')) {
        let folder = Path::new(folder);
        all.read(folder, Access::Read, root);
        if let Some(prefix) = installed_below(folder, home) {
            all.read(prefix, Access::Read, root);
        }
    }
    for (names, access) in [(READ_VARIABLES, Access::Read), (STORE_VARIABLES, Access::Overlay)] {
        let values = names.iter().filter_map(|name| value(name));
        for path in values.flat_map(|value| value.split(':')).map(Path::new) {
            if !holds_a_home(path, home) {
                all.read(path, access, root);
            }
        }
    }
    for path in repository_elsewhere(root) {
        all.read(&path, Access::Read, root);
    }
    settings.read.iter().for_each(|path| all.wanted(path, Access::Read));
    settings.write.iter().for_each(|path| all.wanted(path, Access::Write));
    all.add(root, Access::Write);
    if let Some(cache) = &settings.cache {
        all.add(cache, Access::Write);
    }
    for path in protected(root).iter().chain(nested) {
        all.add(path, Access::Protected);
    }
    all.hide(settings);
    all.finish(root, settings.cache.as_deref())
}

/// What is protected in the root of a work tree and is there.
pub(super) fn protected(root: &Path) -> Vec<PathBuf> {
    let names = PROTECTED.iter().map(|name| root.join(name));
    names.filter(|path| path.symlink_metadata().is_ok()).collect()
}

/// Names in the root of a work tree that no command may bring into being.
pub(super) fn never_made(root: &Path) -> Vec<PathBuf> {
    let names = PROTECTED.iter().map(|name| root.join(name));
    names.filter(|path| path.symlink_metadata().is_err()).collect()
}

/// `.git` of repositories inside the tree, such as submodules.
pub(super) fn nested_repositories(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![(root.to_owned(), 0)];
    let mut n_folders = 0;
    while let Some((folder, depth)) = pending.pop() {
        n_folders += 1;
        if n_folders > MAX_NESTED_FOLDERS {
            break;
        }
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name == ".git" {
                if depth > 0 {
                    found.push(entry.path());
                }
                continue;
            }
            let is_skipped = name.to_str().is_some_and(|name| {
                NOT_LOOKED_INTO.contains(&name) || (depth == 0 && name == ".sage")
            });
            if depth < MAX_NESTED_DEPTH
                && !is_skipped
                && entry.file_type().is_ok_and(|kind| kind.is_dir())
            {
                pending.push((entry.path(), depth + 1));
            }
        }
    }
    found
}

/// Where a `.git` that is a file says that its repository is: of a work tree, or of a submodule.
fn repository_elsewhere(root: &Path) -> Vec<PathBuf> {
    let named = |file: PathBuf, prefix: &str| {
        let text = fs::read_to_string(file).ok()?;
        let path = text.trim().strip_prefix(prefix)?.trim().to_owned();
        Some(PathBuf::from(path))
    };
    let git = root.join(".git");
    let Some(folder) = git.is_file().then(|| named(git, "gitdir:")).flatten() else {
        return Vec::new();
    };
    let folder = root.join(folder);
    // Whatever the file names, nothing is shown that is no repository.
    if !folder.join("HEAD").is_file() {
        return Vec::new();
    }
    let common = named(folder.join("commondir"), "").map(|path| folder.join(path));
    let common = common.filter(|path| path.join("HEAD").is_file() && path.join("objects").is_dir());
    [Some(folder), common].into_iter().flatten().collect()
}

/// Where the programs of a search folder were installed: what lies beside their `bin`.
fn installed_below<'a>(folder: &'a Path, home: Option<&Path>) -> Option<&'a Path> {
    const NAMES: &[&str] = &["bin", "sbin", "shims"];
    let name = folder.file_name()?.to_str()?;
    let prefix = folder.parent().filter(|_| NAMES.contains(&name))?;
    (!holds_a_home(prefix, home)).then_some(prefix)
}

/// Whether a folder is a home, holds one, or holds everything.
fn holds_a_home(folder: &Path, home: Option<&Path>) -> bool {
    let is_shallow = folder.components().count() < 3;
    let is_above = home.is_some_and(|home| home.starts_with(folder));
    // `~/.local` holds other things than programs.
    let is_local = folder.file_name().is_some_and(|name| name == ".local");
    is_shallow
        || is_above
        || is_local
        || SIGNS_OF_A_HOME.iter().any(|sign| folder.join(sign).exists())
}

fn is_a_place(path: &Path) -> bool {
    path.is_absolute() && path.parent().is_some()
}

#[derive(Default)]
struct Places {
    found: BTreeMap<PathBuf, Access>,
}

impl Places {
    fn add(&mut self, path: &Path, access: Access) {
        if !is_a_place(path) || path.symlink_metadata().is_err() {
            return;
        }
        let known = self.found.entry(path.to_owned()).or_insert(access);
        *known = access.max(*known);
    }

    fn fresh(&mut self, path: &Path) {
        self.found.entry(path.to_owned()).or_insert(Access::Fresh);
    }

    /// Adds a place by its name and by where that leads; never one inside the work tree or around it,
    /// and none of the system that is there anyway.
    fn read(&mut self, path: &Path, access: Access, root: &Path) {
        let Ok(real) = fs::canonicalize(path) else { return };
        for path in [path, real.as_path()] {
            let is_system = SYSTEM.iter().any(|system| path.starts_with(system));
            let is_odd = path.components().any(|part| part.as_os_str() == "..");
            let is_around = root.starts_with(path);
            if !is_system && !is_odd && !is_around && !path.starts_with(root) {
                self.add(path, access);
            }
        }
    }

    /// Adds what the person asks for, by its name and by where that leads.
    fn wanted(&mut self, path: &Path, access: Access) {
        let Ok(real) = fs::canonicalize(path) else { return };
        self.add(path, access);
        self.add(&real, access);
    }

    /// Hides credentials inside of what is shown.
    fn hide(&mut self, settings: &SandboxSettings) {
        let mut secrets: Vec<PathBuf> = SYSTEM_SECRETS.iter().map(PathBuf::from).collect();
        if let Some(home) = &settings.home {
            let names = SECRETS_OF_STORES.iter().chain(SECRETS_OF_HOME);
            secrets.extend(names.map(|name| home.join(name)));
        }
        for (path, access) in &self.found {
            if *access == Access::Overlay {
                secrets.extend(SECRET_NAMES_OF_STORES.iter().map(|name| path.join(name)));
            }
        }
        secrets.extend(settings.hidden.iter().cloned());
        for secret in secrets {
            let is_shown = self.found.iter().any(|(path, access)| {
                !matches!(access, Access::Fresh | Access::Hidden) && secret.starts_with(path)
            });
            // What the person's own settings show by its name stays shown.
            let is_wanted = settings.read.contains(&secret) || settings.write.contains(&secret);
            if is_shown && !is_wanted {
                self.add(&secret, Access::Hidden);
            }
        }
    }

    /// In the order of mounting, without what its parent shows in the same way.
    fn finish(self, root: &Path, cache: Option<&Path>) -> Vec<Place> {
        let mut kept: Vec<Place> = Vec::new();
        for (path, access) in self.found {
            let above = kept.iter().rev().find(|place| path.starts_with(&place.path));
            let is_own = path == root || Some(path.as_path()) == cache;
            let is_same = above.is_some_and(|above| {
                above.access == access
                    || (above.access == Access::Overlay && access == Access::Read)
            });
            let is_hidden = above.is_some_and(|above| above.access == Access::Hidden);
            if !is_own && (is_same || is_hidden) {
                continue;
            }
            kept.push(Place { path, access });
        }
        kept
    }
}

#[cfg(test)]
mod tests;
