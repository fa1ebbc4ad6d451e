//! Which hosts of a plan commands may reach: those that policy allows, and those that a person approved.
//!
//! A plan only asks for hosts. The decisions are events, made once after the plan is approved; a task's
//! grant is read from policy and approvals, so a resumed run grants the same.

use std::collections::BTreeMap;

use sage_core::{
    ApprovalScope, Decider, EventKind, HumanEvent, NodeId, PlanDecision, Shown, ToolRequest,
};
use sage_tool::{Decision, Doubt, remembering};

use crate::context::RunCx;
use crate::error::{Error, Result};
use crate::plan::Plan;

/// The name under which decisions about hosts are logged.
pub(crate) const NETWORK: &str = "network";

impl RunCx {
    /// Those of a task's hosts that its commands may reach.
    pub(crate) fn granted_hosts(&self, hosts: &[String]) -> Vec<String> {
        let is_granted = |host: &&String| match self.wiring.policy.decide_host(host) {
            Decision::Allow => true,
            Decision::Deny { .. } => false,
            Decision::Ask { .. } => {
                let keys = [Doubt::of_host(host).key];
                self.approvals.answer(None, &keys) == Some(true)
            }
        };
        hosts.iter().filter(is_granted).cloned().collect()
    }
}

/// What a person who reviews a plan should know about its hosts.
pub(crate) fn notes(cx: &RunCx, plan: &Plan) -> Vec<String> {
    let note = |(host, _): (&String, &NodeId)| match cx.wiring.policy.decide_host(host) {
        Decision::Allow => None,
        Decision::Ask { .. } => {
            Some(format!("approving the plan lets its commands reach {host}, for this run"))
        }
        Decision::Deny { rule } => Some(format!("{host} stays closed: {rule}")),
    };
    hosts_of(plan).iter().filter_map(note).collect()
}

/// Decides about every host of an approved plan that is not decided on yet.
pub(crate) async fn decide(cx: &RunCx, plan: &Plan) -> Result<()> {
    let known = decided(cx);
    for (host, node) in hosts_of(plan) {
        let doubt = Doubt::of_host(&host);
        let keys = vec![doubt.key.clone()];
        if known.contains(&doubt.key) || cx.approvals.answer(None, &keys).is_some() {
            continue;
        }
        let (allowed, by, scope, rule) = match cx.wiring.policy.decide_host(&host) {
            Decision::Allow => continue,
            Decision::Deny { rule } => (false, Decider::Policy, ApprovalScope::Once, rule),
            // Who approved the plan has seen its hosts.
            Decision::Ask { .. } if is_approved_by_person(cx) => {
                let rule = "approved with the plan".to_owned();
                (true, Decider::Person, ApprovalScope::Run, rule)
            }
            Decision::Ask { rule } => {
                let (allowed, by, scope) = ask(cx, &node, &host, &doubt, &rule).await?;
                (allowed, by, scope, rule)
            }
        };
        let rule = match (allowed, by, doubt.flag) {
            (false, Decider::Mode | Decider::Environment | Decider::PlanFile, Some(flag)) => {
                format!("nobody is there to ask (`--allow {flag}` would allow it): {rule}")
            }
            _ => rule,
        };
        let tool = NETWORK.to_owned();
        let event = HumanEvent::ToolReviewed {
            node,
            tool,
            what: host,
            allowed,
            by,
            call: None,
            rule,
            scope,
            keys,
        };
        cx.approvals.note(&event);
        cx.emit(event)?;
    }
    Ok(())
}

async fn ask(
    cx: &RunCx,
    node: &NodeId,
    host: &str,
    doubt: &Doubt,
    rule: &str,
) -> Result<(bool, Decider, ApprovalScope)> {
    let because = format!("approved for good when {node} asked: {rule}");
    let project = cx.wiring.policy.project();
    let remember = project.map(|project| remembering([doubt], project, &because));
    let request = ToolRequest {
        node: node.clone(),
        tool: NETWORK.to_owned(),
        what: host.to_owned(),
        because: rule.to_owned(),
        shown: Shown::Nothing,
        remember: remember.unwrap_or_default(),
    };
    let cancel = cx.wiring.cancel.clone();
    let approval = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(Error::Interrupted),
        approval = cx.wiring.interaction.approve_tool(request) => approval,
    };
    // A plan's hosts are asked about once, for all its commands.
    let scope = match (approval.allowed, approval.scope) {
        (true, ApprovalScope::Once) => ApprovalScope::Run,
        (true, scope) => scope,
        (false, _) => ApprovalScope::Once,
    };
    Ok((approval.allowed, approval.by, scope))
}

/// Each host with the first task that names it.
fn hosts_of(plan: &Plan) -> BTreeMap<String, NodeId> {
    let mut hosts = BTreeMap::new();
    for task in &plan.nodes {
        for host in &task.network {
            hosts.entry(host.clone()).or_insert_with(|| task.id.clone());
        }
    }
    hosts
}

/// The keys of decisions about hosts that are on record.
fn decided(cx: &RunCx) -> Vec<String> {
    let keys = cx.log.events().into_iter().filter_map(|event| match event.kind {
        EventKind::Human(HumanEvent::ToolReviewed { tool, keys, .. }) if tool == NETWORK => {
            Some(keys)
        }
        _ => None,
    });
    keys.flatten().collect()
}

fn is_approved_by_person(cx: &RunCx) -> bool {
    let decision = cx.log.events().into_iter().rev().find_map(|event| match event.kind {
        EventKind::Human(HumanEvent::PlanReviewed { decision, by, .. }) => Some((decision, by)),
        _ => None,
    });
    decision == Some((PlanDecision::Approved, Decider::Person))
}
