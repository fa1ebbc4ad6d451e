//! What a condition asks for: `x == 5`, `x is not None`, `x < 5 and y`.

use crate::evidence::cases::squeezed;
use crate::evidence::lexer::{Lang, code_only, parts};

use super::{Claim, Strength, is_literal, split};

/// What the condition of an assertion asserts.
pub(super) fn claims(lang: Lang, text: &str) -> Vec<Claim> {
    let text = text.trim();
    let shape = code_only(text, &parts(lang, text));
    let and = if lang == Lang::Python { " and " } else { "&&" };
    let parts = split(text, &shape, and);
    if parts.len() > 1 {
        return parts.into_iter().map(|part| claim(lang, part)).collect();
    }
    vec![claim(lang, text)]
}

fn claim(lang: Lang, text: &str) -> Claim {
    let text = unwrapped(text.trim());
    let shape = code_only(text, &parts(lang, text));
    let or = if lang == Lang::Python { " or " } else { "||" };
    let either = split(text, &shape, or);
    if either.len() > 1 {
        let always = either.iter().any(|part| claim(lang, part).strength == Strength::Always);
        let strength = if always { Strength::Always } else { Strength::Truthy };
        return Claim::new(strength, text, "", "or");
    }
    if is_always_true(text) {
        return Claim::new(Strength::Always, text, "", "");
    }
    let sides = |operator: &str| {
        let found = split(text, &shape, operator);
        (found.len() == 2 && !found[0].is_empty())
            .then(|| (found[0].to_owned(), found[1].to_owned()))
    };
    for operator in
        ["===", "!==", "==", "!=", " is not ", " is ", " not in ", " in ", "<=", ">=", "<", ">"]
    {
        let Some((a, b)) = sides(operator) else { continue };
        // Types in angles and arrows are no comparisons.
        if matches!(operator, "<" | ">")
            && (text.contains("::<") || text.contains("=>") || text.contains("->"))
        {
            continue;
        }
        return compared(operator.trim(), &a, &b);
    }
    truthy(text)
}

fn compared(operator: &str, a: &str, b: &str) -> Claim {
    let nothing = ["None", "null", "undefined", "nil"];
    match operator {
        "==" | "===" | "is" => match approximate(a, b).or_else(|| approximate(b, a)) {
            Some(claim) => claim,
            None => Claim::equal(a, b),
        },
        "!=" | "!==" | "is not" if nothing.contains(&b.trim()) => {
            Claim::new(Strength::Something, a, b, "!=")
        }
        "<" | "<=" | ">" | ">=" => {
            let mut claim = Claim::new(Strength::Bound, a, b, &operator[..1]);
            let never_less = matches!(operator, ">=") && b.trim() == "0" && a.contains("len");
            if never_less {
                claim.strength = Strength::Always;
            }
            // `abs(a - b) < 0.1` says how far apart they may be.
            if a.contains("abs") {
                claim.tolerance = number(b);
            }
            claim
        }
        "!=" | "!==" | "is not" => Claim::new(Strength::Bound, a, b, "!="),
        operator => Claim::new(Strength::Bound, a, b, operator),
    }
}

/// `x == pytest.approx(5, abs=0.1)`
fn approximate(subject: &str, expected: &str) -> Option<Claim> {
    let at = expected.find("approx(")?;
    let inner = &expected[at + "approx(".len()..];
    let value = inner.split([',', ')']).next().unwrap_or_default();
    let mut claim = Claim::new(Strength::Bound, subject, value, "approx");
    claim.tolerance = ["abs=", "rel="].iter().find_map(|name| {
        let rest = &inner[inner.find(name)? + name.len()..];
        number(rest.split([',', ')']).next()?)
    });
    Some(claim)
}

pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim().replace('_', "");
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E')))
        .unwrap_or(text.len());
    text[..end].parse().ok()
}

fn truthy(text: &str) -> Claim {
    let key = squeezed(text);
    let something = [".is_some()", ".is_ok()", "!==undefined"];
    let of_type = key.starts_with("isinstance(")
        || key.starts_with("callable(")
        || key.starts_with("hasattr(");
    if of_type || something.iter().any(|end| key.ends_with(end)) {
        return Claim::new(Strength::Something, text, "", "");
    }
    if key.starts_with("matches!(") || key.contains(".contains(") || key.contains(".startswith(") {
        return Claim::new(Strength::Bound, text, "", "");
    }
    Claim::new(Strength::Truthy, text, "", "")
}

/// Whether a condition holds whatever the code does.
pub(super) fn is_always_true(text: &str) -> bool {
    let text = unwrapped(text.trim());
    if matches!(
        text,
        "True" | "true" | "not False" | "!false" | "!0" | "!!1" | "not 0" | "not None" | "..."
    ) {
        return true;
    }
    is_literal(text)
        && !matches!(
            text,
            "" | "False"
                | "false"
                | "0"
                | "None"
                | "null"
                | "undefined"
                | "[]"
                | "()"
                | "{}"
                | "\"\""
                | "''"
        )
}

/// Without brackets around all of it.
fn unwrapped(text: &str) -> &str {
    let mut text = text;
    while text.starts_with('(')
        && text.ends_with(')')
        && super::closing(text, 0) == text.len()
        && !text.contains(',')
        && !text.contains(['"', '\''])
    {
        text = text[1..text.len() - 1].trim();
    }
    text
}
