//! The part that every fake provider shares: a listener on loopback, one thread per connection, a
//! record of all requests, and an end that waits for every thread.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};
use serde_json::Value;

use crate::http::{Connection, HttpRequest};
use crate::seen::SeenRequest;

const MAX_CONNECTIONS: usize = 256;
const MAX_RECORDED: usize = 20_000;

/// A request as the server recorded it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The request itself.
    pub http: HttpRequest,
    /// Its body, when it is JSON.
    pub json: Option<Value>,
    /// When it was complete, since the server's start.
    pub at: Duration,
}

/// A model call as the server recorded it.
#[derive(Debug, Clone)]
pub struct ModelCall {
    /// What was asked.
    pub request: SeenRequest,
    /// When the answer was out, or the connection lost; since the server's start.
    pub ended: Option<Duration>,
}

impl ModelCall {
    /// How long the server took: the time that is not the program's own.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.ended.map_or(Duration::ZERO, |ended| ended.saturating_sub(self.request.at))
    }
}

/// What a provider does with a request. Errors end the connection.
pub(crate) trait Handler: Send + Sync + 'static {
    fn handle(
        &self,
        server: &Shared,
        request: &HttpRequest,
        connection: &mut Connection,
    ) -> std::io::Result<()>;
}

/// What the threads of a server share.
pub(crate) struct Shared {
    started: Instant,
    stopping: AtomicBool,
    wake: Condvar,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    requests: Vec<Recorded>,
    calls: Vec<ModelCall>,
    open: HashMap<usize, TcpStream>,
    n_accepted: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Records a model call and gives it its index, from 0.
    pub(crate) fn begin_call(&self, mut request: SeenRequest) -> SeenRequest {
        request.at = self.started.elapsed();
        let mut state = self.lock();
        assert!(state.calls.len() < MAX_RECORDED, "a fake provider got {MAX_RECORDED} model calls");
        request.index = state.calls.len();
        state.calls.push(ModelCall { request: request.clone(), ended: None });
        request
    }

    /// Notes that a call is answered; the first note counts. To be called before the last bytes go
    /// out, so that a client which has the whole answer finds it noted.
    pub(crate) fn end_call(&self, index: usize) {
        let now = self.started.elapsed();
        self.lock().calls[index].ended.get_or_insert(now);
    }

    /// Waits, unless the server ends before that.
    pub(crate) fn pause(&self, how_long: Duration) {
        let until = Instant::now() + how_long;
        let mut state = self.lock();
        while !self.stopping.load(Ordering::Acquire) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.wake.wait_timeout(state, left).unwrap_or_else(|p| p.into_inner()).0;
        }
    }

    /// Forgets the server's own handle of a connection, so that a reset reaches the client.
    pub(crate) fn release(&self, connection: usize) {
        self.lock().open.remove(&connection);
    }
}

/// A running server; ends when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(handler: impl Handler) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("the listener's address");
        let shared = Arc::new(Shared {
            started: Instant::now(),
            stopping: AtomicBool::new(false),
            wake: Condvar::new(),
            state: Mutex::new(State::default()),
        });
        let accepting = thread::spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared, &Arc::new(handler))
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }

    pub(crate) fn calls(&self) -> Vec<ModelCall> {
        self.shared.lock().calls.clone()
    }

    pub(crate) fn n_connections(&self) -> usize {
        self.shared.lock().n_accepted
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        {
            let state = self.shared.lock();
            self.shared.stopping.store(true, Ordering::Release);
            self.shared.wake.notify_all();
            for stream in state.open.values() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        // The listener sits in `accept`; one more connection lets it see the flag.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept<H: Handler>(listener: &TcpListener, shared: &Arc<Shared>, handler: &Arc<H>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::Acquire) {
            break;
        }
        threads.retain(|thread| !thread.is_finished());
        let (Ok(stream), true) = (stream, threads.len() < MAX_CONNECTIONS) else { continue };
        let Ok(handle) = stream.try_clone() else { continue };
        let id = {
            let mut state = shared.lock();
            state.n_accepted += 1;
            let id = state.n_accepted;
            state.open.insert(id, handle);
            id
        };
        let (shared, handler) = (shared.clone(), handler.clone());
        threads.push(thread::spawn(move || {
            serve(stream, id, &shared, &*handler);
            shared.release(id);
        }));
    }
    // Connections accepted between the flag and this point are closed like all others.
    for stream in shared.lock().open.values() {
        let _ = stream.shutdown(Shutdown::Both);
    }
    for thread in threads {
        let _ = thread.join();
    }
}

fn serve<H: Handler>(stream: TcpStream, id: usize, shared: &Shared, handler: &H) {
    let Ok(mut connection) = Connection::new(stream, id) else { return };
    while let Ok(Some(request)) = connection.next_request() {
        let json = serde_json::from_slice(&request.body).ok();
        let recorded = Recorded { http: request.clone(), json, at: shared.started.elapsed() };
        let mut state = shared.lock();
        if state.requests.len() < MAX_RECORDED {
            state.requests.push(recorded);
        }
        drop(state);
        if handler.handle(shared, &request, &mut connection).is_err() {
            return;
        }
    }
}

/// A base URL on which every connection is refused, for as long as this process lives.
#[must_use]
pub fn refused_url() -> String {
    // Bound but never listening: the port answers with a reset, and nobody else can take it.
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
        .expect("a socket");
    bind(std::os::fd::AsRawFd::as_raw_fd(&fd), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("a port");
    let name: SockaddrIn =
        getsockname(std::os::fd::AsRawFd::as_raw_fd(&fd)).expect("the socket's address");
    std::mem::forget(fd);
    format!("http://127.0.0.1:{}/v1", name.port())
}
