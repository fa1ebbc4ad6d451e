//! A provider's address: checked once, shown without anything that could be secret.

use std::net::IpAddr;

use reqwest::Url;

/// A base url that is http or https, has a host and carries no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    url: Url,
    text: String,
}

impl Endpoint {
    /// Checks a base url. The error names what is wrong without repeating the url, which may hold a secret.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_end_matches('/');
        let url = Url::parse(text).map_err(|error| format!("not a url: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("the scheme is {:?}, not http or https", url.scheme()));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("the url has no host".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the url holds credentials; name a variable in api_key_env".to_owned());
        }
        if url.fragment().is_some() {
            return Err("the url has a fragment".to_owned());
        }
        Ok(Self { url, text: text.to_owned() })
    }

    /// What `OLLAMA_HOST` may say, as a url: scheme and port may be missing, and an address that a server
    /// listens on everywhere at (`0.0.0.0`) is reached at loopback.
    pub(crate) fn ollama_url(host: &str) -> String {
        let host = host.trim().trim_end_matches('/');
        let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, format!("/{path}")),
            None => (rest, String::new()),
        };
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
        let authority = match authority {
            "" => "127.0.0.1".to_owned(),
            _ if authority.starts_with(':') => format!("127.0.0.1{authority}"),
            _ if authority.starts_with("0.0.0.0") => authority.replacen("0.0.0.0", "127.0.0.1", 1),
            _ => authority.to_owned(),
        };
        let port = match (has_port, scheme) {
            (true, _) => "",
            (false, "https") => ":443",
            (false, _) => ":11434",
        };
        format!("{scheme}://{authority}{port}{path}")
    }

    /// The url as given, without a trailing `/`.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The url of a path below the base; a query of the base url (an API version) is kept.
    pub(crate) fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Scheme, host and port: what errors and reports may show.
    pub(crate) fn shown(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{}://{host}:{port}", self.url.scheme()),
            None => format!("{}://{host}", self.url.scheme()),
        }
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether the host is this very machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.address() {
            Some(address) => address.is_loopback(),
            None => self.url.host_str() == Some("localhost"),
        }
    }

    /// Whether the host is on this side of the network: this machine or a private address.
    pub(crate) fn is_local(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        match self.address() {
            Some(IpAddr::V4(v4)) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
            Some(IpAddr::V6(v6)) => {
                v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()
            }
            // A name without a dot is of the local network: `localhost`, a container, a host of the house.
            None => !host.contains('.') || host.ends_with(".local"),
        }
    }

    fn address(&self) -> Option<IpAddr> {
        let host = self.url.host_str()?;
        host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked_and_shown_without_secrets() {
        for bad in ["", "localhost:80", "ftp://a", "http://", "https://u:p@h", "http://h/#x"] {
            let problem = Endpoint::parse(bad).unwrap_err();
            assert!(!problem.contains("u:p"), "{bad}: {problem}");
        }
        let azure = Endpoint::parse("https://h.example/openai/v1/?api-version=x").unwrap();
        assert_eq!(
            azure.join(&["chat", "completions"]).as_str(),
            "https://h.example/openai/v1/chat/completions?api-version=x"
        );
        assert_eq!(azure.shown(), "https://h.example");
        assert!(!azure.is_local() && azure.is_https());
        for local in ["http://localhost:1", "http://[::1]:1", "http://192.168.0.7", "http://box"] {
            assert!(Endpoint::parse(local).unwrap().is_local(), "{local}");
        }
        assert!(Endpoint::parse("http://127.0.0.1:9/v1").unwrap().is_loopback());
    }

    #[test]
    fn ollama_hosts_are_read_as_ollama_reads_them() {
        for (host, url) in [
            ("127.0.0.1", "http://127.0.0.1:11434"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            (":7000", "http://127.0.0.1:7000"),
            ("https://models.example/ollama/", "https://models.example:443/ollama"),
            ("http://box:1", "http://box:1"),
            ("", "http://127.0.0.1:11434"),
        ] {
            assert_eq!(Endpoint::ollama_url(host), url, "{host}");
            assert!(Endpoint::parse(url).is_ok(), "{url}");
        }
    }
}
