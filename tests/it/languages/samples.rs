//! One goal per language: a function is missing from the language's sample project. The first body is
//! wrong, and a test of the project or of the plan shows it.

use std::path::Path;

use sage_core::AgentRole;
use sage_testkit::{FileWrite, Fixture, PlannedTask};

/// A goal on a sample project.
pub struct Sample {
    /// The folder in `examples/`.
    folder: &'static str,
    /// Programs that the tests of the project need.
    pub programs: &'static [&'static str],
    /// What the project is verified with where nobody says anything.
    pub detected: &'static str,
    /// A command that a plan may well name.
    pub named: &'static str,
    /// The file that lacks the function.
    pub code: &'static str,
    /// The end of that file's last function, behind which the function goes.
    anchor: &'static str,
    /// The function.
    function: &'static str,
    /// The line of `function` that is wrong, and the right one.
    pub wrong: &'static str,
    pub right: &'static str,
    /// A test of the function.
    pub test: (&'static str, &'static str),
    /// The name of the test that fails first, as its runner prints it.
    pub test_name: &'static str,
}

impl Sample {
    /// The project as it comes.
    pub fn project(&self) -> Fixture {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        Fixture::of_folder(&examples.join(self.folder))
    }

    /// The project with a test of what is missing.
    pub fn tested_project(&self) -> Fixture {
        self.project().file(self.test.0, self.test.1)
    }

    fn first_try(&self) -> FileWrite {
        let with = format!("{}\n{}", self.anchor, self.function);
        FileWrite::replace(self.code, self.anchor, with)
    }

    fn repair(&self) -> FileWrite {
        FileWrite::replace(self.code, self.wrong, self.right)
    }

    /// Writes the function: wrong at first, then repaired.
    pub fn coding(&self) -> PlannedTask {
        let task = PlannedTask::new("task_001", format!("Add the function to {}", self.code));
        task.targets(&[self.code]).version(vec![self.first_try()]).version(vec![self.repair()])
    }

    /// Writes the wrong function in one task, and in the next the test that shows it.
    pub fn coding_then_testing(&self) -> Vec<PlannedTask> {
        let coding = PlannedTask::new("task_001", format!("Add the function to {}", self.code))
            .targets(&[self.code])
            .version(vec![self.first_try()]);
        let testing = PlannedTask::file("task_002", self.test.0, self.test.1)
            .by(AgentRole::TestEngineer)
            .after(&["task_001"])
            .version(vec![self.repair()]);
        vec![coding, testing]
    }
}

pub const RUST: Sample = Sample {
    folder: "sample-rust",
    programs: &["cargo"],
    detected: "cargo test",
    named: "cargo test --test most_common",
    code: "src/lib.rs",
    anchor: "    counts\n}\n",
    function: "\
/// The `n` most frequent words, most frequent first, ties in alphabetical order.
pub fn most_common(text: &str, n: usize) -> Vec<(String, usize)> {
    let mut words: Vec<_> = count(text).into_iter().collect();
    words.sort_by_key(|(_, times)| *times);
    words.truncate(n);
    words
}
",
    wrong: "    words.sort_by_key(|(_, times)| *times);\n",
    right: "    words.sort_by_key(|(_, times)| std::cmp::Reverse(*times));\n",
    test: (
        "tests/most_common.rs",
        "\
use sample_words::most_common;

#[test]
fn frequent_words_come_first() {
    let words = most_common(\"b a c a b a\", 2);
    assert_eq!(words, [(\"a\".to_owned(), 3), (\"b\".to_owned(), 2)]);
}
",
    ),
    test_name: "frequent_words_come_first",
};

pub const PYTHON: Sample = Sample {
    folder: "sample-shop",
    programs: &["python3"],
    detected: "python3 -m unittest",
    named: "python3 -m unittest tests.test_share",
    code: "shop/money.py",
    anchor: "    return f\"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}\"\n",
    function: "
def share(cents, percent):
    \"\"\"Return a percentage of an amount; half a cent rounds up.\"\"\"
    return cents * percent // 100
",
    wrong: "    return cents * percent // 100\n",
    right: "    return (cents * percent + 50) // 100\n",
    test: (
        "tests/test_share.py",
        "\
import unittest

from shop import money


class Share(unittest.TestCase):
    def test_half_a_cent_rounds_up(self):
        self.assertEqual(money.share(110, 5), 6)
        self.assertEqual(money.share(1000, 10), 100)
",
    ),
    test_name: "test_half_a_cent_rounds_up",
};

pub const JAVASCRIPT: Sample = Sample {
    folder: "sample-js",
    programs: &["node", "npm"],
    detected: "npm test",
    named: "node --test test/show.test.js",
    code: "src/duration.js",
    anchor: "  return seconds;\n}\n",
    function: "\
/** Returns the shortest text that `parse` reads as this number of seconds. */
export function show(seconds) {
  const parts = [];
  let left = seconds;
  for (const [unit, size] of Object.entries(SECONDS)) {
    const n = Math.round(left / size);
    if (n > 0) parts.push(`${n}${unit}`);
    left -= n * size;
  }
  return parts.join(\" \") || \"0s\";
}
",
    wrong: "    const n = Math.round(left / size);\n",
    right: "    const n = Math.floor(left / size);\n",
    test: (
        "test/show.test.js",
        "\
import assert from \"node:assert/strict\";
import test from \"node:test\";

import { show } from \"../src/duration.js\";

test(\"durations are shown in their shortest form\", () => {
  assert.equal(show(5400), \"1h 30m\");
  assert.equal(show(45), \"45s\");
  assert.equal(show(0), \"0s\");
});
",
    ),
    test_name: "durations are shown in their shortest form",
};

pub const GO: Sample = Sample {
    folder: "sample-go",
    programs: &["go"],
    detected: "go test ./...",
    named: "go test ./temperature",
    code: "temperature/temperature.go",
    anchor: "\treturn (fahrenheit - 32) * 5 / 9\n}\n",
    function: "\
// ToFahrenheit returns the degrees Fahrenheit of a temperature in degrees Celsius.
func ToFahrenheit(celsius float64) float64 {
\treturn celsius*9/5 - 32
}
",
    wrong: "\treturn celsius*9/5 - 32\n",
    right: "\treturn celsius*9/5 + 32\n",
    test: (
        "temperature/fahrenheit_test.go",
        "\
package temperature

import \"testing\"

func TestBackToFahrenheit(t *testing.T) {
\tif got := ToFahrenheit(100); got != 212 {
\t\tt.Errorf(\"100 C is 212 F, not %v F\", got)
\t}
}
",
    ),
    test_name: "TestBackToFahrenheit",
};
