//! The assertions of the common frameworks, language by language.

use crate::evidence::cases::{squeezed, word};
use crate::evidence::lexer::{Lang, closing};

use super::condition::{self, number};
use super::{Claim, Strength, arguments};

fn arg<'a>(args: &[&'a str], at: usize) -> &'a str {
    args.get(at).copied().unwrap_or_default()
}

pub(super) fn python(text: &str, shape: &str) -> Vec<Claim> {
    if let Some(rest) = text.strip_prefix("assert").filter(|rest| rest.starts_with([' ', '('])) {
        let shape = &shape["assert".len()..];
        let parts = super::split(rest, shape, ",");
        // `assert (a, "b")` is a tuple, which is always true.
        let whole = rest.trim();
        let is_tuple = whole.starts_with('(') && whole.ends_with(')') && {
            let shape = &shape.trim()[..whole.len().min(shape.trim().len())];
            closing(shape, 0) == whole.len() && arguments(whole, shape, 0).len() > 1
        };
        if is_tuple {
            return vec![Claim::new(Strength::Always, whole, "", "")];
        }
        return condition::claims(Lang::Python, arg(&parts, 0));
    }
    let Some(open) = shape.find('(') else { return Vec::new() };
    let name = text[..open].rsplit('.').next().unwrap_or_default();
    let args = arguments(text, shape, open);
    let (a, b) = (arg(&args, 0), arg(&args, 1));
    let named = |wanted: &str| {
        args.iter().find_map(|arg| arg.strip_prefix(wanted)?.trim_start().strip_prefix('='))
    };
    vec![match name {
        "assertTrue" => return condition::claims(Lang::Python, a),
        "assertFalse"
            if matches!(a, "False" | "None" | "0" | "not True" | "[]" | "''" | "\"\"") =>
        {
            Claim::new(Strength::Always, a, "", "not")
        }
        "assertFalse" => Claim::new(Strength::Truthy, a, "", "not"),
        "assertIsNone" => Claim::equal(a, "None"),
        "assertIsNotNone" if condition::is_always_true(a) => {
            Claim::new(Strength::Always, a, "", "")
        }
        "assertIsNotNone" | "assertIsInstance" | "assertNotIsInstance" => {
            Claim::new(Strength::Something, a, b, "!=")
        }
        "assertAlmostEqual" | "assertAlmostEquals" | "assert_allclose" => {
            let mut claim = Claim::new(Strength::Bound, a, b, "approx");
            claim.tolerance = named("delta").and_then(number).or_else(|| {
                let places =
                    named("places").or(args.get(2).copied().filter(|arg| !arg.contains('=')));
                places.and_then(number).or(Some(7.0)).map(|places| 10_f64.powf(-places) / 2.0)
            });
            claim
        }
        "assertNotEqual" | "assertNotAlmostEqual" => Claim::new(Strength::Bound, a, b, "!="),
        "assertIn" | "assertNotIn" | "assertRegex" | "assertNotRegex" => {
            Claim::new(Strength::Bound, b, a, name)
        }
        "assertGreater" | "assertGreaterEqual" => Claim::new(Strength::Bound, a, b, ">"),
        "assertLess" | "assertLessEqual" => Claim::new(Strength::Bound, a, b, "<"),
        "raises" | "assertRaises" | "assertRaisesRegex" | "warns" | "assertWarns" => {
            // Any error at all is less than a certain one.
            let broad = matches!(a, "Exception" | "BaseException");
            let strength = if broad { Strength::Truthy } else { Strength::Exact };
            Claim::new(strength, "raises", a, "raises")
        }
        "fail" => return Vec::new(),
        name if name.starts_with("assert") && name.contains("Equal") || name == "assertIs" => {
            Claim::equal(a, b)
        }
        _ if args.len() >= 2 => Claim::new(Strength::Bound, a, b, name),
        _ => Claim::new(Strength::Truthy, a, "", name),
    }]
}

pub(super) fn script(text: &str, shape: &str) -> Vec<Claim> {
    let Some(open) = shape.find('(') else { return Vec::new() };
    let args = arguments(text, shape, open);
    if text.starts_with("expect(") {
        return vec![expected(
            arg(&args, 0),
            &text[closing(shape, open)..],
            &shape[closing(shape, open)..],
        )];
    }
    let name = text[..open].rsplit('.').next().unwrap_or_default();
    let (a, b) = (arg(&args, 0), arg(&args, 1));
    vec![match name {
        "assert" | "ok" | "isTrue" | "isOk" => return condition::claims(Lang::Script, a),
        "equal" | "strictEqual" | "deepEqual" | "deepStrictEqual" | "is" | "same"
        | "strictDeepEqual" => Claim::equal(a, b),
        "throws" | "rejects" => {
            let strength = if b.is_empty() { Strength::Truthy } else { Strength::Exact };
            Claim::new(strength, a, b, "throws")
        }
        "doesNotThrow" | "doesNotReject" => Claim::new(Strength::Something, a, "", name),
        "exists" | "isDefined" | "isNotNull" => Claim::new(Strength::Something, a, "", "!="),
        "fail" => return Vec::new(),
        _ if args.len() >= 2 => Claim::new(Strength::Bound, a, b, name),
        _ => Claim::new(Strength::Truthy, a, "", name),
    }]
}

