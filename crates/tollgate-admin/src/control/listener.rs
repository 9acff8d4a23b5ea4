//! The answering side of the control socket: a thread that accepts, and one for each connection.

use super::MAX_MESSAGE;
use super::rpc::{Control, answer};
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Connections at a time. LIMIT: each costs a thread.
const MAX_CONNECTIONS: usize = 16;
/// How long a connection may take to send a command. LIMIT.
const MESSAGE_TIME: Duration = Duration::from_secs(10);
/// How often a waiting connection looks whether the server stops.
const TICK: Duration = Duration::from_millis(100);

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody answers there.
    #[error("another server answers at {}", .0.display())]
    InUse(PathBuf),
    /// There is something that is no socket.
    #[error("{} is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("cannot listen at {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A listening control socket. Dropping it ends the thread and removes the file.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
    /// Device and inode of the file, so that only this one is removed.
    file: (u64, u64),
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ControlSocket {
    /// Listens at `path`, whose folder is made if need be, and passes commands to `control`.
    ///
    /// # Errors
    /// If somebody answers there, something else is there, or the system refuses.
    pub fn open(path: &Path, control: Arc<dyn Control>) -> Result<ControlSocket, SocketError> {
        let failed = |source| SocketError::Io { path: path.to_path_buf(), source };
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        }
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let file = fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino())).map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || accept(&listener, &control, &stopped))
            .map_err(failed)?;
        Ok(ControlSocket { path: path.to_path_buf(), file, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the accepting thread. If nobody accepts any more, there is nothing to wake.
        let woken = UnixStream::connect(&self.path).is_ok();
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.file);
        if is_ours {
            // A file that cannot be removed is replaced at the next start.
            drop(fs::remove_file(&self.path));
        }
        if let Some(thread) = self.thread.take().filter(|_| woken && is_ours) {
            // A panic there has been reported by the panic hook.
            drop(thread.join());
        }
    }
}

/// Removes a socket file that nobody answers on.
fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let failed = |source| SocketError::Io { path: path.to_path_buf(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(meta) if !meta.file_type().is_socket() => return Err(SocketError::NotASocket(path.to_path_buf())),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::InUse(path.to_path_buf())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

fn accept(listener: &UnixListener, control: &Arc<dyn Control>, stop: &Arc<AtomicBool>) {
    let mut connections: Vec<JoinHandle<()>> = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let Ok((stream, _)) = listener.accept() else {
            // Out of descriptors, most likely: wait for some to come back.
            std::thread::park_timeout(TICK);
            continue;
        };
        connections.retain(|connection| !connection.is_finished());
        if connections.len() >= MAX_CONNECTIONS || !is_owner(&stream) {
            continue;
        }
        let (control, stop) = (Arc::clone(control), Arc::clone(stop));
        let serve = move || {
            // A client that went away is no fault of ours.
            drop(serve(stream, &*control, &stop));
        };
        connections.extend(std::thread::Builder::new().name("control".into()).spawn(serve));
    }
    for connection in connections {
        // A panic there has been reported by the panic hook.
        drop(connection.join());
    }
}

/// Whether the peer is the server's user or root.
fn is_owner(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid();
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| peer.uid == own || peer.uid.is_root())
}

fn serve(mut stream: UnixStream, control: &dyn Control, stop: &AtomicBool) -> io::Result<()> {
    stream.set_read_timeout(Some(TICK))?;
    stream.set_write_timeout(Some(MESSAGE_TIME))?;
    let mut buffer = Vec::new();
    while let Some(line) = next_line(&mut stream, &mut buffer, stop)? {
        if let Some(answer) = answer(&line, control) {
            stream.write_all(answer.as_bytes())?;
            stream.write_all(b"\n")?;
        }
    }
    Ok(())
}

/// The next line without its end; `None` at the end of the connection, of the time, or of the server.
fn next_line(
    stream: &mut UnixStream,
    buffer: &mut Vec<u8>,
    stop: &AtomicBool,
) -> io::Result<Option<Vec<u8>>> {
    let deadline = Instant::now() + MESSAGE_TIME;
    let mut chunk = [0; 4096];
    let mut searched = 0;
    loop {
        if let Some(end) = buffer[searched..].iter().position(|byte| *byte == b'\n') {
            let rest = buffer.split_off(searched + end + 1);
            let mut line = std::mem::replace(buffer, rest);
            line.pop();
            return Ok(Some(line));
        }
        searched = buffer.len();
        if buffer.len() > MAX_MESSAGE || Instant::now() >= deadline || stop.load(Ordering::Acquire) {
            return Ok(None);
        }
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(n) => buffer.extend_from_slice(&chunk[..n]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CallError, ControlError, Request, call};
    use super::*;
    use serde_json::{Value, json};

    struct Fixed;

    impl Control for Fixed {
        fn handle(&self, request: Request) -> Result<Value, ControlError> {
            match request {
                Request::ServerStatus {} => Ok(json!("on")),
                _ => Err(ControlError::failed("not that")),
            }
        }
    }

    const TIME: Duration = Duration::from_secs(20);

    #[test]
    fn a_command_is_answered_and_the_file_is_the_owners_alone_until_the_end() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("run/s.sock");
        let socket = ControlSocket::open(&path, Arc::new(Fixed)).expect("open");
        assert_eq!(fs::metadata(&path).expect("file").mode() & 0o777, 0o600);
        assert_eq!(call(&path, &Request::ServerStatus {}, TIME).expect("answer"), json!("on"));
        let refused = call(&path, &Request::ServerStop {}, TIME).expect_err("refused");
        assert_eq!(refused.to_string(), "not that");
        drop(socket);
        assert!(!path.exists());
        assert!(matches!(call(&path, &Request::ServerStatus {}, TIME), Err(CallError::NoServer { .. })));
    }

    #[test]
    fn only_a_socket_that_nobody_answers_on_is_replaced() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("s.sock");
        drop(UnixListener::bind(&path).expect("bind"));
        let socket = ControlSocket::open(&path, Arc::new(Fixed)).expect("stale file replaced");
        assert!(matches!(ControlSocket::open(&path, Arc::new(Fixed)), Err(SocketError::InUse(_))));
        assert!(call(socket.path(), &Request::ServerStatus {}, TIME).is_ok());
        let file = dir.path().join("file");
        fs::write(&file, "x").expect("write");
        assert!(matches!(ControlSocket::open(&file, Arc::new(Fixed)), Err(SocketError::NotASocket(_))));
        assert!(file.exists());
    }

    #[test]
    fn a_message_that_is_too_long_ends_the_connection() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("s.sock");
        let _socket = ControlSocket::open(&path, Arc::new(Fixed)).expect("open");
        let mut stream = UnixStream::connect(&path).expect("connect");
        // The server may close before everything is written.
        drop(stream.write_all(&vec![b' '; MAX_MESSAGE + 8192]));
        let mut rest = Vec::new();
        assert!(!matches!(stream.read_to_end(&mut rest), Ok(n) if n > 0));
    }
}
