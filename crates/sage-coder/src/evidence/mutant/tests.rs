use super::*;

/// All mutants of all lines of a text, as `line what -> new text`.
fn all(path: &str, text: &str) -> Vec<String> {
    let lines: BTreeSet<usize> = (1..=text.lines().count()).collect();
    mutants(path, text, &lines)
        .into_iter()
        .map(|mutant| format!("{}| {}", mutant.line, mutant.text.replace('\n', "\\n")))
        .collect()
}

#[track_caller]
fn check(path: &str, text: &str, expected: &[&str]) {
    assert_eq!(all(path, text), expected, "{text}");
}

#[test]
fn comparisons_are_swapped() {
    check("a.py", "x = a == b", &["1| x = a != b"]);
    check("a.py", "x = a < b", &["1| x = a >= b"]);
    check("a.py", "x = a not in b", &["1| x = a in b"]);
    check("a.js", "x = a === b;", &["1| x = a !== b;"]);
    check("a.js", "x = a !== b;", &["1| x = a === b;"]);
    check("a.rs", "let x = a >= b;", &["1| let x = a < b;"]);
    check("a.go", "x := a != b", &["1| x := a == b"]);
}

#[test]
fn booleans_are_swapped() {
    check("a.py", "x = a and b", &["1| x = a or b"]);
    check("a.py", "x = True", &["1| x = False"]);
    check("a.js", "x = a && b;", &["1| x = a || b;"]);
    check("a.rs", "let x = false;", &["1| let x = true;"]);
    check("a.go", "x := a || b", &["1| x := a && b"]);
    check("a.py", "x = Trueish", &[]);
}

#[test]
fn arithmetic_is_swapped_between_values_only() {
    check("a.py", "x = a + b", &["1| x = a - b"]);
    check("a.py", "x = a // b", &["1| x = a * b"]);
    check("a.py", "x = a ** b", &["1| x = a * b"]);
    check("a.js", "x = a * b;", &["1| x = a + b;"]);
    check("a.rs", "let x = a % b;", &["1| let x = a * b;"]);
    check("a.rs", "let f = |x| x;", &[]);
    check("a.rs", "let x = a<b>::c;", &[]);
    check("a.rs", "let f = || x;", &[]);
}

#[test]
fn constants_grow_by_one_unless_they_are_part_of_something() {
    check("a.py", "x = 41", &["1| x = 42"]);
    check("a.py", "x1 = a.b2", &[]);
    check("a.py", "x = 1.5", &[]);
    check("a.rs", "let x = 1u32;", &["1| let x = 2u32;"]);
    check("a.rs", "let x = a.0;", &[]);
    check("a.js", "x = 0xff;", &[]);
}

#[test]
fn conditions_are_negated_in_the_way_of_the_language() {
    check("a.py", "if a:", &["1| if not (a):"]);
    check("a.js", "if (a) {", &["1| if (!(a)) {"]);
    check("a.rs", "if a {", &["1| if !(a) {"]);
    check("a.go", "if a {", &["1| if !(a) {"]);
    check("a.rs", "if let Some(a) = b {", &[]);
    check("a.go", "if x := f(); x {", &[]);
}

#[test]
fn strings_change_and_comments_and_docstrings_stay() {
    check("a.py", "x = 'a'", &["1| x = '~a'"]);
    check("a.py", "x = ''", &["1| x = '~'"]);
    check("a.py", "    \"\"\"Adds a + b == 3.\"\"\"", &[]);
    check("a.py", "# a + b == 3", &[]);
    check("a.js", "// a + b", &[]);
    check("a.js", "x = `a ${b}`;", &["1| x = `~a ${b}`;"]);
    check("a.rs", "let x = \"a == b\";", &["1| let x = \"~a == b\";"]);
    check("a.rs", "let x = 'a';", &[]);
}

#[test]
fn results_and_statements_are_lost() {
    check("a.py", "    return f(x)", &["1|     return None"]);
    check("a.js", "  return f(x);", &["1|   return null;"]);
    check("a.js", "const f = (x) => g(x);", &["1| const f = (x) => null;"]);
    check("a.rs", "    return f(x);", &["1|     return Default::default();"]);
    check("a.py", "    items.append(x)", &["1|     pass"]);
    check("a.py", "    self.x = y", &["1|     pass"]);
    check("a.py", "    x = y", &[]);
    check("a.go", "\titems.Add(x)", &["1| \t"]);
}

#[test]
fn functions_return_at_once() {
    check("a.py", "def f(x):", &["1| def f(x):\\n    return None"]);
    check(
        "a.rs",
        "fn f(x: &str) -> String {",
        &["1| fn f(x: &str) -> String { return Default::default();"],
    );
    check("a.js", "function f(x) {", &["1| function f(x) { return null;"]);
}

#[test]
fn imports_attributes_and_tests_in_the_file_are_left_alone() {
    check("a.py", "from a import b", &[]);
    check("a.js", "const { a } = require('./a.js');", &[]);
    check("a.js", "module.exports = { a };", &[]);
    check("a.rs", "#[derive(Debug)]", &[]);
    let text = "fn f() -> i32 {\n    1\n}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn g() {\n        assert!(1 == 1);\n    }\n}\n";
    check("a.rs", text, &["1| fn f() -> i32 { return Default::default();", "2|     2"]);
}

#[test]
fn each_line_is_mutated_once_before_any_a_second_time() {
    let text = "x = a + 1\ny = b + 1\n";
    check("a.py", text, &["1| x = a - 1", "2| y = b - 1", "1| x = a + 2", "2| y = b + 2"]);
}

#[test]
fn only_the_lines_asked_for_are_mutated() {
    let found = mutants("a.py", "x = 1\ny = 2\nz = 3\n", &BTreeSet::from([2, 9]));
    assert_eq!(found.iter().map(|mutant| mutant.text.as_str()).collect::<Vec<_>>(), ["y = 3"]);
}

#[test]
fn unknown_languages_have_none_and_nothing_is_too_odd() {
    check("a.txt", "a + b", &[]);
    for text in
        ["é + 'ü'", "\"", "if :", "return ", "a == ", "`${", "x = 99999999999999999999", "+ + +"]
    {
        for path in ["a.py", "a.js", "a.rs", "a.go", "a.java"] {
            let _ = all(path, text);
        }
    }
}

#[test]
fn many_lines_are_thinned_out_evenly() {
    assert_eq!(spread((0..10).collect(), 4), [0, 2, 5, 7]);
    assert_eq!(spread(vec![1, 2], 4), [1, 2]);
}
