//! Orders that are unsafe wherever they stand, and wishes that mean nothing.

/// Phrases of words in order, with what they ask for. `*` stands for up to [`MAX_GAP`] words.
const UNSAFE: &[(&str, &str)] = &[
    ("ignore * previous instructions", "ignore the instructions given before"),
    ("ignore * previous rules", "ignore the rules given before"),
    ("ignore * above instructions", "ignore the instructions given before"),
    ("ignore * system prompt", "ignore the instructions given before"),
    ("disregard * instructions", "ignore the instructions given before"),
    ("disable * sandbox", "switch the sandbox off"),
    ("bypass * sandbox", "get around the sandbox"),
    ("without * sandbox", "work outside the sandbox"),
    ("bypass * policy", "get around the policy"),
    ("bypass * approval", "get around approvals"),
    ("skip * approval", "get around approvals"),
    ("skip * tests", "leave tests out"),
    ("skip * failing test", "leave tests out"),
    ("disable * tests", "switch tests off"),
    ("delete * failing tests", "delete tests that fail"),
    ("remove * failing tests", "delete tests that fail"),
    ("no need to * test", "leave tests out"),
    ("skip * verification", "leave checks out"),
    ("no-verify", "leave checks out"),
    ("exfiltrate", "send data away"),
    ("upload * secrets", "send secrets away"),
    ("commit * secrets", "put secrets under version control"),
    ("commit * credentials", "put secrets under version control"),
    ("commit * passwords", "put secrets under version control"),
    ("commit * api keys", "put secrets under version control"),
    ("hardcode * password", "write secrets into code"),
    ("hardcode * credentials", "write secrets into code"),
    ("hardcode * api key", "write secrets into code"),
    ("print * secrets", "show secrets"),
    ("hide * from the user", "keep something from the person"),
    ("rm -rf /", "delete everything"),
    ("chmod 777", "open files to everybody"),
    ("chmod -r 777", "open files to everybody"),
];

/// Orders to keep something from the person: unsafe although, and because, they are negative.
const UNSAFE_NEGATIONS: &[(&str, &str)] = &[
    ("not tell the user", "keep something from the person"),
    ("never tell the user", "keep something from the person"),
    ("don't tell the user", "keep something from the person"),
    ("don't run * tests", "leave tests out"),
    ("not run * tests", "leave tests out"),
    ("never run * tests", "leave tests out"),
    ("don't write tests", "leave tests out"),
    ("not write tests", "leave tests out"),
    ("never write tests", "leave tests out"),
];

/// What turns a phrase of [`UNSAFE`] into a good rule when it stands before it.
const NEGATIONS: &[&str] = &[
    "never",
    "not",
    "don't",
    "dont",
    "no",
    "avoid",
    "without",
    "forbidden",
    "refuse",
    "cannot",
    "can't",
    "mustn't",
    "shouldn't",
    "neither",
    "nor",
    "prohibited",
];

/// Negations that are none: "do not hesitate to skip tests".
const FALSE_NEGATIONS: &[&str] = &["hesitate", "afraid", "forget", "fail", "worry"];

/// Wishes without content, as whole rules or nearly so.
const VAGUE: &[&str] = &[
    "good code",
    "clean code",
    "nice code",
    "quality code",
    "high quality",
    "great code",
    "readable code",
    "maintainable code",
    "be careful",
    "be smart",
    "be creative",
    "be helpful",
    "be professional",
    "be consistent",
    "do your best",
    "best practices",
    "common sense",
    "make it work",
    "make sure it works",
    "production ready",
    "production-ready",
    "keep it simple",
    "think carefully",
    "think hard",
    "don't make mistakes",
    "no mistakes",
    "no bugs",
    "bug-free",
    "write good",
    "as needed",
    "when appropriate",
    "if possible",
];

/// A vague wish in a longer rule is taken as its introduction and left alone.
const MAX_VAGUE_WORDS: usize = 8;

/// How many words a `*` may stand for.
const MAX_GAP: usize = 3;

