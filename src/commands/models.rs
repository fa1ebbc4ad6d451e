//! `sage models`: what is configured, and whether it answers.

use sage_core::AgentRole;
use sage_model::{ModelFacts, ModelsConfig};
use serde_json::{Value, json};

use crate::app::{self, Models};
use crate::cli::{ConfigShowArgs, ModelsArgs, ModelsCommand};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::settings::{Flags, Settings};
use crate::ui::{Ui, printable, style, table};

/// Runs what was asked for.
pub fn run(args: ModelsArgs, cx: &Context, ui: &Ui) -> Outcome {
    match args.command {
        None => list(&args.list, cx, ui),
        Some(ModelsCommand::List(show)) => list(&show, cx, ui),
        Some(ModelsCommand::Test { name, show }) => test_models(name.as_deref(), &show, cx, ui),
    }
}

fn load(args: &ConfigShowArgs, cx: &Context) -> Result<(Settings, Models), Failure> {
    let mut flags = Flags::default();
    args.models.flags(&mut flags);
    let settings = app::settings(cx, &flags)?;
    let models = app::load_models(cx, &settings, &args.models)?;
    Ok((settings, models))
}

/// Models that a role may use, then those that are only described, each once.
fn names(config: &ModelsConfig) -> Vec<String> {
    let mut names: Vec<String> = config.models_in_use().into_iter().map(str::to_owned).collect();
    for name in config.models().keys() {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn roles_of(config: &ModelsConfig, model: &str) -> Vec<AgentRole> {
    let uses = |route: &sage_model::Route| {
        route.primary == model || route.fallback.as_deref() == Some(model)
    };
    config.routes().filter(|(_, route)| uses(route)).map(|(role, _)| role).collect()
}

fn list(args: &ConfigShowArgs, cx: &Context, ui: &Ui) -> Outcome {
    let (_, models) = load(args, cx)?;
    let config = &models.config;
    if args.output.json {
        for name in names(config) {
            ui.json(&to_json(config, &name, &config.resolve(&name).facts));
        }
        return Ok(ExitCode::Done);
    }
    let row = |name: String| {
        let facts = config.resolve(&name).facts;
        let roles = roles_of(config, &name);
        let roles = match roles.len() {
            0 => style::faint("not used"),
            n if n == AgentRole::ALL.len() => "all roles".to_owned(),
            _ => roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        };
        vec![
            style::heading(printable(&name)),
            facts.provider.clone(),
            format!("{} tokens", facts.context_tokens),
            price(&facts),
            roles,
        ]
    };
    let rows: Vec<Vec<String>> = names(config).into_iter().map(row).collect();
    table::columns(&rows).iter().for_each(|line| ui.line(line));
    let profiles: Vec<&str> = config.profiles().keys().map(String::as_str).collect();
    let profile = config.profile().map(|name| format!(", in effect: {name}")).unwrap_or_default();
    if !profiles.is_empty() {
        ui.note(format!("profiles: {}{profile}", profiles.join(", ")));
    }
    ui.note(format!("from: {}", models.source));
    Ok(ExitCode::Done)
}

fn price(facts: &ModelFacts) -> String {
    match (facts.price.known, facts.price.input + facts.price.output > 0.0) {
        (false, _) => "price unknown".to_owned(),
        (true, false) => "free".to_owned(),
        (true, true) => {
            format!("${} / ${} per million tokens", facts.price.input, facts.price.output)
        }
    }
}

fn to_json(config: &ModelsConfig, name: &str, facts: &ModelFacts) -> Value {
    json!({
        "model": name,
        "provider": facts.provider,
        "roles": roles_of(config, name),
        "context_tokens": facts.context_tokens,
        "max_output_tokens": facts.max_output_tokens,
        "tool_calling": facts.tool_calling.as_str(),
        "json_schema": facts.json_schema,
        "local": facts.local,
        "scripted": facts.scripted,
        "usd_per_mtok": if facts.price.known {
            json!({ "input": facts.price.input, "cached_input": facts.price.cached_input, "output": facts.price.output })
        } else {
            Value::Null
        },
    })
}

fn test_models(name: Option<&str>, args: &ConfigShowArgs, cx: &Context, ui: &Ui) -> Outcome {
    let (settings, models) = load(args, cx)?;
    let config = &models.config;
    let wanted = match name {
        Some(name) => vec![name.to_owned()],
        None => app::chat_models(config),
    };
    let providers = app::providers(cx, &models)?;
    let limits = app::probe_timeouts(&settings);
    let tests =
        wanted.iter().map(|model| {
            let provider = config.resolve(model).facts.provider;
            let providers = &providers;
            async move {
                sage_model::probe(config, providers, &provider, Some(model), true, limits).await
            }
        });
    let probes = app::block_on(futures_util::future::join_all(tests))?;
    let mut n_answered = 0;
    for (model, probe) in wanted.iter().zip(&probes) {
        let answered = probe.answered == Some(true);
        n_answered += usize::from(answered);
        let error = probe.error.as_ref().map(|(_, message)| message.clone());
        if args.output.json {
            ui.json(&json!({
                "model": model,
                "provider": probe.provider,
                "endpoint": probe.endpoint,
                "ok": answered,
                "reachable": probe.reachable,
                "present": probe.model_present,
                "latency_ms": probe.latency_ms,
                "error": error,
            }));
        } else if answered {
            let took = style::faint(format!("({}, {} ms)", probe.provider, probe.latency_ms));
            ui.line(format!("{} {} {took}", style::good("ok"), printable(model)));
        } else {
            let error = error.unwrap_or_else(|| "it did not answer".to_owned());
            let at = if probe.endpoint.is_empty() {
                String::new()
            } else {
                format!(" at {}", probe.endpoint)
            };
            ui.line(format!(
                "{} {} ({}{at}): {}",
                style::error("failed"),
                printable(model),
                probe.provider,
                printable(&error)
            ));
        }
    }
    if n_answered == wanted.len() {
        return Ok(ExitCode::Done);
    }
    if n_answered == 0 {
        // The lines above say what is wrong with each; the code says what it means.
        let messages: Vec<String> = probes
            .iter()
            .filter_map(|probe| probe.error.as_ref())
            .map(|(_, text)| text.clone())
            .collect();
        let hint =
            crate::hints::for_error(sage_core::ErrorKind::ModelUnavailable, &messages.join("; "));
        hint.iter().for_each(|hint| ui.hint(hint));
        return Ok(ExitCode::ModelUnavailable);
    }
    Ok(ExitCode::Failed)
}
