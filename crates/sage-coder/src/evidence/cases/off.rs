//! Whether a test is switched off, and how.

use crate::evidence::lexer::Lang;

use super::squeezed;

/// How far a test is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Off {
    /// Not at all.
    No,
    /// Where some condition holds, such as another operating system.
    Sometimes,
    /// It runs, and others do not because of it.
    OthersAre,
    /// Always, or it is expected to fail.
    Always,
}

impl Off {
    pub(super) fn of(lang: Lang, head: &str, body: &str) -> Self {
        let (head, body) = (squeezed(head), squeezed(body));
        let has = |text: &str, marks: &[&str]| marks.iter().any(|mark| text.contains(mark));
        match lang {
            Lang::Python => python(&head, &body),
            Lang::Script => {
                // `t.skip()` of node, options of the call.
                let quiet =
                    ["skip:true", "todo:true", "skip:'", "skip:\"", "todo:'", "todo:\"", "skip:`"];
                if has(&head, &quiet)
                    || has(
                        &body.chars().take(200).collect::<String>(),
                        &["t.skip(", "t.todo(", "this.skip("],
                    )
                {
                    let starts =
                        body.find("t.skip(").or(body.find("t.todo(")).or(body.find("this.skip("));
                    let conditional = starts.is_some_and(|at| body[..at].contains("if("));
                    return if conditional { Self::Sometimes } else { Self::Always };
                }
                match () {
                    () if has(&head, &["only:true"]) => Self::OthersAre,
                    () if has(&head, &["skip:", "todo:"])
                        && !has(&head, &["skip:false", "todo:false"]) =>
                    {
                        Self::Sometimes
                    }
                    () => Self::No,
                }
            }
            Lang::Rust => match () {
                () if has(
                    &head,
                    &[
                        "#[ignore]",
                        "#[ignore=",
                        "#[ignore(",
                        "#[should_panic",
                        "#[cfg(any())]",
                        "#[cfg(FALSE)]",
                    ],
                ) =>
                {
                    Self::Always
                }
                () if has(&head, &["ignore)]", "#[cfg("]) => Self::Sometimes,
                () => Self::No,
            },
            Lang::Go => {
                let skip = ["t.Skip(", "t.Skipf(", "t.SkipNow("]
                    .iter()
                    .filter_map(|mark| body.find(mark))
                    .min();
                match skip {
                    Some(at) if body[..at].contains("if") => Self::Sometimes,
                    Some(_) => Self::Always,
                    None => Self::No,
                }
            }
            Lang::Braces => {
                const MARKS: [&str; 6] =
                    ["@Disabled", "@Ignore", "[Ignore", "Skip=\"", "enabled=false", "Explicit]"];
                match () {
                    () if has(
                        &head,
                        &["@DisabledOn", "@DisabledIf", "@EnabledOn", "@EnabledIf"],
                    ) =>
                    {
                        Self::Sometimes
                    }
                    () if has(&head, &MARKS) => Self::Always,
                    () => Self::No,
                }
            }
        }
    }
}

fn python(head: &str, body: &str) -> Off {
    let has = |text: &str, marks: &[&str]| marks.iter().any(|mark| text.contains(mark));
    let never = [
        "skipIf(True",
        "skipUnless(False",
        "skipif(True",
        "skipif(1,",
        "skipif(1==1",
        "skipif(\"True\"",
    ];
    if has(head, &never) {
        return Off::Always;
    }
    let conditional = ["skipIf(", "skipUnless(", "skipif("];
    if has(head, &conditional) || head.contains("xfail(sys.") || head.contains("xfail(condition") {
        return Off::Sometimes;
    }
    if has(head, &["mark.skip", "@skip", "unittest.skip", "xfail", "expectedFailure"]) {
        return Off::Always;
    }
    let marks = [
        "self.skipTest(",
        "pytest.skip(",
        "raiseSkipTest",
        "raiseunittest.SkipTest",
        "pytest.xfail(",
    ];
    match marks.iter().filter_map(|mark| body.find(mark)).min() {
        Some(at) if body[..at].contains("if") || body[..at].contains("except") => Off::Sometimes,
        Some(_) => Off::Always,
        None => Off::No,
    }
}

/// Whether a test that asserts nothing with the words of its framework may fail all the same: by a
/// helper that asserts, or because it calls what must not raise.
pub(super) fn fails_otherwise(body: &str) -> bool {
    let text = squeezed(body);
    // What is certainly nothing: a literal assertion, `pass`, an empty body.
    let quiet = [
        "assertTrue(True)",
        "assertTrue(true)",
        "assert(true)",
        "assert!(true)",
        "assert.ok(true)",
        "expect(true).toBe(true)",
        "expect(true).toBeTruthy()",
        "expect(1).toBe(1)",
        "assertEqual(1,1)",
        "assert_eq!(1,1)",
        "assert.equal(1,1)",
        "assert.strictEqual(1,1)",
        "assert(1)",
        "assert.ok(1)",
        "print(",
        "console.log(",
        "println!(",
        "function(",
    ];
    let mut rest = text;
    for mark in quiet {
        rest = rest.replace(mark, "");
    }
    rest.contains('(')
}
