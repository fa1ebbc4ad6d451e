//! Which fields of an event are free text. Every variant is taken apart by name, so that a new field
//! does not compile until somebody decides whether it is text or an id.

use sage_core::{
    EventKind, Finish, HumanEvent, ModelEvent, NodeEvent, RunEvent, Tampering, ToolEvent,
    WorkspaceEvent,
};
use serde_json::Value;

use super::Redactor;

impl Redactor {
    /// Redacts the texts of an event in place. Ids, hashes, paths, names of models and numbers stay.
    pub(crate) fn redact_event(&self, kind: &mut EventKind) {
        if self.0.is_none() {
            return;
        }
        match kind {
            EventKind::Run(event) => self.redact_run(event),
            EventKind::Node(event) => self.redact_node(event),
            EventKind::Model(event) => self.redact_model(event),
            EventKind::Tool(event) => self.redact_tool(event),
            EventKind::Human(event) => self.redact_human(event),
            EventKind::Workspace(event) => self.redact_workspace(event),
        }
    }

    fn redact_run(&self, event: &mut RunEvent) {
        match event {
            RunEvent::Started { format_version: _, sage_version: _, goal, mode: _, options } => {
                self.text(goal);
                self.json(options);
            }
            RunEvent::Planned { plan: _, n_tasks: _, source: _, notes } => self.texts(notes),
            RunEvent::PlanRefused { answer: _, errors } => self.texts(errors),
            RunEvent::Resumed { sage_version: _, changed_files: _ } => {}
            RunEvent::Sandboxed { on: _, how } => self.text(how),
            RunEvent::BudgetReached { node: _, limit: _, allowed: _, used: _, exhausted: _ } => {}
            RunEvent::LimitsChanged { limits: _, before: _ } => {}
            RunEvent::Committed { branch: _, commit: _, node: _, subject, left_out: _ } => {
                self.text(subject);
            }
            RunEvent::Finished { outcome: _, exit_code: _, reason } => self.text(reason),
        }
    }

    fn redact_node(&self, event: &mut NodeEvent) {
        match event {
            NodeEvent::Started { node: _, attempt: _ }
            | NodeEvent::EnteredPhase { node: _, attempt: _, phase: _, round: _ }
            | NodeEvent::Skipped { node: _, because: _ } => {}
            NodeEvent::Finished { node: _, attempt: _, outcome: _, error: _, summary } => {
                self.text(summary);
            }
        }
    }

    fn redact_model(&self, event: &mut ModelEvent) {
        match event {
            ModelEvent::Routed {
                call: _,
                role: _,
                features: _,
                candidates,
                chosen: _,
                reason,
                probability: _,
            } => {
                self.text(reason);
                for unavailable in candidates.iter_mut().filter_map(|c| c.unavailable.as_mut()) {
                    self.text(unavailable);
                }
            }
            ModelEvent::Called { call: _, role: _, request: _, turn: _, context: _ }
            | ModelEvent::Exceeded {
                call: _,
                reserved_tokens: _,
                used_tokens: _,
                reserved_usd: _,
                used_usd: _,
            } => {}
            ModelEvent::TryFailed { call: _, model: _, provider: _, error, retry_in_ms: _ } => {
                self.text(error);
            }
            ModelEvent::Answered {
                call: _,
                role: _,
                model: _,
                provider: _,
                local: _,
                scripted: _,
                response: _,
                finish,
                usage: _,
                usd: _,
                first_token_ms: _,
                latency_ms: _,
            } => {
                if let Finish::Other(words) = finish {
                    self.text(words);
                }
            }
            ModelEvent::Failed { call: _, error: _, message } => self.text(message),
        }
    }

    fn redact_tool(&self, event: &mut ToolEvent) {
        match event {
            ToolEvent::Called { call: _, tool, effect: _, args: _, summary }
            | ToolEvent::Finished { call: _, tool, ok: _, result: _, summary, duration_ms: _ } => {
                // A model may ask for a tool by any name.
                self.text(tool);
                self.text(summary);
            }
            ToolEvent::Repeated { call: _, tool, summary, n_times: _, grade: _ } => {
                self.text(tool);
                self.text(summary);
            }
            ToolEvent::Refused { call: _, tool, summary, reason, result: _ } => {
                self.text(tool);
                self.text(summary);
                self.text(reason);
            }
        }
    }

