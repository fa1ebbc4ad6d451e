//! Handing a listening socket out of a jail: sockets belong to the network they were made in, whoever
//! holds them.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};
use tokio::io::Interest;
use tokio::net::{TcpListener, UnixStream};

/// Sends a descriptor.
pub(super) fn send(over: &impl AsFd, fd: RawFd) -> io::Result<()> {
    let fds = [fd];
    let message = [ControlMessage::ScmRights(&fds)];
    let over = over.as_fd().as_raw_fd();
    sendmsg::<UnixAddr>(over, &[IoSlice::new(b"l")], &message, MsgFlags::empty(), None)?;
    Ok(())
}

/// Waits for a listening socket. Errors: the other side has ended without one.
pub(crate) async fn receive(over: &UnixStream) -> io::Result<TcpListener> {
    let listener = loop {
        over.readable().await?;
        match over.try_io(Interest::READABLE, || take(over.as_raw_fd())) {
            Ok(fd) => break fd,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    };
    let listener = std::net::TcpListener::from(listener);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

#[expect(unsafe_code, reason = "a received descriptor is a number until somebody owns it")]
fn take(over: RawFd) -> io::Result<OwnedFd> {
    let mut byte = [0; 1];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!([RawFd; 1]);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<UnixAddr>(over, &mut parts, Some(&mut space), flags)?;
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = part
            && let Some(fd) = fds.first()
        {
            // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
            return Ok(unsafe { OwnedFd::from_raw_fd(*fd) });
        }
    }
    Err(io::Error::from(io::ErrorKind::UnexpectedEof))
}
