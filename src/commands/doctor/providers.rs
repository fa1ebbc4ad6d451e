//! Whether the models that are configured can be reached.

use std::collections::BTreeMap;

use sage_model::{CallTimeouts, ModelsConfig, Probe, ProviderSet};

use super::{Check, Severity};
use crate::app::{self, Models};
use crate::cli::DoctorArgs;
use crate::context::Context;
use crate::settings::Flags;

/// Checks every provider that a role uses, side by side; with `--deep` every model as well.
pub async fn check(args: &DoctorArgs, cx: &Context) -> Vec<Check> {
    let mut flags = Flags::default();
    args.models.flags(&mut flags);
    let loaded = app::settings(cx, &flags).and_then(|settings| {
        let models = app::load_models(cx, &settings, &args.models)?;
        let providers = app::providers(cx, &models)?;
        Ok((settings, models, providers))
    });
    let (settings, models, providers) = match loaded {
        Ok(loaded) => loaded,
        Err(failure) => {
            let detail = format!("{:#}", failure.error).replace('\n', "; ");
            let next_step = failure
                .hint
                .unwrap_or_else(|| "`sage config validate` names what is wrong".to_owned());
            return vec![Check::failed("models", Severity::Critical, detail, next_step)];
        }
    };
    let limits = app::probe_timeouts(&settings);
    let mut checks =
        vec![Check::ok("models", Severity::Critical, format!("from {}", models.source))];
    let by_provider = models_by_provider(&models.config);
    let probes = by_provider.iter().map(|(provider, names)| {
        probe_provider(&models.config, &providers, provider, names, args.deep, limits)
    });
    let probes: Vec<Vec<(String, Probe)>> = futures_util::future::join_all(probes).await;
    let mut any_usable = false;
    for ((provider, _), probes) in by_provider.iter().zip(probes) {
        let (of_provider, usable) = findings(provider, &probes, args.deep, &models);
        any_usable |= usable;
        checks.extend(of_provider);
    }
    if !any_usable {
        checks.push(Check::failed(
            "any_model",
            Severity::Optional,
            "no configured model can be used",
            "set OPENAI_API_KEY, or start Ollama (`ollama serve`, then `ollama pull MODEL`), or name your server in \
             `.sage/models.yaml`; `sage demo` works without a model",
        ));
    }
    checks
}

/// The models in use by who serves them.
fn models_by_provider(config: &ModelsConfig) -> BTreeMap<String, Vec<String>> {
    let mut by_provider: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in app::chat_models(config) {
        by_provider.entry(config.resolve(&name).facts.provider).or_default().push(name);
    }
    by_provider
}

async fn probe_provider(
    config: &ModelsConfig,
    providers: &ProviderSet,
    provider: &str,
    names: &[String],
    deep: bool,
    limits: CallTimeouts,
) -> Vec<(String, Probe)> {
    let probe = |name: &String| {
        let name = name.clone();
        async move {
            let probe =
                sage_model::probe(config, providers, provider, Some(&name), deep, limits).await;
            (name, probe)
        }
    };
    if deep {
        return futures_util::future::join_all(names.iter().map(probe)).await;
    }
    // The list of models is the same whichever is asked about: ask once.
    let Some(first) = names.first() else { return Vec::new() };
    let (_, found) = probe(first).await;
    let for_name = |name: &String| {
        let mut found = found.clone();
        let bare = config.resolve(name).facts.model;
        found.model_present = found.models.as_ref().map(|models| {
            models
                .iter()
                .any(|known| *known == bare || known.strip_suffix(":latest") == Some(bare.as_str()))
        });
        (name.clone(), found)
    };
    names.iter().map(for_name).collect()
}

/// What the probes of one provider say, and whether some model of it can be used.
fn findings(
    provider: &str,
    probes: &[(String, Probe)],
    deep: bool,
    models: &Models,
) -> (Vec<Check>, bool) {
    let name = format!("provider {provider}");
    let Some((_, first)) = probes.first() else { return (Vec::new(), false) };
    let at = if first.endpoint.is_empty() { "a script".to_owned() } else { first.endpoint.clone() };
    if let (Some((_, message)), false) = (&first.error, deep && first.reachable) {
        let next_step = next_step(provider, message, models);
        return (
            vec![Check::failed(name, Severity::Optional, format!("{at}: {message}"), next_step)],
            false,
        );
    }
    let mut checks = vec![Check::ok(
        name,
        Severity::Optional,
        format!("{at} answers in {} ms", first.latency_ms),
    )];
    let mut usable = false;
    for (model, probe) in probes {
        let name = format!("model {model}");
        let check = match (&probe.error, probe.model_present, probe.answered) {
            (Some((_, message)), ..) => Check::failed(
                name,
                Severity::Optional,
                message,
                next_step(provider, message, models),
            ),
            (None, _, Some(true)) => {
                Check::ok(name, Severity::Optional, format!("answered in {} ms", probe.latency_ms))
            }
            (None, Some(false), _) => Check::failed(
                name,
                Severity::Optional,
                format!("{provider} does not have it"),
                missing(provider, model, models),
            ),
            (None, Some(true), _) => Check::ok(name, Severity::Optional, "there"),
            (None, None, _) => {
                Check::ok(name, Severity::Optional, "not listed by the provider; `--deep` asks it")
            }
        };
        usable |= check.ok;
        checks.push(check);
    }
    (checks, usable)
}

fn is_ollama(provider: &str, models: &Models) -> bool {
    let kind = models.config.providers().get(provider).map(|provider| provider.kind);
    kind == Some(sage_model::ProviderKind::Ollama)
}

fn missing(provider: &str, model: &str, models: &Models) -> String {
    if is_ollama(provider, models) {
        format!("`ollama pull {}`", models.config.resolve(model).facts.model)
    } else {
        "`sage config set --role ROLE --primary MODEL` chooses another".to_owned()
    }
}

fn next_step(provider: &str, message: &str, models: &Models) -> String {
    let config = models.config.providers().get(provider);
    let key = config.and_then(|config| config.api_key_env.as_deref());
    let is_about_key = ["key", "401", "403"].iter().any(|word| message.contains(word));
    match key {
        Some(key) if is_about_key => format!("`export {key}=` with a valid key"),
        _ if is_ollama(provider, models) => "start it with `ollama serve`".to_owned(),
        _ => format!(
            "check the address of `{provider}` in the models file, and that the server runs"
        ),
    }
}
