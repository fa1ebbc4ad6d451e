//! Views of a run: each is a fold over its events and nothing else, so deleting every view loses
//! nothing and a live display, a finished run and a resumed one are read by the same code.
//!
//! A view's numbers are exactly what the events say. What the log does not know stays absent.

use sage_core::Event;

/// Folds a run's events into a view.
pub trait Projection: Default {
    /// What comes out.
    type View;

    /// Takes the next event. Events come in the order of the log.
    fn apply(&mut self, event: &Event);

    /// The view of everything applied so far.
    fn view(&self) -> Self::View;
}

/// The view of a whole list of events.
pub fn project<'a, P: Projection>(events: impl IntoIterator<Item = &'a Event>) -> P::View {
    let mut projection = P::default();
    for event in events {
        projection.apply(event);
    }
    projection.view()
}
