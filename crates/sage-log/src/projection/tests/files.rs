use super::*;

#[test]
fn files_keep_the_first_state_and_the_last_and_forget_what_was_rolled_back() {
    check_json(
        project::<Files>(&a_run()),
        expect![[r#"
        {
          "files": [
            {
              "path": "src/a.py",
              "kind": "created",
              "before": null,
              "after": {
                "hash": "cd85637651ec7a557bddd61c5ddd1df2",
                "mode": 420
              },
              "lines_added": 6,
              "lines_removed": 2,
              "nodes": [
                "a"
              ]
            }
          ],
          "lines_added": 6,
          "lines_removed": 2
        }"#]],
    );
}

#[test]
fn changes_that_cancel_each_other_out_are_no_changes() {
    let paths = |events: Vec<EventKind>| -> Vec<String> {
        let files = project::<Files>(&numbered(events)).files;
        files
            .into_iter()
            .map(|file| format!("{} {:?} +{}", file.path, file.kind, file.lines_added))
            .collect()
    };
    let none: [&str; 0] = [];
    let created = || changed(call("a", 1), "x", "", "new");
    assert_eq!(paths(vec![created(), changed(call("a", 2), "x", "new", "")]), none);
    assert_eq!(paths(vec![created(), created()]), ["x Created +3"]);
    let deleted = changed(call("a", 3), "y", "old", "");
    assert_eq!(paths(vec![created(), deleted]), ["x Created +3", "y Deleted +3"]);
    let undone = WorkspaceEvent::Undone {
        paths: vec!["x".into()],
        from: None,
        some: false,
        before: None,
        after: None,
    }
    .into();
    assert_eq!(paths(vec![created(), undone]), none);
}
