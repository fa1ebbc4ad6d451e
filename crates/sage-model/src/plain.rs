//! A conversation for models that are not told of tools: calls and their results become plain text, and
//! neighbours of one speaker become one message, because small models' templates want turns.

use sage_core::{Message, Speaker};

/// The conversation as alternating texts. Tool results are said by the user.
pub(crate) fn plain(messages: &[Message]) -> Vec<(Speaker, String)> {
    let mut turns: Vec<(Speaker, String)> = Vec::new();
    for message in messages {
        let (speaker, text) = match message.speaker {
            Speaker::Tool => {
                let name = tool_name(messages, message.tool_call_id.as_deref());
                (Speaker::User, format!("[result of {name}]\n{}", message.text))
            }
            speaker => (speaker, said(message)),
        };
        match turns.last_mut() {
            Some((last, so_far)) if *last == speaker => {
                so_far.push_str("\n\n");
                so_far.push_str(&text);
            }
            _ => turns.push((speaker, text)),
        }
    }
    turns
}

/// The tool that a result is of; `tool` when the call is not in the conversation.
pub(crate) fn tool_name<'a>(messages: &'a [Message], call_id: Option<&str>) -> &'a str {
    messages
        .iter()
        .rev()
        .flat_map(|message| &message.tool_calls)
        .find(|call| Some(call.id.as_str()) == call_id)
        .map_or("tool", |call| call.name.as_str())
}

fn said(message: &Message) -> String {
    let mut text = message.text.clone();
    for call in &message.tool_calls {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("[call of {}: {}]", call.name, call.arguments));
    }
    text
}

#[cfg(test)]
mod tests {
    use sage_core::ToolCall;

    use super::*;

    #[test]
    fn calls_and_results_become_text_and_neighbours_join() {
        let call = |id: &str, name: &str| ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: "{}".to_owned(),
        };
        let calls = vec![call("a", "read"), call("b", "list")];
        let messages = [
            Message::system("rules"),
            Message::user("go"),
            Message { tool_calls: calls, ..Message::assistant("") },
            Message::tool("a", "text"),
            Message::tool("b", "files"),
            Message::user("on"),
        ];
        let turns = plain(&messages);
        let shown: Vec<&str> = turns.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            shown,
            [
                "rules",
                "go",
                "[call of read: {}]\n[call of list: {}]",
                "[result of read]\ntext\n\n[result of list]\nfiles\n\non",
            ]
        );
        assert_eq!(turns[3].0, Speaker::User);
    }
}
