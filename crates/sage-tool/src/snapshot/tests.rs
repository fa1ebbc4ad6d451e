use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};

use sage_core::FileState;

use super::*;
use crate::snapshot::scan::{MAX_FILE_BYTES, MAX_IGNORED_FILE_BYTES};
use crate::testing::Bench;

type Expected = BTreeMap<String, Option<FileState>>;

fn take(bench: &Bench) -> Snapshot {
    store(bench).take(&bench.cx.workspace, Covers::Everything).unwrap()
}

fn store(bench: &Bench) -> &SnapshotStore {
    bench.cx.snapshots.as_ref().unwrap()
}

/// What the run left, told from two snapshots.
fn left(bench: &Bench, from: &Snapshot, to: &Snapshot) -> Expected {
    let differences = store(bench).diff(from, to);
    differences.into_iter().map(|change| (change.path, change.after)).collect()
}

fn messy() -> Bench {
    let bench = Bench::new(&[
        (".gitignore", "*.log\n/ignored/\n"),
        ("a.txt", "a\n"),
        ("crlf.txt", "a\r\nb"),
        ("dir/b.txt", "b\n"),
        ("dir/deep/c.txt", "c\n"),
        ("x.log", "ignored\n"),
        ("ignored/y", "ignored\n"),
        ("run.sh", "#!/bin/sh\n"),
        ("swap", "file\n"),
        ("tree/leaf", "leaf\n"),
    ]);
    std::fs::write(bench.at("latin1"), b"caf\xe9\n\0").unwrap();
    std::fs::create_dir(bench.at("empty")).unwrap();
    symlink("a.txt", bench.at("link")).unwrap();
    symlink("nowhere", bench.at("dangling")).unwrap();
    mode(&bench, "run.sh", 0o755);
    mode(&bench, "x.log", 0o600);
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    std::fs::write(bench.root().join(name), "odd name\n").unwrap();
    bench
}

fn mode(bench: &Bench, path: &str, mode: u32) {
    fs::set_permissions(bench.at(path), fs::Permissions::from_mode(mode)).unwrap();
}

/// Creates, deletes, renames, changes modes and kinds, ignored files too.
fn havoc(bench: &Bench) {
    bench.write("a.txt", "changed\n");
    bench.write("new/deep/file", "new\n");
    bench.write("x.log", "changed\n");
    bench.write("new.log", "new\n");
    fs::remove_file(bench.at("crlf.txt")).unwrap();
    fs::remove_file(bench.at("latin1")).unwrap();
    fs::rename(bench.at("dir/deep"), bench.at("moved")).unwrap();
    fs::remove_dir(bench.at("empty")).unwrap();
    fs::create_dir(bench.at("new_empty")).unwrap();
    mode(bench, "run.sh", 0o644);
    fs::remove_file(bench.at("link")).unwrap();
    symlink("/etc/passwd", bench.at("link")).unwrap();
    fs::remove_file(bench.at("dangling")).unwrap();
    bench.write("dangling", "a file now\n");
    fs::remove_file(bench.at("swap")).unwrap();
    bench.write("swap/inner", "a folder now\n");
    fs::remove_dir_all(bench.at("tree")).unwrap();
    bench.write("tree", "a file now\n");
    mode(bench, "dir", 0o700);
    fs::remove_dir_all(bench.at("ignored")).unwrap();
}

#[test]
fn a_tree_is_restored_exactly() {
    let bench = messy();
    let before = bench.tree();
    let start = take(&bench);
    assert!(start.not_covered().is_empty(), "{:?}", start.not_covered());
    havoc(&bench);
    let end = take(&bench);
    let expected = left(&bench, &start, &end);
    let restored =
        store(&bench).restore(&bench.cx.workspace, &start, Scope::Touched, &expected).unwrap();
    assert_eq!(bench.tree(), before);
    assert!(restored.not_covered.is_empty());
    assert!(restored.paths.contains(&"a.txt".to_owned()));
    let again =
        store(&bench).restore(&bench.cx.workspace, &start, Scope::Touched, &expected).unwrap();
    assert_eq!(again, Restored::default());
    assert_eq!(take(&bench).id(), start.id(), "equal trees have equal addresses");
}

