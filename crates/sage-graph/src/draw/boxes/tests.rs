use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect};
use proptest::prelude::*;
use sage_core::NodeId;

use crate::draw::{Label, terminal, text};
use crate::testing::{acyclic_graph, parse};
use crate::{CompiledGraph, list_problems};

fn compiled(spec: &str) -> CompiledGraph {
    parse(spec).compile().unwrap_or_else(|problems| panic!("{}", list_problems(&problems)))
}

fn check(spec: &str, texts: &[(&str, &str)], wide: Expect, narrow: Expect) {
    let graph = compiled(spec);
    let texts: BTreeMap<&str, &str> = texts.iter().copied().collect();
    let label = |id: &NodeId| {
        let text = texts.get(id.as_str()).copied().unwrap_or_default();
        let mut lines = text.split('|').map(|line| line.trim().to_owned());
        let role = lines.next().unwrap_or_default();
        Label { title: format!("{id} {role}"), lines: lines.collect(), mark: None }
    };
    wide.assert_eq(&terminal(&graph, &label, 100));
    narrow.assert_eq(&terminal(&graph, &label, 40));
}

#[test]
fn a_chain() {
    check(
        "task_001 task_002 task_003; task_001 -> task_002 -> task_003",
        &[
            (
                "task_001",
                "coder | Create src/hello.py with greet() | src/hello.py | qwen2.5-coder:1.5b",
            ),
            (
                "task_002",
                "test_engineer | Write tests for greet() in tests/test_hello.py | tests/test_hello.py",
            ),
            ("task_003", "reviewer | Review"),
        ],
        expect![[r#"
                ┌──────────────────────────────────┐
                │ task_001 coder                   │
                │ Create src/hello.py with greet() │
                │ src/hello.py                     │
                │ qwen2.5-coder:1.5b               │
                └────────────────┬─────────────────┘
                                 ▼
            ┌──────────────────────────────────────────┐
            │ task_002 test_engineer                   │
            │ Write tests for greet() in               │
            │ tests/test_hello.py                      │
            │ tests/test_hello.py                      │
            └────────────────────┬─────────────────────┘
                                 ▼
                        ┌───────────────────┐
                        │ task_003 reviewer │
                        │ Review            │
                        └───────────────────┘
        "#]],
        expect![[r#"
            • task_001 coder
              Create src/hello.py with greet()
              src/hello.py
              qwen2.5-coder:1.5b
              • task_002 test_engineer
                Write tests for greet() in
                tests/test_hello.py
                tests/test_hello.py
                after: task_001
                • task_003 reviewer
                  Review
                  after: task_002
        "#]],
    );
}

#[test]
fn a_diamond() {
    check(
        "design parser printer join; design -> parser -> join; design -> printer -> join",
        &[
            ("design", "architect | Decide on the syntax tree"),
            ("parser", "coder | Parse text into the tree | src/parse.rs"),
            (
                "printer",
                "coder | Print the tree back as text, keeping comments and blank lines where they were | src/print.rs, src/layout.rs",
            ),
            ("join", "test_engineer | Round trip: parse and print again | tests/round_trip.rs"),
        ],
        expect![[r#"
                               ┌───────────────────────────┐
                               │ design architect          │
                               │ Decide on the syntax tree │
                               └─────────────┬─────────────┘
                         ╭───────────────────┴─────────────────╮
                         ▼                                     ▼
            ┌──────────────────────────┐  ┌──────────────────────────────────────────┐
            │ parser coder             │  │ printer coder                            │
            │ Parse text into the tree │  │ Print the tree back as text, keeping     │
            │ src/parse.rs             │  │ comments and blank lines where they were │
            │                          │  │ src/print.rs, src/layout.rs              │
            └────────────┬─────────────┘  └────────────────────┬─────────────────────┘
                         ╰───────────────────┬─────────────────╯
                                             ▼
                           ┌───────────────────────────────────┐
                           │ join test_engineer                │
                           │ Round trip: parse and print again │
                           │ tests/round_trip.rs               │
                           └───────────────────────────────────┘
        "#]],
        expect![[r#"
            • design architect
              Decide on the syntax tree
              • parser coder
                Parse text into the tree
                src/parse.rs
                after: design
              • printer coder
                Print the tree back as text, keeping
                comments and blank lines where they
                were
                src/print.rs, src/layout.rs
                after: design
                • join test_engineer
                  Round trip: parse and print again
                  tests/round_trip.rs
                  after: parser, printer
        "#]],
    );
}

#[test]
fn six_independent_nodes() {
    check(
        "a b c d e f",
        &[
            ("a", "coder | Translate the messages into German | i18n/de.json"),
            ("b", "coder | Translate the messages into French | i18n/fr.json"),
            ("c", "coder | Translate the messages into Danish | i18n/da.json"),
            ("d", "coder | Translate the messages into Polish | i18n/pl.json"),
            ("e", "coder | Translate the messages into Korean (한국어) | i18n/ko.json"),
            ("f", "coder | Translate the messages into Hindi (हिन्दी) | i18n/hi.json"),
        ],
        expect![[r#"
            ┌──────────────────────────────┐  ┌──────────────────────────────┐  ┌──────────────────────────────┐
            │ a coder                      │  │ b coder                      │  │ c coder                      │
            │ Translate the messages into  │  │ Translate the messages into  │  │ Translate the messages into  │
            │ German                       │  │ French                       │  │ Danish                       │
            │ i18n/de.json                 │  │ i18n/fr.json                 │  │ i18n/da.json                 │
            └──────────────────────────────┘  └──────────────────────────────┘  └──────────────────────────────┘
            ┌──────────────────────────────┐  ┌──────────────────────────────┐  ┌──────────────────────────────┐
            │ d coder                      │  │ e coder                      │  │ f coder                      │
            │ Translate the messages into  │  │ Translate the messages into  │  │ Translate the messages into  │
            │ Polish                       │  │ Korean (한국어)              │  │ Hindi (हिन्दी)                │
            │ i18n/pl.json                 │  │ i18n/ko.json                 │  │ i18n/hi.json                 │
            └──────────────────────────────┘  └──────────────────────────────┘  └──────────────────────────────┘
        "#]],
        expect![[r#"
            • a coder
              Translate the messages into German
              i18n/de.json
            • b coder
              Translate the messages into French
              i18n/fr.json
            • c coder
              Translate the messages into Danish
              i18n/da.json
            • d coder
              Translate the messages into Polish
              i18n/pl.json
            • e coder
              Translate the messages into Korean
              (한국어)
              i18n/ko.json
            • f coder
              Translate the messages into Hindi
              (हिन्दी)
              i18n/hi.json
        "#]],
    );
}

#[test]
fn two_roots_joining() {
    check(
        "schema client server; schema -> server; client -> server",
        &[
            ("schema", "coder | Add the table | migrations/004.sql"),
            ("client", "coder | Retry on 429 | src/client.rs"),
            ("server", "coder | Store what the client sends | src/server.rs"),
        ],
        expect![[r#"
            ┌────────────────────┐  ┌───────────────┐
            │ schema coder       │  │ client coder  │
            │ Add the table      │  │ Retry on 429  │
            │ migrations/004.sql │  │ src/client.rs │
            └─────────┬──────────┘  └───────┬───────┘
                      ╰──────────┬──────────╯
                                 ▼
                  ┌─────────────────────────────┐
                  │ server coder                │
                  │ Store what the client sends │
                  │ src/server.rs               │
                  └─────────────────────────────┘
        "#]],
        expect![[r#"
            • schema coder
              Add the table
              migrations/004.sql
            • client coder
              Retry on 429
              src/client.rs
              • server coder
                Store what the client sends
                src/server.rs
                after: schema, client
        "#]],
    );
}

#[test]
fn twelve_nodes_of_all_sorts() {
    check(
        "t01 t02 t03 t04 t05 t06 t07 t08 t09 t10 t11 t12; \
         t01 -> t03; t01 -> t04; t02 -> t04; t02 -> t05; t03 -> t06; t04 -> t06; t04 -> t07; \
         t05 -> t08; t06 -> t09; t07 -> t09; t08 -> t10; t09 -> t11; t10 -> t11; t01 -> t10; t12 -> t11",
        &[
            ("t01", "architect | Split the settings module"),
            ("t02", "architect | Name the errors"),
            ("t03", "coder | Move defaults | src/defaults.rs"),
            ("t04", "coder | Read files | src/files.rs"),
            ("t05", "coder | Error enum | src/error.rs"),
            ("t06", "coder | Merge layers | src/merge.rs"),
            ("t07", "coder | Watch files | src/watch.rs"),
            ("t08", "coder | Hints | src/hints.rs"),
            ("t09", "test_engineer | Layer tests | tests/layers.rs"),
            ("t10", "test_engineer | Message tests | tests/messages.rs"),
            ("t11", "reviewer | Read the whole change"),
            ("t12", "documentation | Describe the settings | docs/settings.md"),
        ],
        expect![[r#"
                   ┌───────────────────────────┐  ┌─────────────────┐  ┌───────────────────────┐
                   │ t01 architect             │  │ t02 architect   │  │ t12 documentation     │
                   │ Split the settings module │  │ Name the errors │  │ Describe the settings │
                   │                           │  │                 │  │ docs/settings.md      │
                   └─────────────┬─────────────┘  └────────┬────────┘  └──┬────────────────────┘
                     ╭───────────┴────┬────────────╮       │              │
                     │                │   ╭────────│───────┤              │
                     ▼                ▼   ▼        │       ▼              │
            ┌─────────────────┐  ┌──────────────┐  │  ┌──────────────┐    │
            │ t03 coder       │  │ t04 coder    │  │  │ t05 coder    │    │
            │ Move defaults   │  │ Read files   │  │  │ Error enum   │    │
            │ src/defaults.rs │  │ src/files.rs │  │  │ src/error.rs │    │
            └────────┬────────┘  └──────┬───────┘  │  └───────┬──────┘    │
                     │    ╭─────────────┤          ╰─╮        │           │
                     ▼    ▼             ▼            │        ▼           │
                 ┌──────────────┐  ┌──────────────┐  │  ┌──────────────┐  │
                 │ t06 coder    │  │ t07 coder    │  │  │ t08 coder    │  │
                 │ Merge layers │  │ Watch files  │  │  │ Hints        │  │
                 │ src/merge.rs │  │ src/watch.rs │  │  │ src/hints.rs │  │
                 └──────┬───────┘  └──────┬───────┘  │  └──────┬───────┘  │
                        ╰───────────┬─────╯          ╰─────┬───╯          │
                                    ▼                      ▼              │
                          ┌───────────────────┐  ┌───────────────────┐    │
                          │ t09 test_engineer │  │ t10 test_engineer │    │
                          │ Layer tests       │  │ Message tests     │    │
                          │ tests/layers.rs   │  │ tests/messages.rs │    │
                          └─────────┬─────────┘  └─────────┬─────────┘    │
                                    ╰──────────────────────┼──────────────╯
                                                           ▼
                                                ┌───────────────────────┐
                                                │ t11 reviewer          │
                                                │ Read the whole change │
                                                └───────────────────────┘
        "#]],
        expect![[r#"
            • t01 architect
              Split the settings module
            • t02 architect
              Name the errors
              • t03 coder
                Move defaults
                src/defaults.rs
                after: t01
              • t04 coder
                Read files
                src/files.rs
                after: t01, t02
              • t05 coder
                Error enum
                src/error.rs
                after: t02
                • t06 coder
                  Merge layers
                  src/merge.rs
                  after: t03, t04
                • t07 coder
                  Watch files
                  src/watch.rs
                  after: t04
                • t08 coder
                  Hints
                  src/hints.rs
                  after: t05
                  • t09 test_engineer
                    Layer tests
                    tests/layers.rs
                    after: t06, t07
                  • t10 test_engineer
                    Message tests
                    tests/messages.rs
                    after: t01, t08
            • t12 documentation
              Describe the settings
              docs/settings.md
                    • t11 reviewer
                      Read the whole change
                      after: t09, t10, t12
        "#]],
    );
}

#[test]
fn a_layer_that_is_too_wide_goes_into_two_rows() {
    let parts = ["a", "b", "c", "d", "e", "f"];
    let edges: Vec<String> = parts.iter().map(|part| format!("root -> {part} -> join")).collect();
    let spec = format!("root {} join; {}", parts.join(" "), edges.join("; "));
    check(
        &spec,
        &[
            ("root", "architect | Agree on the interface"),
            ("a", "coder | One part of the whole thing"),
            ("b", "coder | Another part of the whole thing"),
            ("c", "coder | A third part of it"),
            ("d", "coder | A fourth part of it"),
            ("e", "coder | The fifth part of the whole thing"),
            ("f", "coder | And the last part"),
            ("join", "test_engineer | Try it all together"),
        ],
        expect![[r#"
                                                                  ┌────────────────────────┐
                                                                  │ root architect         │
                                                                  │ Agree on the interface │
                                                                  └───────────┬────────────┘
                           ╭──────────────────────────────────┬───────────────┴─────────────┬─────────────╮
                           ▼                                  ▼                             ▼             │
            ┌─────────────────────────────┐  ┌─────────────────────────────────┐  ┌────────────────────┐  │
            │ a coder                     │  │ b coder                         │  │ c coder            │  │
            │ One part of the whole thing │  │ Another part of the whole thing │  │ A third part of it │  │
            └──────────────┬──────────────┘  └────────────────┬────────────────┘  └─────────┬──────────┘  │
                        ╭──┴──────────────────────────────────┴─────────────────────────────╯             │
                        │             ╭───────────────────────────────┬──────────────────────────────┬────╯
                        │             ▼                               ▼                              ▼
                        │  ┌─────────────────────┐  ┌───────────────────────────────────┐  ┌───────────────────┐
                        │  │ d coder             │  │ e coder                           │  │ f coder           │
                        │  │ A fourth part of it │  │ The fifth part of the whole thing │  │ And the last part │
                        │  └──────────┬──────────┘  └─────────────────┬─────────────────┘  └─────────┬─────────┘
                        ╰─────────────┴────────────┬──────────────────┴──────────────────────────────╯
                                                   ▼
                                        ┌─────────────────────┐
                                        │ join test_engineer  │
                                        │ Try it all together │
                                        └─────────────────────┘
        "#]],
        expect![[r#"
            • root architect
              Agree on the interface
              • a coder
                One part of the whole thing
                after: root
              • b coder
                Another part of the whole thing
                after: root
              • c coder
                A third part of it
                after: root
              • d coder
                A fourth part of it
                after: root
              • e coder
                The fifth part of the whole thing
                after: root
              • f coder
                And the last part
                after: root
                • join test_engineer
                  Try it all together
                  after: a, b, c, d, e, f
        "#]],
    );
}

/// What a person sees who follows each line downwards from each box: pairs of titles.
fn read_edges(drawing: &str) -> BTreeSet<(String, String)> {
    let grid: Vec<Vec<char>> = drawing.lines().map(|line| line.chars().collect()).collect();
    let at = |x: usize, y: usize| grid.get(y).and_then(|row| row.get(x)).copied().unwrap_or(' ');
    // Left, top, right, bottom and title.
    let mut boxes = Vec::new();
    for (y, row) in grid.iter().enumerate() {
        for x in (0..row.len()).filter(|&x| row[x] == '┌') {
            let right = (x..).find(|&x| at(x, y) == '┐').unwrap();
            let bottom = (y..).find(|&y| at(x, y) == '└').unwrap();
            let title: String = (x + 2..right - 1).map(|x| at(x, y + 1)).collect();
            boxes.push((x, y, right, bottom, title.trim().to_owned()));
        }
    }
    let mut edges = BTreeSet::new();
    for (left, _, right, bottom, title) in &boxes {
        for x in (*left..*right).filter(|&x| at(x, *bottom) == '┬') {
            // Where we are and how we came: 'd'own, 'l'eft or 'r'ight; never up.
            let mut open = vec![(x, bottom + 1, 'd')];
            let mut seen = BTreeSet::new();
            while let Some((x, y, came)) = open.pop() {
                if !seen.insert((x, y, came)) {
                    continue;
                }
                let glyph = at(x, y);
                if glyph == '▼' {
                    let below = boxes.iter().find(|b| b.0 < x && x < b.2 && b.1 == y + 1);
                    let below = below.unwrap_or_else(|| panic!("an arrow to nothing\n{drawing}"));
                    edges.insert((title.clone(), below.4.clone()));
                    continue;
                }
                let ways = match (glyph, came) {
                    ('│', 'd') | ('╮', 'r') | ('╭', 'l') => "d",
                    // A horizontal line goes on behind a vertical one.
                    ('│' | '─', 'l') | ('╯', 'd') | ('┴', 'l') => "l",
                    ('│' | '─', 'r') | ('╰', 'd') | ('┴', 'r') => "r",
                    ('┴', 'd') => "lr",
                    ('├', 'l') => "d",
                    ('┬' | '┼', 'l') => "ld",
                    ('┬' | '┼', 'r') => "rd",
                    ('┤', 'r') => "d",
                    ('┤', 'd') => "ld",
                    ('├', 'd') => "rd",
                    ('┼', 'd') => "lrd",
                    // The side on which a line from elsewhere comes in.
                    ('╯', 'r') | ('╰', 'l') => "",
                    _ => panic!("came {came} to {glyph:?} at {x}, {y}\n{drawing}"),
                };
                open.extend(ways.chars().map(|way| match way {
                    'l' => (x - 1, y, way),
                    'r' => (x + 1, y, way),
                    _ => (x, y + 1, way),
                }));
            }
        }
    }
    edges
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn following_the_lines_of_a_drawing_gives_exactly_the_edges(
        spec in acyclic_graph(14),
        sizes in prop::collection::vec(0_usize..40, 14),
        width in 56_usize..150,
    ) {
        let graph = spec.compile().unwrap();
        let label = |id: &NodeId| {
            let number: usize = id.as_str()[1..].parse().unwrap();
            let lines = vec!["x".repeat(sizes[number])];
            Label { title: id.to_string(), lines, mark: None }
        };
        let drawing = terminal(&graph, &label, width);
        prop_assert!(drawing.lines().all(|line| text::width(line) <= width), "{}", drawing);
        if drawing.contains('┌') {
            let edges = graph.reduced_edges();
            let edges = edges.iter().map(|edge| (edge.from.to_string(), edge.to.to_string()));
            prop_assert_eq!(read_edges(&drawing), edges.collect::<BTreeSet<_>>(), "{}", drawing);
        }
    }

    #[test]
    fn no_label_breaks_a_drawing(
        spec in acyclic_graph(6),
        title in any::<String>(),
        line in any::<String>(),
        width in prop_oneof![0_usize..130, Just(usize::MAX)],
    ) {
        let graph = spec.compile().unwrap();
        let label = |_: &NodeId| Label {
            title: title.clone(),
            lines: vec![line.clone(), "漢字 e\u{301} ☃".to_owned()],
            mark: Some("✓".to_owned()),
        };
        let drawing = terminal(&graph, &label, width);
        let limit = width.max(20);
        prop_assert!(drawing.lines().all(|line| text::width(line) <= limit), "{}", drawing);
        prop_assert!(!drawing.chars().any(|c| c.is_control() && c != '\n'));
    }
}

#[test]
fn boxes_are_drawn_for_nearly_every_plan_that_fits_on_a_screen() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let n_boxes = (0..400)
        .filter(|_| {
            let spec = acyclic_graph(12).new_tree(&mut runner).unwrap().current();
            let label = |id: &NodeId| Label { title: format!("{id} coder"), ..Label::default() };
            terminal(&spec.compile().unwrap(), &label, 100).contains('┌')
        })
        .count();
    assert!(n_boxes >= 390, "{n_boxes} of 400");
}
