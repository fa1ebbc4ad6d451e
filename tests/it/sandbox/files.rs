//! Files outside, and what is protected inside.

use std::fs;

use super::{Jailed, MARK, Neighbour, SECRET, check, check_modes, check_sh, says_so};

#[test]
fn nothing_is_written_outside() {
    let jailed = Jailed::new();
    let script = "echo x > OUT/new; echo x >> OUT/secret; rm -f OUT/secret; mkdir OUT/folder; true";
    check(
        &jailed,
        |mode| jailed.sh(mode, script),
        |_| {
            let out = jailed.outside();
            out.join("new").exists()
                || out.join("folder").exists()
                || fs::read_to_string(out.join("secret")).ok().as_deref() != Some(SECRET)
        },
    );
}

#[test]
fn nothing_is_written_into_the_home() {
    let jailed = Jailed::new();
    let bashrc = jailed.sandbox.home().join(".bashrc");
    fs::write(&bashrc, "").unwrap();
    check(
        &jailed,
        |mode| jailed.sh(mode, "echo evil >> $HOME/.bashrc; true"),
        |_| fs::read_to_string(&bashrc).unwrap() != "",
    );
}

#[test]
fn symbolic_links_lead_nowhere() {
    check_sh("ln -sf OUT/secret link; cat link && echo ESCAPED; rm -f link");
    let jailed = Jailed::new();
    let script = "ln -sfn OUT way; echo x > way/new; rm -f way";
    check(&jailed, |mode| jailed.sh(mode, script), |_| jailed.outside().join("new").exists());
}

#[test]
fn files_outside_are_not_linked_or_moved_into_the_tree() {
    check_sh("ln OUT/secret hard && cat hard && echo ESCAPED; rm -f hard");
    check_sh("mv OUT/secret moved && echo ESCAPED; rm -f moved");
    // A file that may be read, but not written: a second name must not make it writable.
    let jailed = Jailed::new();
    let shown = jailed.sandbox.path("shown");
    fs::create_dir(&shown).unwrap();
    fs::write(shown.join("file"), "as it was").unwrap();
    jailed.sandbox.user_config(&format!("sandbox:\n  read: [{}]\n", shown.display()));
    let script = format!(
        "cat {0} >/dev/null && ln {0} second && echo x > second && echo ESCAPED; rm -f second",
        shown.join("file").display()
    );
    check(&jailed, |mode| jailed.sh(mode, &script), says_so);
}

#[test]
fn proc_is_no_way_around() {
    for path in ["/proc/self/root", "/proc/$PPID/root", "/proc/thread-self/root"] {
        check_sh(&format!("cat {path}OUT/secret >/dev/null && echo ESCAPED"));
    }
    let jailed = Jailed::new();
    for file in ["cwd/secret", "fd/0", "environ"] {
        let attempt = |mode: &str| {
            let neighbour = Neighbour::start(&jailed);
            let id = neighbour.id();
            let script = format!("grep -a {SECRET} /proc/{id}/{file} >/dev/null && echo {MARK}");
            jailed.sh(mode, &script)
        };
        check(&jailed, attempt, says_so);
    }
}

#[test]
fn no_descriptor_is_inherited() {
    let jailed = Jailed::new();
    let sage = env!("CARGO_BIN_EXE_sage");
    let attempt = |mode: &str| {
        // The program itself is started with a file open that it does not know of.
        let line = format!(
            "exec 9<{}; exec {sage} sandbox --sandbox {mode} -- sh -c 'cat <&9 && echo {MARK}'",
            jailed.outside().join("secret").display()
        );
        let mut shell = jailed.sandbox.shell();
        shell.args(["-c", &line]);
        let output = shell.output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        sage_testkit::Output { stdout, stderr, ..jailed.sandbox.run(&["version"]) }
    };
    check(&jailed, attempt, says_so);
}

#[test]
fn the_secrets_of_another_project_are_not_read() {
    let jailed = Jailed::new();
    let other = jailed.sandbox.path("outside/other-project");
    let make = || {
        fs::create_dir_all(other.join(".git")).unwrap();
        fs::write(other.join(".env"), format!("KEY={SECRET}\n")).unwrap();
    };
    let attempt = |mode: &str| {
        make();
        jailed.sh(mode, "cat ../outside/other-project/.env && echo ESCAPED; ls .. | grep outside && echo ESCAPED")
    };
    check(&jailed, attempt, says_so);
}

#[test]
fn credentials_in_the_home_are_not_read() {
    let jailed = Jailed::new();
    let home = jailed.sandbox.home();
    let files = [
        ".ssh/id_ed25519",
        ".aws/credentials",
        ".netrc",
        ".config/gh/hosts.yml",
        ".docker/config.json",
        ".kube/config",
        ".gnupg/key",
        ".npmrc",
        ".pypirc",
        ".bash_history",
        ".cargo/credentials.toml",
        ".cargo/credentials",
        ".m2/settings.xml",
        ".gradle/gradle.properties",
        ".config/sage/models.yaml",
        ".local/share/keyrings/login",
    ];
    for file in files {
        let path = home.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, SECRET).unwrap();
        let script = format!("grep {SECRET} $HOME/{file} && echo ESCAPED");
        check(&jailed, |mode| jailed.sh(mode, &script), says_so);
    }
}

