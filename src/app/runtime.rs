//! The async runtime and the wall clock, for the commands that need them.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use sage_core::Clock;

use crate::context::Context;
use crate::failure::Failure;

/// How long leftover blocking work (a read from the terminal) may delay the end of the process.
const SHUTDOWN: Duration = Duration::from_millis(50);

/// Worker threads: waiting needs few, and each costs start-up time and memory.
const WORKERS: usize = 2;

/// Runs a future to its end on a new runtime.
pub fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(|error| Failure::environment("starting the async runtime").because(error))?;
    let output = runtime.block_on(work);
    runtime.shutdown_timeout(SHUTDOWN);
    sage_tool::process::shutdown();
    Ok(output)
}

/// The wall clock of the machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        now_ms()
    }
}

/// Milliseconds since the Unix epoch; 0 on a machine whose clock is before it.
#[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
pub fn now_ms() -> u64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_epoch.map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// Where copies and other temporary files go: `TMPDIR`, else `/tmp`.
pub fn temp_folder(cx: &Context) -> PathBuf {
    let named = cx.env.get("TMPDIR").map(PathBuf::from).filter(|path| path.is_absolute());
    named.unwrap_or_else(|| PathBuf::from("/tmp"))
}
