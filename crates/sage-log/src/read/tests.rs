use std::fs;
use std::sync::Arc;

use proptest::prelude::*;
use sage_core::{FixedClock, HumanEvent, NoProgress, Recorder, RunId};
use tempfile::TempDir;

use super::*;
use crate::{LogOptions, Redactor, RunLog, Runs};

fn options() -> LogOptions {
    LogOptions {
        clock: Arc::new(FixedClock(9_000)),
        redactor: Redactor::none(),
        progress: Arc::new(NoProgress),
        kill_after: None,
    }
}

/// A run of three events.
fn a_run(root: &TempDir) -> RunLog {
    let manifest = Manifest {
        format_version: 1,
        run: RunId::new("r1").unwrap(),
        goal: "goal".into(),
        project: "/project".into(),
        started_at_ms: 1_000,
        sage_version: "0.1.0".into(),
    };
    let log = RunLog::create(&root.path().join("r1"), manifest, options()).unwrap();
    for question in ["one?", "zwei ü?", "three\n?"] {
        log.emit(HumanEvent::Asked { question: question.into() }.into()).unwrap();
    }
    log
}

#[test]
fn a_log_cut_off_anywhere_keeps_every_whole_event_and_goes_on() {
    let root = TempDir::new().unwrap();
    let log = a_run(&root);
    let (dir, events) = (log.dir().to_owned(), log.events());
    drop(log);
    let path = dir.join(FILE_NAME);
    let whole = fs::read(&path).unwrap();
    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let n_whole = whole[..len].iter().filter(|byte| **byte == b'\n').count();
        if n_whole == 0 {
            assert!(matches!(read_run(&dir), Err(Error::Empty { .. })));
            continue;
        }
        let (log, loaded) = RunLog::reopen(&dir, options()).unwrap();
        assert_eq!(loaded.events, events[..n_whole]);
        assert_eq!(loaded.torn_tail.is_some(), whole[len - 1] != b'\n');
        for event in &events[n_whole..] {
            log.emit(event.kind.clone()).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn a_line_without_an_end_is_not_read_into_memory() {
    let root = TempDir::new().unwrap();
    let dir = a_run(&root).dir().to_owned();
    let file = fs::File::options().write(true).open(dir.join(FILE_NAME)).unwrap();
    // A hole of 1 GB, as a file system may leave it after a power cut.
    file.set_len(1 << 30).unwrap();
    let error = read_run(&dir).unwrap_err();
    assert!(matches!(error, Error::Damaged { line: 4, .. }), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic_or_change_the_log(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            "[\\{\\}\"a-z0-9:,\n]{0,200}".prop_map(String::into_bytes),
        ],
        is_manifest in any::<bool>(),
    ) {
        let root = TempDir::new().unwrap();
        let log = a_run(&root);
        let (dir, run) = (log.dir().to_owned(), log.run().clone());
        drop(log);
        let path = dir.join(if is_manifest { crate::manifest::FILE_NAME } else { FILE_NAME });
        fs::write(&path, &bytes).unwrap();
        prop_assert!(read_run(&dir).is_err());
        prop_assert!(RunLog::reopen(&dir, options()).is_err());
        let listed = Runs::new(root.path().to_owned()).list().unwrap();
        prop_assert_eq!(&listed[0].run, &run);
        prop_assert!(listed[0].problem.is_some() && !listed[0].resumable);
        prop_assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn one_changed_byte_never_makes_a_reader_panic(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let root = TempDir::new().unwrap();
        let log = a_run(&root);
        let dir = log.dir().to_owned();
        drop(log);
        let path = dir.join(FILE_NAME);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = to;
        fs::write(&path, &bytes).unwrap();
        if let Ok(loaded) = read_run(&dir) {
            for event in &loaded.events {
                prop_assert!(!crate::describe(event).contains('\n'));
            }
        }
    }
}
