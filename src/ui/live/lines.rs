//! Turns progress into lines for people: pure, one place for the wording of the live display.

mod worth;

use std::collections::{BTreeMap, BTreeSet};

use sage_core::{
    ATTEMPT_BEFORE, CallId, CheckKind, Effect, Event, EventKind, HumanEvent, ModelEvent, NodeEvent,
    NodeId, NodeOutcome, NodePhase, Progress, RepeatGrade, RunEvent, ToolEvent, WorkspaceEvent,
};

use crate::ui::{Level, printable, style};

/// Longest text of one line that comes from a model or a command.
const MAX_TEXT_CHARS: usize = 200;

/// The state that wording needs: when tasks began, which models were named, half lines of output.
pub struct Lines {
    level: Level,
    explain_routing: bool,
    started_at_ms: BTreeMap<NodeId, u64>,
    named_models: BTreeSet<(NodeId, String)>,
    half_lines: BTreeMap<CallId, String>,
    effects: BTreeMap<CallId, (Effect, String)>,
}

impl Lines {
    pub fn new(level: Level, explain_routing: bool) -> Self {
        Self {
            level,
            explain_routing,
            started_at_ms: BTreeMap::new(),
            named_models: BTreeSet::new(),
            half_lines: BTreeMap::new(),
            effects: BTreeMap::new(),
        }
    }

    /// The lines that this progress is worth at the display's level.
    pub fn on(&mut self, progress: &Progress) -> Vec<String> {
        match progress {
            Progress::Logged(event) => {
                let mut lines = self.finished_output(event);
                if let Some((level, line)) = self.event(event)
                    && self.level >= level
                {
                    lines.push(line);
                }
                lines
            }
            Progress::Text { call, delta } | Progress::Output { call, delta } => {
                if self.level >= Level::Debug { self.output(call, delta) } else { Vec::new() }
            }
            Progress::Plan { drawing, worst_case } if self.level >= Level::Normal => {
                let mut lines: Vec<String> = drawing.lines().map(str::to_owned).collect();
                lines.push(format!("worst case: {worst_case}"));
                lines
            }
            Progress::Notice { node, text } if self.level >= Level::Normal => {
                vec![line_of(node.as_ref(), &short(text))]
            }
            Progress::Plan { .. } | Progress::Notice { .. } => Vec::new(),
        }
    }

    fn event(&mut self, event: &Event) -> Option<(Level, String)> {
        match &event.kind {
            EventKind::Run(run) => run_line(event, run),
            EventKind::Node(node) => self.node_line(event.at_ms, node),
            EventKind::Model(model) => self.model_line(model),
            EventKind::Tool(tool) => self.tool_line(tool),
            EventKind::Human(human) => Some((Level::Verbose, human_line(human))),
            EventKind::Workspace(workspace) => Some(workspace_line(workspace)),
        }
    }

    fn node_line(&mut self, at_ms: u64, event: &NodeEvent) -> Option<(Level, String)> {
        Some(match event {
            NodeEvent::Started { node, attempt } => {
                self.started_at_ms.insert(node.clone(), at_ms);
                let again =
                    if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
                (Level::Normal, line_of(Some(node), &format!("started{again}")))
            }
            NodeEvent::EnteredPhase { node, phase: NodePhase::Repair, round, .. } => {
                (Level::Normal, line_of(Some(node), &style::warning(format!("repair {round}"))))
            }
            NodeEvent::EnteredPhase { node, phase, .. } => {
                (Level::Verbose, line_of(Some(node), &style::faint(phase_name(*phase))))
            }
            NodeEvent::Finished { node, outcome, summary, .. } => {
                let took = self.started_at_ms.get(node).map(|start| at_ms.saturating_sub(*start));
                let took =
                    took.map(|ms| format!(" {}", style::faint(format!("({})", duration(ms)))));
                let (level, word) = match outcome {
                    NodeOutcome::Done => (Level::Normal, style::good("done")),
                    NodeOutcome::Failed => (Level::Quiet, style::error("failed")),
                    NodeOutcome::Interrupted => (Level::Normal, style::warning("interrupted")),
                };
                let summary = if summary.is_empty() {
                    String::new()
                } else {
                    format!(": {}", short(summary))
                };
                (
                    level,
                    line_of(Some(node), &format!("{word}{summary}{}", took.unwrap_or_default())),
                )
            }
            NodeEvent::Skipped { node, because } => {
                let text = format!("{}, because of {because}", style::warning("skipped"));
                (Level::Quiet, line_of(Some(node), &text))
            }
        })
    }

