//! Git's protocol through a program's pipes: `ssh` for remote hosts, `git` for `file://`.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};

use crate::error::{Error, Kind};

use super::http_answer::clipped;
use super::network::SshProgram;
use super::remote::percent_decoded;
use super::session::{Failure, Session};

/// How much of what a program complains is kept.
const COMPLAINT_BYTES: u64 = 16 * 1024;
/// How long to wait for the last words of a program that has closed its output.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The transport for `ssh://`, `user@host:path` and `file://`.
pub(super) struct Program {
    /// The conversation it serves.
    pub(super) session: Arc<Session>,
}

impl SmartSubtransport for Program {
    fn action(&self, url: &str, action: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let service = match action {
            Service::UploadPackLs | Service::UploadPack => "upload-pack",
            Service::ReceivePackLs | Service::ReceivePack => "receive-pack",
        };
        let talk = command(url, service, &self.session).and_then(|command| Talk::start(command, &self.session));
        match talk {
            Ok(talk) => Ok(Box::new(talk)),
            Err(error) => {
                let _ = self.session.fail(error, false);
                Err(git2::Error::new(git2::ErrorCode::GenericError, git2::ErrorClass::Net, "the transport failed"))
            }
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

fn command(url: &str, service: &str, session: &Session) -> Result<Command, Error> {
    if let Some(path) = url.strip_prefix("file://") {
        let mut command = Command::new("git");
        command.args([service, "--"]).arg(percent_decoded(path));
        // Set by git while it runs a hook; they would point the program at another repository.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX"] {
            command.env_remove(name);
        }
        return Ok(command);
    }
    let place = Place::parse(url)?;
    let mut command = match &session.network.ssh {
        SshProgram::Program(program) => Command::new(program),
        SshProgram::Shell(line) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("{line} \"$@\"")).arg(line);
            shell
        }
    };
    let seconds = session.network.limits.connect.as_secs().max(1);
    command.args(["-o", "BatchMode=yes", "-o", &format!("ConnectTimeout={seconds}")]);
    if let Some(port) = &place.port {
        command.args(["-p", port]);
    }
    command.arg(&place.destination).arg(format!("git-{service} {}", quoted(&place.path)));
    Ok(command)
}

/// The parts of an ssh address.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// `user@host` or `host`.
    destination: String,
    port: Option<String>,
    path: String,
}

impl Place {
    fn parse(url: &str) -> Result<Self, Error> {
        let wrong = || Error::config(format!("“{}” is not an ssh address of a repository.", clipped(url, 200)));
        let place = match url.strip_prefix("ssh://") {
            Some(rest) => {
                let (authority, path) = rest.split_once('/').ok_or_else(wrong)?;
                let (destination, port) = split_port(authority);
                let path = percent_decoded(path);
                // `/~user/x` means the home of that user, as git reads it.
                let path = if path.starts_with('~') { path } else { format!("/{path}") };
                Self { destination: percent_decoded(&destination), port, path }
            }
            None => {
                let (destination, path) = url.split_once(':').ok_or_else(wrong)?;
                Self { destination: destination.to_owned(), port: None, path: path.to_owned() }
            }
        };
        let host = place.destination.rsplit('@').next().unwrap_or_default();
        let option_like = [place.destination.as_str(), host, &place.path].iter().any(|it| it.is_empty() || it.starts_with('-'));
        let bad_port = place.port.as_ref().is_some_and(|it| it.parse::<u16>().is_err());
        let strange = [&place.destination, &place.path].iter().any(|it| it.chars().any(char::is_control));
        if option_like || bad_port || strange { Err(wrong()) } else { Ok(place) }
    }
}

/// Host and port of `host:22` or `[::1]:22`; ssh wants the brackets gone.
fn split_port(authority: &str) -> (String, Option<String>) {
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
    let (host, port) = match host.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let at = if user.is_empty() { String::new() } else { format!("{user}@") };
    (format!("{at}{host}"), port.filter(|it| !it.is_empty()).map(str::to_owned))
}

