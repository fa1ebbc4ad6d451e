use serde_json::{Value, json};

use super::*;

fn call(name: &str, arguments: &Value) -> ToolCall {
    ToolCall { id: "c".to_owned(), name: name.to_owned(), arguments: arguments.to_string() }
}

fn effect(name: &str) -> Option<Effect> {
    Some(match name {
        "run" => Effect::Execute,
        "edit" | "write" => Effect::Write,
        _ => Effect::Read,
    })
}

/// One turn of one call. Returns what happened to it as a letter: `.` done, `h` done with a hint, `r`
/// refused, `s` stopped.
fn turn(repeats: &mut Repeats, name: &str, arguments: &Value, result: &ToolResult) -> char {
    let call = call(name, arguments);
    repeats.begin_turn();
    match repeats.object(name, &call, effect(name)) {
        Some(verdict) if verdict.grade == RepeatGrade::Stopped => return 's',
        Some(_) => return 'r',
        None => {}
    }
    match repeats.count(name, &call, effect(name), result) {
        Some(_) => 'h',
        None => '.',
    }
}

fn run(command: &str) -> Value {
    json!({ "command": command })
}

fn changed(path: &str) -> ToolResult {
    ToolResult { changed: vec![path.to_owned()], ..ToolResult::success("changed") }
}

fn check(expected: &str, mut each: impl FnMut(usize) -> (&'static str, Value, ToolResult)) {
    let mut repeats = Repeats::default();
    let happened: String = (0..expected.len())
        .map(|n| {
            let (name, arguments, result) = each(n);
            turn(&mut repeats, name, &arguments, &result)
        })
        .collect();
    assert_eq!(happened, expected);
}

#[test]
fn a_failing_edit_is_not_tried_a_second_time() {
    let edit = json!({"path": "a.py", "search": "x", "replace": "y"});
    check(".rrs", |_| ("edit", edit.clone(), ToolResult::failure("a.py: not in the file")));
}

#[test]
fn a_failing_edit_may_be_tried_again_when_its_file_has_changed() {
    let edit = json!({"path": "a.py", "search": "x", "replace": "y"});
    let failed = || ToolResult::failure("a.py: not in the file");
    let write = |path: &str| ("write", json!({"path": path, "content": "1"}), changed(path));
    check("..r..r", |n| match n {
        1 => write("other.py"),
        3 => write("a.py"),
        _ => ("edit", edit.clone(), failed()),
    });
}

#[test]
fn a_command_that_fails_alike_earns_a_hint_then_a_refusal_then_the_end() {
    check(".hrs", |n| {
        let output = format!("1 failed in 0.{n} s\n[exit code 1]");
        ("run", run(&format!("make  test # {n}")), ToolResult::failure(output))
    });
}

#[test]
fn a_test_may_fail_alike_after_every_change() {
    check("............", |n| match n % 2 {
        0 => ("run", run("make test"), ToolResult::failure("1 failed")),
        _ => ("write", json!({"path": "a", "content": n.to_string()}), changed("a")),
    });
}

#[test]
fn circles_of_several_calls_are_noticed() {
    check("....hhrrs", |n| {
        (
            "run",
            run(["ls", "git status"][n % 2]),
            ToolResult::success(format!("{} 12:00:0{n}", n % 2)),
        )
    });
    check("........hhhh....rrrr", |n| match n {
        // Something else in between does not hide it.
        12..=15 => ("read", json!({"path": n.to_string()}), ToolResult::success(n.to_string())),
        _ => ("run", run(&format!("step {}", n % 4)), ToolResult::success("ok")),
    });
}

#[test]
fn changing_a_file_back_and_forth_is_a_circle() {
    let edit = |from: &str, to: &str| json!({"path": "a", "search": from, "replace": to});
    check("....hhrrs", |n| {
        let arguments = if n % 2 == 0 { edit("x", "y") } else { edit("y", "x") };
        ("edit", arguments, changed("a"))
    });
}

#[test]
fn waiting_is_fine_while_something_moves() {
    check(".......hhhhrrs", |n| {
        ("run", run("./status"), ToolResult::success(format!("{n} % done")))
    });
    check("..hrs", |_| ("run", run("./status"), ToolResult::success("waiting")));
    // Moving once begins anew.
    check("....hrs", |n| {
        ("run", run("./status"), ToolResult::success(if n < 2 { "waiting" } else { "at work" }))
    });
}

#[test]
fn other_ranges_and_other_numbers_are_other_calls() {
    check(&".".repeat(60), |n| {
        let lines = json!({"path": "a", "start_line": n, "end_line": n + 9});
        ("read", lines, ToolResult::success("the same text"))
    });
    check(&".".repeat(60), |n| {
        ("run", run(&format!("./try {n}")), ToolResult::failure("[exit code 1]"))
    });
}

#[test]
fn looking_at_the_same_file_is_allowed_more_often_and_not_for_ever() {
    check("..hhrrs", |_| ("read", json!({"path": "a"}), ToolResult::success("text")));
    // Far apart it is no circle: what was seen may have been cut from the conversation.
    check(&".".repeat(200), |n| {
        let path = if n % 30 == 0 { "a".to_owned() } else { n.to_string() };
        ("read", json!({ "path": path }), ToolResult::success("text"))
    });
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut repeats = Repeats::default();
    for n in 0..2000 {
        turn(&mut repeats, "read", &json!({ "path": n.to_string() }), &ToolResult::success("x"));
    }
    assert!(repeats.records.len() <= MAX_REMEMBERED);
}
