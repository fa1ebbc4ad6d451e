use expect_test::{Expect, expect};
use sage_core::ToolCall;

use super::*;

fn call(id: usize, name: &str, arguments: &str) -> Message {
    let call =
        ToolCall { id: format!("c{id}"), name: name.to_owned(), arguments: arguments.to_owned() };
    Message { tool_calls: vec![call], ..Message::assistant("") }
}

/// A conversation of `n_steps` steps, each a call with a result of `n_words` words.
fn conversation(n_steps: usize, n_words: usize) -> Vec<Message> {
    let mut messages = vec![Message::system("the system prompt"), Message::user("the task")];
    for step in 0..n_steps {
        let arguments =
            serde_json::json!({"path": format!("f{step}"), "content": "a ".repeat(n_words)});
        messages.push(call(step, "write", &arguments.to_string()));
        messages.push(Message::tool(
            format!("c{step}"),
            format!("file f{step}\n{}", "w ".repeat(n_words)),
        ));
    }
    messages
}

fn weight(messages: &[Message]) -> u64 {
    Sections::of(messages, &[]).total()
}

fn check_outline(mut messages: Vec<Message>, room: u64, expected: Expect) {
    let before = messages.clone();
    fit(&mut messages, room).unwrap();
    assert!(weight(&messages) <= room);
    assert_eq!(messages[..2], before[..2], "the beginning was touched");
    let line = |message: &Message| {
        let text: String = message.text.replace('\n', "/").chars().take(50).collect();
        let arguments: Vec<usize> =
            message.tool_calls.iter().map(|call| call.arguments.len()).collect();
        format!("{:?} {text} {arguments:?}\n", message.speaker)
    };
    expected.assert_eq(&messages.iter().map(line).collect::<String>());
}

#[test]
fn what_fits_is_left_alone() {
    let mut messages = conversation(3, 100);
    let before = messages.clone();
    fit(&mut messages, weight(&before)).unwrap();
    assert_eq!(messages, before);
}

#[test]
fn old_results_give_way_before_anything_else() {
    check_outline(
        conversation(6, 1500),
        8000,
        expect![[r#"
            System the system prompt []
            User the task []
            Assistant  [464]
            Tool [left out to save room; it began: file f0] []
            Assistant  [464]
            Tool [left out to save room; it began: file f1] []
            Assistant  [3026]
            Tool [left out to save room; it began: file f2] []
            Assistant  [3026]
            Tool [left out to save room; it began: file f3] []
            Assistant  [3026]
            Tool file f4/w w w w w w w w w w w w w w w w w w w w w  []
            Assistant  [3026]
            Tool file f5/w w w w w w w w w w w w w w w w w w w w w  []
        "#]],
    );
}

#[test]
fn when_room_is_very_short_old_steps_go_as_a_whole() {
    check_outline(
        conversation(30, 100),
        400,
        expect![[r#"
        System the system prompt []
        User the task []
        User [Earlier steps were left out to save room.] []
        Assistant  [227]
        Tool file f28/w w w w w w w w w w w w w w w w w w w w w []
        Assistant  [227]
        Tool file f29/w w w w w w w w w w w w w w w w w w w w w []
    "#]],
    );
}

#[test]
fn every_room_is_kept_and_calls_keep_their_answers() {
    for n_steps in [1, 2, 3, 7, 30] {
        for n_words in [1, 100, 2000] {
            for room in [600, 1000, 4000, 20_000] {
                let mut messages = conversation(n_steps, n_words);
                messages.push(Message::user(format!("now repair {}", "this ".repeat(n_words))));
                let mut again = messages.clone();
                let before = messages.clone();
                fit(&mut messages, room).unwrap();
                fit(&mut again, room).unwrap();
                assert_eq!(messages, again);
                assert!(weight(&messages) <= room);
                assert_eq!(messages[..2], before[..2]);
                assert!(messages.last().unwrap().text.starts_with("now repair"));
                check_pairs(&messages);
            }
        }
    }
}

fn check_pairs(messages: &[Message]) {
    let asked: Vec<&str> =
        messages.iter().flat_map(|m| &m.tool_calls).map(|call| call.id.as_str()).collect();
    let answered: Vec<&str> =
        messages.iter().filter_map(|message| message.tool_call_id.as_deref()).collect();
    assert_eq!(asked, answered);
    for call in messages.iter().flat_map(|message| &message.tool_calls) {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
        assert!(arguments["path"].is_string());
    }
}

#[test]
fn a_cut_lasts_for_a_while_so_that_the_cache_can_work() {
    let mut messages = conversation(10, 1000);
    fit(&mut messages, 12_000).unwrap();
    let cut = messages.clone();
    messages.push(call(99, "read", "{\"path\":\"x\"}"));
    messages.push(Message::tool("c99", "short"));
    fit(&mut messages, 12_000).unwrap();
    assert_eq!(messages[..cut.len()], cut[..]);
}

#[test]
fn a_beginning_that_does_not_fit_is_an_error() {
    let mut messages = vec![Message::system("s"), Message::user("w ".repeat(1000))];
    let needed = weight(&messages);
    assert_eq!(fit(&mut messages, needed - 1), Err(TooLarge { needed }));
}