/// What the rule asks for that it should not, if anything. `scope` is the heading or the opening
/// line above it: a list under "never:" holds prohibitions.
pub(super) fn unsafe_order(rule: &str, scope: &str) -> Option<&'static str> {
    let lower = lower(rule);
    let is_prohibition = is_negated(&words_of(scope));
    sentences(&lower).find_map(|sentence| {
        let words = words_of(sentence);
        let kept_back =
            UNSAFE_NEGATIONS.iter().find(|(phrase, _)| position(&words, phrase).is_some());
        if is_prohibition {
            return kept_back.map(|(_, meaning)| *meaning);
        }
        let ordered = UNSAFE.iter().find(|(phrase, _)| is_ordered(&words, phrase));
        piped_shell(&words).or_else(|| ordered.or(kept_back).map(|(_, meaning)| *meaning))
    })
}

/// Lower case with plain apostrophes.
pub(super) fn lower(text: &str) -> String {
    text.to_lowercase().replace('\u{2019}', "'")
}

/// The text cut after `.`, `;`, `:`, `!` and `?` that a blank follows.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut before = ' ';
    text.split(move |c: char| {
        let ends = c.is_whitespace() && ['.', ';', ':', '!', '?'].contains(&before);
        before = c;
        ends
    })
}

/// The wish in the rule that nobody could check, if the rule is nothing but that.
pub(super) fn vague_wish(rule: &str) -> Option<&'static str> {
    let lower = lower(rule);
    let words = words_of(&lower);
    if words.len() > MAX_VAGUE_WORDS || lower.contains('`') {
        return None;
    }
    VAGUE.iter().copied().find(|wish| position(&words, wish).is_some())
}

/// Words with their inner punctuation; a full stop or a comma at the end is dropped.
pub(super) fn words_of(text: &str) -> Vec<&str> {
    let edges: &[char] = &['.', ',', ';', ':', '!', '?', '"', '\'', '`', '(', ')', '*', '[', ']'];
    let trimmed = text.split_whitespace().map(|word| word.trim_matches(edges));
    trimmed.map(|word| word.trim_start_matches("--")).filter(|word| !word.is_empty()).collect()
}

/// Whether some occurrence of the phrase is an order, not a prohibition.
fn is_ordered(words: &[&str], phrase: &str) -> bool {
    let mut from = 0;
    while let Some(at) = position(&words[from..], phrase) {
        if !is_negated(&words[..from + at]) {
            return true;
        }
        from += at + 1;
    }
    false
}

pub(super) fn is_negated(before: &[&str]) -> bool {
    let last = before.iter().rposition(|word| NEGATIONS.contains(word));
    last.is_some_and(|at| !before[at..].iter().any(|word| FALSE_NEGATIONS.contains(word)))
}

/// Where the phrase begins in `words`.
fn position(words: &[&str], phrase: &str) -> Option<usize> {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    (0..words.len()).find(|at| begins_with(&words[*at..], &phrase))
}

/// Whether `words` begin with the phrase. Phrases have at most one `*`.
fn begins_with(words: &[&str], phrase: &[&str]) -> bool {
    let is_word = |word: &str, wanted: &str| {
        word == wanted
            || word.strip_suffix('s') == Some(wanted)
            || wanted.strip_suffix('s') == Some(word)
    };
    let starts = |words: &[&str], phrase: &[&str]| {
        words.len() >= phrase.len() && words.iter().zip(phrase).all(|(a, b)| is_word(a, b))
    };
    let Some(star) = phrase.iter().position(|word| *word == "*") else {
        return starts(words, phrase);
    };
    let (head, tail) = (&phrase[..star], &phrase[star + 1..]);
    starts(words, head)
        && (0..=MAX_GAP).any(|gap| words.get(star + gap..).is_some_and(|rest| starts(rest, tail)))
}

/// A download piped into a shell.
fn piped_shell(words: &[&str]) -> Option<&'static str> {
    let fetch = words.iter().position(|word| ["curl", "wget"].contains(word))?;
    let shells = ["sh", "bash", "zsh", "sudo", "python", "python3"];
    let piped = words[fetch..].windows(2).any(|pair| {
        (pair[0] == "|" && shells.contains(&pair[1])) || pair[1] == "|sh" || pair[1] == "|bash"
    });
    (piped && !is_negated(&words[..fetch])).then_some("run a downloaded script unseen")
}