#[test]
fn the_whole_tree_can_be_restored_without_knowing_what_was_left() {
    let bench = messy();
    let before = bench.tree();
    let start = take(&bench);
    havoc(&bench);
    store(&bench)
        .restore(&bench.cx.workspace, &start, Scope::Everything, &Expected::new())
        .unwrap();
    assert_eq!(bench.tree(), before);
}

#[test]
fn work_of_others_is_never_overwritten() {
    let bench = messy();
    let start = take(&bench);
    havoc(&bench);
    let end = take(&bench);
    let expected = left(&bench, &start, &end);
    // The person changes one file of the run, creates one, and changes one that the run never touched.
    bench.write("a.txt", "mine\n");
    bench.write("crlf.txt", "mine\n");
    bench.write("dir/b.txt", "mine\n");
    let before = bench.tree();
    let error =
        store(&bench).restore(&bench.cx.workspace, &start, Scope::Touched, &expected).unwrap_err();
    assert_eq!(error.kind(), sage_core::ErrorKind::Rejected);
    let Error::ChangedSince { paths } = error else { panic!("{error}") };
    assert_eq!(paths, ["a.txt", "crlf.txt"]);
    assert_eq!(bench.tree(), before, "nothing at all was changed");
    // What is already as it shall be is no obstacle.
    bench.write("a.txt", "a\n");
    fs::remove_file(bench.at("crlf.txt")).unwrap();
    store(&bench).restore(&bench.cx.workspace, &start, Scope::Touched, &expected).unwrap();
    assert_eq!(bench.text("dir/b.txt"), "mine\n");
    assert_eq!(bench.text("a.txt"), "a\n");
}

#[test]
fn single_paths_can_be_restored() {
    let bench = messy();
    let start = take(&bench);
    havoc(&bench);
    let expected = left(&bench, &start, &take(&bench));
    let paths = ["a.txt".to_owned(), "new/deep/file".to_owned()];
    let restored = store(&bench)
        .restore(&bench.cx.workspace, &start, Scope::Paths(&paths), &expected)
        .unwrap();
    assert_eq!(restored.paths, paths);
    assert_eq!(bench.text("a.txt"), "a\n");
    assert!(!bench.exists("new"), "folders that were made for it go too");
    assert_eq!(bench.text("x.log"), "changed\n");
    // Without knowing what was left, a changed file is somebody's work.
    let paths = ["x.log".to_owned()];
    let refused =
        store(&bench).restore(&bench.cx.workspace, &start, Scope::Paths(&paths), &Expected::new());
    assert!(matches!(refused, Err(Error::ChangedSince { .. })));
}

/// A restore that was killed anywhere is completed by the next: each path is then either as it was
/// left, or as it shall be, or (where a folder and a file swap places) absent.
#[test]
fn a_half_done_restore_is_completed() {
    for n_done in 0..12 {
        let bench = messy();
        let before = bench.tree();
        let start = take(&bench);
        havoc(&bench);
        let expected = left(&bench, &start, &take(&bench));
        let some: Vec<String> =
            expected.keys().filter(|path| bench.exists(path)).cloned().collect();
        // Paths of one kind swap only as a whole.
        let paths: Vec<String> = some
            .into_iter()
            .filter(|path| !path.starts_with("swap") && !path.starts_with("tree"))
            .take(n_done)
            .collect();
        store(&bench)
            .restore(&bench.cx.workspace, &start, Scope::Paths(&paths), &expected)
            .unwrap();
        if n_done % 2 == 0 {
            fs::remove_dir_all(bench.at("swap")).unwrap();
            fs::remove_file(bench.at("tree")).unwrap();
        }
        store(&bench).restore(&bench.cx.workspace, &start, Scope::Touched, &expected).unwrap();
        assert_eq!(bench.tree(), before, "after {n_done} paths");
    }
}

#[test]
fn a_path_out_of_a_log_cannot_lead_outside() {
    let bench = messy();
    let start = take(&bench);
    for path in ["../x", "/etc/passwd", ".git/config", ".sage/policy.json"] {
        let paths = [path.to_owned()];
        let expected = Expected::from([(path.to_owned(), None)]);
        let refused =
            store(&bench).restore(&bench.cx.workspace, &start, Scope::Paths(&paths), &expected);
        assert!(matches!(refused, Err(Error::Path(_))), "{path}");
    }
}

