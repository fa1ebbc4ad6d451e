use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{PermissionsExt, symlink};

use sage_core::FileState;

use super::*;

mod large;
mod random;
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

/// Puts these paths back, as an undo does: unless one of them is in a state that nobody expects.
fn restore_paths(
    bench: &Bench,
    target: &Snapshot,
    paths: impl IntoIterator<Item = String>,
    expected: &Expected,
) -> Result<Restored> {
    let want = |path: String| Want {
        target: target.state(&path),
        is_covered: target.is_covered(&path),
        known: Some(expected.get(&path).cloned().into_iter().collect()),
        path,
    };
    let wants: Vec<Want> = paths.into_iter().map(want).collect();
    let outlook = store(bench).outlook(&bench.cx.workspace, &wants)?;
    if !outlook.foreign.is_empty() {
        return Err(Error::ChangedSince { paths: outlook.foreign });
    }
    let is_kept = |path: &str| target.entry(path).is_some();
    store(bench).carry_out(&bench.cx.workspace, outlook, &is_kept)
}

fn restore(bench: &Bench, target: &Snapshot, expected: &Expected) -> Result<Restored> {
    restore_paths(bench, target, expected.keys().cloned(), expected)
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
    let restored = restore(&bench, &start, &expected).unwrap();
    assert_eq!(bench.tree(), before);
    assert!(restored.not_covered.is_empty());
    assert!(restored.paths.contains(&"a.txt".to_owned()));
    let again = restore(&bench, &start, &expected).unwrap();
    assert_eq!(again, Restored::default());
    assert_eq!(take(&bench).id(), start.id(), "equal trees have equal addresses");
}

#[test]
fn the_whole_tree_can_be_restored_without_knowing_what_was_left() {
    let bench = messy();
    let before = bench.tree();
    let start = take(&bench);
    havoc(&bench);
    store(&bench).restore_all(&bench.cx.workspace, &start).unwrap();
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
    let error = restore(&bench, &start, &expected).unwrap_err();
    assert_eq!(error.kind(), sage_core::ErrorKind::Rejected);
    let Error::ChangedSince { paths } = error else { panic!("{error}") };
    assert_eq!(paths, ["a.txt", "crlf.txt"]);
    assert_eq!(bench.tree(), before, "nothing at all was changed");
    // What is already as it shall be is no obstacle.
    bench.write("a.txt", "a\n");
    fs::remove_file(bench.at("crlf.txt")).unwrap();
    restore(&bench, &start, &expected).unwrap();
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
    let restored = restore_paths(&bench, &start, paths.clone(), &expected).unwrap();
    assert_eq!(restored.paths, paths);
    assert_eq!(bench.text("a.txt"), "a\n");
    assert!(!bench.exists("new"), "folders that were made for it go too");
    assert_eq!(bench.text("x.log"), "changed\n");
    // Without knowing what was left, a changed file is somebody's work.
    let paths = ["x.log".to_owned()];
    let refused = restore_paths(&bench, &start, paths.clone(), &Expected::new());
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
        restore_paths(&bench, &start, paths.clone(), &expected).unwrap();
        if n_done % 2 == 0 {
            fs::remove_dir_all(bench.at("swap")).unwrap();
            fs::remove_file(bench.at("tree")).unwrap();
        }
        restore(&bench, &start, &expected).unwrap();
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
        let refused = restore_paths(&bench, &start, paths.clone(), &expected);
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
    restore(&bench, &start, &expected).unwrap();
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
    let restored = restore(&bench, &start, &expected).unwrap();
    assert_eq!(
        (restored.paths, restored.not_covered),
        (vec!["small.bin".to_owned()], vec!["big".to_owned()])
    );
    // A new large file of the run goes.
    sparse("new_big", MAX_FILE_BYTES + 1);
    let expected = Expected::from([("new_big".to_owned(), take(&bench).state("new_big"))]);
    restore(&bench, &start, &expected).unwrap();
    assert!(!bench.exists("new_big"));
}

#[test]
fn a_large_file_that_was_renamed_gets_its_name_back() {
    let bench = Bench::new(&[("d/x", "x\n")]);
    fs::File::create(bench.at("d/big")).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
    mode(&bench, "d/big", 0o640);
    let start = take(&bench);
    fs::create_dir(bench.at("new")).unwrap();
    fs::rename(bench.at("d/big"), bench.at("new/name")).unwrap();
    fs::remove_dir_all(bench.at("d")).unwrap();
    mode(&bench, "new/name", 0o600);
    let expected = left(&bench, &start, &take(&bench));
    let restored = restore(&bench, &start, &expected).unwrap();
    assert_eq!((restored.not_covered, restored.failed), (vec![], vec![]));
    assert_eq!(take(&bench).id(), start.id());
}

#[test]
fn folders_that_are_closed_to_their_owner_are_opened_for_the_time() {
    let bench = Bench::new(&[("d/x", "x\n"), ("d/e/y", "y\n")]);
    mode(&bench, "d", 0o555);
    let before = bench.tree();
    let start = take(&bench);
    bench.write("d/e/y", "changed\n");
    fs::remove_file(bench.at("d/x")).unwrap();
    mode(&bench, "d/e", 0o000);
    let expected = left(&bench, &start, &take(&bench));
    restore(&bench, &start, &expected).unwrap();
    assert_eq!(bench.tree(), before);
}

