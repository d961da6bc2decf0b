//! nginx with git http-backend behind TLS and a password, where installed.

use std::process::Command;

use tomoda_release::error::Kind;
use tomoda_release::io::git::{Expect, Network, Pushed};

use super::{main_ref, offline, store_with, write};
use crate::support::real::{Running, free_port, programs};
use crate::support::repo::{Bare, git};
use crate::support::tls::Authority;

#[test]
fn a_real_web_server() {
    let Some([nginx, fcgiwrap, openssl]) = programs(["nginx", "fcgiwrap", "openssl"]) else { return };
    let bare = Bare::with(&[("a", "one\n")]);
    bare.git(&["config", "http.receivepack", "true"]);
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let (at, port) = (folder.path().display(), free_port());
    let hashed = Command::new(openssl).args(["passwd", "-apr1", "t0ken"]).output().unwrap();
    std::fs::write(folder.path().join("htpasswd"), format!("x-access-token:{}", String::from_utf8_lossy(&hashed.stdout))).unwrap();
    let backend = format!("{}/git-http-backend", git(folder.path(), &["--exec-path"]));
    let config = format!(
        "daemon off; worker_processes 1; pid {at}/pid; error_log {at}/error.log; user {user};\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log off; client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
         server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key};\n\
         auth_basic git; auth_basic_user_file {at}/htpasswd;\n\
         location / {{ fastcgi_pass unix:{at}/socket; fastcgi_param SCRIPT_FILENAME {backend}; fastcgi_param PATH_INFO $uri;\n\
         fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method; fastcgi_param CONTENT_TYPE $content_type;\n\
         fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param GIT_PROJECT_ROOT {root}; fastcgi_param GIT_HTTP_EXPORT_ALL 1;\n\
         fastcgi_param REMOTE_USER $remote_user; fastcgi_param HOME {at}; }} }} }}\n",
        user = std::env::var("USER").unwrap_or_else(|_| "root".into()),
        cert = authority.cert_file().display(),
        key = authority.key_file().display(),
        root = bare.root().display(),
    );
    std::fs::write(folder.path().join("nginx.conf"), config).unwrap();
    let socket = folder.path().join("socket");
    let mut command = Command::new(fcgiwrap);
    command.arg("-s").arg(format!("unix:{}", socket.display()));
    let _wrap = Running::start(&mut command, &folder.path().join("wrap.log")).until("fcgiwrap", || socket.exists());
    let mut command = Command::new(nginx);
    command.arg("-c").arg(folder.path().join("nginx.conf")).arg("-e").arg(folder.path().join("error.log"));
    let _nginx = Running::start(&mut command, &folder.path().join("nginx.log")).until_port("nginx", port);

    let url = format!("https://127.0.0.1:{port}/repo.git");
    let network = Network { ca_file: Some(authority.ca_file()), ..offline() };
    let cache = tempfile::tempdir().unwrap();
    let store = store_with(&url, Some("t0ken"), cache.path(), network.clone());
    let mut tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    for round in 0..3 {
        let next = write(&store, &tip, "a", &format!("{round}\n"));
        assert_eq!(store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap(), Pushed::Landed);
        tip = next;
    }
    assert!(store.fetch(&main_ref(), false).unwrap().is_some());
    assert_eq!(bare.git(&["rev-list", "--count", "main"]), "4");
    let error = store_with(&url, Some("wrong"), cache.path(), network.clone()).list("refs/").unwrap_err();
    assert_eq!(error.kind(), Kind::RemoteFinal);
    assert!(error.to_string().contains("does not accept the token"), "{error}");
    let error = store_with(&url.replace("repo", "none"), Some("t0ken"), cache.path(), network).list("refs/").unwrap_err();
    assert!(error.to_string().contains("There is no repository"), "{error}");
}