/// As one word for the shell on the other side.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', "'\\''"))
}

/// A running program. Threads move its bytes, so that neither a full pipe nor silence can hold us beyond the limits.
struct Talk {
    session: Arc<Session>,
    child: Child,
    to: Option<Sender<Vec<u8>>>,
    from: Receiver<io::Result<Vec<u8>>>,
    rest: Vec<u8>,
    taken: usize,
    complaints: Arc<Mutex<String>>,
    silent: Receiver<()>,
}

impl Talk {
    fn start(mut command: Command, session: &Arc<Session>) -> Result<Self, Error> {
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|why| {
            Error::config(format!("The program {name}, which reaches {}, cannot be started.", session.address))
                .because(why)
                .hint("Install it, or put it into PATH.")
        })?;
        let (to, outgoing) = channel();
        let (incoming, from) = sync_channel(16);
        let (last, silent) = channel();
        let complaints = Arc::new(Mutex::new(String::new()));
        if let Some(pipe) = child.stdin.take() {
            thread::spawn(move || pump_in(pipe, &outgoing));
        }
        if let Some(pipe) = child.stdout.take() {
            thread::spawn(move || pump_out(pipe, &incoming));
        }
        if let Some(pipe) = child.stderr.take() {
            let kept = Arc::clone(&complaints);
            thread::spawn(move || listen(pipe, &kept, last));
        }
        Ok(Self { session: Arc::clone(session), child, to: Some(to), from, rest: Vec::new(), taken: 0, complaints, silent })
    }

    /// What to say when the program ended, or closed its output, before git was done.
    fn ended(&mut self) -> Failure {
        self.to = None;
        let _ = self.silent.recv_timeout(LAST_WORDS);
        let said = self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ended(&self.session.address, &said)
    }

    fn too_slow(&mut self) -> Error {
        let _ = self.child.kill();
        match self.session.time_left() {
            None => self.session.took_too_long(),
            Some(_) => {
                let seconds = self.session.network.limits.idle.as_secs_f32();
                Error::remote(format!("{} did not answer within {seconds} s.", self.session.address))
            }
        }
    }
}

impl Write for Talk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.to.as_ref().map(|it| it.send(bytes.to_vec())) {
            Some(Ok(())) => Ok(bytes.len()),
            _ => {
                let failure = self.ended();
                Err(self.session.fail(failure.error, failure.denied))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Talk {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.rest.len() {
            let patience = self.session.time_left().unwrap_or_default().min(self.session.network.limits.idle);
            self.rest = match self.from.recv_timeout(patience) {
                Ok(Ok(bytes)) => bytes,
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => {
                    let failure = self.ended();
                    return Err(self.session.fail(failure.error, failure.denied));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let error = self.too_slow();
                    return Err(self.session.fail(error, false));
                }
            };
            self.taken = 0;
        }
        let piece = &self.rest[self.taken..];
        let count = piece.len().min(into.len());
        into[..count].copy_from_slice(&piece[..count]);
        self.taken += count;
        self.session.receive(count).map_err(|error| self.session.fail(error, false))?;
        Ok(count)
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // Everything git wanted to hear has been read by now; what still runs is not needed any more.
        self.to = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pump_in(mut pipe: impl Write, outgoing: &Receiver<Vec<u8>>) {
    while let Ok(bytes) = outgoing.recv() {
        if pipe.write_all(&bytes).and_then(|()| pipe.flush()).is_err() {
            return;
        }
    }
}

fn pump_out(mut pipe: impl Read, incoming: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; 64 * 1024];
        let sent = match pipe.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => {
                piece.truncate(count);
                incoming.send(Ok(piece))
            }
            Err(why) => incoming.send(Err(why)),
        };
        if sent.is_err() {
            return;
        }
    }
}

fn listen(mut pipe: impl Read, kept: &Mutex<String>, last: Sender<()>) {
    let mut piece = [0; 1024];
    while let Ok(count @ 1..) = pipe.read(&mut piece) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if (kept.len() as u64) < COMPLAINT_BYTES {
            kept.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
    }
    drop(last);
}

