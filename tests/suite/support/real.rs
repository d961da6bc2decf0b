//! Real servers, where they are installed.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Finds programs, or says why a test is skipped. Under `TOMODA_REAL=1` a missing one is a failure.
pub(crate) fn programs<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let found = names.map(find);
    let missing: Vec<_> = names.iter().zip(&found).filter(|(_, it)| it.is_none()).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Some(found.map(Option::unwrap));
    }
    assert!(std::env::var_os("TOMODA_REAL").is_none(), "TOMODA_REAL is set and {missing:?} is not installed");
    println!("skipped: {missing:?} is not installed");
    None
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/sbin", "/usr/local/sbin"]);
    folders.map(|it| Path::new(it).join(name)).find(|it| it.is_file())
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that is stopped when dropped.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts it, its output going to this file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let file = std::fs::File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: command.spawn().unwrap(), log: log.to_owned() }
    }

    /// Waits until `ready` holds.
    pub(crate) fn until(mut self, what: &str, ready: impl Fn() -> bool) -> Self {
        let began = Instant::now();
        while !ready() {
            let ended = self.child.try_wait().unwrap();
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(ended.is_none() && began.elapsed() < Duration::from_secs(20), "{what} is not ready ({ended:?}): {log}");
            std::thread::sleep(Duration::from_millis(10));
        }
        self
    }

    /// Waits until something listens there.
    pub(crate) fn until_port(self, what: &str, port: u16) -> Self {
        self.until(what, || TcpStream::connect(("127.0.0.1", port)).is_ok())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Politely first: nginx stops its workers itself.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
