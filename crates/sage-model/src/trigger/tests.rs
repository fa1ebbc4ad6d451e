use expect_test::{Expect, expect};
use sage_core::RouteFeatures;

use super::*;

fn features(score: f64, primary_failures: u32, failures: u32) -> RouteFeatures {
    RouteFeatures {
        task_complexity_score: score,
        primary_failure_count: primary_failures,
        failure_count: failures,
        n_target_files: 3,
        prompt_tokens: 1000,
    }
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    let text =
        "task_complexity_score > 0.8 and not (primary_failure_count >= 2 or failure_count != 0)";
    let trigger = Trigger::parse(text).unwrap();
    assert!(trigger.eval(&features(0.9, 0, 0)));
    assert!(!trigger.eval(&features(0.9, 2, 0)));
    assert!(!trigger.eval(&features(0.9, 0, 1)));
    assert!(!trigger.eval(&features(0.8, 0, 0)));

    let trigger = Trigger::parse("failure_count == 1 or failure_count == 2 and n_target_files < 0");
    assert!(trigger.unwrap().eval(&features(0.0, 0, 1)));
    let trigger = Trigger::parse("not failure_count == 1 and 2<=n_target_files").unwrap();
    assert!(trigger.eval(&features(0.0, 0, 0)));
    assert!(Trigger::parse("prompt_tokens<=1e3").unwrap().eval(&features(0.0, 0, 0)));
    assert!(Trigger::parse("failure_count > -1").unwrap().eval(&features(0.0, 0, 0)));
}

fn check_refused(text: &str, expected: Expect) {
    expected.assert_eq(&Trigger::parse(text).unwrap_err().to_string());
}

#[test]
fn what_is_not_a_trigger_is_refused_with_its_place() {
    check_refused(
        "task_complexity > 0.8",
        expect![[
            r#"trigger "task_complexity > 0.8": unknown name "task_complexity" at 1; did you mean "task_complexity_score"?"#
        ]],
    );
    check_refused(
        "failure_count = 2",
        expect![[r#"trigger "failure_count = 2": unexpected '=' at 15, equality is '=='"#]],
    );
    check_refused(
        "failure_count >",
        expect![[r#"trigger "failure_count >": expected a number or a variable at the end"#]],
    );
    check_refused(
        "(failure_count > 1",
        expect![[r#"trigger "(failure_count > 1": expected ')' at the end"#]],
    );
    check_refused(
        "failure_count > 1 2",
        expect![[r#"trigger "failure_count > 1 2": expected and, or, or the end at 19"#]],
    );
    check_refused(
        "failure_count > 1.2.3",
        expect![[r#"trigger "failure_count > 1.2.3": "1.2.3" at 17 is not a number"#]],
    );
    check_refused("", expect![[r#"trigger "": expected a number or a variable at the end"#]]);
    check_refused(
        "failure_count",
        expect![[r#"trigger "failure_count": expected a comparison such as '>' at the end"#]],
    );
}

#[test]
fn nesting_and_length_are_bounded() {
    let deep = format!("{}failure_count > 1{}", "(".repeat(200), ")".repeat(200));
    assert!(Trigger::parse(&deep).unwrap_err().to_string().contains("nested deeper"));
    let nots = format!("{}failure_count > 1", "not ".repeat(200));
    assert!(Trigger::parse(&nots).unwrap_err().to_string().contains("nested deeper"));
    assert!(Trigger::parse(&"x".repeat(5000)).unwrap_err().to_string().contains("longer than"));
}
