use super::*;

#[test]
fn spending_is_added_up_by_role_model_and_node() {
    check_json(
        project::<Spending>(&a_run()),
        expect![[r#"
        {
          "total": {
            "calls": 3,
            "local_calls": 2,
            "scripted_calls": 0,
            "usage": {
              "input": 300,
              "cached_input": 120,
              "output": 30,
              "estimated": false
            },
            "usd": 0.75,
            "latency_ms": 600
          },
          "by_role": {
            "planner": {
              "calls": 1,
              "local_calls": 0,
              "scripted_calls": 0,
              "usage": {
                "input": 100,
                "cached_input": 40,
                "output": 10,
                "estimated": false
              },
              "usd": 0.25,
              "latency_ms": 200
            },
            "coder": {
              "calls": 1,
              "local_calls": 1,
              "scripted_calls": 0,
              "usage": {
                "input": 100,
                "cached_input": 40,
                "output": 10,
                "estimated": false
              },
              "usd": 0.25,
              "latency_ms": 200
            },
            "debugger": {
              "calls": 1,
              "local_calls": 1,
              "scripted_calls": 0,
              "usage": {
                "input": 100,
                "cached_input": 40,
                "output": 10,
                "estimated": false
              },
              "usd": 0.25,
              "latency_ms": 200
            }
          },
          "by_model": {
            "big": {
              "calls": 1,
              "local_calls": 0,
              "scripted_calls": 0,
              "usage": {
                "input": 100,
                "cached_input": 40,
                "output": 10,
                "estimated": false
              },
              "usd": 0.25,
              "latency_ms": 200
            },
            "small": {
              "calls": 2,
              "local_calls": 2,
              "scripted_calls": 0,
              "usage": {
                "input": 200,
                "cached_input": 80,
                "output": 20,
                "estimated": false
              },
              "usd": 0.5,
              "latency_ms": 400
            }
          },
          "by_node": {
            "@plan": {
              "calls": 1,
              "local_calls": 0,
              "scripted_calls": 0,
              "usage": {
                "input": 100,
                "cached_input": 40,
                "output": 10,
                "estimated": false
              },
              "usd": 0.25,
              "latency_ms": 200
            },
            "a": {
              "calls": 2,
              "local_calls": 2,
              "scripted_calls": 0,
              "usage": {
                "input": 200,
                "cached_input": 80,
                "output": 20,
                "estimated": false
              },
              "usd": 0.5,
              "latency_ms": 400
            }
          },
          "n_failed_tries": 0,
          "n_failed_calls": 0
        }"#]],
    );
}
