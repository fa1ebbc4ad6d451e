//! Which hosts were granted.

/// A grant of hosts: `example.com`, `*.example.com` (it and everything below), `example.com:8443`.
/// Without a port, those of the web.
#[derive(Debug)]
pub(super) struct Hosts {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    host: String,
    with_below: bool,
    port: Option<u16>,
}

const WEB_PORTS: &[u16] = &[80, 443];

impl Hosts {
    pub(super) fn new(texts: &[String]) -> Self {
        Self { rules: texts.iter().map(|text| Rule::parse(text)).collect() }
    }

    pub(super) fn allow(&self, host: &str, port: u16) -> bool {
        let host = plain(host);
        self.rules.iter().any(|rule| rule.holds(&host) && rule.holds_port(port))
    }

    /// Whether a rule is about this very name and says that it is this machine.
    pub(super) fn names_this_machine(&self, host: &str) -> bool {
        let host = plain(host);
        let is_address = host.parse::<std::net::IpAddr>().is_ok();
        (is_address || host == "localhost") && self.rules.iter().any(|rule| rule.host == host)
    }

    pub(super) fn in_words(&self) -> String {
        let words: Vec<String> = self
            .rules
            .iter()
            .map(|rule| {
                let below = if rule.with_below { "*." } else { "" };
                let port = rule.port.map(|port| format!(":{port}")).unwrap_or_default();
                format!("{below}{}{port}", rule.host)
            })
            .collect();
        words.join(", ")
    }
}

impl Rule {
    fn parse(text: &str) -> Self {
        let text = text.trim();
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let text = text.split('/').next().unwrap_or_default();
        let (text, with_below) = match text.strip_prefix("*.").or(text.strip_prefix('.')) {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().ok())
            }
            _ => (text, None),
        };
        Self { host: plain(host), with_below, port }
    }

    fn holds(&self, host: &str) -> bool {
        let is_below = || host.strip_suffix(&self.host).is_some_and(|rest| rest.ends_with('.'));
        !self.host.is_empty() && (host == self.host || (self.with_below && is_below()))
    }

    fn holds_port(&self, port: u16) -> bool {
        self.port.map_or_else(|| WEB_PORTS.contains(&port), |granted| granted == port)
    }
}

/// A name as names are compared.
fn plain(host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_granted_by_name_with_and_without_what_is_below() {
        let grant = ["Example.com", "*.crates.io", "api.test:8443", "https://pypi.org/simple"];
        let hosts = Hosts::new(&grant.map(str::to_owned));
        for (host, port) in [
            ("example.com", 443),
            ("EXAMPLE.com.", 80),
            ("crates.io", 443),
            ("static.crates.io", 443),
            ("api.test", 8443),
            ("pypi.org", 443),
        ] {
            assert!(hosts.allow(host, port), "{host}:{port}");
        }
        for (host, port) in [
            ("www.example.com", 443),
            ("example.com", 22),
            ("evilcrates.io", 443),
            ("crates.io.evil.test", 443),
            ("api.test", 443),
            ("", 443),
        ] {
            assert!(!hosts.allow(host, port), "{host}:{port}");
        }
        let local = Hosts::new(&["127.0.0.1:9".to_owned(), "*.test".to_owned()]);
        assert!(local.names_this_machine("127.0.0.1") && !local.names_this_machine("a.test"));
        assert!(!Hosts::new(&["".to_owned(), "*.".to_owned()]).allow("a", 80));
    }
}
