use expect_test::{Expect, expect};

use crate::testing::parse;
use crate::{CompiledGraph, GraphSpec, Region, list_problems};

/// `a ~> b -> c` in the tests' short form; see [`parse`].
fn compiled(text: &str) -> CompiledGraph {
    parse(text).compile().unwrap_or_else(|problems| panic!("{}", list_problems(&problems)))
}

fn check_problems(spec: &GraphSpec, expected: Expect) {
    let problems = spec.compile().expect_err("the graph was accepted");
    expected.assert_eq(&list_problems(&problems));
}

fn check_order(text: &str, expected: Expect) {
    let graph = compiled(text);
    let names = |ids: Vec<sage_core::NodeId>| {
        ids.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let order = names(graph.nodes().iter().map(|node| node.id.clone()).collect());
    let layers: Vec<String> = graph.layers().into_iter().map(names).collect();
    expected.assert_eq(&format!("{order}\n{}", layers.join(" | ")));
}

fn check_regions(text: &str, expected: Expect) {
    let graph = compiled(text);
    let regions: Vec<String> = graph
        .regions()
        .iter()
        .map(|region| match region {
            Region::Task(node) => format!("task({node})"),
            Region::Stream(nodes) => {
                let names: Vec<_> = nodes.iter().map(|node| node.as_str()).collect();
                format!("stream({})", names.join(" "))
            }
        })
        .collect();
    expected.assert_eq(&regions.join(" "));
}

#[test]
fn nodes_come_in_the_specs_order_where_dependencies_allow_it() {
    check_order(
        "d c b a; a -> b",
        expect![[r#"
        d c a b
        d c a | b"#]],
    );
    check_order(
        "join left right root; root -> left -> join; root -> right -> join",
        expect![[r#"
        root left right join
        root | left right | join"#]],
    );
    check_order("a", expect!["a\na"]);
}

#[test]
fn stream_edges_form_one_region() {
    check_regions("a ~> b ~> c => d", expect![[r#"stream(a b c) task(d)"#]]);
    check_regions("a -> b; c ~> d; b -> d; e", expect![[r#"task(a) task(b) stream(c d) task(e)"#]]);
}

#[test]
fn every_problem_is_reported_at_once() {
    let mut spec = parse("a b c task_1; a -> b -> c -> a; c -> c; task_2 -> a; b -> zebra");
    spec.nodes.push(spec.nodes[1].clone());
    spec.nodes[1].retry.attempts = 0;
    spec.nodes[2].timeout_s = Some(0);
    spec.nodes[3].retry.attempts = 101;
    check_problems(
        &spec,
        expect![[r#"
        2 nodes are called b
        node b: retry.attempts is 0; 1 to 100 are allowed
        node c: timeout_s is 0
        node task_1: retry.attempts is 101; 1 to 100 are allowed
        node c depends on itself
        edge task_2 -> a: there is no node task_2; did you mean task_1?
        edge b -> zebra: there is no node zebra
        a circle of dependencies: a -> b -> c -> a"#]],
    );
}

#[test]
fn each_circle_is_reported_once_and_as_short_as_possible() {
    check_problems(
        &parse("a -> b -> c -> d -> a; c -> a; x -> y -> x; d -> x"),
        expect![[r#"
            a circle of dependencies: a -> b -> c -> a
            a circle of dependencies: x -> y -> x"#]],
    );
}

#[test]
fn a_stream_region_that_would_wait_for_itself_is_refused() {
    check_problems(
        &parse("a ~> b; a -> c -> b"),
        expect![[
            r#"a and b stream to each other and so run together, but b must wait for a to end (through c)"#
        ]],
    );
    check_problems(
        &parse("a ~> b ~> c; a => c"),
        expect![[
            r#"a, b and c stream to each other and so run together, but c must wait for a to end"#
        ]],
    );
    // Through another region: p and q end together, so b waits for a although no node path says so.
    check_problems(
        &parse("a ~> b; p ~> q; a -> p; q -> b"),
        expect![[r#"
            a and b stream to each other and so run together, but b must wait for a to end (through p and q)
            p and q stream to each other and so run together, but p must wait for q to end (through b and a)"#]],
    );
}

#[test]
fn reserved_ids_are_refused_although_the_log_may_hold_them() {
    let spec = serde_json::from_str(r#"{"nodes": [{"id": "@plan", "type": "task"}]}"#).unwrap();
    check_problems(&spec, expect![[r#"node @plan: ids that begin with '@' are reserved"#]]);
}

#[test]
fn a_graph_that_is_too_large_is_refused_unread() {
    let node = parse("a").nodes[0].clone();
    let spec = GraphSpec { nodes: vec![node; crate::MAX_NODES + 1], edges: Vec::new() };
    check_problems(
        &spec,
        expect![[
            r#"the graph has 4097 nodes and 0 edges; at most 4096 nodes and 65536 edges are allowed"#
        ]],
    );
}

#[test]
fn only_edges_that_say_something_new_are_drawn() {
    let drawn = |text: &str| {
        let edges = compiled(text).reduced_edges();
        let edges = edges.iter().map(|edge| format!("{}{}", edge.from, edge.to));
        edges.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(drawn("a -> b -> c; a -> c"), "ab bc");
    // A value is delivered whether or not the order is known already.
    assert_eq!(drawn("a -> b -> c; a => c"), "ab ac bc");
    assert_eq!(drawn("a -> b; a => b"), "ab");
}

#[test]
fn a_misspelt_key_in_a_file_is_an_error() {
    let error = serde_json::from_str::<GraphSpec>(
        r#"{"nodes": [{"id": "a", "type": "task", "timeout": 3}], "edges": []}"#,
    )
    .unwrap_err();
    assert!(error.to_string().contains("timeout"), "{error}");
}
