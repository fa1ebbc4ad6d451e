//! When a plan has asked for what would otherwise be tampering.
//!
//! The rule is the one of a careful maintainer: whoever wants a test gone or changed names the file, and
//! says so in the same breath. A plan that only names the file, or a goal that only says "make the tests
//! pass", covers nothing; what no honest change needs is covered by nothing at all.

use sage_core::{TamperKind, Tampering};

/// What a task was asked to do.
#[derive(Debug, Clone, Copy)]
pub struct Mandate<'a> {
    /// Files that the task declares.
    pub target_files: &'a [String],
    /// What the plan says about the task.
    pub description: &'a str,
    /// What the person asked for.
    pub goal: &'a str,
}

/// Why a finding does not count against the task, if the plan covers it.
#[must_use]
pub fn excused(finding: &Tampering, mandate: &Mandate<'_>) -> Option<String> {
    let is_named = mandate.target_files.contains(&finding.path);
    if !is_named {
        return None;
    }
    let verbs = verbs(finding.kind)?;
    let says_so =
        |text: &str| sentences(text).any(|sentence| asks(&sentence, &finding.path, verbs));
    if forbids(mandate.goal) || forbids(mandate.description) {
        return None;
    }
    (says_so(mandate.description) || says_so(mandate.goal))
        .then(|| format!("the plan asks for it in {}", finding.path))
}

/// Beginnings of words that ask for what was found; `None` for what no plan can ask for.
fn verbs(kind: TamperKind) -> Option<&'static [&'static str]> {
    Some(match kind {
        TamperKind::FileDeleted | TamperKind::TestDeleted | TamperKind::AssertionRemoved => &[
            "delet",
            "remov",
            "drop",
            "retir",
            "replac",
            "rewrit",
            "merg",
            "split",
            "consolidat",
            "mov",
        ],
        TamperKind::TestDisabled => &["skip", "disabl", "ignor", "xfail", "quarantin"],
        TamperKind::ExpectationChanged
        | TamperKind::AssertionWeakened
        | TamperKind::AssertionReplaced
        | TamperKind::ToleranceWidened
        | TamperKind::SnapshotRewritten => &[
            "updat",
            "chang",
            "adjust",
            "adapt",
            "rewrit",
            "replac",
            "expect",
            "loosen",
            "relax",
            "toleran",
            "regenerat",
        ],
        TamperKind::DiscoveryNarrowed | TamperKind::RunnerChanged | TamperKind::ExitForced => {
            &["configur", "exclud", "ignor", "leav", "command", "script", "allow"]
        }
        TamperKind::AlwaysTrue
        | TamperKind::EarlyReturn
        | TamperKind::FailureSwallowed
        | TamperKind::RunnerShadowed
        | TamperKind::OutputFaked
        | TamperKind::FewerTestsRan => return None,
    })
}

fn sentences(text: &str) -> impl Iterator<Item = String> {
    let text = text.to_lowercase().replace(". ", "\n").replace(';', "\n");
    text.lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// Whether one sentence is about the tests or the file, and says what is to happen to them.
fn asks(sentence: &str, path: &str, verbs: &[&str]) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let words: Vec<&str> =
        sentence.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let is_about = sentence.contains(&name)
        || words.iter().any(|word| {
            matches!(
                *word,
                "test" | "tests" | "snapshot" | "snapshots" | "expectation" | "expectations"
            )
        });
    is_about && words.iter().any(|word| verbs.iter().any(|verb| word.starts_with(verb)))
}

/// Whether a text says that tests are to stay as they are.
fn forbids(text: &str) -> bool {
    sentences(text).any(|sentence| {
        let negates = ["do not ", "don't ", "never ", "without ", "must not ", "not to "];
        negates.iter().any(|negation| {
            sentence.find(negation).is_some_and(|at| {
                let rest: String = sentence[at..].chars().take(60).collect();
                let acts = [
                    "chang", "edit", "touch", "modif", "weaken", "delet", "remov", "skip", "disabl",
                ];
                rest.contains("test") && acts.iter().any(|act| rest.contains(act))
            })
        })
    })
}
