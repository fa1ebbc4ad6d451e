//! Whatever sequence of file operations commands perform, each earlier state can be brought back from any
//! later one, from what the snapshots around the commands tell.

use std::os::unix::ffi::OsStrExt;

use proptest::prelude::*;

use super::*;

/// Names, some of them ignored or unusual, in folders that operations also touch as a whole.
const PATHS: [&str; 14] = [
    "a",
    "b.log",
    "d",
    "d/x",
    "d/y.log",
    "d/e",
    "d/e/z",
    "ignored",
    "ignored/p",
    "ignored/q/r",
    "line\nbreak",
    "caf\u{e9}",
    ".gitignore",
    "A",
];
const MODES: [u32; 7] = [0o644, 0o755, 0o600, 0o444, 0o000, 0o4755, 0o2770];

#[derive(Debug, Clone)]
enum Operation {
    Write(usize, u8),
    Append(usize),
    Remove(usize),
    Folder(usize),
    Rename(usize, usize),
    Mode(usize, usize),
    Link(usize, usize),
    HardLink(usize, usize),
    Pipe(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    let path = || 0..PATHS.len();
    prop_oneof![
        4 => (path(), any::<u8>()).prop_map(|(path, byte)| Operation::Write(path, byte)),
        1 => path().prop_map(Operation::Append),
        2 => path().prop_map(Operation::Remove),
        2 => path().prop_map(Operation::Folder),
        3 => (path(), path()).prop_map(|(from, to)| Operation::Rename(from, to)),
        2 => (path(), 0..MODES.len()).prop_map(|(path, mode)| Operation::Mode(path, mode)),
        1 => (path(), path()).prop_map(|(path, to)| Operation::Link(path, to)),
        1 => (path(), path()).prop_map(|(path, to)| Operation::HardLink(path, to)),
        1 => path().prop_map(Operation::Pipe),
    ]
}

/// Performs it as far as the tree lets it.
fn perform(bench: &Bench, operation: &Operation) {
    let at = |n: usize| bench.at(PATHS[n]);
    let is_folder = |n: usize| fs::symlink_metadata(at(n)).is_ok_and(|meta| meta.is_dir());
    let _ = match operation {
        // What a pipe would hold is nobody's business, and to open one may take for ever.
        Operation::Write(n, _) | Operation::Append(n)
            if fs::metadata(at(*n)).is_ok_and(|meta| !meta.is_file()) =>
        {
            Ok(())
        }
        Operation::Write(n, byte) => {
            let text = match (PATHS[*n], byte % 3) {
                (".gitignore", 0) => "*.log\n/ignored/\n".to_owned(),
                (".gitignore", _) => "d/\n".to_owned(),
                _ => format!("{byte}\n"),
            };
            fs::write(at(*n), text)
        }
        Operation::Append(n) => fs::read(at(*n)).and_then(|mut bytes| {
            bytes.extend_from_slice(b"more");
            fs::write(at(*n), bytes)
        }),
        Operation::Remove(n) if is_folder(*n) => fs::remove_dir_all(at(*n)),
        Operation::Remove(n) => fs::remove_file(at(*n)),
        Operation::Folder(n) => fs::create_dir_all(at(*n)),
        Operation::Rename(from, to) => fs::rename(at(*from), at(*to)),
        Operation::Mode(n, _)
            if fs::symlink_metadata(at(*n)).is_ok_and(|meta| meta.is_symlink()) =>
        {
            Ok(())
        }
        Operation::Mode(n, mode) => {
            fs::set_permissions(at(*n), fs::Permissions::from_mode(MODES[*mode]))
        }
        Operation::Link(n, to) => symlink(PATHS[*to], at(*n)),
        Operation::HardLink(n, to) => fs::hard_link(at(*to), at(*n)),
        Operation::Pipe(n) => {
            let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
            nix::unistd::mkfifo(&at(*n), mode).map_err(std::io::Error::from)
        }
    };
}

/// Every entry with kind, mode and content; pipes are left out, as they cannot be brought back.
fn tree(bench: &Bench) -> BTreeMap<Vec<u8>, String> {
    let mut tree = BTreeMap::new();
    let mut pending = vec![bench.root()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let at = entry.unwrap().path();
            let name = at.strip_prefix(bench.root()).unwrap().as_os_str().as_bytes().to_vec();
            let meta = fs::symlink_metadata(&at).unwrap();
            if name == b".sage" {
                continue;
            }
            let mode = meta.permissions().mode() & 0o7777;
            let value = if meta.is_dir() {
                pending.push(at);
                format!("{mode:o} folder")
            } else if meta.is_symlink() {
                format!("-> {}", fs::read_link(&at).unwrap().display())
            } else if meta.is_file() {
                format!("{mode:o} {:?}", fs::read(&at).unwrap())
            } else {
                continue;
            };
            tree.insert(name, value);
        }
    }
    tree
}

fn has_pipes(snapshot: &Snapshot) -> bool {
    snapshot.entries().values().any(|entry| matches!(entry, Entry::Uncovered { .. }))
}

/// Follows the steps from the last to `to`, as an undo does, and puts back what they say.
fn undo_to(bench: &Bench, states: &[Snapshot], to: usize) -> Restored {
    let mut wants: BTreeMap<String, Want> = BTreeMap::new();
    for pair in states[to..].windows(2) {
        for change in store(bench).changes(pair[0].id(), pair[1].id()).unwrap() {
            let want = wants.entry(change.path.clone()).or_insert_with(|| Want {
                path: change.path.clone(),
                target: change.before.clone(),
                is_covered: change.is_covered,
                known: Some(Vec::new()),
            });
            want.known.as_mut().unwrap().extend([change.before, change.after]);
        }
    }
    let wants: Vec<Want> = wants.into_values().collect();
    let outlook = store(bench).outlook(&bench.cx.workspace, &wants).unwrap();
    assert_eq!(outlook.foreign, [""; 0]);
    let target = &states[to];
    let is_kept = |path: &str| target.entry(path).is_some();
    store(bench).carry_out(&bench.cx.workspace, outlook, &is_kept).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_earlier_state_is_brought_back_from_any_later_one(
        commands in prop::collection::vec(prop::collection::vec(operation(), 1..8), 2..6),
        to in any::<prop::sample::Index>(),
        then in any::<prop::sample::Index>(),
    ) {
        let bench = Bench::new(&[
            (".gitignore", "*.log\n/ignored/\n"), ("a", "a\n"), ("b.log", "log\n"), ("d/x", "x\n"),
            ("d/y.log", "y\n"), ("d/e/z", "z\n"), ("ignored/p", "p\n"),
        ]);
        let mut states = vec![take(&bench)];
        let mut trees = vec![tree(&bench)];
        for command in &commands {
            command.iter().for_each(|operation| perform(&bench, operation));
            states.push(take(&bench));
            trees.push(tree(&bench));
        }
        // Back to some state, and from there back to an earlier one.
        let to = to.index(states.len());
        for to in [to, then.index(to + 1)] {
            let restored = undo_to(&bench, &states, to);
            prop_assert_eq!(&restored.failed, &[]);
            if !states[to..].iter().any(has_pipes) {
                prop_assert_eq!(&restored.not_covered, &[""; 0]);
                prop_assert_eq!(&restored.still_used, &[""; 0]);
            }
            if restored.not_covered.is_empty() && restored.still_used.is_empty() {
                prop_assert_eq!(tree(&bench), trees[to].clone());
            }
        }
    }
}
