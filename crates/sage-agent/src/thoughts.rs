//! Separates what a model says from what it thinks aloud.

/// The marks that models put around thoughts.
const MARKS: [(&str, &str); 3] =
    [("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<reasoning>", "</reasoning>")];

/// What follows the model's thoughts. Some servers swallow the opening mark, and some models forget
/// the closing one: then everything after the opening mark counts as said.
pub(crate) fn without_thoughts(answer: &str) -> &str {
    for (open, close) in MARKS {
        if let Some(end) = end_of_thoughts(answer, open, close) {
            return answer[end..].trim_start();
        }
        if let Some(rest) = answer.trim_start().strip_prefix(open) {
            return rest.trim_start();
        }
    }
    answer
}

/// Where the closing mark of thoughts at the beginning ends. A mark further on, in code or in a
/// quotation, is not one: thoughts begin the answer or have lost their opening mark.
fn end_of_thoughts(answer: &str, open: &str, close: &str) -> Option<usize> {
    let end = answer.find(close)?;
    let begins_with_thoughts = answer.trim_start().starts_with(open);
    let opening_is_lost = !answer[..end].contains(open);
    (begins_with_thoughts || opening_is_lost).then_some(end + close.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_are_left_out_and_speech_is_kept() {
        let check =
            |answer: &str, said: &str| assert_eq!(without_thoughts(answer), said, "{answer}");
        check("plain", "plain");
        check("<think>a</think>\n\nb", "b");
        check("a, b</think>c", "c");
        check("<thinking>a</thinking>b", "b");
        check("<think>never closed", "never closed");
        check(
            "The tag `<think>` is closed by `</think>`.",
            "The tag `<think>` is closed by `</think>`.",
        );
    }
}
