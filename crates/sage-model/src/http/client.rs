//! HTTP clients made as cheaply as their endpoint allows.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;

use crate::endpoint::Endpoint;
use crate::error::one_line;

/// A client for one endpoint. It follows no redirects, and uses a proxy named in the environment only
/// for endpoints beyond this machine.
pub(super) fn build_client(endpoint: &Endpoint, connect: Duration) -> Result<Client, String> {
    let builder = Client::builder()
        .connect_timeout(connect)
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .user_agent(concat!("sage/", env!("CARGO_PKG_VERSION")));
    let provider = rustls::crypto::ring::default_provider();
    let builder = if endpoint.is_https() {
        // The client takes the process's provider; somebody else having set one is as good.
        let _ = provider.install_default();
        builder
    } else {
        // Plain http needs no certificates, and loading the system's takes many milliseconds.
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        builder.tls_backend_preconfigured(config)
    };
    // A proxy for the world outside has no business between this machine and itself.
    let builder = if endpoint.is_loopback() { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| root_cause(&error))
}

/// What went wrong at the bottom, without the url that the errors above it repeat.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match error.source() {
        Some(_) => one_line(&cause.to_string()),
        None => "no details".to_owned(),
    }
}

/// Whether waiting ended it, somewhere below.
pub(super) fn is_timed_out(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(source) = cause {
        let io = source.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) {
            return true;
        }
        cause = source.source();
    }
    false
}
