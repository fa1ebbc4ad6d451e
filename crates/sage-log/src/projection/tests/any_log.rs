//! Whatever a log holds, in whatever order, every view can be made of it.

use proptest::prelude::*;

use super::*;
use crate::describe;

/// One event of each type, as in the documentation.
fn examples() -> Vec<Event> {
    let lines = include_str!("../../describe/example.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every view of the events, written out.
fn all_views(events: &[Event]) -> String {
    let plan =
        json!({"nodes": [{"id": "task_001"}, {"id": "task_002", "dependencies": ["task_001"]}]});
    let system_state = SystemState::new(Some(&plan));
    let views = (
        project::<RunStatus>(events),
        project::<Spending>(events),
        project::<Evidence>(events),
        project::<Files>(events),
        project::<Refusals>(events),
        project::<Outcome>(events),
        project::<Decisions>(events),
        project::<Metrics>(events),
        project::<Handoff>(events),
        project::<TestsWorth>(events),
        project_with(system_state, events),
    );
    serde_json::to_string(&views).unwrap()
}

proptest! {
    #[test]
    fn every_view_can_be_made_of_any_log(
        picks in proptest::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 0..40),
    ) {
        let examples = examples();
        let events: Vec<Event> = picks
            .into_iter()
            .map(|(index, at_ms)| Event { at_ms, ..index.get(&examples).clone() })
            .collect();
        prop_assert!(!all_views(&events).is_empty());
        for event in &events {
            prop_assert!(!describe(event).is_empty());
        }
    }

    #[test]
    fn looking_at_a_view_in_between_changes_nothing(
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let examples = examples();
        let events: Vec<Event> = picks.iter().map(|index| index.get(&examples).clone()).collect();
        let mut metrics = Metrics::default();
        for event in &events {
            metrics.apply(event);
            let _ = metrics.view();
        }
        prop_assert_eq!(metrics.view(), project::<Metrics>(&events));
    }
}