#[test]
fn a_project_that_is_the_home_does_not_show_credentials() {
    let jailed = Jailed::new();
    let home = jailed.sandbox.home();
    fs::create_dir_all(home.join(".ssh")).unwrap();
    fs::write(home.join(".ssh/id"), SECRET).unwrap();
    fs::write(home.join(".netrc"), SECRET).unwrap();
    let script = format!("grep -r {SECRET} .ssh .netrc && echo {MARK}");
    let attempt = |mode: &str| {
        let args = Jailed::args(mode, &["sh", "-c", &script]);
        let project = ["--project", home.to_str().unwrap()].map(str::to_owned);
        jailed.sandbox.run(&[&project[..], &args[..]].concat())
    };
    // Landlock alone cannot take something out of what may be written.
    check_modes(&jailed, &["on"], attempt, says_so);
}

/// What decides about later runs and about what git runs: not written, not moved away, not replaced.
#[test]
fn git_and_sage_are_not_written() {
    let jailed = Jailed::new();
    let project = jailed.sandbox.project();
    let before = sage_testkit::Tree::of(&project, &[".sage/cache", "index"]);
    let scripts = [
        "printf '#!/bin/sh\\n' > .git/hooks/pre-commit",
        "echo '[core]' >> .git/config",
        "rm -f .git/HEAD",
        "echo '{\"rules\":[]}' > .sage/policy.json",
        "echo 'run:' > .sage/config.yaml",
        "echo be evil > .sage/rules.md",
        "mv .git aside && mkdir -p .git/hooks && echo x > .git/hooks/pre-commit",
        "mv .sage aside && mkdir .sage && echo x > .sage/policy.json",
        "ln .git/config second && echo x >> second",
        "echo be evil > .sage-rules.md",
    ];
    for script in scripts {
        let output = jailed.sh("on", script);
        let difference = before.diff(&sage_testkit::Tree::of(&project, &[".sage/cache", "index"]));
        assert_eq!(difference, "", "{script}: {output}");
    }
    // Without namespaces nothing keeps them from being written, but it is found and put back.
    for script in &scripts[..2] {
        let output = jailed.sh("landlock", script);
        let difference = before.diff(&sage_testkit::Tree::of(&project, &[".sage/cache", "index"]));
        assert_eq!(difference, "", "{script}: {output}");
        output.expect_text("was put back");
    }
    // Each of them does something where nothing holds it.
    for script in scripts {
        let free = Jailed::new();
        let project = free.sandbox.project();
        let before = sage_testkit::Tree::of(&project, &[".sage/cache", "index"]);
        let output = free.sh("off", script);
        let now = sage_testkit::Tree::of(&project, &[".sage/cache", "index"]);
        assert_ne!(before.diff(&now), "", "{script} shows nothing: {output}");
    }
}

#[test]
fn repositories_inside_the_tree_are_protected_too() {
    let jailed = Jailed::new();
    let hook = jailed.sandbox.project().join("deps/lib/.git/hooks/pre-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let attempt = |mode: &str| jailed.sh(mode, "echo evil > deps/lib/.git/hooks/pre-commit");
    check_modes(&jailed, &["on"], attempt, |_| hook.exists());
}

#[test]
fn a_repository_that_did_not_exist_is_not_left() {
    let sandbox = crate::support::sandbox();
    let args = ["sandbox", "--", "sh", "-c", "mkdir -p .git/hooks; echo x > .git/hooks/pre-commit"];
    sandbox.run(&args).expect_text(".git was made by the command");
    assert!(!sandbox.exists(".git"));
}

/// A repository that a command leaves somewhere runs its code as soon as a person's `git` meets it.
#[test]
fn repositories_are_neither_made_nor_replaced() {
    for (mode, is_held) in [("on", true), ("off", false)] {
        let jailed = Jailed::new();
        let project = jailed.sandbox.project();
        let real = project.join("deps/lib/.git/HEAD");
        fs::create_dir_all(real.parent().unwrap()).unwrap();
        fs::write(&real, "mine").unwrap();
        let script = "mkdir -p new/.git/hooks && echo evil > new/.git/hooks/pre-commit
            mv deps/lib deps/old && mkdir -p deps/lib/.git && echo evil > deps/lib/.git/HEAD";
        let output = jailed.sh(mode, script);
        let made = project.join("new/.git").exists();
        let replaced = fs::read_to_string(&real).unwrap() != "mine";
        assert_eq!((made, replaced), (!is_held, !is_held), "{mode}: {output}");
    }
}
