use expect_test::{Expect, expect};
use sage_core::NodeId;

use super::*;
use crate::testing::parse;

/// Everything that means something in one of the languages.
fn hostile(id: &NodeId) -> Label {
    Label {
        title: format!("{id} \"end\"] --> <script>"),
        lines: vec![
            "C:\\temp\\new".to_owned(),
            "#quot; %%{init}%% ```; graph\n    x --> y".to_owned(),
            "größer 漢字".to_owned(),
        ],
        mark: Some("✓".to_owned()),
    }
}

fn check(draw: fn(&CompiledGraph, Labels<'_>) -> String, expected: Expect) {
    let graph = parse("end a b c; end -> a => b ~> c; end -> b").compile().unwrap();
    expected.assert_eq(&draw(&graph, &hostile));
}

#[test]
fn mermaid_sees_labels_as_text_only() {
    check(
        mermaid,
        expect![[r#"
        flowchart TD
            n0["✓ end #34;end#34;#93; --#62; #60;script#62;<br/>C:#92;temp#92;new<br/>#35;quot#59; #37;#37;#123;init#125;#37;#37; #96;#96;#96;#59; graph x --#62; y<br/>größer 漢字"]
            n1["✓ a #34;end#34;#93; --#62; #60;script#62;<br/>C:#92;temp#92;new<br/>#35;quot#59; #37;#37;#123;init#125;#37;#37; #96;#96;#96;#59; graph x --#62; y<br/>größer 漢字"]
            n2["✓ b #34;end#34;#93; --#62; #60;script#62;<br/>C:#92;temp#92;new<br/>#35;quot#59; #37;#37;#123;init#125;#37;#37; #96;#96;#96;#59; graph x --#62; y<br/>größer 漢字"]
            n3["✓ c #34;end#34;#93; --#62; #60;script#62;<br/>C:#92;temp#92;new<br/>#35;quot#59; #37;#37;#123;init#125;#37;#37; #96;#96;#96;#59; graph x --#62; y<br/>größer 漢字"]
            n0 --> n1
            n1 -- value --> n2
            n2 == stream ==> n3
    "#]],
    );
}

#[test]
fn dot_sees_labels_as_text_only() {
    check(
        dot,
        expect![[r#"
        digraph plan {
            node [shape=box, fontname="sans-serif"];
            n0 [label="✓ end \"end\"] --> <script>\lC:\\temp\\new\l#quot; %%{init}%% ```; graph x --> y\lgrößer 漢字\l"];
            n1 [label="✓ a \"end\"] --> <script>\lC:\\temp\\new\l#quot; %%{init}%% ```; graph x --> y\lgrößer 漢字\l"];
            n2 [label="✓ b \"end\"] --> <script>\lC:\\temp\\new\l#quot; %%{init}%% ```; graph x --> y\lgrößer 漢字\l"];
            n3 [label="✓ c \"end\"] --> <script>\lC:\\temp\\new\l#quot; %%{init}%% ```; graph x --> y\lgrößer 漢字\l"];
            n0 -> n1;
            n1 -> n2 [label="value"];
            n2 -> n3 [label="stream", style=bold];
        }
    "#]],
    );
}
