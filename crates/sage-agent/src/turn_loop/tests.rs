use std::sync::Arc;

use expect_test::{Expect, expect};
use sage_core::{EventKind, Finish, Message, RepeatGrade, Seq, ToolCall, ToolEvent};
use sage_model::ToolCalling;
use sage_tool::Grant;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Bench, ListedModel, calls, conversation, cut_off, outline, says};
use crate::{Conversation, Error};

fn finish() -> (&'static str, Value) {
    ("finish", json!({"summary": "done"}))
}

fn write(path: &str, content: &str) -> (&'static str, Value) {
    ("write", json!({"path": path, "content": content}))
}

fn read(path: &str) -> (&'static str, Value) {
    ("read", json!({"path": path}))
}

/// Works with these answers and returns how it ended and what was said.
async fn work(
    bench: &Bench,
    calling: ToolCalling,
    replies: Vec<(Message, Finish)>,
) -> (WorkEnd, Conversation, Arc<ListedModel>) {
    let model = ListedModel::new(calling, replies);
    let mut conversation = conversation();
    let end = bench.agent(&model).work(&mut conversation, &|_| false).await.unwrap();
    (end, conversation, model)
}

async fn check_native(
    bench: &Bench,
    replies: Vec<(Message, Finish)>,
    end: &WorkEnd,
    said: Expect,
) -> Arc<ListedModel> {
    let (ended, conversation, model) = work(bench, ToolCalling::Native, replies).await;
    assert_eq!(&ended, end);
    said.assert_eq(&outline(&conversation));
    check_calls_are_answered(&conversation);
    model
}

fn check_calls_are_answered(conversation: &Conversation) {
    let messages = conversation.messages();
    for (at, message) in messages.iter().enumerate() {
        let asked: Vec<&str> = message.tool_calls.iter().map(|call| call.id.as_str()).collect();
        let answers = messages[at + 1..].iter().map_while(|answer| answer.tool_call_id.as_deref());
        assert_eq!(asked, answers.take(asked.len()).collect::<Vec<_>>());
    }
}

fn done() -> WorkEnd {
    WorkEnd::Finished { summary: "done".to_owned() }
}

