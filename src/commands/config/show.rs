//! `sage config show`: every setting and the routing of each role, with where they come from.

use sage_model::{Route, Trigger};
use serde_json::{Value, json};

use crate::app::{self, Models};
use crate::cli::ConfigShowArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Outcome;
use crate::settings::{Flags, Settings, Source};
use crate::ui::{Ui, style, table};

/// Prints it.
pub fn run(args: &ConfigShowArgs, cx: &Context, ui: &Ui) -> Outcome {
    let mut flags = Flags::default();
    args.models.flags(&mut flags);
    let settings = app::settings(cx, &flags)?;
    let models = app::load_models(cx, &settings, &args.models)?;
    if args.output.json {
        ui.json(&to_json(&settings, &models));
    } else {
        print(&settings, &models, ui);
    }
    Ok(ExitCode::Done)
}

fn to_json(settings: &Settings, models: &Models) -> Value {
    let setting = |resolved: &crate::settings::Resolved| {
        json!({
            "key": resolved.setting.key,
            "value": resolved.value.to_json(),
            "source": resolved.source.to_string(),
            "default": resolved.source == Source::Default,
            "env": resolved.setting.env,
        })
    };
    let route = |route: &Route| {
        json!({
            "primary": route.primary,
            "fallback": route.fallback,
            "fallback_triggers": route.fallback_triggers.iter().map(Trigger::as_str).collect::<Vec<_>>(),
        })
    };
    let routes: serde_json::Map<String, Value> =
        models.config.routes().map(|(role, of)| (role.to_string(), route(of))).collect();
    json!({
        "settings": settings.iter().map(setting).collect::<Vec<_>>(),
        "models": {
            "source": models.source.to_string(),
            "profile": models.config.profile(),
            "profiles": models.config.profiles().keys().collect::<Vec<_>>(),
            "routing": routes,
        },
    })
}

fn print(settings: &Settings, models: &Models, ui: &Ui) {
    ui.line(style::heading("Settings"));
    let row = |resolved: &crate::settings::Resolved| {
        let source = match resolved.source {
            Source::Default => style::faint("default"),
            ref source => style::hint(source),
        };
        vec![format!("  {}", resolved.setting.key), resolved.value.to_string(), source]
    };
    table::columns(&settings.iter().map(row).collect::<Vec<_>>())
        .iter()
        .for_each(|line| ui.line(line));
    ui.line("");
    let profile =
        models.config.profile().map(|name| format!(", profile `{name}`")).unwrap_or_default();
    ui.line(format!("{} {}{profile}", style::heading("Models"), style::hint(&models.source)));
    let row = |(role, route): (sage_core::AgentRole, &Route)| {
        let triggers: Vec<&str> = route.fallback_triggers.iter().map(Trigger::as_str).collect();
        let when = if triggers.is_empty() {
            String::new()
        } else {
            format!("when {}", triggers.join(" or "))
        };
        let fallback =
            route.fallback.as_ref().map(|model| format!("else {model}")).unwrap_or_default();
        vec![format!("  {role}"), route.primary.clone(), fallback, when]
    };
    table::columns(&models.config.routes().map(row).collect::<Vec<_>>())
        .iter()
        .for_each(|line| ui.line(line));
}
