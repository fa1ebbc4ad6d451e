//! Providers, limits, policy and redaction, made from settings and environment.

use std::time::Duration;

use sage_core::Clock;
use sage_log::Redactor;
use sage_model::{CallTimeouts, ProviderSet, RouterOptions};
use sage_tool::{Policy, ProcessLimits};

use super::{Models, SystemClock};
use crate::context::Context;
use crate::failure::Failure;
use crate::policy_file;
use crate::settings::Settings;

/// The providers of these models, with keys from the environment.
pub fn providers(cx: &Context, models: &Models) -> sage_model::Result<ProviderSet> {
    let keys = |name: &str| cx.env.get(name).map(str::to_owned);
    ProviderSet::new(&models.config, &keys)
}

/// How the router behaves.
pub fn router_options(settings: &Settings) -> RouterOptions {
    let clock: std::sync::Arc<dyn Clock> = std::sync::Arc::new(SystemClock);
    RouterOptions { limits: call_timeouts(settings), ..RouterOptions::new(clock) }
}

fn call_timeouts(settings: &Settings) -> CallTimeouts {
    CallTimeouts {
        connect: settings.connect_timeout(),
        first_token: settings.first_token_timeout(),
        silence: settings.silence_timeout(),
        whole: settings.call_timeout(),
    }
}

/// Time limits of a probe: a person waits for it.
pub fn probe_timeouts(settings: &Settings) -> CallTimeouts {
    const CONNECT: Duration = Duration::from_secs(3);
    const WHOLE: Duration = Duration::from_secs(30);
    let usual = call_timeouts(settings);
    CallTimeouts {
        connect: usual.connect.min(CONNECT),
        first_token: usual.first_token.min(WHOLE),
        silence: usual.silence.min(WHOLE),
        whole: usual.whole.min(WHOLE),
    }
}

/// Bounds for commands.
pub fn process_limits(settings: &Settings) -> ProcessLimits {
    ProcessLimits {
        timeout: settings.command_timeout(),
        max_timeout: settings.max_command_timeout().max(settings.command_timeout()),
        max_output_bytes: settings.max_output_bytes(),
    }
}

/// What tools may do; `rules` are those of flags.
pub fn policy(cx: &Context, rules: &[String]) -> Result<Policy, Failure> {
    policy_file::policy(cx, rules)
}

/// Takes secrets out of logs: values of variables whose names look secret, and the keys of providers
/// whatever their variables are called.
pub fn redactor(cx: &Context, models: &Models) -> Redactor {
    let providers = models.config.providers().values();
    let keys = providers.filter_map(|provider| provider.api_key_env.as_deref());
    let keys = keys.filter_map(|name| cx.env.get(name)).map(|key| key.trim().to_owned());
    Redactor::new(cx.env.secret_values().into_iter().chain(keys))
}
