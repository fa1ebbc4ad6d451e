//! The settings of a project: resolves them for a command, or fails with every problem.

use crate::cli::{LimitArgs, RunArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::settings::{Flags, Settings, Sources};

/// Resolves the settings in effect.
pub fn settings(cx: &Context, flags: &Flags) -> Result<Settings, Failure> {
    let user = cx.user_settings_file();
    let project = cx.settings_file();
    let sources =
        Sources { user: user.as_deref(), project: &project, project_root: &cx.root, env: &cx.env };
    Settings::resolve(sources, flags)
        .map_err(|problems| Failure::problems("the settings are not valid", &problems))
}

impl LimitArgs {
    /// The settings that these flags set.
    pub fn flags(&self, flags: &mut Flags) {
        flags.set("budget.usd", self.max_cost, "--max-cost");
        flags.set("budget.tokens", self.max_tokens, "--max-tokens");
        flags.set("budget.calls", self.max_calls, "--max-calls");
        flags.set("budget.turns", self.max_turns, "--max-turns");
        flags.set("budget.time_s", self.max_time.map(|time| time.as_secs()), "--max-time");
    }
}

impl RunArgs {
    /// The settings that these flags set.
    pub fn flags(&self) -> Flags {
        let mut flags = Flags::default();
        flags.set_if(self.research, "run.mode", "research", "--research");
        flags.set_if(self.auto, "run.mode", "auto", "--auto");
        flags.set_if(self.silent, "run.mode", "silent", "--silent");
        flags.set("sandbox.mode", self.sandbox.as_ref(), "--sandbox");
        flags.set_if(self.full, "run.full", "true", "--full");
        flags.set_if(self.no_clarify, "run.no_clarify", "true", "--no-clarify");
        flags.set_if(self.keep_failed, "run.keep_failed", "true", "--keep-failed");
        flags.set("run.max_parallel", self.max_parallel, "--max-parallel");
        self.models.flags(&mut flags);
        self.limits.flags(&mut flags);
        flags
    }
}