/// `expect(subject).not.toBe(value)`, and chai's `.to.equal(value)`.
fn expected(subject: &str, chain: &str, shape: &str) -> Claim {
    let open = shape.find('(');
    let names = &chain[..open.unwrap_or(chain.len())];
    let args = open.map(|open| arguments(chain, shape, open)).unwrap_or_default();
    let a = arg(&args, 0);
    let is_not = names.contains(".not");
    let name = names.trim().rsplit('.').next().unwrap_or_default().trim();
    match name {
        "toBe"
        | "toEqual"
        | "toStrictEqual"
        | "equal"
        | "eql"
        | "equals"
        | "eq"
        | "toHaveLength"
        | "lengthOf"
        | "toMatchObject"
        | "toHaveBeenCalledTimes"
            if is_not =>
        {
            let nothing = matches!(a, "null" | "undefined");
            let strength = if nothing { Strength::Something } else { Strength::Bound };
            Claim::new(strength, subject, a, "!=")
        }
        "toBe" | "toEqual" | "toStrictEqual" | "equal" | "eql" | "equals" | "eq" => {
            Claim::equal(subject, a)
        }
        "toHaveLength"
        | "lengthOf"
        | "toMatchObject"
        | "toHaveBeenCalledTimes"
        | "toHaveBeenCalledWith"
        | "toMatchInlineSnapshot"
        | "toMatchSnapshot" => Claim::new(Strength::Exact, subject, a, name),
        "toBeTruthy" | "ok" if condition::is_always_true(subject) => {
            Claim::new(Strength::Always, subject, "", "")
        }
        "toBeTruthy" | "ok" => {
            let mut claims = condition::claims(Lang::Script, subject);
            match claims.len() {
                1 => claims.remove(0),
                _ => Claim::new(Strength::Truthy, subject, "", ""),
            }
        }
        "true" => Claim::equal(subject, "true"),
        "false" => Claim::equal(subject, "false"),
        "toBeNull" | "toBeUndefined" | "null" | "undefined" | "toBeNaN" if !is_not => {
            Claim::new(Strength::Exact, subject, name, "==")
        }
        "toBeFalsy" => Claim::new(Strength::Truthy, subject, "", "not"),
        "toBeDefined" | "toBeNull" | "toBeUndefined" | "toBeInstanceOf" | "exist"
        | "toBeTypeOf" | "instanceOf" => Claim::new(Strength::Something, subject, a, "!="),
        "toBeCloseTo" | "closeTo" => {
            let mut claim = Claim::new(Strength::Bound, subject, a, "approx");
            let second = args.get(1).and_then(|arg| number(arg));
            claim.tolerance = match name {
                "closeTo" => second,
                _ => Some(10_f64.powf(-second.unwrap_or(2.0)) / 2.0),
            };
            claim
        }
        "toThrow" | "toThrowError" | "throw" if !is_not => {
            let strength = if a.is_empty() { Strength::Truthy } else { Strength::Exact };
            Claim::new(strength, subject, a, "throws")
        }
        "toBeGreaterThan" | "toBeGreaterThanOrEqual" | "above" => {
            Claim::new(Strength::Bound, subject, a, ">")
        }
        "toBeLessThan" | "toBeLessThanOrEqual" | "below" => {
            Claim::new(Strength::Bound, subject, a, "<")
        }
        "" => Claim::new(Strength::Always, subject, "", "nothing is asked of it"),
        _ if a.is_empty() => Claim::new(Strength::Truthy, subject, "", name),
        _ => Claim::new(Strength::Bound, subject, a, name),
    }
}

pub(super) fn rust(text: &str, shape: &str) -> Vec<Claim> {
    let name = word(text);
    let Some(open) = shape.find(['(', '[', '{']) else { return Vec::new() };
    let args = arguments(text, shape, open);
    let (a, b) = (arg(&args, 0), arg(&args, 1));
    let bare = name.trim_start_matches("debug_").trim_start_matches("prop_");
    vec![match bare {
        "assert" => return condition::claims(Lang::Rust, a),
        "assert_eq" => Claim::equal(a, b),
        "assert_ne" => Claim::new(Strength::Bound, a, b, "!="),
        "assert_matches" => Claim::new(Strength::Exact, a, b, "matches"),
        _ if args.len() >= 2 => Claim::new(Strength::Bound, a, b, name),
        _ => Claim::new(Strength::Truthy, a, "", name),
    }]
}

