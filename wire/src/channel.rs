//! The control socket: one line of JSON a message over a Unix stream socket, and descriptors passed
//! beside them. Lines are bounded, so that neither side can be made to hold another's garbage.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest line that is read.
pub const MAX_LINE: usize = 1 << 20;

/// A message as it goes over the socket.
///
/// # Errors
/// When it is too long.
pub fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    if line.len() > MAX_LINE {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "control message too long"));
    }
    Ok(line)
}

/// One end of the conversation.
pub struct Channel {
    socket: UnixStream,
    pending: Vec<u8>,
    descriptor: Option<OwnedFd>,
}

impl Channel {
    /// Takes a connected socket.
    pub fn new(socket: UnixStream) -> Self {
        Self { socket, pending: Vec::new(), descriptor: None }
    }

    /// How long [`Channel::receive`] waits; `None` is for ever.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.set_read_timeout(timeout)
    }

    /// Sends a message, with a descriptor where one is given.
    ///
    /// # Errors
    /// When the other side is gone, or the message is too long.
    pub fn send(&self, message: &impl Serialize, descriptor: Option<&OwnedFd>) -> io::Result<()> {
        self.send_line(&line(message)?, descriptor)
    }

    /// Sends a message that has been [made](line) before, with a descriptor where one is given.
    ///
    /// # Errors
    /// When the other side is gone.
    pub fn send_line(&self, line: &[u8], descriptor: Option<&OwnedFd>) -> io::Result<()> {
        let (mut rest, mut descriptor) = (line, descriptor);
        while !rest.is_empty() {
            let sent = self.send_part(rest, descriptor.take())?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    fn send_part(&self, bytes: &[u8], descriptor: Option<&OwnedFd>) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let borrowed = descriptor.map(|d| [d.as_fd()]);
        if let Some(fds) = &borrowed {
            ancillary.push(SendAncillaryMessage::ScmRights(fds));
        }
        let parts = [io::IoSlice::new(bytes)];
        loop {
            let sent = rustix::net::sendmsg(&self.socket, &parts, &mut ancillary, SendFlags::NOSIGNAL);
            match sent {
                Err(rustix::io::Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    /// Receives a message. `Ok(None)` is the end of the conversation.
    ///
    /// # Errors
    /// `WouldBlock` or `TimedOut` after the time set with [`Channel::set_timeout`]; `InvalidData` for a
    /// line that is too long or is no message.
    pub fn receive<M: DeserializeOwned>(&mut self) -> io::Result<Option<M>> {
        loop {
            if let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            if self.pending.len() > MAX_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "control line too long"));
            }
            if self.receive_part()? == 0 {
                return Ok(None);
            }
        }
    }

    fn receive_part(&mut self) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0u8; 16 * 1024];
        let got = loop {
            let mut parts = [io::IoSliceMut::new(&mut bytes)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            match rustix::net::recvmsg(&self.socket, &mut parts, &mut ancillary, flags) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other?.bytes,
            }
        };
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                for fd in fds {
                    self.descriptor = Some(fd);
                }
            }
        }
        self.pending.extend_from_slice(&bytes[..got]);
        Ok(got)
    }

    /// The descriptor that came with an earlier message.
    pub fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptor.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{FromEngine, ToEngine};
    use crate::telemetry::Page;

    #[test]
    fn messages_and_a_descriptor_cross() {
        let (a, b) = UnixStream::pair().unwrap();
        let (a, mut b) = (Channel::new(a), Channel::new(b));
        let (_page, file) = Page::create(2).unwrap();
        a.send(&ToEngine::Go, Some(&file)).unwrap();
        a.send(&ToEngine::Inspect, None).unwrap();
        drop(a);
        assert_eq!(b.receive::<ToEngine>().unwrap(), Some(ToEngine::Go));
        assert_eq!(b.receive::<ToEngine>().unwrap(), Some(ToEngine::Inspect));
        assert_eq!(b.receive::<ToEngine>().unwrap(), None);
        assert!(Page::open(b.take_descriptor().unwrap()).is_ok());
    }

    #[test]
    fn garbage_is_an_error_not_a_panic() {
        let (mut a, b) = UnixStream::pair().unwrap();
        io::Write::write_all(&mut a, b"{\"say\":\"dance\"}\n").unwrap();
        let mut b = Channel::new(b);
        assert!(b.receive::<FromEngine>().is_err());
    }
}
