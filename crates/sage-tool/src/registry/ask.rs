//! Holding a call against the policy, and asking the person where the policy says so.
//!
//! An answer is an event before it has an effect, so that a later process does not ask again. Where
//! nobody is there to answer, the answer is no, with the flag that would have made it a yes.

use sage_core::{ApprovalScope, CallId, Decider, HumanEvent, Shown, ToolRequest};

use crate::call::{Intent, ToolCx};
use crate::change::{self, FileEdit, Loss};
use crate::edits::Overwrite;
use crate::error::{Error, Result};
use crate::policy::{Access, Doubt, Finding, Say, remembering};
use crate::sandbox::Network;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// It may happen.
    Yes {
        /// Also where files lose most of what they hold.
        may_remove: bool,
    },
    /// It may not, and why: the first line for people, the rest for the model.
    No(String),
}

const INSTEAD_OF_COMMAND: &str = "Reach the goal without it: files are changed with the edit tools, \
    and commands that only read or test are allowed. If it cannot be done, finish and say what is missing.";
const INSTEAD_OF_PATH: &str = "Work with the other files. If it cannot be done without this one, finish \
    and say what is missing.";
const INSTEAD_OF_REMOVAL: &str = "Change only the part that is meant, by search and replace. A file that \
    shall really go, or be written anew, must be named by the plan's target_files, and a whole file needs \
    `overwrite: true`.";

/// Something that needs approval, and why.
struct Asked {
    doubt: Doubt,
    because: String,
}

/// What policy, or the person it asks, says against a command. A command that was let through before it
/// was interrupted is not asked about again.
pub(crate) async fn ask_policy(
    cx: &ToolCx,
    call: &CallId,
    tool: &str,
    command: &str,
    was_allowed: bool,
) -> Result<Option<String>> {
    let judgement = cx.policy.judge_command(tool, command, cx.workspace.root());
    match judgement.say {
        Say::Allow => return Ok(None),
        Say::Deny => return Ok(Some(denied(&judgement.because, INSTEAD_OF_COMMAND))),
        Say::Ask if was_allowed => return Ok(None),
        Say::Ask => {}
    }
    let parts = judgement.parts.iter().filter(|part| part.finding.say == Say::Ask);
    let shown = Shown::Command {
        parts: parts.map(|part| part.part.clone()).collect(),
        folder: cx.workspace.root().display().to_string(),
        network: network_in_words(cx),
    };
    let asked = judgement
        .parts
        .iter()
        .filter_map(|part| {
            let because = part.finding.because.clone();
            Some(Asked { doubt: part.doubt.clone()?, because })
        })
        .collect();
    ask(cx, call, tool, command, asked, shown, INSTEAD_OF_COMMAND).await
}

/// What policy, or the person it asks, says about the files that a call touches.
pub(super) async fn ask_about_files(
    cx: &ToolCx,
    call: &CallId,
    tool: &str,
    intent: &Intent,
    edits: Option<(&[FileEdit], Overwrite)>,
    was_allowed: bool,
) -> Result<Passed> {
    // What was begun is brought to its end: half an edit helps nobody.
    if was_allowed {
        return Ok(Passed::Yes { may_remove: true });
    }
    let mut asked = Vec::new();
    let named = touched(cx, intent);
    for (path, access) in &named {
        let (path, access) = (path.as_str(), *access);
        let finding = cx.policy.judge_path(tool, path, access);
        match finding.say {
            Say::Allow => {}
            Say::Deny => return Ok(Passed::No(denied(&finding.because, INSTEAD_OF_PATH))),
            Say::Ask => asked.push(asked_about(path, access, finding)),
        }
    }
    if intent.command.is_none() && named.is_empty() && edits.is_none() {
        let finding = cx.policy.judge_tool(tool);
        match finding.say {
            Say::Allow => {}
            Say::Deny => return Ok(Passed::No(denied(&finding.because, INSTEAD_OF_PATH))),
            Say::Ask => {
                asked.push(Asked { doubt: Doubt::of_tool(tool), because: finding.because });
            }
        }
    }
    let Some((edits, overwrite)) = edits else {
        let refused =
            ask(cx, call, tool, &intent.summary, asked, Shown::Nothing, INSTEAD_OF_PATH).await?;
        return Ok(passed(refused, false));
    };
    let Some(preview) = change::preview(&cx.workspace, edits, overwrite) else {
        // Edits that do not apply change nothing, and the tool says why.
        return Ok(Passed::Yes { may_remove: false });
    };
    // An edit that names no file is placed by what it searches for.
    for path in preview.paths.iter().filter(|path| !named.iter().any(|(named, _)| named == *path)) {
        let finding = cx.policy.judge_path(tool, path, Access::Write);
        match finding.say {
            Say::Allow => {}
            Say::Deny => return Ok(Passed::No(denied(&finding.because, INSTEAD_OF_PATH))),
            Say::Ask => asked.push(asked_about(path, Access::Write, finding)),
        }
    }
    let n_others = asked.len();
    for loss in &preview.losses {
        let finding = cx.policy.judge_removal(tool, &loss.path, &format!("this {}", loss.how));
        match finding.say {
            Say::Allow => {}
            Say::Deny => return Ok(Passed::No(denied(&finding.because, INSTEAD_OF_PATH))),
            Say::Ask if finding.rule.is_none() && is_settled(cx, loss) => {}
            Say::Ask => asked.push(asked_about(&loss.path, Access::Remove, finding)),
        }
    }
    if let Some(how) = &preview.too_many {
        let paths: Vec<&str> =
            intent.writes.iter().chain(&intent.removes).map(String::as_str).collect();
        let doubt = Doubt { key: format!("many:{}", paths.join(",")), flag: None, rule: None };
        asked.push(Asked { doubt, because: format!("this {how}") });
    }
    let instead = if asked.len() > n_others { INSTEAD_OF_REMOVAL } else { INSTEAD_OF_PATH };
    let shown = Shown::Edit { diff: preview.diff };
    let refused = ask(cx, call, tool, &intent.summary, asked, shown, instead).await?;
    Ok(passed(refused, !preview.losses.is_empty()))
}

