use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::options::Lanes;

fn files() -> BTreeSet<String> {
    ["src/a.py", "src/b.py", "README.md"].map(str::to_owned).into()
}

fn completed(json: &Value, source: Source) -> Result<(Plan, Vec<String>), Vec<Problem>> {
    completed_with(json, source, Lanes::Off)
}

fn completed_with(
    json: &Value,
    source: Source,
    lanes: Lanes,
) -> Result<(Plan, Vec<String>), Vec<Problem>> {
    let mut plan = read(json, "the goal", source)?;
    let tools = ["read", "edit", "write", "run"].map(str::to_owned);
    let cx = CheckCx {
        include: &[],
        tools: &tools,
        files: &files(),
        lanes,
        default_turns: 30,
        max_repairs: 0,
        default_tokens: 1000,
    };
    let notes = check(&mut plan, &cx)?;
    Ok((plan, notes))
}

fn check_errors(json: Value, source: Source, expected: Expect) {
    let text = match completed(&json, source) {
        Ok(_) => "valid".to_owned(),
        Err(problems) => problems.iter().map(|p| format!("{p}\n")).collect(),
    };
    expected.assert_eq(&text);
}

fn task(id: &str, dependencies: &[&str], file: &str) -> Value {
    json!({
        "id": id, "description": "do it", "assigned_agent": "coder",
        "dependencies": dependencies, "target_files": [file],
    })
}

