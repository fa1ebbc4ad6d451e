//! How long this machine's disk takes to make one small write durable: a run waits for that before
//! each of its effects, so its time cannot be judged without it.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;

use super::summary::{Summary, ms};

/// Milliseconds of one `fdatasync` after appending 500 bytes, in `folder`.
pub fn sync_ms(folder: &Path, n_runs: usize) -> anyhow::Result<Summary> {
    let path = folder.join("sync-probe");
    let mut file = File::create(&path).context("creating a file to sync")?;
    let mut times = Vec::new();
    for _ in 0..=n_runs {
        file.write_all(&[b'x'; 500])?;
        let started = Instant::now();
        file.sync_data()?;
        times.push(ms(started.elapsed()));
    }
    std::fs::remove_file(&path)?;
    // The first one also makes the file's name durable.
    times.remove(0);
    Summary::of(times).context("nothing was measured")
}
