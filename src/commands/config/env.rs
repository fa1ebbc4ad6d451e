//! `sage config env`: the environment variables that matter, and what to set. Secrets are never
//! printed, and nothing is written anywhere.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::app;
use crate::cli::{ConfigEnvArgs, ConfigEnvCommand, ModelArgs};
use crate::context::Context;
use crate::env_vars::{VARIABLES, looks_secret};
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::settings::{Flags, TABLE};
use crate::ui::{Ui, printable, style, table};

/// Runs what was asked for.
pub fn run(args: &ConfigEnvArgs, cx: &Context, ui: &Ui) -> Outcome {
    match &args.command {
        None => show(args.output.json, cx, ui),
        Some(ConfigEnvCommand::Show(output)) => show(output.json, cx, ui),
        Some(ConfigEnvCommand::Setup(output)) => setup(output.json, cx, ui),
    }
}

/// Variables by name with what they do: those of the settings, the others, and the keys that the
/// configured providers name.
fn variables(cx: &Context) -> Result<BTreeMap<String, String>, Failure> {
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    for setting in TABLE {
        if let Some(name) = setting.env {
            variables.insert(name.to_owned(), format!("{} (setting {})", setting.doc, setting.key));
        }
    }
    variables.extend(
        VARIABLES.iter().map(|variable| (variable.name.to_owned(), variable.doc.to_owned())),
    );
    for (name, provider) in keys(cx)? {
        variables.entry(name).or_insert(format!("key of the provider {provider}"));
    }
    Ok(variables)
}

/// Variables that hold the keys of configured providers, with the provider.
fn keys(cx: &Context) -> Result<Vec<(String, String)>, Failure> {
    let settings = app::settings(cx, &Flags::default())?;
    let models = app::load_models(cx, &settings, &ModelArgs::default())?;
    let key = |(name, provider): (&String, &sage_model::ProviderConfig)| {
        Some((provider.api_key_env.clone()?, name.clone()))
    };
    Ok(models.config.providers().iter().filter_map(key).collect())
}

fn show(json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let mut rows = Vec::new();
    for (name, doc) in variables(cx)? {
        let value = cx.env.get(&name).map(|value| masked(&name, value));
        if json {
            ui.json(
                &json!({ "name": name, "set": value.is_some(), "value": value, "meaning": doc }),
            );
        }
        let shown = value.map_or_else(|| style::faint("-"), style::hint);
        rows.push(vec![name, shown, style::faint(doc.replace('`', ""))]);
    }
    if !json {
        table::columns(&rows).iter().for_each(|line| ui.line(line));
        for (name, near) in cx.env.unknown() {
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            ui.warn(format!("nothing reads `{name}`{near}"));
        }
    }
    Ok(ExitCode::Done)
}

/// The value, or how long it is when it may be a secret.
fn masked(name: &str, value: &str) -> String {
    // An address may carry a password.
    if looks_secret(name) || value.contains('@') {
        format!("(set, {} characters)", value.chars().count())
    } else {
        printable(value).into_owned()
    }
}

fn setup(json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let missing: Vec<(String, String)> =
        keys(cx)?.into_iter().filter(|(name, _)| cx.env.get(name).is_none()).collect();
    let settings = app::settings(cx, &Flags::default())?;
    let config = app::load_models(cx, &settings, &ModelArgs::default())?.config;
    let in_use: BTreeSet<String> = app::chat_models(&config)
        .iter()
        .map(|model| config.resolve(model).facts.provider)
        .collect();
    for (name, provider) in &missing {
        let is_used = in_use.contains(provider);
        if json {
            ui.json(&json!({ "name": name, "provider": provider, "used": is_used }));
        } else {
            let used = if is_used { "" } else { ", which no role uses now" };
            ui.line(format!("# key of the provider {provider}{used}"));
            ui.line(format!("export {name}="));
        }
    }
    if !json && missing.is_empty() {
        ui.note(format!("{} every key that the models need is set", style::good("ok")));
    } else if !json {
        ui.hint("add the lines with your keys to your shell's profile; sage stores no keys");
    }
    Ok(ExitCode::Done)
}
