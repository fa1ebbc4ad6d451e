use super::*;

/// The tests of a text: name, line, state and number of assertions.
#[track_caller]
fn check(lang: Lang, text: &str, expected: &[&str]) {
    let found: Vec<String> = cases(lang, text)
        .iter()
        .map(|case| {
            format!("{} {} {:?} {}", case.shown_name(), case.line, case.off, case.assertions.len())
        })
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn python_tests_are_functions_and_methods() {
    let text = "import unittest\n\n\nclass SumTest(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), 1)\n\n    @unittest.skip('no')\n    def test_b(self):\n        text = \"\"\"\ndef test_no(): pass\n\"\"\"\n        assert f(\n            text\n        ) == 2\n\n    def helper(self):\n        pass\n\n\nasync def test_c(\n    x,\n):\n    assert x\n    assert x == 1\n\ndef test_d(): assert g() == 3\n";
    check(
        Lang::Python,
        text,
        &["SumTest.test_a 5 No 1", "SumTest.test_b 8 Always 1", "test_c 21 No 2", "test_d 27 No 1"],
    );
}

#[test]
fn javascript_tests_are_calls_in_groups() {
    let text = "describe('sum', () => {\n  it('adds', () => {\n    expect(f()).toBe(1);\n  });\n  it.skip('not', () => {});\n});\ndescribe.skip('off', () => { test('a', () => {}); });\ntest.only(\"b\", async () => { assert(x); });\nxit('c', function () {});\ntest('d', { skip: true }, () => {});\ntest.each([[1], [2]])('e %i', (n) => { expect(n).toBe(n); });\n";
    check(
        Lang::Script,
        text,
        &[
            "sum.adds 2 No 1",
            "sum.not 5 Always 0",
            "off.a 7 Always 0",
            "b 8 OthersAre 1",
            "c 9 Always 0",
            "d 10 Always 0",
            "e %i 11 No 1",
        ],
    );
}

#[test]
fn rust_tests_have_an_attribute() {
    let text = "#[cfg(test)]\nmod tests {\n    #[test]\n    fn a() {\n        assert_eq!(f(\"}\"), 1);\n    }\n    #[test]\n    #[ignore = \"slow\"]\n    fn b() {}\n    #[tokio::test]\n    async fn c() { assert!(x); }\n    fn helper() {}\n}\n";
    check(Lang::Rust, text, &["a 3 No 1", "b 7 Always 0", "c 10 No 1"]);
}

#[test]
fn go_and_java_tests_are_found() {
    let text = "package a\n\nfunc TestA(t *testing.T) {\n\tif f() != 1 {\n\t\tt.Fatal(\"no\")\n\t}\n}\n\nfunc TestB(t *testing.T) {\n\tt.Skip(\"later\")\n}\n\nfunc helper() {}\n";
    check(Lang::Go, text, &["TestA 3 No 1", "TestB 9 Always 0"]);
    let text = "class A {\n  @Test\n  void a() { assertEquals(1, f()); }\n\n  @Disabled\n  @Test\n  void b() { }\n}\n";
    check(Lang::Braces, text, &["a 2 No 1", "b 5 Always 0"]);
}

#[test]
fn a_test_that_asserts_nothing_is_vacuous() {
    let vacuous = |text: &str| cases(Lang::Python, text).iter().all(Case::is_vacuous);
    assert!(vacuous("def test_a():\n    assert True\n"));
    assert!(vacuous("def test_a():\n    pass\n"));
    assert!(vacuous("def test_a(self):\n    self.assertTrue(True)\n"));
    assert!(!vacuous("def test_a():\n    assert f() == 1\n"));
    assert!(!vacuous("def test_a():\n    check(f(), 1)\n"), "a helper may assert");
}

#[test]
fn nothing_is_too_odd_to_read() {
    let odd = [
        "def test_",
        "def test_x(",
        "class ",
        "it(",
        "it('",
        "#[",
        "#[test]",
        "#[test] fn",
        "func TestX",
        "@Test",
        "test.each`",
        "describe('é', () =>",
        "@Test void (",
    ];
    for text in odd {
        for lang in [Lang::Python, Lang::Script, Lang::Rust, Lang::Go, Lang::Braces] {
            let _ = cases(lang, text);
        }
    }
}
