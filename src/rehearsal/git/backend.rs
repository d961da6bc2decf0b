//! `git http-backend` as a CGI program: bodies stream both ways, chunked or not, compressed or not.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

use crate::error::{Error, Result};

const PIECE: usize = 64 << 10;

/// One call of the program.
pub(super) struct Call {
    pub(super) program: PathBuf,
    pub(super) root: PathBuf,
    pub(super) path_info: String,
}

/// Where git keeps the program.
pub(super) async fn find() -> Result<PathBuf> {
    let missing = || Error::usage("The rehearsal needs the git program with its http-backend.").hint("Install git.");
    let output = Command::new("git").arg("--exec-path").output().await.map_err(|why| missing().because(why))?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).join("git-http-backend");
    if path.is_file() { Ok(path) } else { Err(missing()) }
}

/// Runs the program on a request. `ended` is called when it is through, before the client sees the end of the answer.
pub(super) async fn call(call: Call, request: Request, ended: impl FnOnce() + Send + 'static) -> io::Result<Response> {
    let (parts, body) = request.into_parts();
    let mut child = spawn(&call, &parts)?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("no pipes"));
    };
    let feeding = tokio::spawn(feed(body, input));
    let mut output = BufReader::new(output);
    let (status, headers) = head(&mut output).await?;
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(8);
    tokio::spawn(async move {
        drain(output, &sender).await;
        child.wait().await.ok();
        feeding.abort();
        tokio::task::spawn_blocking(ended).await.ok();
    });
    let pieces = stream::unfold(receiver, |mut it| async move { it.recv().await.map(|piece| (piece, it)) });
    let mut response = Response::new(Body::from_stream(pieces));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Nothing of this machine's git configuration takes part; a push needs no permission.
fn spawn(call: &Call, parts: &axum::http::request::Parts) -> io::Result<Child> {
    let header = |name: HeaderName| parts.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let mut command = Command::new(&call.program);
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|it| ("PATH", it)))
        .env("HOME", &call.root)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_PROJECT_ROOT", &call.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", OsStr::new(&call.path_info))
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header(CONTENT_TYPE))
        .env("HTTP_CONTENT_ENCODING", header(CONTENT_ENCODING))
        .env("GIT_PROTOCOL", header(HeaderName::from_static("git-protocol")))
        .env("REMOTE_USER", "rehearsal")
        .env("REMOTE_ADDR", "127.0.0.1");
    if let Some(length) = parts.headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()) {
        command.env("CONTENT_LENGTH", length);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn()
}

/// Passes the body on. When the client goes away in the middle, the program sees the end of its input and gives up.
async fn feed(body: Body, mut input: ChildStdin) {
    let mut pieces = body.into_data_stream();
    while let Some(Ok(piece)) = pieces.next().await {
        if input.write_all(&piece).await.is_err() {
            return;
        }
    }
}

/// Reads the CGI header: a status when it is not 200, and what goes to the client.
async fn head(output: &mut BufReader<ChildStdout>) -> io::Result<(StatusCode, HeaderMap)> {
    let (mut status, mut headers) = (StatusCode::OK, HeaderMap::new());
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).await? == 0 {
            return Err(io::Error::other("it ended before its header"));
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else { return Ok((status, headers)) };
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|it| it.parse::<u16>().ok()).unwrap_or(500);
            status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        } else if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
}

/// Passes the answer on, and reads it to its end even when the client is gone: what was pushed counts.
async fn drain(mut output: BufReader<ChildStdout>, to: &mpsc::Sender<io::Result<Bytes>>) {
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) = output.read(&mut piece).await {
        to.send(Ok(Bytes::copy_from_slice(&piece[..length]))).await.ok();
    }
}