    fn redact_human(&self, event: &mut HumanEvent) {
        match event {
            HumanEvent::PlanReviewed { decision: _, by: _, plan: _, edited: _ } => {}
            HumanEvent::ToolReviewed {
                node: _,
                tool,
                what,
                allowed: _,
                by: _,
                call: _,
                rule,
                scope: _,
                keys,
            } => {
                self.text(tool);
                self.text(what);
                self.text(rule);
                keys.iter_mut().for_each(|key| self.text(key));
            }
            HumanEvent::Asked { question } => self.text(question),
            HumanEvent::Answered { answer } => self.text(answer),
        }
    }

    fn redact_workspace(&self, event: &mut WorkspaceEvent) {
        match event {
            WorkspaceEvent::Snapshotted {
                node: _,
                attempt: _,
                snapshot: _,
                n_files: _,
                not_covered: _,
                root: _,
            }
            | WorkspaceEvent::Changed {
                call: _,
                path: _,
                before: _,
                after: _,
                lines_added: _,
                lines_removed: _,
            }
            | WorkspaceEvent::LaneChanged {
                call: _,
                path: _,
                before: _,
                after: _,
                lines_added: _,
                lines_removed: _,
            }
            | WorkspaceEvent::LaneOpened { node: _, attempt: _, path: _, snapshot: _ }
            | WorkspaceEvent::LaneRebased {
                node: _,
                attempt: _,
                round: _,
                snapshot: _,
                bases: _,
            }
            | WorkspaceEvent::RolledBack { node: _, attempt: _, paths: _ }
            | WorkspaceEvent::Observed {
                call: _,
                root: _,
                before: _,
                after: _,
                n_changed: _,
                seen: _,
                n_put_back: _,
            }
            | WorkspaceEvent::UndoStarted { before: _, redo: _ }
            | WorkspaceEvent::Undone { paths: _, from: _, some: _, before: _, after: _ }
            | WorkspaceEvent::Redone { paths: _, before: _, after: _ } => {}
            WorkspaceEvent::LaneMerged {
                node: _,
                attempt: _,
                round: _,
                merged: _,
                paths: _,
                conflicts: _,
                reason,
            } => self.text(reason),
            WorkspaceEvent::Checked {
                node: _,
                attempt: _,
                call: _,
                kind: _,
                command,
                passed: _,
                exit_code: _,
                n_tests: _,
                duration_ms: _,
                output: _,
                reason,
                in_lane: _,
            } => {
                self.text(command);
                self.text(reason);
            }
            WorkspaceEvent::TestsWeighed {
                node: _,
                attempt: _,
                round: _,
                subject,
                n_tests: _,
                worth: _,
                call: _,
                detail,
            } => {
                self.text(subject);
                self.text(detail);
            }
            WorkspaceEvent::TestsCompared {
                node: _,
                attempt: _,
                round: _,
                n_files: _,
                findings,
            } => {
                for Tampering { kind: _, severity: _, path: _, line: _, before, after, excuse } in
                    findings
                {
                    self.text(before);
                    self.text(after);
                    self.text(excuse);
                }
            }
        }
    }

    fn text(&self, text: &mut String) {
        if let std::borrow::Cow::Owned(redacted) = self.redact(text) {
            *text = redacted;
        }
    }

    fn texts(&self, texts: &mut [String]) {
        for text in texts {
            self.text(text);
        }
    }

    fn json(&self, value: &mut Value) {
        if let Value::String(text) = value {
            return self.text(text);
        }
        if let std::borrow::Cow::Owned(redacted) = self.redact(&value.to_string())
            && let Ok(redacted) = serde_json::from_str(&redacted)
        {
            *value = redacted;
        }
    }
}
