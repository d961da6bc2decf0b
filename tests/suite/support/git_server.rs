//! A small web server in front of the real `git http-backend`, which counts, and misbehaves when told to.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Which requests a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// `GET info/refs` of a fetch or list.
    FetchRefs,
    /// `POST git-upload-pack`.
    Fetch,
    /// `GET info/refs` of a push.
    PushRefs,
    /// `POST git-receive-pack`.
    Push,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// An answer of another kind: status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, &'static str),
    /// No answer until the server stops.
    Hang,
    /// A good beginning of an answer, then a byte now and then, for ever.
    Drip,
    /// The connection breaks before git has seen the request.
    ResetBefore,
    /// Git does its work, then the connection breaks without an answer.
    ResetAfter,
    /// Git does its work, and half of the answer arrives.
    CutBody,
    /// Git does its work, and the answer is this instead.
    AnswerAfter(u16, Vec<(&'static str, String)>, &'static str),
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    fn on(&self) -> Option<On> {
        match &*self.target {
            it if it.ends_with("info/refs?service=git-upload-pack") => Some(On::FetchRefs),
            it if it.ends_with("info/refs?service=git-receive-pack") => Some(On::PushRefs),
            it if it.ends_with("/git-upload-pack") => Some(On::Fetch),
            it if it.ends_with("/git-receive-pack") => Some(On::Push),
            _ => None,
        }
    }
}

struct Shared {
    root: PathBuf,
    tls: Option<Arc<rustls::ServerConfig>>,
    faults: Mutex<VecDeque<(On, Fault)>>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    busy: AtomicU64,
    password: Mutex<Option<String>>,
    stopped: AtomicBool,
    wake: (Mutex<bool>, Condvar),
}

/// A running server; stops when dropped.
pub(crate) struct GitServer {
    shared: Arc<Shared>,
    address: std::net::SocketAddr,
}

impl GitServer {
    /// Serves the repositories below a folder over http.
    pub(crate) fn start(root: &Path) -> Self {
        Self::serve(root, None)
    }

    /// The same over https.
    pub(crate) fn start_tls(root: &Path, tls: Arc<rustls::ServerConfig>) -> Self {
        Self::serve(root, Some(tls))
    }

    fn serve(root: &Path, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            tls,
            faults: Mutex::default(),
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            busy: AtomicU64::new(0),
            password: Mutex::default(),
            stopped: AtomicBool::new(false),
            wake: (Mutex::new(false), Condvar::new()),
        });
        let inner = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if inner.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                inner.connections.fetch_add(1, Ordering::SeqCst);
                let inner = Arc::clone(&inner);
                thread::spawn(move || connection(&inner, stream));
            }
        });
        Self { shared, address }
    }

    /// The address of `repo.git`.
    pub(crate) fn url(&self) -> String {
        format!("{}/repo.git", self.origin())
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.address.port())
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.address.port())
    }

    /// The next request of this kind meets this fault; several wait for each other.
    pub(crate) fn fault(&self, on: On, fault: Fault) {
        self.shared.faults.lock().unwrap().push_back((on, fault));
    }

    /// From now on only `user:password` is let in.
    pub(crate) fn require(&self, pair: &str) {
        *self.shared.password.lock().unwrap() = Some(pair.to_owned());
    }

    /// The requests so far, oldest first; forgotten afterwards.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.shared.requests.lock().unwrap())
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

#[allow(dead_code, reason = "the benchmark asks")]
impl GitServer {
    /// How long git worked on this side since the last question.
    pub(crate) fn busy(&self) -> Duration {
        Duration::from_micros(self.shared.busy.swap(0, Ordering::SeqCst))
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        *self.shared.wake.0.lock().unwrap() = true;
        self.shared.wake.1.notify_all();
        let _ = TcpStream::connect(self.address);
    }
}

fn connection(shared: &Shared, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    match &shared.tls {
        None => {
            let writer = stream.try_clone().unwrap();
            talk(shared, &mut BufReader::new(stream), writer);
        }
        Some(config) => {
            let Ok(session) = rustls::ServerConnection::new(Arc::clone(config)) else { return };
            let both = Arc::new(Mutex::new(rustls::StreamOwned::new(session, stream)));
            talk(shared, &mut BufReader::new(Half(Arc::clone(&both))), Half(both));
        }
    }
}

/// One side of a TLS stream; requests and answers follow each other, so the lock is never waited for.
struct Half(Arc<Mutex<rustls::StreamOwned<rustls::ServerConnection, TcpStream>>>);

impl Read for Half {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().read(into)
    }
}

impl Write for Half {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.lock().unwrap().flush()
    }
}

