//! Whether links in Markdown lead anywhere within the repository. Addresses elsewhere are not visited.

use super::Findings;

pub(super) fn check(findings: &mut Findings<'_>, text: &str, exists: &dyn Fn(&str) -> bool) {
    let path = findings.path;
    let headings = headings(text);
    for (number, line) in prose(text) {
        for target in targets(line) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            if file.is_empty() {
                if !headings.iter().any(|heading| heading == anchor) {
                    findings.add(number, format!("no heading of this page is called #{anchor}"));
                }
            } else if !resolve(path, file).is_some_and(|file| exists(&file)) {
                findings.add(number, format!("the link to {file} leads nowhere"));
            }
        }
    }
}

/// The lines that are not code, with their numbers from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The targets of `[text](target)` and of `[name]: target`, without titles.
fn targets(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let code_free = |at: usize| line[..at].matches('`').count().is_multiple_of(2);
    for (at, _) in line.match_indices("](").filter(|(at, _)| code_free(*at)) {
        let rest = &line[at + 2..];
        found.extend(rest.split([')', ' ']).next());
    }
    if line.starts_with('[') {
        found.extend(line.split_once("]: ").and_then(|(_, rest)| rest.split(' ').next()));
    }
    found
}

/// The anchors that GitHub makes of headings.
fn headings(text: &str) -> Vec<String> {
    let headings = prose(text).filter(|(_, line)| line.starts_with('#'));
    headings
        .map(|(_, line)| {
            let kept = line.trim_start_matches('#').trim().chars().filter_map(|c| match c {
                ' ' => Some('-'),
                _ if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c.to_ascii_lowercase()),
                _ => None,
            });
            kept.collect()
        })
        .collect()
}

/// The target as a path from the repository's root; nothing if it leads out of it.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => page.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect(),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