#[test]
fn folders_that_tools_fill_are_known_by_their_presence_only() {
    let bench = Bench::new(&[
        (".gitignore", "target\n"),
        ("target/old", "x"),
        ("node_modules/a/b.js", "x"),
        ("env/pyvenv.cfg", "x"),
        ("env/lib/x.py", "x"),
    ]);
    let start = take(&bench);
    assert_eq!(start.not_covered(), ["env/", "node_modules/", "target/"]);
    bench.write("target/new", "x");
    assert_eq!(take(&bench).id(), start.id());
    bench.write("sub/node_modules/c/d.js", "x");
    let expected = left(&bench, &start, &take(&bench));
    store(&bench).restore(&bench.cx.workspace, &start, Scope::Touched, &expected).unwrap();
    assert!(!bench.exists("sub"));
    assert!(bench.exists("target/new"));
}

#[test]
fn files_over_the_caps_are_named_and_their_changes_seen() {
    let bench = Bench::new(&[(".gitignore", "*.bin\n")]);
    let sparse = |path: &str, size: u64| {
        fs::File::create(bench.at(path)).unwrap().set_len(size).unwrap();
    };
    sparse("ignored.bin", MAX_IGNORED_FILE_BYTES + 1);
    sparse("small.bin", 10);
    sparse("big", MAX_FILE_BYTES + 1);
    let start = take(&bench);
    assert_eq!(start.not_covered(), ["big", "ignored.bin"]);
    fs::remove_file(bench.at("big")).unwrap();
    bench.write("small.bin", "changed");
    let expected = left(&bench, &start, &take(&bench));
    assert_eq!(expected.keys().collect::<Vec<_>>(), ["big", "small.bin"]);
    let restored =
        store(&bench).restore(&bench.cx.workspace, &start, Scope::Touched, &expected).unwrap();
    assert_eq!(
        restored,
        Restored { paths: vec!["small.bin".into()], not_covered: vec!["big".into()] }
    );
    // A new large file of the run goes.
    sparse("new_big", MAX_FILE_BYTES + 1);
    let expected = Expected::from([("new_big".to_owned(), take(&bench).state("new_big"))]);
    store(&bench).restore(&bench.cx.workspace, &start, Scope::Touched, &expected).unwrap();
    assert!(!bench.exists("new_big"));
}

#[test]
fn a_change_within_the_same_tick_of_the_clock_is_seen() {
    let bench = Bench::new(&[("a", "one\n")]);
    let first = take(&bench);
    // Same length, same modification time, at once.
    let mtime = fs::metadata(bench.at("a")).unwrap().modified().unwrap();
    bench.write("a", "two\n");
    fs::File::options().write(true).open(bench.at("a")).unwrap().set_modified(mtime).unwrap();
    assert_ne!(take(&bench).id(), first.id());
}

#[test]
fn unchanged_files_are_not_read_again() {
    let bench = Bench::new(&[]);
    for n in 0..100 {
        bench.write(&format!("f{n}"), &format!("{n}\n"));
    }
    let long_ago = filetime::FileTime::from_unix_time(1_600_000_000, 0);
    let old = |n: usize| filetime::set_file_mtime(bench.at(&format!("f{n}")), long_ago).unwrap();
    (0..100).for_each(old);
    // The change time cannot be set back: look from a later moment.
    let later = store(&bench).now_ns().unwrap() + 10_000_000_000;
    let scan_at = |now_ns: i64| {
        let store = store(&bench);
        store.load_cache();
        let workspace = &bench.cx.workspace;
        scan(workspace, Covers::Everything, &store.cache, Some(&store.objects), now_ns, &|| false)
            .unwrap()
    };
    assert_eq!(scan_at(later).n_read, 100);
    assert_eq!(scan_at(later).n_read, 0);
    bench.write("f7", "other\n");
    old(7);
    let third = scan_at(later);
    assert_eq!(third.n_read, 1, "a set-back time stamp does not hide a change");
    // The cache survives the process and is about these objects only.
    store(&bench).save_cache(100);
    let again = SnapshotStore::open(&bench.at(".sage/snapshots")).unwrap();
    again.load_cache();
    assert!(again.cache().is_on_disk);
    fs::remove_dir_all(bench.at(".sage/snapshots/objects")).unwrap();
    let again = SnapshotStore::open(&bench.at(".sage/snapshots")).unwrap();
    again.load_cache();
    assert!(!again.cache().is_on_disk, "contents are gone, so they are read again");
}

