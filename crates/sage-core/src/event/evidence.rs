//! What is known about the worth of tests: whether they can fail, and whether somebody bent them.

use serde::{Deserialize, Serialize};

/// What was found about tests that a task wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestWorth {
    /// They fail on the code as it was before the change.
    FailsBefore,
    /// They fail on the change with a small fault put in.
    KillsMutant,
    /// They pass whatever was tried: they do not count.
    Worthless,
    /// Nothing could be tried, so nothing is known.
    Untried,
}

impl TestWorth {
    /// Whether it is shown that the tests can fail.
    #[must_use]
    pub const fn is_shown(self) -> bool {
        matches!(self, Self::FailsBefore | Self::KillsMutant)
    }

    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::FailsBefore => "fails without the change",
            Self::KillsMutant => "fails when the change is broken",
            Self::Worthless => "passes whatever the code does: does not count",
            Self::Untried => "could not be tried",
        }
    }
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a second look.
    Suspicious,
    /// Counts against the task, unless the plan asked for it or a person accepted it.
    Tampered,
}

/// What was done to tests, or to how they are found and run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TamperKind {
    /// A file with tests is gone, and its tests are nowhere else.
    FileDeleted,
    /// A test is gone.
    TestDeleted,
    /// A test is skipped, ignored or expected to fail, or others are because only one is to run.
    TestDisabled,
    /// An assertion is gone.
    AssertionRemoved,
    /// An assertion asks for less.
    AssertionWeakened,
    /// An assertion asks for something else altogether.
    AssertionReplaced,
    /// The expected value is another.
    ExpectationChanged,
    /// A tolerance or bound is wider.
    ToleranceWidened,
    /// A test that cannot fail.
    AlwaysTrue,
    /// A test ends before it has asserted anything.
    EarlyReturn,
    /// A failure is caught and dropped.
    FailureSwallowed,
    /// A recorded expectation was written anew.
    SnapshotRewritten,
    /// Exit codes no longer say whether tests failed.
    ExitForced,
    /// Tests are left out when they are looked for.
    DiscoveryNarrowed,
    /// What runs the tests is another.
    RunnerChanged,
    /// A file stands in for the test runner or its library.
    RunnerShadowed,
    /// A program prints what a test runner would print.
    OutputFaked,
    /// Fewer tests ran than there are.
    FewerTestsRan,
}

impl TamperKind {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::FileDeleted => "test file deleted",
            Self::TestDeleted => "test deleted",
            Self::TestDisabled => "test disabled",
            Self::AssertionRemoved => "assertion removed",
            Self::AssertionWeakened => "assertion weakened",
            Self::AssertionReplaced => "assertion replaced",
            Self::ExpectationChanged => "expected value changed",
            Self::ToleranceWidened => "tolerance widened",
            Self::AlwaysTrue => "test cannot fail",
            Self::EarlyReturn => "test returns early",
            Self::FailureSwallowed => "failure swallowed",
            Self::SnapshotRewritten => "snapshot rewritten",
            Self::ExitForced => "exit code forced",
            Self::DiscoveryNarrowed => "tests left out of discovery",
            Self::RunnerChanged => "test command changed",
            Self::RunnerShadowed => "test runner shadowed",
            Self::OutputFaked => "test output imitated",
            Self::FewerTestsRan => "fewer tests ran than there are",
        }
    }
}

/// One thing that was done to tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tampering {
    /// What.
    pub kind: TamperKind,
    /// How much it weighs.
    pub severity: Severity,
    /// The file, relative to the work tree.
    pub path: String,
    /// The line, from 1: of the file as it is, or as it was where the line is gone.
    pub line: u32,
    /// What was there, in one short line; empty when it is new.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub before: String,
    /// What is there, in one short line; empty when it is gone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// Why it does not count against the task; empty when it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub excuse: String,
}

impl Tampering {
    /// Whether the task cannot be done with it.
    #[must_use]
    pub fn counts_against(&self) -> bool {
        self.severity == Severity::Tampered && self.excuse.is_empty()
    }

    /// In one line, with the place.
    #[must_use]
    pub fn text(&self) -> String {
        let what = match (self.before.is_empty(), self.after.is_empty()) {
            (true, true) => String::new(),
            (false, true) => format!(": `{}` is gone", self.before),
            (true, false) => format!(": `{}`", self.after),
            (false, false) => format!(": `{}` became `{}`", self.before, self.after),
        };
        let excuse = match self.excuse.as_str() {
            "" => String::new(),
            excuse => format!(" ({excuse})"),
        };
        format!("{}:{}: {}{what}{excuse}", self.path, self.line, self.kind.words())
    }
}
