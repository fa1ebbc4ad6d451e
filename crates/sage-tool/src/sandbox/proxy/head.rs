//! The head of a request to a proxy.

/// Where a request wants to go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub host: String,
    pub port: u16,
    /// `CONNECT`: what follows is passed on as it is.
    pub is_tunnel: bool,
}

/// A request as far as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub target: Target,
    /// What is passed on: what came after a `CONNECT`, or the request as its host expects it.
    pub rest: Vec<u8>,
}

impl Head {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
        let text = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = text.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, wanted, version) = (words.next()?, words.next()?, words.next()?);
        if method == "CONNECT" {
            let (host, port) = host_and_port(wanted, None)?;
            let target = Target { host, port, is_tunnel: true };
            return Some(Self { target, rest: bytes[end..].to_vec() });
        }
        let after = wanted.strip_prefix("http://")?;
        let (authority, path) = after.find('/').map_or((after, "/"), |at| after.split_at(at));
        // A name and password belong to the host, but no client sends them here.
        let (host, port) = host_and_port(authority.rsplit('@').next()?, Some(80))?;
        let mut rest = format!("{method} {path} {version}\r\nConnection: close\r\n");
        for line in lines.filter(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            if !matches!(name.as_str(), "connection" | "keep-alive") && !name.starts_with("proxy-")
            {
                rest.push_str(line);
                rest.push_str("\r\n");
            }
        }
        rest.push_str("\r\n");
        let mut rest = rest.into_bytes();
        rest.extend_from_slice(&bytes[end..]);
        Some(Self { target: Target { host, port, is_tunnel: false }, rest })
    }
}

fn host_and_port(text: &str, usual: Option<u16>) -> Option<(String, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (text, usual?),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty() && !host.contains(['/', '@', ' '])).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<(String, u16, bool, String)> {
        let Head { target, rest } = Head::parse(text.as_bytes())?;
        let rest = String::from_utf8(rest).unwrap();
        Some((target.host, target.port, target.is_tunnel, rest))
    }

    #[test]
    fn tunnels_and_requests_are_told_apart() {
        let found = parse("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\nrest").unwrap();
        assert_eq!(found, ("a.test".into(), 443, true, "rest".into()));
        let found = parse("CONNECT [::1]:443 HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!((found.0.as_str(), found.1), ("::1", 443));
        let found = parse(
            "GET http://a.test:8080/x?y HTTP/1.1\r\nHost: a.test:8080\r\nProxy-Connection: keep-alive\r\n\r\nbody",
        );
        let rest = "GET /x?y HTTP/1.1\r\nConnection: close\r\nHost: a.test:8080\r\n\r\nbody";
        assert_eq!(found.unwrap(), ("a.test".into(), 8080, false, rest.into()));
        let found = parse("GET http://a.test HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!((found.1, found.3.lines().next()), (80, Some("GET / HTTP/1.1")));
        for text in [
            "",
            "x",
            "GET /path HTTP/1.1\r\n\r\n",
            "CONNECT a HTTP/1.1\r\n\r\n",
            "CONNECT :1 HTTP/1.1\r\n\r\n",
            "CONNECT a:99999 HTTP/1.1\r\n\r\n",
            "GET ftp://a/ HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