/// `if got != want { t.Errorf(...) }` asserts that they are equal; testify has words of its own.
pub(super) fn go(body: &str, code: &str, start: usize, end: usize) -> Vec<Claim> {
    let (text, shape) = (&body[start..end], &code[start..end]);
    if text.starts_with("assert.") || text.starts_with("require.") {
        let Some(open) = shape.find('(') else { return Vec::new() };
        let args = arguments(text, shape, open);
        let name = text[..open].rsplit('.').next().unwrap_or_default();
        let (a, b) = (arg(&args, 1), arg(&args, 2));
        return vec![match name {
            "Equal" | "EqualValues" | "Exactly" | "JSONEq" => Claim::equal(b, a),
            "True" => return condition::claims(Lang::Go, a),
            "Nil" | "NoError" | "Empty" | "False" => Claim::new(Strength::Truthy, a, "", name),
            "NotNil" | "NotEmpty" | "Error" => Claim::new(Strength::Something, a, "", name),
            _ => Claim::new(Strength::Bound, a, b, name),
        }];
    }
    let Some(open) = enclosing(code, start) else { return Vec::new() };
    let line = code[..open].rfind(['\n', '{', '}']).map_or(0, |at| at + 1);
    let condition = body[line..open].trim();
    let Some(condition) = condition.strip_prefix("if ").or(condition.strip_prefix("else if "))
    else {
        return Vec::new();
    };
    let condition = condition.rsplit(';').next().unwrap_or_default().trim();
    vec![match condition.split_once("!=") {
        Some((a, b)) if b.trim() == "nil" => Claim::new(Strength::Truthy, a, "nil", "=="),
        Some((a, b)) if !condition.contains("&&") && !condition.contains("||") => {
            Claim::equal(a, b)
        }
        _ if condition == "false" => Claim::new(Strength::Always, condition, "", ""),
        _ => Claim::new(Strength::Bound, condition, "", "unless"),
    }]
}

/// The brace that is open at a position.
fn enclosing(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (open, byte) in code.as_bytes()[..at].iter().enumerate().rev() {
        match byte {
            b'}' => depth += 1,
            b'{' if depth == 0 => return Some(open),
            b'{' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// JUnit, AssertJ, xUnit and NUnit.
pub(super) fn braces(text: &str, shape: &str) -> Vec<Claim> {
    let Some(open) = shape.find('(') else { return Vec::new() };
    let args = arguments(text, shape, open);
    let name = text[..open].rsplit('.').next().unwrap_or_default();
    let (a, b) = (arg(&args, 0), arg(&args, 1));
    if name == "assertThat" {
        let chain = squeezed(&text[closing(shape, open)..]);
        let strength = match () {
            () if chain.contains("isEqualTo(") || chain.contains("isSameAs(") => Strength::Exact,
            () if chain.contains("isNotNull") || chain.contains("isInstanceOf") => {
                Strength::Something
            }
            () if chain.contains("isTrue") => return condition::claims(Lang::Braces, a),
            () if chain.is_empty() => Strength::Bound,
            () => Strength::Bound,
        };
        return vec![Claim::new(strength, a, &chain, "")];
    }
    vec![match name {
        "assertEquals" | "assertSame" | "assertArrayEquals" | "Equal" | "AreEqual" | "Same" => {
            Claim::equal(b, a)
        }
        "assertTrue" | "True" | "IsTrue" => return condition::claims(Lang::Braces, a),
        "assertFalse" | "False" | "IsFalse" if matches!(a, "false") => {
            Claim::new(Strength::Always, a, "", "not")
        }
        "assertFalse" | "False" | "IsFalse" => Claim::new(Strength::Truthy, a, "", "not"),
        "assertNotNull" | "NotNull" | "IsNotNull" => Claim::new(Strength::Something, a, "", "!="),
        "assertNull" | "Null" | "IsNull" => Claim::equal(a, "null"),
        "assertThrows" | "Throws" => {
            let broad = matches!(a, "Exception.class" | "Throwable.class");
            let strength = if broad { Strength::Truthy } else { Strength::Exact };
            Claim::new(strength, b, a, "throws")
        }
        "fail" => return Vec::new(),
        _ if args.len() >= 2 => Claim::new(Strength::Bound, a, b, name),
        _ => Claim::new(Strength::Truthy, a, "", name),
    }]
}
