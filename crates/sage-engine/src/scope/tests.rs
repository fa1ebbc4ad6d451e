use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::sleep;

use super::*;

/// Counts how many are alive.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn forever(alive: Alive) {
    std::future::pending::<()>().await;
    drop(alive);
}

#[tokio::test(start_paused = true)]
async fn join_waits_for_every_task_and_names_those_that_panicked() {
    let mut scope = TaskScope::new(&CancellationToken::new());
    let ended = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        let ended = Arc::clone(&ended);
        scope.spawn("worker", OnCancel::Finish, async move {
            sleep(Duration::from_secs(1)).await;
            ended.fetch_add(1, Ordering::SeqCst);
        });
    }
    scope.spawn("clumsy", OnCancel::Finish, async { panic!("dropped the {}", "tray") });
    let panics = scope.join().await.unwrap_err();
    assert_eq!(ended.load(Ordering::SeqCst), 3);
    assert_eq!(
        panics,
        [TaskPanic { task: "clumsy".to_owned(), message: "dropped the tray".to_owned() }]
    );
}

#[tokio::test(start_paused = true)]
async fn cancelling_drops_tasks_that_may_be_aborted_and_lets_the_others_finish() {
    let parent = CancellationToken::new();
    let mut scope = TaskScope::new(&parent);
    let alive = Arc::new(AtomicUsize::new(0));
    scope.spawn("waits", OnCancel::Abort, forever(Alive::new(&alive)));
    let token = scope.token().clone();
    let last_words = Arc::new(AtomicUsize::new(0));
    let said = Arc::clone(&last_words);
    scope.spawn("tidies up", OnCancel::Finish, async move {
        token.cancelled().await;
        sleep(Duration::from_secs(5)).await;
        said.store(1, Ordering::SeqCst);
    });
    parent.cancel();
    scope.join().await.unwrap();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    assert_eq!(last_words.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ignores_the_cancellation_is_aborted_after_the_grace() {
    let mut scope = TaskScope::new(&CancellationToken::new());
    let alive = Arc::new(AtomicUsize::new(0));
    scope.spawn("stubborn", OnCancel::Finish, forever(Alive::new(&alive)));
    let begun = tokio::time::Instant::now();
    scope.end_within(Duration::from_secs(3)).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_scope_aborts_what_is_left() {
    let alive = Arc::new(AtomicUsize::new(0));
    let mut scope = TaskScope::new(&CancellationToken::new());
    scope.spawn("waits", OnCancel::Finish, forever(Alive::new(&alive)));
    drop(scope);
    while alive.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
}
