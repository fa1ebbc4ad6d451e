//! How long snapshots of a large tree take. Run by hand, optimised:
//! `cargo test --release -p sage-tool --lib -- --ignored --nocapture large_tree`

use std::time::Instant;

use super::*;

const N_FILES: usize = 50_000;
const FILES_PER_FOLDER: usize = 20;

fn peak_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

#[test]
#[ignore = "measures"]
#[expect(clippy::disallowed_macros, reason = "its output is what it is run for")]
fn a_large_tree_is_looked_at_again_in_no_time() {
    let bench = Bench::new(&[(".gitignore", "*.log\n/ignored/\n")]);
    let path = |n: usize| {
        let folder = n / FILES_PER_FOLDER;
        let top = if n.is_multiple_of(10) { "ignored" } else { "src" };
        format!("{top}/a{}/b{folder}/some_file_name_{n}.rs", folder % 50)
    };
    for n in 0..N_FILES {
        bench.write(&path(n), &format!("content {n}\n").repeat(20 + n % 100));
    }
    let long_ago = filetime::FileTime::from_unix_time(1_600_000_000, 0);
    (0..N_FILES).for_each(|n| filetime::set_file_mtime(bench.at(&path(n)), long_ago).unwrap());
    // The change time cannot be set back, and a file that was just changed is read again.
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    let time = |what: &str, work: &mut dyn FnMut()| {
        let started = Instant::now();
        work();
        println!(
            "{what}: {:.0} ms, peak {:.0} MiB",
            started.elapsed().as_secs_f64() * 1e3,
            peak_mib()
        );
    };
    println!("before: peak {:.0} MiB", peak_mib());
    let mut last = None;
    time("first", &mut || last = Some(take(&bench)));
    for _ in 0..3 {
        time("again, nothing changed", &mut || last = Some(take(&bench)));
    }
    let first = last.clone().unwrap();
    (0..10).for_each(|n| bench.write(&path(n * 5_000), "changed\n"));
    time("10 files changed", &mut || last = Some(take(&bench)));
    time("again", &mut || last = Some(take(&bench)));
    let second = last.clone().unwrap();
    time("compare", &mut || {
        assert_eq!(store(&bench).changes(first.id(), second.id()).unwrap().len(), 10)
    });
    time("load", &mut || drop(store(&bench).load(first.id()).unwrap()));
    bench.cx.workspace.look_like(&first);
    time("in a new process", &mut || {
        let store = SnapshotStore::open(&bench.at(".sage/snapshots")).unwrap();
        store.take(&bench.cx.workspace, Covers::Everything).unwrap();
    });
    let size = store(&bench).size().unwrap();
    println!("{size:?}");
}