    fn model_line(&mut self, event: &ModelEvent) -> Option<(Level, String)> {
        Some(match event {
            ModelEvent::Routed { call, role, chosen, reason, .. } => {
                let is_new =
                    self.named_models.insert((call.node.clone(), format!("{role} {chosen}")));
                let level =
                    if is_new || self.explain_routing { Level::Normal } else { Level::Verbose };
                let why = if self.explain_routing {
                    format!(": {}", short(reason))
                } else {
                    String::new()
                };
                (
                    level,
                    line_of(
                        Some(&call.node),
                        &format!("{role}: {}{why}", style::hint(short(chosen))),
                    ),
                )
            }
            ModelEvent::Called { .. } => return None,
            ModelEvent::TryFailed { call, model, error, retry_in_ms, .. } => {
                let next = match retry_in_ms {
                    Some(ms) => format!("; again in {}", duration(*ms)),
                    None => "; given up".to_owned(),
                };
                let text =
                    format!("{} {model}: {}{next}", style::warning("no answer:"), short(error));
                (Level::Normal, line_of(Some(&call.node), &text))
            }
            ModelEvent::Answered { call, role, usage, latency_ms, usd, .. } => {
                let cost = if *usd > 0.0 { format!(", ${usd:.4}") } else { String::new() };
                let text = format!(
                    "{role} answered {}",
                    style::faint(format!(
                        "({} tokens in, {} out{cost}, {})",
                        usage.input,
                        usage.output,
                        duration(*latency_ms)
                    ))
                );
                (Level::Verbose, line_of(Some(&call.node), &text))
            }
            ModelEvent::Exceeded { call, reserved_tokens, used_tokens, .. } => {
                let text =
                    format!("the provider counts {used_tokens} tokens, not {reserved_tokens}");
                (Level::Normal, line_of(Some(&call.node), &style::warning(text)))
            }
            ModelEvent::Failed { call, message, .. } => {
                let text = format!("{} {}", style::error("model failed:"), short(message));
                (Level::Normal, line_of(Some(&call.node), &text))
            }
        })
    }

    fn tool_line(&mut self, event: &ToolEvent) -> Option<(Level, String)> {
        Some(match event {
            ToolEvent::Called { call, effect, summary, .. } => {
                self.effects.insert(call.clone(), (*effect, summary.clone()));
                return None;
            }
            ToolEvent::Finished { call, tool, ok, summary, duration_ms, .. } => {
                let (effect, asked) =
                    self.effects.remove(call).unwrap_or((Effect::Read, String::new()));
                // What only steers the conversation, and what the program does for itself, is detail.
                let is_own_step = tool.starts_with("gather:") || tool == sage_tool::CHECK;
                let is_detail = effect == Effect::Control || call.node.is_reserved() || is_own_step;
                let level = if is_detail { Level::Verbose } else { Level::Normal };
                let asked =
                    if asked.is_empty() { String::new() } else { format!(" {}", short(&asked)) };
                let failed = if *ok {
                    String::new()
                } else {
                    format!(" {} {}", style::warning("failed:"), short(summary))
                };
                let took = style::faint(format!("({})", duration(*duration_ms)));
                (
                    level,
                    line_of(
                        Some(&call.node),
                        &format!("{}{asked}{failed} {took}", printable(tool)),
                    ),
                )
            }
            ToolEvent::Repeated { call, summary, n_times, grade, .. } => {
                // A refusal has a line of its own.
                let is_end = *grade == RepeatGrade::Stopped;
                let level = if is_end { Level::Normal } else { Level::Verbose };
                let text = format!("repeats itself: {} ({n_times} times)", short(summary));
                (level, line_of(Some(&call.node), &style::warning(text)))
            }
            ToolEvent::Refused { call, tool, summary, reason, .. } => {
                let text = format!(
                    "{} {} {}: {}",
                    style::warning("refused:"),
                    printable(tool),
                    short(summary),
                    short(reason)
                );
                (Level::Quiet, line_of(Some(&call.node), &text))
            }
        })
    }

    fn output(&mut self, call: &CallId, delta: &str) -> Vec<String> {
        let half = self.half_lines.entry(call.clone()).or_default();
        half.push_str(delta);
        let Some(end) = half.rfind('\n') else {
            // A line without an end must not grow for ever.
            if half.chars().count() > MAX_TEXT_CHARS {
                let line = std::mem::take(half);
                return vec![output_line(call, &line)];
            }
            return Vec::new();
        };
        let whole: String = half.drain(..=end).collect();
        whole.lines().map(|line| output_line(call, line)).collect()
    }