/// What the end of a program means, judged by its complaints.
fn ended(address: &str, said: &str) -> Failure {
    let any = |needles: &[&str]| needles.iter().any(|it| said.contains(it));
    let quote = quote(said);
    let (error, denied) = if any(&["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED", "No matching host key"]) {
        let hint = "Compare the host's key with what its owner publishes, then put it into known_hosts; it is never accepted unseen.";
        (Error::remote_final(format!("The host key of {address} is not the one that known_hosts holds{quote}")).hint(hint), false)
    } else if any(&["Permission denied", "Permission to ", "Too many authentication failures", "access denied", "not allowed to push"]) {
        let hint = "Check the ssh key (ssh-add -l) and that it may write to this repository.";
        (Error::remote_final(format!("{address} does not let us in{quote}")).hint(hint), true)
    } else if any(&["does not appear to be a git repository", "Repository not found", "not a git repository", "repository does not exist"])
    {
        (
            Error::remote_final(format!("There is no repository at {address}, or the key may not see it{quote}"))
                .hint("Check the address."),
            false,
        )
    } else if any(&["dubious ownership"]) {
        let hint = "Tell git that the folder is yours: git config --global --add safe.directory PATH.";
        (Error::remote_final(format!("The repository at {address} belongs to another user{quote}")).hint(hint), false)
    } else if any(&[
        "Could not resolve hostname",
        "Connection refused",
        "No route to host",
        "Network is unreachable",
        "Connection timed out",
    ]) {
        (Error::new(Kind::Unreachable, format!("{address} cannot be reached{quote}")), false)
    } else {
        (Error::remote(format!("The connection to {address} ended before git was done{quote}")), false)
    };
    Failure { error, denied }
}

/// `: what it said.`, on one line.
fn quote(said: &str) -> String {
    let lines: Vec<_> = said.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('@')).collect();
    let text = clipped(&lines.join(" / "), 500);
    if text.is_empty() { ".".to_owned() } else { format!(": {}.", text.trim_end_matches('.')) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn addresses_are_taken_apart_as_ssh_wants_them() {
        let place = |destination: &str, port: Option<&str>, path: &str| Place {
            destination: destination.to_owned(),
            port: port.map(str::to_owned),
            path: path.to_owned(),
        };
        for (url, wanted) in [
            ("git@h:x/y.git", place("git@h", None, "x/y.git")),
            ("ssh://git@h:2222/x%20y.git", place("git@h", Some("2222"), "/x y.git")),
            ("ssh://h/~me/x", place("h", None, "~me/x")),
            ("ssh://git@[::1]:22/x", place("git@::1", Some("22"), "/x")),
        ] {
            assert_eq!(Place::parse(url).unwrap(), wanted, "{url}");
        }
    }

    #[test]
    fn nothing_that_looks_like_an_option_reaches_ssh() {
        for url in
            ["-oProxyCommand=x:y", "git@-x:y", "-oX@h:y", "h:-x", "ssh://%2doProxyCommand=x/y", "ssh://-l@h/y", "ssh://h:22x/y", "ssh://h"]
        {
            assert!(Place::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_path_is_one_word_on_the_other_side() {
        assert_eq!(quoted("a b'; rm -rf /"), r"'a b'\''; rm -rf /'");
    }

    #[test]
    fn what_ssh_complains_decides() {
        for (said, kind, denied) in [
            ("Host key verification failed.", Kind::RemoteFinal, false),
            ("git@h: Permission denied (publickey).", Kind::RemoteFinal, true),
            ("ERROR: Repository not found.", Kind::RemoteFinal, false),
            ("ssh: connect to host h port 22: Connection refused", Kind::Unreachable, false),
            ("", Kind::Remote, false),
        ] {
            let failure = ended("git@h:x", said);
            assert_eq!((failure.error.kind(), failure.denied), (kind, denied), "{said}");
        }
    }
}