#[test]
fn wrong_types_are_named_with_task_and_field_all_at_once() {
    let bad = json!({"nodes": [
        {"id": 7, "description": ["x"], "dependencies": {"a": 1}, "assigned_agent": "codre",
         "target_files": [3], "budget": {"calls": -1, "usd": "much"}, "verification": {}},
        "not a task",
    ]});
    check_errors(
        bad,
        Source::File,
        expect![[r#"
            nodes[0] (no id).id: must be a text, found the number 7
            nodes[0] (no id).id: an id must not be empty
            nodes[0] (no id).description: must be a text, found an array
            nodes[0] (no id).description: must not be empty
            nodes[0] (no id).dependencies: must be a list of texts, found an object
            nodes[0] (no id).assigned_agent: unknown role "codre" (one of architect, coder, reviewer, test_engineer, documentation); did you mean "coder"?
            nodes[0] (no id).target_files[0]: must be a text, found the number 3
            nodes[1]: must be an object, found the text "not a task"
        "#]],
    );
}

#[test]
fn unknown_fields_are_errors_for_people_and_dropped_for_models() {
    let plan = json!({"nodes": [{
        "id": "a", "description": "d", "assigned_agent": "coder", "target_files": ["x.py"],
        "depends_on": [], "status": "pending", "dependancies": [],
    }]});
    check_errors(
        plan.clone(),
        Source::File,
        expect![[r#"
            nodes[0] (a): unknown field "depends_on"
            nodes[0] (a): unknown field "dependancies"; did you mean "dependencies"?
        "#]],
    );
    check_errors(plan, Source::Model, expect!["valid"]);
}

#[test]
fn graphs_that_cannot_run_are_refused() {
    check_errors(
        json!([task("a", &["b"], "x.py"), task("b", &["a"], "y.py"), task("a", &[], "z.py")]),
        Source::Model,
        expect![[r#"
            nodes[2] (a).id: the id a is used by more than one task
            nodes[0] (a).dependencies: these tasks wait for each other: a -> b -> a
        "#]],
    );
    check_errors(
        json!([task("task_1", &["task_2"], "x.py"), task("task_2", &["task_1"], "y.py")]),
        Source::Model,
        expect![[r#"
            nodes[0] (task_1).dependencies: these tasks wait for each other: task_1 -> task_2 -> task_1
        "#]],
    );
    check_errors(
        json!([task("task_1", &["task_2", "task_1"], "x.py"), task("task_02", &[], "y.py")]),
        Source::Model,
        expect![[r#"
            nodes[0] (task_1).dependencies: there is no task task_2; did you mean task_02?
            nodes[0] (task_1).dependencies: a task cannot wait for itself
        "#]],
    );
}

#[test]
fn paths_that_leave_the_project_or_are_protected_are_refused() {
    for path in [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "~/x",
        ".git/config",
        "sub/.GIT/x",
        ".sage/policy.json",
        "C:/x",
    ] {
        let plan = json!([task("a", &[], path)]);
        assert!(completed(&plan, Source::Model).is_err(), "{path} was accepted");
    }
}

#[test]
fn contracts_are_completed_and_parallel_writers_separated_with_a_note() {
    let plan = json!([
        task("a", &[], "src/a.py"),
        task("b", &[], "src/b.py"),
        task("c", &[], "src/a.py"),
        {"id": "t", "description": "test", "assigned_agent": "tester", "dependencies": ["b"],
         "target_file": "tests/test_b.py", "verification": "python3 -m unittest"},
    ]);
    let (plan, notes) = completed(&plan, Source::Model).unwrap();
    expect![[r#"["c waits for a: both may write src/a.py"]"#]].assert_eq(&format!("{notes:?}"));
    assert_eq!(plan.nodes[2].dependencies, [plan.nodes[0].id.clone()]);
    assert_eq!(plan.nodes[3].paths, ["tests/test_b.py", "src/b.py"]);
    assert_eq!(plan.nodes[3].commands(), ["python3 -m unittest"]);
    assert_eq!(plan.nodes[0].budget.calls, Some(30));
}

#[test]
fn a_completed_plan_reads_back_as_itself() {
    let plan = json!([task("a", &[], "src/a[1].py"), task("b", &["a"], "src/b.py")]);
    let (plan, _) = completed(&plan, Source::Model).unwrap();
    let json: Value = serde_json::from_str(&plan.to_json()).unwrap();
    assert_eq!(completed(&json, Source::File).unwrap().0, plan);
}

#[test]
fn a_task_without_anything_that_shows_it_is_done_is_refused() {
    check_errors(
        json!([{"id": "a", "description": "think hard", "assigned_agent": "coder"}]),
        Source::Model,
        expect![[r#"
            nodes[0] (a).target_files: needs target_files, paths or acceptance: without them nothing could show that it is done
        "#]],
    );
}

#[test]
fn a_model_has_no_say_in_what_is_tried_again_or_who_answers() {
    let mut node = task("a", &[], "x.py");
    node["retry"] = json!({"attempts": 9});
    node["on_unknown"] = json!("ask");
    node["model"] = json!("the-dearest");
    let plan = json!([node]);
    let of = |source| completed(&plan, source).unwrap().0.nodes.remove(0);
    let (person, model) = (of(Source::File), of(Source::Model));
    assert_eq!((person.retry.attempts, model.retry.attempts), (9, 1));
    assert_eq!(person.on_unknown, sage_graph::OnUnknown::Ask);
    assert_eq!(model.on_unknown, sage_graph::OnUnknown::Retry);
    assert_eq!((person.model.as_deref(), model.model), (Some("the-dearest"), None));
}

#[test]
fn the_worst_case_counts_the_dearest_model_and_one_budget_for_all_attempts() {
    let mut node = task("a", &[], "x.py");
    node["budget"] = json!({"calls": 2, "tokens": 1000});
    node["retry"] = json!({"attempts": 3});
    let (plan, _) = completed(&json!([node]), Source::File).unwrap();
    let bound = |price: Option<f64>| cost::CallBound {
        input_tokens: 100,
        output_tokens: 100,
        usd_per_mtok_input: price,
        usd_per_mtok_output: price,
    };
    let worst = |a, b| {
        let worst = cost::worst_case(&plan, &Limits::NONE, &|_| Some(bound(a).or(bound(b))));
        (worst.calls, worst.tokens, worst.usd, worst.priced)
    };
    assert_eq!(worst(Some(1.0), Some(10.0)), (2, 400, 0.004, true));
    assert_eq!(worst(Some(1.0), None), (2, 400, 0.0, false));
}

#[test]
fn an_architect_whose_words_reach_nobody_is_refused() {
    let architect = json!({"id": "a", "description": "d", "assigned_agent": "architect"});
    check_errors(
        json!([architect]),
        Source::File,
        expect![[r#"
            nodes[0] (a).target_files: needs target_files, acceptance or a task that depends on it: its words reach nobody
        "#]],
    );
    check_errors(json!([architect, task("b", &["a"], "b.py")]), Source::File, expect!["valid"]);
}

#[test]
fn no_json_value_makes_reading_panic() {
    for value in [
        json!(null),
        json!(1),
        json!("x"),
        json!([]),
        json!({}),
        json!([[], {}, null]),
        json!({"nodes": null}),
        json!({"dag": {"nodes": {}}}),
        json!({"version": 99, "nodes": [{}]}),
    ] {
        assert!(completed(&value, Source::Model).is_err());
        assert!(completed(&value, Source::File).is_err());
    }
}

#[test]
fn tasks_that_may_write_the_same_file_get_lanes_where_there_are_any() {
    let plan = json!({"nodes": [
        task("one", &[], "src/a.py"), task("two", &[], "src/a.py"),
        task("three", &["one"], "src/a.py"), task("four", &[], "src/b.py"),
    ]});
    let lanes_of = |lanes| {
        let (plan, notes) = completed_with(&plan, Source::Model, lanes).unwrap();
        let nodes = plan.nodes.iter();
        let in_lanes: Vec<String> =
            nodes.filter(|task| task.lane).map(|task| task.id.to_string()).collect();
        (in_lanes.join(" "), notes.join("\n"))
    };
    let (in_lanes, notes) = lanes_of(Lanes::Merged);
    assert_eq!(in_lanes, "one two three");
    expect![[r#"
        one and two run in lanes and are merged: both may write src/a.py
        two and three run in lanes and are merged: both may write src/a.py"#]]
    .assert_eq(&notes);
    let (in_lanes, notes) = lanes_of(Lanes::NoGit);
    assert_eq!(in_lanes, "");
    expect![[r#"
        two waits for one: both may write src/a.py, and without git they cannot be merged
        three waits for two: both may write src/a.py, and without git they cannot be merged"#]]
    .assert_eq(&notes);
}

#[test]
fn a_lane_is_a_persons_to_ask_for_and_not_a_models() {
    let mut one = task("one", &[], "src/a.py");
    one["lane"] = json!(true);
    let plan = json!({"nodes": [one]});
    let lane = |source, lanes| completed_with(&plan, source, lanes).unwrap().0.nodes[0].lane;
    assert!(lane(Source::File, Lanes::Merged));
    assert!(!lane(Source::File, Lanes::Off));
    assert!(!lane(Source::Model, Lanes::Merged));
}