    /// The half line that a call left, when it ends.
    fn finished_output(&mut self, event: &Event) -> Vec<String> {
        let call = match &event.kind {
            EventKind::Model(
                ModelEvent::Answered { call, .. } | ModelEvent::Failed { call, .. },
            )
            | EventKind::Tool(ToolEvent::Finished { call, .. }) => call,
            _ => return Vec::new(),
        };
        let half = self.half_lines.remove(call).filter(|half| !half.is_empty());
        half.map(|half| output_line(call, &half)).into_iter().collect()
    }
}

fn run_line(event: &Event, run: &RunEvent) -> Option<(Level, String)> {
    Some(match run {
        RunEvent::Started { goal, .. } => (
            Level::Normal,
            format!("{} {}", style::faint(format!("run {}", event.run)), short(goal)),
        ),
        RunEvent::Planned { n_tasks, source, notes, .. } => {
            let tasks = if *n_tasks == 1 { "1 task" } else { &format!("{n_tasks} tasks") };
            let mut line = line_of(Some(&NodeId::plan()), &format!("{tasks} (from {source})"));
            for note in notes {
                line.push_str(&format!(
                    "\n{}",
                    line_of(Some(&NodeId::plan()), &format!("note: {}", short(note)))
                ));
            }
            (Level::Normal, line)
        }
        RunEvent::PlanRefused { errors, .. } => {
            let first = errors.first().map(|error| short(error)).unwrap_or_default();
            let text = format!("{} {first}", style::warning("not a valid plan:"));
            (Level::Normal, line_of(Some(&NodeId::plan()), &text))
        }
        RunEvent::Sandboxed { on: true, how } => {
            (Level::Verbose, style::faint(format!("commands are sandboxed by {how}")))
        }
        // The command has warned before.
        RunEvent::Sandboxed { on: false, .. } => return None,
        RunEvent::Resumed { changed_files, .. } if changed_files.is_empty() => {
            (Level::Normal, style::faint(format!("run {} goes on", event.run)))
        }
        RunEvent::Resumed { changed_files, .. } => {
            let text = format!(
                "run {} goes on; changed in between: {}",
                event.run,
                short(&changed_files.join(", "))
            );
            (Level::Quiet, style::warning(text))
        }
        RunEvent::LimitsChanged { limits, .. } => {
            (Level::Normal, style::faint(format!("limits from here on: {limits}")))
        }
        RunEvent::BudgetReached { node, limit, allowed, used, exhausted } => {
            let what = if *exhausted { "used up" } else { "nearly used up" };
            let text = format!(
                "{} {limit}: {used} of {allowed}",
                style::warning(format!("budget {what}:"))
            );
            (Level::Quiet, line_of(node.as_ref(), &text))
        }
        RunEvent::Committed { branch, commit, subject, .. } => {
            let short_id: String = commit.chars().take(10).collect();
            let what = format!("{} on {}", style::hint(short_id), style::hint(short(branch)));
            (Level::Normal, line_of(None, &format!("committed {what}: {}", short(subject))))
        }
        RunEvent::Finished { .. } => return None,
    })
}

fn human_line(event: &HumanEvent) -> String {
    let text = match event {
        HumanEvent::PlanReviewed { decision, by, edited, .. } => {
            let edited = if *edited { ", edited" } else { "" };
            format!("plan {decision:?} by {by:?}{edited}").to_lowercase()
        }
        HumanEvent::ToolReviewed { tool, what, allowed, by, .. } => {
            let decision = if *allowed { "allowed" } else { "not allowed" };
            let by = format!("{by:?}").to_lowercase();
            format!("{tool} {decision} by {by}: {}", short(what))
        }
        HumanEvent::Asked { question } => format!("asked: {}", short(question)),
        HumanEvent::Answered { answer } => format!("answered: {}", short(answer)),
    };
    style::faint(text)
}

