//! Who thinks up a fake provider's answers.

mod null;
mod planned;
mod script;

pub use null::NullBrain;
pub use planned::{FileWrite, PlannedBrain, PlannedTask, Recognise, Version};
pub use script::{Script, When};

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
