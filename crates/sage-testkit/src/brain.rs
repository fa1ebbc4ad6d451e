//! Who thinks up a fake provider's answers.

mod null;
mod planned;
mod script;
mod task;

pub use null::NullBrain;
pub use planned::{PlannedBrain, Recognise};
pub use script::{Script, When};
pub use task::{FileWrite, PlannedTask, Version};

use std::sync::Arc;

use crate::reply::Reply;
use crate::seen::SeenRequest;

/// Thinks up the answer to a model call. Called from several threads at once.
pub trait Brain: Send + Sync {
    /// The answer to one call.
    fn answer(&self, request: &SeenRequest) -> Reply;
}

impl<F: Fn(&SeenRequest) -> Reply + Send + Sync> Brain for F {
    fn answer(&self, request: &SeenRequest) -> Reply {
        self(request)
    }
}

impl Brain for Arc<dyn Brain> {
    fn answer(&self, request: &SeenRequest) -> Reply {
        (**self).answer(request)
    }
}