fn workspace_line(event: &WorkspaceEvent) -> (Level, String) {
    match event {
        WorkspaceEvent::Snapshotted { node, n_files, not_covered, .. } => {
            let text = format!("saved the state of {n_files} files");
            if not_covered.is_empty() {
                (Level::Verbose, line_of(Some(node), &style::faint(text)))
            } else {
                let text = format!("{text}, except {}", short(&not_covered.join(", ")));
                (Level::Normal, line_of(Some(node), &style::warning(text)))
            }
        }
        WorkspaceEvent::Changed { call, path, lines_added, lines_removed, .. } => {
            let text = format!("{} +{lines_added} -{lines_removed}", style::hint(short(path)));
            (Level::Verbose, line_of(Some(&call.node), &text))
        }
        WorkspaceEvent::Checked {
            node,
            attempt,
            kind,
            command,
            passed,
            n_tests,
            duration_ms,
            reason,
            in_lane,
            ..
        } => {
            let is_before = *node == NodeId::run() && *attempt == ATTEMPT_BEFORE;
            let tests = n_tests.map(|n| format!("{n} test{}, ", if n == 1 { "" } else { "s" }));
            let tests = tests.unwrap_or_default();
            let took = style::faint(format!("({tests}{})", duration(*duration_ms)));
            let when = match (is_before, in_lane) {
                (true, _) => " of the state before",
                (_, true) => " in its lane",
                _ => "",
            };
            let what = format!("{}{when} `{}`", check_name(*kind), short(command));
            let text = if *passed {
                format!("{} {what} {took}", style::good("passed:"))
            } else {
                format!("{} {what}: {} {took}", style::error("failed:"), short(reason))
            };
            let is_detail = (*passed && *kind == CheckKind::Lint) || *kind == CheckKind::Counter;
            (if is_detail { Level::Verbose } else { Level::Normal }, line_of(Some(node), &text))
        }
        WorkspaceEvent::TestsWeighed { node, subject, worth, detail, .. } => {
            let (level, text) = worth::weighed(subject, *worth, detail);
            (level, line_of(Some(node), &text))
        }
        WorkspaceEvent::TestsCompared { node, findings, .. } => {
            let (level, text) = worth::compared(findings);
            (level, line_of(Some(node), &text))
        }
        WorkspaceEvent::LaneChanged { call, path, lines_added, lines_removed, .. } => {
            let path = style::hint(short(path));
            let text = format!("{path} +{lines_added} -{lines_removed} in its lane");
            (Level::Verbose, line_of(Some(&call.node), &text))
        }
        WorkspaceEvent::LaneOpened { node, .. } => {
            (Level::Verbose, line_of(Some(node), &style::faint("works in a lane")))
        }
        WorkspaceEvent::LaneRebased { node, .. } => {
            (Level::Verbose, line_of(Some(node), &style::faint("brings its lane up to date")))
        }
        WorkspaceEvent::LaneMerged { node, merged: true, paths, .. } => {
            let text = format!("{} {}", style::good("merged:"), short(&paths.join(", ")));
            (Level::Normal, line_of(Some(node), &text))
        }
        WorkspaceEvent::LaneMerged { node, conflicts, reason, .. } => {
            let text = if conflicts.is_empty() {
                format!("{} {}", style::warning("not merged:"), short(reason))
            } else {
                format!("{} {}", style::warning("conflict:"), short(&conflicts.join(", ")))
            };
            (Level::Normal, line_of(Some(node), &text))
        }
        WorkspaceEvent::RolledBack { node, paths, .. } => {
            let text = format!("{} {}", style::warning("took back:"), short(&paths.join(", ")));
            (Level::Normal, line_of(Some(node), &text))
        }
        WorkspaceEvent::Observed { call, n_changed, n_put_back, .. } => {
            let text = format!("{n_changed} paths changed in all, {n_put_back} put back");
            (Level::Verbose, line_of(Some(&call.node), &style::faint(text)))
        }
        WorkspaceEvent::UndoStarted { .. }
        | WorkspaceEvent::Undone { .. }
        | WorkspaceEvent::Redone { .. } => (Level::Verbose, "the files go back".to_owned()),
    }
}

fn line_of(node: Option<&NodeId>, text: &str) -> String {
    const NODE_COLUMNS: usize = 9;
    match node {
        Some(node) => {
            let name = node.as_str().trim_start_matches('@');
            format!("{} {text}", style::heading(format!("{name:<NODE_COLUMNS$}")))
        }
        None => text.to_owned(),
    }
}

fn output_line(call: &CallId, line: &str) -> String {
    line_of(Some(&call.node), &style::faint(format!("| {}", short(line))))
}

/// One line, printable, of bounded length.
fn short(text: &str) -> String {
    let one_line = text.lines().next().unwrap_or_default();
    let more = text.lines().nth(1).is_some();
    let mut short: String = printable(one_line).chars().take(MAX_TEXT_CHARS).collect();
    if more || one_line.chars().count() > MAX_TEXT_CHARS {
        short.push('…');
    }
    short
}

/// A duration for people: `12 ms`, `3.4 s`, `2 min 5 s`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=59_999 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..=3_599_999 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

fn phase_name(phase: NodePhase) -> &'static str {
    match phase {
        NodePhase::Implement => "implement",
        NodePhase::Check => "check",
        NodePhase::Review => "review",
        NodePhase::Test => "test",
        NodePhase::Verify => "verify",
        NodePhase::Merge => "merge",
        NodePhase::Repair => "repair",
    }
}

fn check_name(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::Lint => "lint",
        CheckKind::GeneratedTest => "generated test",
        CheckKind::Acceptance => "acceptance",
        CheckKind::Project => "project check",
        CheckKind::Counter => "counter-check",
    }
}
