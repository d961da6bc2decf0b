//! A small proxy that passes on and counts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A running proxy; stops when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    stopped: Arc<AtomicBool>,
}

impl Proxy {
    /// Passes on everything, or only what brings this `Proxy-Authorization`.
    pub(crate) fn start(password: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (log, end) = (Arc::clone(&seen), Arc::clone(&stopped));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let log = Arc::clone(&log);
                thread::spawn(move || pass_on(stream, password, &log));
            }
        });
        Self { address, seen, stopped }
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// The request lines so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn pass_on(mut client: TcpStream, password: Option<&str>, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).ok().filter(|it| *it > 0)?;
    }
    let line = head.lines().next()?.to_owned();
    log.lock().unwrap().push(line.clone());
    if password.is_some_and(|it| !head.to_lowercase().contains(&format!("proxy-authorization: basic {}", it.to_lowercase()))) {
        client.write_all(b"HTTP/1.1 407 no\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
        return None;
    }
    let target = line.split(' ').nth(1)?;
    let connect = line.starts_with("CONNECT ");
    let host = if connect { target } else { target.split("://").nth(1)?.split('/').next()? };
    let mut server = TcpStream::connect(host).ok()?;
    if connect {
        client.write_all(b"HTTP/1.1 200 ok\r\n\r\n").ok()?;
    } else {
        server.write_all(head.as_bytes()).ok()?;
    }
    server.write_all(reader.buffer()).ok()?;
    let (mut from_server, mut to_client) = (server.try_clone().ok()?, client.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let mut piece = [0; 8192];
    while let Ok(count @ 1..) = client.read(&mut piece) {
        server.write_all(&piece[..count]).ok()?;
    }
    let _ = server.shutdown(Shutdown::Both);
    Some(())
}
