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
    weigh(messages)
}

/// Stands for the facts.
fn note() -> String {
    format!("{FACTS_HEAD} none]")
}

fn check_outline(mut messages: Vec<Message>, room: u64, expected: Expect) {
    let before = messages.clone();
    fit(&mut messages, room, &note).unwrap();
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
    fit(&mut messages, weight(&before), &note).unwrap();
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
            User [Earlier steps were cut to save room. This is on r []
            Assistant  [464]
            Tool [left out to save room; it began: file f0] []
            Assistant  [464]
            Tool [left out to save room; it began: file f1] []
            Assistant  [464]
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
        User [Earlier steps were cut to save room. This is on r []
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
                fit(&mut messages, room, &note).unwrap();
                fit(&mut again, room, &note).unwrap();
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
    fit(&mut messages, 12_000, &note).unwrap();
    let cut = messages.clone();
    messages.push(call(99, "read", "{\"path\":\"x\"}"));
    messages.push(Message::tool("c99", "short"));
    fit(&mut messages, 12_000, &note).unwrap();
    assert_eq!(messages[..cut.len()], cut[..]);
}

#[test]
fn a_beginning_that_does_not_fit_is_an_error() {
    let mut messages = vec![Message::system("s"), Message::user("w ".repeat(1000))];
    let needed = weight(&messages);
    let error = fit(&mut messages, needed - 1, &note).unwrap_err();
    assert!(error.needed >= needed);
}

/// A small generator of conversations: deterministic, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, n: u64) -> u64 {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % (n + 1)
    }

    fn text(&mut self, max_words: u64) -> String {
        let long = "w".repeat(90);
        let words = ["alpha ", "βeta ", "\n", "{\"x\": 1}", "日本", "\t", "0x7f ", long.as_str()];
        (0..self.up_to(max_words)).map(|_| words[self.up_to(7) as usize]).collect()
    }
}

#[test]
fn any_conversation_is_cut_to_any_room_and_keeps_what_must_be_kept() {
    for seed in 1..=40 {
        let mut dice = Dice(seed * 0x9e37_79b9);
        let mut messages =
            vec![Message::system(dice.text(60)), Message::user(format!("goal {}", dice.text(60)))];
        let head = messages.clone();
        let room = weight(&head) + 900 + dice.up_to(3000);
        let mut n_calls = 0;
        for step in 0..dice.up_to(24) {
            let mut said = Message::assistant(dice.text(80));
            for _ in 0..dice.up_to(3) {
                n_calls += 1;
                let arguments =
                    serde_json::json!({"path": format!("f{n_calls}"), "content": dice.text(60)});
                said.tool_calls.push(ToolCall {
                    id: format!("c{n_calls}"),
                    name: "write".to_owned(),
                    arguments: arguments.to_string(),
                });
            }
            let ids: Vec<String> = said.tool_calls.iter().map(|call| call.id.clone()).collect();
            messages.push(said);
            for id in ids {
                messages.push(Message::tool(id, dice.text(120)));
            }
            if dice.up_to(4) == 0 {
                messages.push(Message::user(dice.text(50)));
            }
            let before = messages.clone();
            let facts = || format!("{FACTS_HEAD} as of {step}]");
            fit(&mut messages, room, &facts).unwrap();
            assert!(weight(&messages) <= room, "seed {seed}");
            assert_eq!(messages[..2], head[..], "seed {seed}");
            check_pairs(&messages);
            if messages == before {
                continue;
            }
            // What was cut is stood for by the facts as they are now, once.
            assert_eq!(messages[2].text, facts(), "seed {seed}");
            let notes = messages.iter().filter(|message| message.text.starts_with(FACTS_HEAD));
            assert_eq!(notes.count(), 1, "seed {seed}");
        }
    }
}

#[test]
fn the_name_of_a_whole_output_outlives_the_cut() {
    let long =
        format!("head\n{}\n[... read output:ab12cd ...]\n{}", "x\n".repeat(900), "y\n".repeat(900));
    let mut message = Message::tool("c", long);
    shorten(&mut message, 400);
    assert!(message.text.ends_with("[whole: output:ab12cd]"), "{}", message.text);
    message.text.push_str(&"z".repeat(400));
    drop_result(&mut message);
    assert_eq!(message.text, "[left out to save room; it began: head; whole: output:ab12cd]");
}
