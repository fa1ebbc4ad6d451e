use super::*;

#[test]
fn evidence_lists_checks_and_counts_a_repeated_call_once() {
    let view = project::<Evidence>(&numbered(vec![
        checked(call("a", 1), "pytest", false),
        checked(call("b", 1), "cargo test", true),
        checked(call("a", 1), "pytest", true),
    ]));
    let seen: Vec<_> = view.iter().map(|c| (c.node.as_str(), c.passed, c.at_ms % 60_000)).collect();
    assert_eq!(seen, [("a", true, 3_000), ("b", true, 2_000)]);
}

#[test]
fn refusals_and_decisions_are_listed_with_their_time() {
    check_json(
        project::<Refusals>(&a_run()),
        expect![[r#"
        [
          {
            "seq": 9,
            "at_ms": 1767225609000,
            "call": "a#1.2",
            "tool": "write",
            "summary": "write secrets.txt",
            "reason": "secrets.txt is outside the task's paths"
          }
        ]"#]],
    );
    check_json(
        project::<Decisions>(&a_run()),
        expect![[r#"
        [
          {
            "seq": 4,
            "at_ms": 1767225604000,
            "type": "human.plan_reviewed",
            "decision": "approved",
            "by": "person",
            "plan": "29fde71e3ef298312227db745efc78ce",
            "edited": false
          }
        ]"#]],
    );
}
