//! `sage runs show RUN --context`: what each prompt of a run was made of.

use std::collections::BTreeMap;

use sage_core::{CallId, ContextUse, EventKind, ModelEvent, Usage};
use serde_json::json;

use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Outcome;
use crate::history;
use crate::ui::{Ui, style, table};

/// Prints a line per model call, as we counted it, with what the provider counted.
pub fn run(wanted: &str, json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let opened = history::open(cx, wanted)?;
    let mut counted: BTreeMap<CallId, Usage> = BTreeMap::new();
    for event in &opened.events {
        if let EventKind::Model(ModelEvent::Answered { call, usage, .. }) = &event.kind {
            counted.insert(call.clone(), *usage);
        }
    }
    let mut rows = vec![heading()];
    let mut n_unknown = 0;
    for event in &opened.events {
        let EventKind::Model(ModelEvent::Called { call, role, context, .. }) = &event.kind else {
            continue;
        };
        let Some(context) = context else {
            n_unknown += 1;
            continue;
        };
        let usage = counted.get(call);
        if json {
            ui.json(&json!({
                "call": call, "role": role, "context": context, "prompt": context.prompt(),
                "usage": usage,
            }));
        } else {
            rows.push(row(call, role.as_str(), context, usage));
        }
    }
    if rows.len() > 1 {
        table::columns(&rows).iter().for_each(|line| ui.line(line));
    }
    if n_unknown > 0 {
        ui.note(format!("{n_unknown} model calls were logged before prompts were accounted for"));
    } else if rows.len() == 1 && !json {
        ui.note("the run made no model call");
    }
    Ok(ExitCode::Done)
}

fn heading() -> Vec<String> {
    let sections = ContextUse::SECTIONS.into_iter();
    let names = ["call", "role"].into_iter().chain(sections).chain([
        "prompt",
        "counted",
        "of window",
        "cut",
    ]);
    names.map(style::heading).collect()
}

fn row(call: &CallId, role: &str, context: &ContextUse, usage: Option<&Usage>) -> Vec<String> {
    let mut row = vec![call.to_string(), role.to_owned()];
    row.extend(context.sections().map(|n| n.to_string()));
    row.push(context.prompt().to_string());
    let of_provider = usage.filter(|usage| !usage.estimated);
    row.push(of_provider.map_or_else(|| "-".to_owned(), |usage| usage.input.to_string()));
    row.push(format!("{} %", share(of_provider.map_or(context.prompt(), |u| u.input), context)));
    row.push(if context.cut > 0 { context.cut.to_string() } else { String::new() });
    row
}

fn share(prompt: u64, context: &ContextUse) -> u64 {
    prompt.saturating_mul(100).div_ceil(context.window.max(1))
}
