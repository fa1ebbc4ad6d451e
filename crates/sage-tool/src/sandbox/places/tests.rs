use super::*;

/// A home with toolchains and secrets, a project in it and another beside it.
struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap() };
        for folder in [
            ".cargo/bin",
            ".ssh",
            ".local/bin",
            ".local/share/keyrings",
            "tools/x/bin",
            "code/mine/.git",
            "code/mine/.sage",
            "code/mine/deps/lib/.git",
            "code/mine/node_modules/x/.git",
            "code/other",
        ] {
            fs::create_dir_all(home.at(folder)).unwrap();
        }
        fs::write(home.at(".cargo/credentials.toml"), "x").unwrap();
        home
    }

    fn at(&self, below: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(below)
    }

    fn settings(&self) -> SandboxSettings {
        SandboxSettings {
            home: Some(self.dir.path().canonicalize().unwrap()),
            ..SandboxSettings::default()
        }
    }

    /// How a path below the home is seen.
    fn seen(&self, settings: &SandboxSettings, path: &str) -> Option<Access> {
        let env = [("PATH".to_owned(), format!("{}:/usr/bin", self.at("tools/x/bin").display()))];
        let root = self.at("code/mine");
        let all = places(settings, &root, &nested_repositories(&root), &env, false);
        let at = self.at(path);
        all.iter().rev().find(|place| at.starts_with(&place.path)).map(|place| place.access)
    }
}

#[test]
fn what_is_named_is_there_and_nothing_else() {
    let home = Home::new();
    let settings = home.settings();
    for (path, access) in [
        ("code/mine/src/a.rs", Access::Write),
        ("code/mine/.git/config", Access::Protected),
        ("code/mine/.sage/policy.json", Access::Protected),
        ("code/mine/deps/lib/.git/config", Access::Protected),
        ("code/mine/node_modules/x/.git/config", Access::Write),
        (".cargo/bin/cargo", Access::Overlay),
        (".cargo/credentials.toml", Access::Hidden),
        (".local/bin/tool", Access::Read),
        ("tools/x/lib/libx.so", Access::Read),
        (".ssh/id", Access::Fresh),
        (".local/share/keyrings/login", Access::Fresh),
        ("code/other/.env", Access::Fresh),
    ] {
        assert_eq!(home.seen(&settings, path), Some(access), "{path}");
    }
}

#[test]
fn the_person_may_show_more_and_hide_more() {
    let home = Home::new();
    let mut settings = home.settings();
    settings.read = vec![home.at("code/other")];
    settings.write = vec![home.at("tools")];
    settings.hidden = vec![home.at("code/mine/deps")];
    for (path, access) in [
        ("code/other/x", Access::Read),
        ("tools/y", Access::Write),
        ("code/mine/deps/lib/.git/config", Access::Hidden),
        ("code/mine/src/a.rs", Access::Write),
    ] {
        assert_eq!(home.seen(&settings, path), Some(access), "{path}");
    }
}

#[test]
fn a_home_is_never_taken_for_where_something_was_installed() {
    let home = Home::new();
    fs::create_dir_all(home.at("bin")).unwrap();
    assert_eq!(installed_below(&home.at("bin"), None), None);
    let inside = home.at("tools/x/bin");
    assert_eq!(installed_below(&inside, None), Some(home.at("tools/x").as_path()));
    assert_eq!(installed_below(Path::new("/bin"), None), None);
    assert_eq!(installed_below(&home.at(".local/bin"), None), None);
}

#[test]
fn a_repository_elsewhere_is_one_or_it_is_not_shown() {
    let home = Home::new();
    let tree = home.at("tree");
    fs::create_dir_all(&tree).unwrap();
    let ssh = home.at(".ssh");
    fs::write(tree.join(".git"), format!("gitdir: {}\n", ssh.display())).unwrap();
    assert!(repository_elsewhere(&tree).is_empty());
    let git = home.at("code/mine/.git/worktrees/tree");
    fs::create_dir_all(&git).unwrap();
    fs::write(git.join("HEAD"), "ref: refs/heads/x\n").unwrap();
    fs::write(tree.join(".git"), format!("gitdir: {}\n", git.display())).unwrap();
    assert_eq!(repository_elsewhere(&tree), [git]);
}