#[test]
fn damage_is_found_and_named() {
    let bench = messy();
    let start = take(&bench);
    assert_eq!(store(&bench).load(start.id()).unwrap().id(), start.id());
    let manifest = bench.at(".sage/snapshots/manifests").join(format!("{}.json", start.id()));
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("a.txt", "b.txt")).unwrap();
    assert!(store(&bench).load(start.id()).unwrap_err().to_string().contains("damaged"));
    assert!(store(&bench).load(&BlobRef::of(b"none")).is_err());

    let hash = BlobRef::of(b"a\n");
    let (folder, name) = hash.as_str().split_at(2);
    let object = bench.at(".sage/snapshots/objects").join(folder).join(name);
    fs::write(&object, "x\n").unwrap();
    assert!(store(&bench).read(&hash).unwrap_err().to_string().contains("damaged"));
    havoc(&bench);
    let before = bench.tree();
    let expected = left(&bench, &start, &take(&bench));
    let refused = store(&bench).restore(&bench.cx.workspace, &start, Scope::Touched, &expected);
    assert!(matches!(refused, Err(Error::Snapshot { .. })));
    assert_eq!(bench.tree(), before, "found before anything was changed");
}

#[test]
fn the_store_is_private() {
    let bench = messy();
    take(&bench);
    let mut pending = vec![bench.at(".sage/snapshots")];
    while let Some(at) = pending.pop() {
        let mode = fs::metadata(&at).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", at.display());
        if at.is_dir() {
            pending.extend(fs::read_dir(&at).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}

#[test]
fn leftovers_of_a_killed_process_are_removed_and_young_ones_kept() {
    let bench = Bench::new(&[("a", "a\n"), ("d/.sage-tmp-old", "x"), ("d/.sage-tmp-new", "x")]);
    let long_ago = filetime::FileTime::from_unix_time(1_600_000_000, 0);
    filetime::set_file_mtime(bench.at("d/.sage-tmp-old"), long_ago).unwrap();
    let snapshot = take(&bench);
    assert!(!bench.exists("d/.sage-tmp-old"));
    assert!(bench.exists("d/.sage-tmp-new"));
    // One that names its process goes with it: this process lives, the other number is none's.
    let own = format!("d/.sage-tmp-{}-x", std::process::id());
    bench.write(&own, "x");
    bench.write("d/.sage-tmp-2147483646-x", "x");
    take(&bench);
    assert!(bench.exists(&own) && !bench.exists("d/.sage-tmp-2147483646-x"));
    assert_eq!(snapshot.n_files(), 1);
}

#[test]
fn pruning_keeps_what_is_named() {
    let bench = messy();
    let start = take(&bench);
    havoc(&bench);
    let end = take(&bench);
    let extra = store(&bench).keep(b"extra").unwrap();
    let manifests = BTreeSet::from([start.id().clone()]);
    let freed = store(&bench).prune(&manifests, &BTreeSet::from([extra.clone()])).unwrap();
    assert!(freed > 0);
    assert!(store(&bench).load(end.id()).is_err());
    assert_eq!(store(&bench).read(&extra).unwrap(), b"extra");
    assert!(store(&bench).read(&BlobRef::of(b"a folder now\n")).is_err());
    // Files whose contents went are read and kept again.
    let end = take(&bench);
    assert!(store(&bench).read(&BlobRef::of(b"a folder now\n")).is_ok());
    let expected = left(&bench, &start, &end);
    store(&bench).restore(&bench.cx.workspace, &start, Scope::Touched, &expected).unwrap();
    assert_eq!(bench.text("a.txt"), "a\n");
}

#[test]
fn a_special_file_does_not_hold_up_a_snapshot() {
    let bench = Bench::new(&[("a", "a\n")]);
    nix::unistd::mkfifo(&bench.at("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o600))
        .unwrap();
    assert_eq!(take(&bench).not_covered(), ["pipe"]);
}