fn passed(refused: Option<String>, may_remove: bool) -> Passed {
    refused.map_or(Passed::Yes { may_remove }, Passed::No)
}

/// Where nobody can be asked, the approved plan has answered for the files that it names, if the call
/// says outright what it does to them.
fn is_settled(cx: &ToolCx, loss: &Loss) -> bool {
    !cx.interaction.is_attended() && loss.is_outright && cx.grant.paths.names(&loss.path)
}

fn asked_about(path: &str, access: Access, finding: Finding) -> Asked {
    Asked { doubt: Doubt::of_tool_path(path, access), because: finding.because }
}

/// The paths of a call, as far as they can be found; what is malformed is told by the tool itself.
fn touched(cx: &ToolCx, intent: &Intent) -> Vec<(String, Access)> {
    let found = |path: &String, access| {
        let path = match access {
            Access::Remove => cx.workspace.resolve_entry(path),
            _ => cx.workspace.resolve(path),
        };
        path.ok().map(|path| (path.as_str().to_owned(), access))
    };
    let reads = intent.reads.iter().filter_map(|path| found(path, Access::Read));
    let writes = intent.writes.iter().filter_map(|path| found(path, Access::Write));
    let removes = intent.removes.iter().filter_map(|path| found(path, Access::Remove));
    reads.chain(writes).chain(removes).collect()
}

/// What a command may reach.
fn network_in_words(cx: &ToolCx) -> String {
    match &cx.grant.network {
        Network::Off => "none".to_owned(),
        Network::Hosts(hosts) => hosts.join(", "),
        Network::All => "everything the machine reaches".to_owned(),
    }
}

fn denied(because: &str, instead: &str) -> String {
    format!("policy: {because}\n{instead}")
}

/// Asks, unless it was answered before. The text says why not.
async fn ask(
    cx: &ToolCx,
    call: &CallId,
    tool: &str,
    what: &str,
    asked: Vec<Asked>,
    shown: Shown,
    instead: &str,
) -> Result<Option<String>> {
    if asked.is_empty() {
        return Ok(None);
    }
    let mut keys: Vec<String> = asked.iter().map(|one| one.doubt.key.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    let because = in_one(asked.iter().map(|one| one.because.as_str()));
    let refused = |allowed: bool, by: Option<Decider>| {
        (!allowed).then(|| refusal(&asked, &because, by, instead))
    };
    // One question at a time: the answer to another task's may answer this one too.
    let _asking = tokio::select! {
        biased;
        () = cx.cancel.cancelled() => return Err(Error::Cancelled),
        asking = cx.approvals.asking.lock() => asking,
    };
    if let Some(allowed) = cx.approvals.answer(Some(call), &keys) {
        return Ok(refused(allowed, None));
    }
    let project = cx.policy.project();
    let by_rules = project.map(|project| {
        let because = format!("approved for good when {} asked: {because}", call.node);
        remembering(asked.iter().map(|one| &one.doubt), project, &because)
    });
    let request = ToolRequest {
        node: call.node.clone(),
        tool: tool.to_owned(),
        what: what.to_owned(),
        because: because.clone(),
        shown,
        remember: by_rules.unwrap_or_default(),
    };
    let approval = tokio::select! {
        biased;
        () = cx.cancel.cancelled() => return Err(Error::Cancelled),
        approval = cx.interaction.approve_tool(request) => approval,
    };
    let scope = if approval.allowed { approval.scope } else { ApprovalScope::Once };
    let event = HumanEvent::ToolReviewed {
        node: call.node.clone(),
        tool: tool.to_owned(),
        what: crate::journal::one_line(what),
        allowed: approval.allowed,
        by: approval.by,
        call: Some(call.clone()),
        rule: crate::journal::one_line(&because),
        scope,
        keys,
    };
    cx.approvals.note(&event);
    cx.recorder.emit(event.into())?;
    Ok(refused(approval.allowed, Some(approval.by)))
}

fn refusal(asked: &[Asked], because: &str, by: Option<Decider>, instead: &str) -> String {
    let flags: Option<Vec<String>> = asked
        .iter()
        .map(|one| Some(format!("--allow {}", quoted(one.doubt.flag.as_ref()?))))
        .collect();
    let mut flags = flags.unwrap_or_default();
    flags.dedup();
    match by {
        Some(Decider::Person) | None => format!("not approved: {because}\n{instead}"),
        Some(_) if flags.is_empty() => {
            format!("not approved: nobody is there to ask, and {because}\n{instead}")
        }
        Some(_) => {
            let flags = flags.join(" ");
            format!(
                "not approved: nobody is there to ask (`{flags}` would allow it): {because}\n{instead}"
            )
        }
    }
}

fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./=:@%+,".contains(c);
    match text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn in_one<'a>(reasons: impl Iterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = Vec::new();
    for reason in reasons {
        if !all.contains(&reason) {
            all.push(reason);
        }
    }
    all.join("; ")
}