fn talk(shared: &Shared, reader: &mut impl BufRead, mut writer: impl Write) {
    while let Some((request, body)) = read_request(reader) {
        let on = request.on();
        let authorised = authorised(shared, &request);
        shared.requests.lock().unwrap().push(request.clone());
        let fault = on.and_then(|on| {
            let mut faults = shared.faults.lock().unwrap();
            let at = faults.iter().position(|(it, _)| *it == on)?;
            faults.remove(at).map(|(_, fault)| fault)
        });
        let answer = match fault {
            Some(Fault::Answer(status, headers, body)) => (status, owned(headers), body.as_bytes().to_vec()),
            Some(Fault::Hang) => {
                let stopped = shared.wake.0.lock().unwrap();
                drop(shared.wake.1.wait_while(stopped, |it| !*it).unwrap());
                return;
            }
            Some(Fault::Drip) => {
                drip(shared, &request, &body, &mut writer);
                return;
            }
            Some(Fault::ResetBefore) => return,
            Some(Fault::ResetAfter) => {
                backend(shared, &request, &body);
                return;
            }
            Some(Fault::CutBody) => {
                let (status, headers, body) = backend(shared, &request, &body);
                let half = &body[..body.len() / 2];
                let _ = write_answer(&mut writer, status, &headers, body.len(), half);
                return;
            }
            Some(Fault::AnswerAfter(status, headers, page)) => {
                backend(shared, &request, &body);
                (status, owned(headers), page.as_bytes().to_vec())
            }
            None if !authorised => (401, vec![("WWW-Authenticate".to_owned(), "Basic realm=\"git\"".to_owned())], Vec::new()),
            None => backend(shared, &request, &body),
        };
        if write_answer(&mut writer, answer.0, &answer.1, answer.2.len(), &answer.2).is_err() {
            return;
        }
    }
}

fn drip(shared: &Shared, request: &Request, body: &[u8], writer: &mut impl Write) {
    let (status, headers, _) = backend(shared, request, body);
    let mut sent = write_answer(writer, status, &headers, 1 << 20, b"");
    while sent.is_ok() && !shared.stopped.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(50));
        sent = writer.write_all(b"3").and_then(|()| writer.flush());
    }
}

fn owned(headers: Vec<(&'static str, String)>) -> Vec<(String, String)> {
    headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn authorised(shared: &Shared, request: &Request) -> bool {
    use base64::Engine as _;
    let wanted = shared.password.lock().unwrap();
    wanted.as_ref().is_none_or(|pair| {
        let coded = base64::engine::general_purpose::STANDARD.encode(pair);
        request.header("authorization") == Some(&format!("Basic {coded}"))
    })
}

fn read_request(reader: &mut impl BufRead) -> Option<(Request, Vec<u8>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|it| *it > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|it| *it > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, target, headers, body: 0 };
    let body = if request.header("transfer-encoding") == Some("chunked") {
        chunks(reader)?
    } else {
        let mut body = vec![0; request.header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        body
    };
    request.body = body.len();
    Some((request, body))
}

fn chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|it| *it > 0)?;
        let size = usize::from_str_radix(line.trim().split(';').next()?, 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

type Answer = (u16, Vec<(String, String)>, Vec<u8>);

/// Runs `git http-backend` as a web server would. It unpacks gzip bodies itself.
fn backend(shared: &Shared, request: &Request, body: &[u8]) -> Answer {
    let began = Instant::now();
    let answer = run_backend(shared, request, body);
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    shared.busy.fetch_add(micros, Ordering::SeqCst);
    answer
}

fn run_backend(shared: &Shared, request: &Request, body: &[u8]) -> Answer {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let path = path.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or(path);
    let mut command = Command::new("git");
    command.arg("http-backend").env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
        .env("GIT_PROJECT_ROOT", &shared.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", &shared.root)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &request.method)
        .env("CONTENT_TYPE", request.header("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("REMOTE_USER", "bot")
        .env("REMOTE_ADDR", "127.0.0.1");
    if let Some(encoding) = request.header("content-encoding") {
        command.env("HTTP_CONTENT_ENCODING", encoding);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("git is installed");
    let mut stdin = child.stdin.take().unwrap();
    let body = body.to_vec();
    let feeder = thread::spawn(move || stdin.write_all(&body));
    let output = child.wait_with_output().unwrap();
    let _ = feeder.join();
    let end = output.stdout.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or(output.stdout.len());
    let mut status = 200;
    let mut headers = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout[..end]).lines() {
        match line.split_once(": ") {
            Some(("Status", value)) => status = value.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(500),
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => {}
        }
    }
    (status, headers, output.stdout.get(end + 4..).unwrap_or_default().to_vec())
}

fn write_answer(writer: &mut impl Write, status: u16, headers: &[(String, String)], length: usize, body: &[u8]) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    writer.write_all(&[head.as_bytes(), body].concat())?;
    writer.flush()
}
