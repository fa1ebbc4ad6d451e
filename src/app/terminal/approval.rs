//! The question whether a tool call may happen: shows exactly what will happen, and takes an answer for
//! once, for the run, or for good.

use sage_core::{Approval, ApprovalScope, Decider, Shown, ToolRequest};

use super::{MAX_ANSWERS, TerminalInteraction};
use crate::ui::{printable, style};

/// A diff with more lines than this is shown as head and tail.
const MAX_DIFF_LINES: usize = 60;
/// Lines shown of a longer one.
const HEAD_LINES: usize = 36;
const TAIL_LINES: usize = 14;

impl TerminalInteraction {
    pub(super) async fn decide_on(&self, request: &ToolRequest) -> Approval {
        self.show_request(request);
        let can_last = !request.remember.is_empty();
        let has_more = matches!(&request.shown, Shown::Edit { diff } if is_long(diff));
        let always = if can_last { " [a]lways" } else { "" };
        let diff = if has_more { " [d]iff" } else { "" };
        let prompt = format!("[y]es once [r]un{always} [n]o{diff} [?] ");
        for _ in 0..MAX_ANSWERS {
            let Some(answer) = self.answer(&prompt).await else { break };
            let scope = match answer.to_lowercase().as_str() {
                "y" | "yes" | "once" => ApprovalScope::Once,
                "r" | "run" => ApprovalScope::Run,
                "a" | "always" if can_last => self.keep(&request.remember),
                "a" | "always" => {
                    self.ui
                        .aside("no rule can allow exactly this later; `r` allows it for this run");
                    continue;
                }
                "n" | "no" | "" => break,
                "d" | "diff" if has_more => {
                    self.show_diff(request, usize::MAX);
                    continue;
                }
                _ => {
                    self.help(request);
                    continue;
                }
            };
            return Approval { allowed: true, by: Decider::Person, scope };
        }
        Approval::once(false, Decider::Person)
    }

    fn show_request(&self, request: &ToolRequest) {
        let ToolRequest { node, tool, what, because, shown, .. } = request;
        let wants = format!("{} {node} wants {}", style::warning("allow?"), printable(tool));
        match shown {
            Shown::Command { parts, folder, network } => {
                self.ui.aside(wants);
                for line in what.lines() {
                    self.ui.aside(format!("  {}", style::hint(printable(line))));
                }
                if parts.as_slice() != [what.trim()] {
                    for part in parts {
                        self.ui.aside(format!("  asked about: {}", printable(part)));
                    }
                }
                self.ui.aside(format!(
                    "  in {}; network: {}",
                    printable(folder),
                    printable(network)
                ));
            }
            Shown::Edit { .. } => {
                self.ui.aside(format!("{wants}: {}", printable(what)));
                self.show_diff(request, MAX_DIFF_LINES);
            }
            Shown::Nothing => self.ui.aside(format!("{wants}: {}", printable(what))),
        }
        self.ui.aside(format!("  because {}", printable(because)));
    }

    fn show_diff(&self, request: &ToolRequest, max_lines: usize) {
        let Shown::Edit { diff } = &request.shown else { return };
        let lines: Vec<&str> = diff.lines().collect();
        if lines.len() <= max_lines {
            lines.iter().for_each(|line| self.show_diff_line(line));
            return;
        }
        lines[..HEAD_LINES].iter().for_each(|line| self.show_diff_line(line));
        let n_hidden = lines.len() - HEAD_LINES - TAIL_LINES;
        self.ui.aside(style::faint(format!("  [... {n_hidden} more lines; `d` shows all]")));
        lines[lines.len() - TAIL_LINES..].iter().for_each(|line| self.show_diff_line(line));
    }

    /// Writes the rules down; if that fails, the approval lasts as long as it can.
    fn keep(&self, rules: &[String]) -> ApprovalScope {
        match (self.keeper)(rules) {
            Ok(place) => {
                self.ui.aside(format!(
                    "  noted in {}; `sage permissions` lists it",
                    style::hint(place)
                ));
                ApprovalScope::Always
            }
            Err(failure) => {
                self.ui.warn(format!("not noted, allowed for this run only: {:#}", failure.error));
                ApprovalScope::Run
            }
        }
    }

    fn help(&self, request: &ToolRequest) {
        self.ui.aside("  y  let it happen this once");
        self.ui.aside("  r  let the same happen until this run ends, without asking again");
        if !request.remember.is_empty() {
            self.ui
                .aside("  a  let it happen in this project from now on; your own policy.json gets");
            for rule in &request.remember {
                self.ui.aside(format!("       {}", printable(rule)));
            }
        }
        self.ui.aside("  n  refuse it; the model is told so (also: end of input)");
    }
}

fn is_long(diff: &str) -> bool {
    diff.lines().count() > MAX_DIFF_LINES
}