#[test]
fn only_the_mode_is_changed_where_only_the_mode_differs() {
    let bench = Bench::new(&[("a", "a\n")]);
    fs::hard_link(bench.at("a"), bench.at("b")).unwrap();
    let start = take(&bench);
    mode(&bench, "a", 0o4711);
    let expected = left(&bench, &start, &take(&bench));
    restore(&bench, &start, &expected).unwrap();
    assert_eq!(take(&bench).id(), start.id());
    use std::os::unix::fs::MetadataExt;
    assert_eq!(fs::metadata(bench.at("a")).unwrap().nlink(), 2);
}

#[test]
fn an_ignored_folder_that_something_fills_is_not_looked_into() {
    let bench = Bench::new(&[(".gitignore", "/data/\n"), ("data/few/x", "x\n")]);
    let start = take(&bench);
    assert_eq!(start.not_covered(), [""; 0]);
    fs::create_dir(bench.at("data/many")).unwrap();
    for n in 0..=MAX_IGNORED_ENTRIES {
        fs::write(bench.at(&format!("data/many/{n}")), "").unwrap();
    }
    // Where it was looked into before, it is looked into again: nothing can be hidden so.
    assert!(take(&bench).state("data/many/7").is_some());
    // Somebody who looks for the first time does not.
    let fresh = Workspace::open(&bench.root()).unwrap();
    let crowded = store(&bench).take(&fresh, Covers::Everything).unwrap();
    assert_eq!(crowded.not_covered(), ["data/"]);
    assert!(crowded.state("data/few/x").is_none());
    // And what it did not see is neither gone nor new.
    assert!(start.difference(&crowded).is_empty() && crowded.difference(&start).is_empty());
}

#[test]
fn equal_parts_of_trees_are_kept_once() {
    let bench = Bench::new(&[]);
    for n in 0..2_000 {
        bench.write(&format!("d{}/f{n}", n % 40), "same\n");
    }
    let first = take(&bench);
    let n_before = store(&bench).size().unwrap().n_contents;
    assert!(n_before > 4, "a large manifest has several pieces");
    bench.write("d7/f7", "other\n");
    bench.write("d7/new", "other\n");
    let second = take(&bench);
    let n_more = store(&bench).size().unwrap().n_contents - n_before;
    assert!(n_more <= 3, "{n_more} more contents for one file and its piece");
    let changes = store(&bench).changes(first.id(), second.id()).unwrap();
    assert_eq!(changes, first.difference(&second));
    assert_eq!(changes.len(), 2);
    assert_eq!(store(&bench).load(first.id()).unwrap().entries(), first.entries());
}

#[test]
fn a_manifest_of_the_older_form_is_still_read() {
    let bench = messy();
    let now = take(&bench);
    let old = serde_json::json!({
        "version": 1, "covers": "everything", "entries": now.entries(), "not_covered": [],
    });
    let bytes = serde_json::to_vec(&old).unwrap();
    let id = BlobRef::of(&bytes);
    let path = bench.at(".sage/snapshots/manifests").join(format!("{id}.json"));
    fs::write(path, bytes).unwrap();
    assert_eq!(store(&bench).load(&id).unwrap().entries(), now.entries());
    assert_eq!(store(&bench).changes(&id, now.id()).unwrap(), []);
    bench.write("a.txt", "changed\n");
    assert_eq!(store(&bench).changes(&id, take(&bench).id()).unwrap().len(), 1);
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
        let objects = Some(&store.objects);
        let look =
            Look { covers: Covers::Everything, like: None, objects, now_ns, stop: &|| false };
        scan(&bench.cx.workspace, &store.cache, &look).unwrap()
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
    fs::write(&manifest, text.replace("everything", "not_ignored")).unwrap();
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
    let refused = restore(&bench, &start, &expected);
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
    let in_use = InUse {
        snapshots: BTreeSet::from([start.id().clone()]),
        contents: BTreeSet::from([extra.clone()]),
    };
    let freed = store(&bench).prune(|| Ok::<_, Error>(in_use)).unwrap();
    assert!(freed > 0);
    assert!(store(&bench).load(end.id()).is_err());
    assert_eq!(store(&bench).read(&extra).unwrap(), b"extra");
    assert!(store(&bench).read(&BlobRef::of(b"a folder now\n")).is_err());
    // Files whose contents went are read and kept again.
    let end = take(&bench);
    assert!(store(&bench).read(&BlobRef::of(b"a folder now\n")).is_ok());
    let expected = left(&bench, &start, &end);
    restore(&bench, &start, &expected).unwrap();
    assert_eq!(bench.text("a.txt"), "a\n");
}

#[test]
fn a_special_file_does_not_hold_up_a_snapshot() {
    let bench = Bench::new(&[("a", "a\n")]);
    nix::unistd::mkfifo(&bench.at("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o600))
        .unwrap();
    assert_eq!(take(&bench).not_covered(), ["pipe"]);
}
