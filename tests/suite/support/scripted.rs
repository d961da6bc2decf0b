//! A server that answers by script, and misbehaves by script: it cuts answers, resets connections, and keeps quiet.
//!
//! Written on bare sockets, because a proper HTTP server refuses to do most of that.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    headers: Vec<(String, String)>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answers.
    Say { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// Answers, but stops in the middle of the body and closes.
    Cut(Vec<u8>),
    /// Resets the connection without an answer.
    Reset,
    /// Begins an answer and then keeps quiet.
    Quiet,
    /// Never begins an answer.
    Silent,
    /// Answers without end.
    Endless,
}

pub(crate) fn say(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    Reply::Say { status, headers: Vec::new(), body: body.into() }
}

impl Reply {
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Say { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

type Script = Arc<dyn Fn(&Asked, usize) -> Reply + Send + Sync>;

/// A running server. It ends with the test's process.
pub(crate) struct Scripted {
    pub(crate) url: String,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl Scripted {
    /// Starts a server; the script gets each request and how many came before it.
    pub(crate) fn start(script: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let script: Script = Arc::new(script);
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, log) = (Arc::clone(&script), Arc::clone(&kept));
                thread::spawn(move || serve(stream, &script, &log));
            }
        });
        Self { url, log }
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.log.lock().unwrap().len()
    }
}

/// Takes one request. The bytes are only peeked at first: closing with bytes unread is what resets a connection.
fn serve(mut stream: TcpStream, script: &Script, log: &Mutex<Vec<Asked>>) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let head = loop {
        let Ok(seen) = stream.peek(&mut buffer) else { return };
        let text = String::from_utf8_lossy(&buffer[..seen]).into_owned();
        match text.split_once("\r\n\r\n") {
            Some((head, _)) => break head.to_owned(),
            None if seen == 0 => return,
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    let asked = parse(&head);
    let before = {
        let mut log = log.lock().unwrap();
        log.push(asked.clone());
        log.len() - 1
    };
    let reply = script(&asked, before);
    if matches!(reply, Reply::Reset) {
        return;
    }
    let _ = stream.read(&mut buffer[..head.len() + 4]);
    // The other side may be gone already: that is its right.
    let _ = answer(&mut stream, &asked, reply);
}

fn answer(stream: &mut TcpStream, asked: &Asked, reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Say { status, headers, body } => {
            let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                head += &format!("{name}: {value}\r\n");
            }
            stream.write_all(format!("{head}\r\n").as_bytes())?;
            if asked.method != "HEAD" {
                stream.write_all(&body)?;
            }
        }
        Reply::Cut(body) => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len())?;
            stream.write_all(&body[..body.len() / 2])?;
        }
        Reply::Quiet => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{{")?;
            stream.read_exact(&mut [0; 1])?;
        }
        Reply::Silent => stream.read_exact(&mut [0; 1])?,
        Reply::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[b' '; 16 * 1024])?;
            }
        }
        Reply::Reset => {}
    }
    Ok(())
}

fn parse(head: &str) -> Asked {
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (first.next().unwrap_or_default().to_owned(), first.next().unwrap_or_default().to_owned());
    let headers = lines.filter_map(|it| it.split_once(':')).map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    Asked { method, target, headers: headers.collect() }
}
