//! The way out for commands that were granted some hosts: a small HTTP proxy outside of the jail.
//!
//! The jail has a network of its own with nothing in it but loopback. The launcher opens a listening
//! socket there and hands it out; connections to it are accepted and served here, outside, where names
//! are looked up and hosts reached. What is not granted is answered with 403 and remembered.
//!
//! Not here: looking into what is sent. A granted host is trusted with anything.

mod head;
mod hosts;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, lookup_host};

use head::{Head, Target};
use hosts::Hosts;

/// The port inside on which the proxy is found.
pub(crate) const PROXY_PORT: u16 = 61_080;
/// Connections served at a time; more wait.
const MAX_CONNECTIONS: usize = 64;
/// The longest head of a request.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// How long a head may take, and how long reaching a host.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Refused hosts that are remembered.
const MAX_REMEMBERED: usize = 32;

/// A proxy for one command.
#[derive(Debug)]
pub(crate) struct Proxy {
    hosts: Hosts,
    refused: Mutex<BTreeMap<String, u32>>,
}

impl Proxy {
    pub(crate) fn new(hosts: &[String]) -> Self {
        Self { hosts: Hosts::new(hosts), refused: Mutex::default() }
    }

    /// Serves connections for ever; dropping the future ends them all.
    pub(crate) async fn serve(&self, listener: TcpListener) {
        let mut serving = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if serving.len() < MAX_CONNECTIONS => match accepted {
                    Ok((stream, _)) => serving.push(self.one(stream)),
                    // Out of descriptors: those that are open must end first.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                Some(()) = serving.next() => {}
            }
        }
    }

    /// What was refused, one line each.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |(host, n): (&String, &u32)| {
            let times = if *n == 1 { String::new() } else { format!(" ({n} times)") };
            format!("network: {host} was refused{times}; granted: {}", self.hosts.in_words())
        };
        refused.iter().map(line).collect()
    }

    async fn one(&self, mut inside: TcpStream) {
        // Whatever goes wrong with one connection is the business of who opened it.
        if let Err(answer) = self.relay(&mut inside).await {
            let _ = inside.write_all(answer.as_bytes()).await;
            let _ = inside.shutdown().await;
        }
    }

    /// Passes a connection on; the error is the answer to it.
    async fn relay(&self, inside: &mut TcpStream) -> Result<(), String> {
        let bad = |_| answer("400 Bad Request", "this is a proxy for HTTP and CONNECT only");
        let head = tokio::time::timeout(HEAD_TIMEOUT, read_head(inside)).await;
        let bytes = head.map_err(|_| answer("408 Request Timeout", ""))?.map_err(bad)?;
        let Head { target, rest } = Head::parse(&bytes).ok_or_else(|| bad(io::Error::other("")))?;
        let Target { host, port, is_tunnel } = target;
        if !self.hosts.allow(&host, port) {
            self.remember(&host);
            let why = format!("the host {host} was not granted to this task");
            return Err(answer("403 Forbidden", &why));
        }
        let reached = tokio::time::timeout(CONNECT_TIMEOUT, self.reach(&host, port)).await;
        let unreachable = |why: &str| answer("502 Bad Gateway", &format!("{host}: {why}"));
        let mut outside = reached
            .map_err(|_| unreachable("no answer"))?
            .map_err(|error| unreachable(&error.to_string()))?;
        let begun = match is_tunnel {
            true => {
                let established = b"HTTP/1.1 200 Connection established\r\n\r\n";
                inside.write_all(established).await.is_ok()
                    && outside.write_all(&rest).await.is_ok()
            }
            false => outside.write_all(&rest).await.is_ok(),
        };
        if begun {
            let _ = copy_bidirectional(inside, &mut outside).await;
        }
        Ok(())
    }

    async fn reach(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
        for address in lookup_host((host, port)).await? {
            // A name must not lead back to this machine, unless the machine itself was granted.
            if is_local(&address) && !self.hosts.names_this_machine(host) {
                self.remember(&format!("{host} (which leads to {})", address.ip()));
                last = io::Error::new(io::ErrorKind::PermissionDenied, "leads to this machine");
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn remember(&self, host: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let host: String = host.chars().filter(|c| !c.is_control()).take(200).collect();
        if refused.len() < MAX_REMEMBERED || refused.contains_key(&host) {
            *refused.entry(host).or_default() += 1;
        }
    }
}

/// Loopback, link-local (where clouds keep credentials) and nowhere.
fn is_local(address: &SocketAddr) -> bool {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified(),
    }
}

async fn read_head(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 2048];
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let n = from.read(&mut chunk).await?;
        bytes.extend_from_slice(&chunk[..n]);
        if n == 0 || bytes.len() > MAX_HEAD_BYTES {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
    }
    Ok(bytes)
}

fn answer(status: &str, why: &str) -> String {
    let body = format!("sage: {why}\n");
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests;
