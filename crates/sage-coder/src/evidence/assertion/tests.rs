use super::*;

/// The assertions of a body, as `Strength subject -> expected`.
fn read(lang: Lang, body: &str) -> Vec<String> {
    assertions(lang, body, 1)
        .into_iter()
        .map(|a| {
            let tolerance = a.tolerance.map(|t| format!(" ±{t}")).unwrap_or_default();
            format!("{:?} {} {} {}{tolerance}", a.strength, a.subject, a.how, a.expected)
        })
        .collect()
}

#[track_caller]
fn check(lang: Lang, body: &str, expected: &[&str]) {
    let found: Vec<String> = read(lang, body)
        .iter()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(found, expected, "{body}");
}

#[test]
fn python_says_it_in_many_ways() {
    use Lang::Python;
    check(Python, "self.assertEqual(add(2, 3), 5)", &["Exact add(2,3) == 5"]);
    check(Python, "assert add(2, 3) == 5, 'five'", &["Exact add(2,3) == 5"]);
    check(Python, "assert 5 == add(2, 3)", &["Exact add(2,3) == 5"]);
    check(Python, "self.assertTrue(x == 5)", &["Exact x == 5"]);
    check(Python, "self.assertTrue(x)", &["Truthy x"]);
    check(Python, "assert x is not None", &["Something x != None"]);
    check(Python, "assert x != None", &["Something x != None"]);
    check(Python, "assert True", &["Always True"]);
    check(Python, "assert 1", &["Always 1"]);
    check(Python, "assert (x == 1, 'oops')", &["Always (x==1,'oops')"]);
    check(Python, "assert x or True", &["Always xorTrue or"]);
    check(Python, "assert x == x", &["Always x == x"]);
    check(Python, "assert len(x) >= 0", &["Always len(x) > 0"]);
    check(Python, "assert a == 1 and b == 2", &["Exact a == 1", "Exact b == 2"]);
    check(Python, "assert x == pytest.approx(5, abs=0.1)", &["Bound x approx 5 ±0.1"]);
    check(Python, "self.assertAlmostEqual(x, 5, places=2)", &["Bound x approx 5 ±0.005"]);
    check(Python, "with pytest.raises(ValueError):\n    f()", &["Exact raises raises ValueError"]);
    check(
        Python,
        "with self.assertRaises(Exception):\n    f()",
        &["Truthy raises raises Exception"],
    );
    check(Python, "x = 'assert True'", &[]);
}

#[test]
fn javascript_says_it_in_many_ways() {
    use Lang::Script;
    check(Script, "expect(add(2, 3)).toBe(5);", &["Exact add(2,3) == 5"]);
    check(Script, "expect(add(2, 3))\n  .toEqual(5)", &["Exact add(2,3) == 5"]);
    check(Script, "assert.strictEqual(add(2, 3), 5);", &["Exact add(2,3) == 5"]);
    check(Script, "assert(x === 5)", &["Exact x == 5"]);
    check(Script, "expect(x).toBeTruthy()", &["Truthy x"]);
    check(Script, "expect(true).toBe(true)", &["Always true == true"]);
    check(Script, "expect(x).not.toBeNull()", &["Something x !="]);
    check(Script, "expect(x).toBeCloseTo(1.5, 3)", &["Bound x approx 1.5 ±0.0005"]);
    check(Script, "expect(x).to.equal(5)", &["Exact x == 5"]);
    check(Script, "assert.ok(true)", &["Always true"]);
    check(Script, "expect(x)", &["Always x nothing is asked of it"]);
}

#[test]
fn rust_go_and_java_say_it_as_well() {
    check(Lang::Rust, "assert_eq!(add(2, 3), 5, \"five\");", &["Exact add(2,3) == 5"]);
    check(Lang::Rust, "assert!(x.is_some());", &["Something x.is_some()"]);
    check(Lang::Rust, "assert!(true);", &["Always true"]);
    check(Lang::Rust, "assert!((a - b).abs() < 0.1);", &["Bound (a-b).abs() < 0.1 ±0.1"]);
    check(Lang::Go, "{ if Add(2, 3) != 5 { t.Fatal(\"no\") } }", &["Exact Add(2,3) == 5"]);
    check(Lang::Go, "{ if got := Add(2, 3); got != 5 { t.Errorf(\"no\") } }", &["Exact got == 5"]);
    check(Lang::Go, "{ assert.Equal(t, 5, Add(2, 3)) }", &["Exact Add(2,3) == 5"]);
    check(Lang::Braces, "{ assertEquals(5, add(2, 3)); }", &["Exact add(2,3) == 5"]);
    check(Lang::Braces, "{ assertTrue(x > 5); }", &["Bound x > 5"]);
}

#[test]
fn nothing_is_too_odd_to_read() {
    let odd = [
        "assert",
        "assert ",
        "assert(",
        "self.assert(",
        "expect(",
        "expect(x).",
        "assert_eq!(",
        "assert é == 'ü'",
        "assert (",
        "assert ()",
        "t.Fatal(",
        "}assert(x)",
    ];
    for body in odd {
        for lang in [Lang::Python, Lang::Script, Lang::Rust, Lang::Go, Lang::Braces] {
            let _ = read(lang, body);
        }
    }
}