#[tokio::test]
async fn a_model_with_tools_works_until_it_finishes() {
    let bench = Bench::new(&[("a.txt", "one\n")]);
    let model = check_native(
        &bench,
        vec![calls(&[read("a.txt")]), calls(&[write("b.txt", "two\n"), finish()])],
        &done(),
        expect![[r#"
            system: role: coder
            user: the task
            model:  read
            tool: 1	one/
            model:  write finish
            tool: created b.txt: 1 lines
            tool: finished
        "#]],
    )
    .await;
    assert_eq!(bench.file("b.txt").unwrap(), "two\n");
    let seen = model.seen();
    let system = |at: usize| seen[at].messages[0].text.clone();
    assert!(system(0).starts_with("role: coder\n# How to work\n"), "{}", system(0));
    assert_eq!(system(0), system(1), "the prefix must not change");
    assert_eq!(seen[1].messages[..seen[0].messages.len()], seen[0].messages);
    assert!(seen[0].tools.iter().any(|tool| tool.name == "edit"));
}

#[tokio::test]
async fn reads_of_one_answer_are_answered_in_order() {
    let bench = Bench::new(&[("a", "A\n"), ("b", "B\n"), ("c", "C\n")]);
    let all: Vec<_> = ["a", "b", "missing", "c"].into_iter().map(read).collect();
    let (_, conversation, _) =
        work(&bench, ToolCalling::Native, vec![calls(&all), calls(&[finish()])]).await;
    let answers: Vec<&str> = conversation
        .messages()
        .iter()
        .filter_map(|message| message.tool_call_id.as_ref().map(|_| message.text.as_str()))
        .collect();
    assert!(answers[0].contains('A') && answers[1].contains('B') && answers[3].contains('C'));
    let called: Vec<u32> = bench
        .recorder
        .kinds()
        .into_iter()
        .filter_map(|kind| match kind {
            EventKind::Tool(ToolEvent::Called { call, tool, .. }) if tool == "read" => {
                Some(call.index)
            }
            _ => None,
        })
        .collect();
    assert_eq!(called, [2, 3, 4, 5]);
}

#[tokio::test]
async fn calls_that_a_model_wrote_into_its_text_are_calls() {
    let bench = Bench::new(&[]);
    let spoken = "Now.\n<tool_call>\n{\"name\": \"write\", \"arguments\": {\"path\": \"a\", \"content\": \"1\\n\"}}\n</tool_call>\n<tool_call>{\"name\": \"finish\", \"arguments\": {\"summary\": \"done\"}}</tool_call>";
    check_native(
        &bench,
        vec![says(spoken)],
        &done(),
        expect![[r#"
        system: role: coder
        user: the task
        model: Now. write finish
        tool: created a: 1 lines
        tool: finished
    "#]],
    )
    .await;
    assert_eq!(bench.file("a").unwrap(), "1\n");
}

#[tokio::test]
async fn calls_beyond_the_cap_are_not_done_and_the_model_is_told() {
    let bench = Bench::new(&[("a", "A\n")]);
    let flood: Vec<_> = (0..40).map(|_| read("a")).collect();
    let (end, conversation, _) =
        work(&bench, ToolCalling::Native, vec![calls(&flood), calls(&[finish()])]).await;
    assert_eq!(end, done());
    check_calls_are_answered(&conversation);
    let not_done = conversation.messages().iter().filter(|said| said.text.starts_with("Not done"));
    assert_eq!(not_done.count(), 8);
    let n_called = bench.recorder.type_names().iter().filter(|name| *name == "tool.called").count();
    assert_eq!(n_called, 32 + 1);
}

#[tokio::test]
async fn nonsense_ends_as_an_answer_or_a_refusal_and_changes_nothing() {
    let nonsense = [
        "{\"tool\": \"write\"",
        "<<<<<<< SEARCH\n",
        "```\n",
        "\u{0}\u{feff}",
        ">>>>>>> REPLACE\n=======\n",
        "<tool_call>{}</tool_call>",
        "../../etc/passwd\n```\nroot\n```\n",
        "/etc/hosts\n```\nx\n```\n",
        ".git/config\n```\nx\n```\n",
    ];
    for calling in [ToolCalling::Native, ToolCalling::Text] {
        for text in nonsense {
            let bench = Bench::new(&[]);
            let (end, conversation, _) = work(&bench, calling, vec![says(text), says(text)]).await;
            let is_harmless = matches!(end, WorkEnd::Answer(_) | WorkEnd::EditsRefused { .. });
            assert!(is_harmless, "{text:?}: {end:?}");
            assert!(conversation.changed().is_empty());
        }
        for (name, arguments) in
            [("", "{"), ("read", "[]"), ("nope", "null"), ("read", "{\"path\":\"/\"}")]
        {
            let bench = Bench::new(&[]);
            let call = ToolCall { id: "c1".into(), name: name.into(), arguments: arguments.into() };
            let odd = || {
                let message = Message { tool_calls: vec![call.clone()], ..Message::assistant("") };
                (message, Finish::ToolCalls)
            };
            let (end, conversation, _) =
                work(&bench, calling, vec![odd(), odd(), odd(), odd()]).await;
            assert!(matches!(end, WorkEnd::Looping { .. }), "{name:?} {arguments:?}: {end:?}");
            check_calls_are_answered(&conversation);
        }
    }
}

#[tokio::test]
async fn finish_counts_only_when_everything_before_it_went_well() {
    let bench = Bench::new(&[("a.txt", "one\n")]);
    let wrong = ("edit", json!({"path": "a.txt", "search": "zwei", "replace": "x"}));
    check_native(
        &bench,
        vec![calls(&[wrong, finish()]), calls(&[finish(), write("late.txt", "x")])],
        &done(),
        expect![[r#"
            system: role: coder
            user: the task
            model:  edit finish
            tool: a.txt: the search text is not in the file
            tool: Not finished: a call before this one failed. See why, put it right, then call finish again
            model:  finish write
            tool: finished
            tool: Not done: it comes after finish.
        "#]],
    )
    .await;
    assert_eq!(bench.file("late.txt"), None);
}

#[tokio::test]
async fn nothing_of_a_cut_off_answer_is_done() {
    let bench = Bench::new(&[]);
    check_native(
        &bench,
        vec![cut_off(calls(&[write("a", "half"), write("b", "x")])), calls(&[finish()])],
        &done(),
        expect![[r#"
            system: role: coder
            user: the task
            model:  write write
            tool: Your answer was cut off at the output limit and nothing of it was done. Send less in one a
            tool: Your answer was cut off at the output limit and nothing of it was done. Send less in one a
            model:  finish
            tool: finished
        "#]],
    )
    .await;
    assert_eq!(bench.file("a"), None);
    let always = vec![cut_off(says("I will ")), cut_off(says("I will ")), cut_off(says("I will "))];
    let (end, ..) = work(&bench, ToolCalling::Native, always).await;
    assert!(matches!(end, WorkEnd::Looping { .. }), "{end:?}");
}

#[tokio::test]
async fn the_same_failure_earns_a_hint_and_then_ends_the_work() {
    let bench = Bench::new(&[]);
    let again = || calls(&[read("missing")]);
    let (end, conversation, _) =
        work(&bench, ToolCalling::Native, vec![again(), again(), again(), again()]).await;
    let WorkEnd::Looping { what } = end else { panic!("{end:?}") };
    assert!(what.starts_with("`read missing` (asked for 4 times, "), "{what}");
    let told = conversation.messages().iter().filter(|said| said.text.starts_with("refused: "));
    assert_eq!(told.count(), 2);
    let grades: Vec<_> = bench
        .recorder
        .kinds()
        .into_iter()
        .filter_map(|kind| match kind {
            EventKind::Tool(ToolEvent::Repeated { grade, n_times, .. }) => Some((grade, n_times)),
            _ => None,
        })
        .collect();
    let expected = [(RepeatGrade::Hint, 2), (RepeatGrade::Refused, 3), (RepeatGrade::Stopped, 4)];
    assert_eq!(grades, expected);
    let hints =
        conversation.messages().iter().filter(|said| said.text.contains("Do not send it again"));
    assert_eq!(hints.count(), 2);
}

#[tokio::test]
async fn a_failing_edit_is_refused_the_second_time_and_done_after_a_change() {
    let bench = Bench::new(&[("a.txt", "one\n")]);
    let edit = || calls(&[("edit", json!({"path": "a.txt", "search": "two", "replace": "2"}))]);
    let replies =
        vec![edit(), edit(), calls(&[write("a.txt", "two\n")]), edit(), calls(&[finish()])];
    let (end, conversation, _) = work(&bench, ToolCalling::Native, replies).await;
    assert_eq!(end, done(), "{}", outline(&conversation));
    assert_eq!(bench.file("a.txt").unwrap(), "2\n");
    let of_edits: Vec<bool> = bench
        .recorder
        .kinds()
        .into_iter()
        .filter_map(|kind| match kind {
            EventKind::Tool(ToolEvent::Called { tool, .. }) if tool == "edit" => Some(true),
            EventKind::Tool(ToolEvent::Refused { tool, .. }) if tool == "edit" => Some(false),
            _ => None,
        })
        .collect();
    assert_eq!(of_edits, [true, false, true]);
}

#[tokio::test]
async fn a_loop_that_was_refused_is_told_alike_from_its_record() {
    let bench = Bench::new(&[]);
    let replies = || (0..4).map(|_| calls(&[("run", json!({"command": "false"}))])).collect();
    let (end, first, _) = work(&bench, ToolCalling::Native, replies()).await;
    let again = Bench { recorder: bench.recorder.continued(), ..bench };
    let n_events = again.recorder.events().len();
    let (end_again, second, model) = work(&again, ToolCalling::Native, Vec::new()).await;
    assert_eq!((end_again, second), (end, first));
    assert!(model.seen().is_empty());
    assert_eq!(again.recorder.events().len(), n_events);
}

#[tokio::test]
async fn a_command_may_fail_alike_after_every_change() {
    let bench = Bench::new(&[]);
    let mut replies = Vec::new();
    for n in 0..4 {
        replies.push(calls(&[("run", json!({"command": "false"}))]));
        replies.push(calls(&[write("a", &format!("{n}\n"))]));
    }
    replies.push(calls(&[finish()]));
    let (end, ..) = work(&bench, ToolCalling::Native, replies).await;
    assert_eq!(end, done());
}

#[tokio::test]
async fn reading_the_same_thing_for_ever_ends_the_work() {
    let bench = Bench::new(&[("a", "A\n")]);
    let replies = (0..7).map(|_| calls(&[read("a")])).collect();
    let (end, ..) = work(&bench, ToolCalling::Native, replies).await;
    assert!(matches!(end, WorkEnd::Looping { .. }), "{end:?}");
}

#[tokio::test]
async fn turns_are_bounded_and_the_last_one_is_announced() {
    let mut bench = Bench::new(&[("a", "A\n"), ("b", "B\n")]);
    bench.limits.max_turns = 2;
    let (end, conversation, _) =
        work(&bench, ToolCalling::Native, vec![calls(&[read("a")]), calls(&[read("b")])]).await;
    assert_eq!(end, WorkEnd::TurnsUsedUp);
    assert!(conversation.messages()[3].text.ends_with(LAST_TURN));
}

#[tokio::test]
async fn the_caller_may_end_the_work_by_what_changed() {
    let bench = Bench::new(&[]);
    let model = ListedModel::new(
        ToolCalling::Native,
        vec![calls(&[write("a", "1")]), calls(&[write("b", "2")])],
    );
    let mut conversation = conversation();
    let stop = |progressed: &Progressed<'_>| progressed.changed.contains("b");
    let end = bench.agent(&model).work(&mut conversation, &stop).await.unwrap();
    assert_eq!(end, WorkEnd::Stopped);
    assert_eq!(conversation.changed().iter().collect::<Vec<_>>(), ["a", "b"]);
}

const NEW_FILE: &str = "I add it.\n\nsrc/new.py\n```python\nprint(1)\n```\n";

#[tokio::test]
async fn edits_in_text_are_applied_and_end_the_work() {
    let bench = Bench::new(&[("a.txt", "one\ntwo\n")]);
    let answer = "a.txt\n<<<<<<< SEARCH\ntwo\n=======\nthree\n>>>>>>> REPLACE\n\nsrc/new.py\n```python\nprint(1)\n```\nDone.";
    let (end, conversation, model) = work(&bench, ToolCalling::Text, vec![says(answer)]).await;
    assert!(matches!(end, WorkEnd::Finished { .. }), "{end:?}");
    assert_eq!(bench.file("a.txt").unwrap(), "one\nthree\n");
    assert_eq!(bench.file("src/new.py").unwrap(), "print(1)\n");
    assert_eq!(conversation.changed().iter().collect::<Vec<_>>(), ["a.txt", "src/new.py"]);
    let request = &model.seen()[0];
    assert!(request.tools.is_empty());
    assert!(request.messages[0].text.contains("<<<<<<< SEARCH"));
}

#[tokio::test]
async fn edits_that_do_not_apply_are_sent_back_once_and_nothing_is_half_done() {
    let bench = Bench::new(&[("a.txt", "one\ntwo\n")]);
    let wrong =
        format!("{NEW_FILE}\na.txt\n<<<<<<< SEARCH\nzwei\n=======\nthree\n>>>>>>> REPLACE\n");
    let right = "a.txt\n<<<<<<< SEARCH\ntwo\n=======\nthree\n>>>>>>> REPLACE\n";
    let (end, conversation, _) =
        work(&bench, ToolCalling::Text, vec![says(&wrong), says(right)]).await;
    assert!(matches!(end, WorkEnd::Finished { .. }), "{end:?}");
    assert_eq!(bench.file("a.txt").unwrap(), "one\nthree\n");
    assert_eq!(bench.file("src/new.py"), None);
    let complaint = &conversation.messages()[3].text;
    assert!(complaint.contains("a.txt"), "{complaint}");

    let (end, ..) = work(&bench, ToolCalling::Text, vec![says(&wrong), says(&wrong)]).await;
    assert!(matches!(end, WorkEnd::EditsRefused { .. }), "{end:?}");
}

#[tokio::test]
async fn edits_that_cannot_be_read_are_sent_back() {
    let bench = Bench::new(&[("a.txt", "one\n")]);
    let broken = "a.txt\n<<<<<<< SEARCH\none\n>>>>>>> REPLACE\n";
    let right = "a.txt\n<<<<<<< SEARCH\none\n=======\n1\n>>>>>>> REPLACE\n";
    let (end, ..) = work(&bench, ToolCalling::Text, vec![says(broken), says(right)]).await;
    assert!(matches!(end, WorkEnd::Finished { .. }), "{end:?}");
    assert_eq!(bench.file("a.txt").unwrap(), "1\n");
}

#[tokio::test]
async fn a_model_with_tools_may_write_edits_into_its_text() {
    let bench = Bench::new(&[]);
    let (end, ..) = work(&bench, ToolCalling::Native, vec![says(NEW_FILE)]).await;
    assert!(matches!(end, WorkEnd::Finished { .. }), "{end:?}");
    assert_eq!(bench.file("src/new.py").unwrap(), "print(1)\n");
}

#[tokio::test]
async fn code_without_a_name_is_the_one_file_that_the_task_is_about() {
    let bench = Bench::new(&[]);
    for (calling, written) in [(ToolCalling::Native, None), (ToolCalling::Text, Some("print(1)\n"))]
    {
        let model = ListedModel::new(calling, vec![says("Here:\n```python\nprint(1)\n```\n")]);
        let mut conversation = conversation().about("only.py");
        bench.agent(&model).work(&mut conversation, &|_| false).await.unwrap();
        assert_eq!(bench.file("only.py").as_deref(), written);
    }
}

#[tokio::test]
async fn a_model_that_takes_over_without_tools_is_told_how_to_act() {
    let bench = Bench::new(&[]);
    let model =
        ListedModel::new(ToolCalling::Native, vec![says("I have no tools."), says(NEW_FILE)]);
    model.takes_over_as(ToolCalling::Text);
    let mut conversation = conversation();
    let end = bench.agent(&model).work(&mut conversation, &|_| false).await.unwrap();
    assert_eq!(end, WorkEnd::Finished { summary: "I add it.".to_owned() });
    let seen = model.seen();
    assert!(!seen[0].tools.is_empty() && seen[1].tools.is_empty());
    assert!(seen[1].messages[0].text.contains("<<<<<<< SEARCH"));
}

#[tokio::test]
async fn words_are_an_answer_and_thoughts_are_not_part_of_it() {
    let bench = Bench::new(&[]);
    for calling in [ToolCalling::Native, ToolCalling::Text] {
        let (end, conversation, _) =
            work(&bench, calling, vec![says("<think>hm\n\nx.py\n```\n1\n```\n</think>I cannot.")])
                .await;
        assert_eq!(end, WorkEnd::Answer("I cannot.".to_owned()));
        assert_eq!(conversation.last_answer(), "I cannot.");
    }
    assert_eq!(bench.file("x.py"), None);
}

#[tokio::test]
async fn a_review_writes_nothing_whatever_the_model_says() {
    let mut bench = Bench::new(&[]);
    bench.grant = Grant::read_only();
    let (end, ..) = work(&bench, ToolCalling::Native, vec![says(NEW_FILE)]).await;
    assert_eq!(end, WorkEnd::Answer(NEW_FILE.to_owned()));
    let (_, conversation, _) = work(
        &Bench { grant: Grant::read_only(), ..Bench::new(&[]) },
        ToolCalling::Native,
        vec![calls(&[write("x", "1")]), says("ok")],
    )
    .await;
    assert!(conversation.messages()[3].text.contains("only reading"), "{}", outline(&conversation));
    assert_eq!(bench.file("src/new.py"), None);
}

#[tokio::test]
async fn a_cancelled_run_ends_at_once() {
    let bench = Bench::new(&[]);
    bench.cancel.cancel();
    let model = ListedModel::new(ToolCalling::Native, Vec::new());
    let error = bench.agent(&model).work(&mut conversation(), &|_| false).await.unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error:?}");
}

/// A piece of work with all sorts of effects.
fn varied() -> Vec<(Message, Finish)> {
    vec![
        calls(&[read("a.txt"), read("missing")]),
        calls(&[("edit", json!({"path": "a.txt", "search": "one", "replace": "1"}))]),
        calls(&[("run", json!({"command": "cat a.txt; echo x >> log.txt"}))]),
        calls(&[write("b.txt", "two\n"), finish()]),
    ]
}

#[tokio::test]
async fn a_finished_run_is_told_from_its_record() {
    let bench = Bench::new(&[("a.txt", "one\n")]);
    let (_, first, _) = work(&bench, ToolCalling::Native, varied()).await;
    let again = Bench { recorder: bench.recorder.continued(), ..bench };
    let n_events = again.recorder.events().len();
    let (end, second, model) = work(&again, ToolCalling::Native, Vec::new()).await;
    assert_eq!((end, second), (done(), first));
    assert!(model.seen().is_empty());
    assert_eq!(again.recorder.events().len(), n_events);
    assert_eq!(again.file("log.txt").unwrap(), "x\n");
}

#[tokio::test]
async fn a_run_that_broke_off_anywhere_goes_on_where_it_was() {
    let whole = Bench::new(&[("a.txt", "one\n")]);
    let (_, undisturbed, _) = work(&whole, ToolCalling::Native, varied()).await;
    let n_events = whole.recorder.events().len() as u64;
    assert!(n_events > 10);
    for broken_at in 1..=n_events {
        let bench = Bench::new(&[("a.txt", "one\n")]);
        bench.recorder.fail_from(Seq(broken_at));
        let model = ListedModel::new(ToolCalling::Native, varied());
        bench.agent(&model).work(&mut conversation(), &|_| false).await.unwrap_err();

        let again = Bench { recorder: bench.recorder.continued(), ..bench };
        let answered =
            |names: Vec<String>| names.iter().filter(|name| *name == "model.answered").count();
        let n_answered = answered(again.recorder.type_names());
        let left = varied().split_off(n_answered);
        let (end, conversation, _) = work(&again, ToolCalling::Native, left).await;
        assert_eq!((end, conversation), (done(), undisturbed.clone()), "broken at {broken_at}");
        assert_eq!(answered(again.recorder.type_names()), varied().len());
        assert_eq!(again.file("a.txt").unwrap(), "1\n");
        assert_eq!(again.file("b.txt").unwrap(), "two\n");
    }
}

#[tokio::test]
async fn what_was_redacted_before_it_was_done_is_asked_for_again() {
    let marked = calls(&[write("b.txt", "key = [redacted:token]\n"), finish()]);
    let whole = calls(&[write("b.txt", "key = 42\n"), finish()]);

    // The log has the answer without its secret, and the process died before it acted on it.
    let bench = Bench::new(&[]);
    bench.recorder.fail_from(Seq(3));
    let model = ListedModel::new(ToolCalling::Native, vec![marked.clone()]);
    bench.agent(&model).work(&mut conversation(), &|_| false).await.unwrap_err();
    let again = Bench { recorder: bench.recorder.continued(), ..bench };
    let (end, conversation, _) = work(&again, ToolCalling::Native, vec![whole]).await;
    assert_eq!(end, done(), "{}", outline(&conversation));
    assert_eq!(again.file("b.txt").unwrap(), "key = 42\n");

    // A model that means these very words is taken at them.
    let bench = Bench::new(&[]);
    let (end, ..) = work(&bench, ToolCalling::Native, vec![marked]).await;
    assert_eq!(end, done());
    assert_eq!(bench.file("b.txt").unwrap(), "key = [redacted:token]\n");
}
