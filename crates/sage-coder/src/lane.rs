//! Lanes: copies of the work tree in which tasks that may write the same files work side by side.
//!
//! A lane is made from the tree as it is when its task begins, the person's uncommitted work included,
//! and is a git work tree of its own (detached, registered, without hooks) where the project has git.
//! What a task does there is logged as `workspace.lane_changed`; only merging ([`crate::task`]) changes
//! the person's files. A lane is a view: were it gone, the log and the snapshot store could make it again.
//!
//! Lanes lie outside the project, because test runners and build tools look for tests below the
//! project and for its root above themselves.

mod place;
mod record;
mod turns;

pub(crate) use place::{clear_old, enter, is_open, linked, remove, remove_all};
pub(crate) use record::LaneRecorder;
pub use turns::LaneStep;
pub(crate) use turns::{Turn, Turns};
