//! `set-image` against `kustomize edit set image`, run by run in turn: time of a process, and lines that nobody asked
//! to change. Over `benches/corpus`, or over every kustomization below `SET_IMAGE_CORPUS`.
//!
//! `cargo bench --bench set_image`; ours is `TOMODA_RELEASE` or the one just built, the other is `KUSTOMIZE` or
//! `kustomize` on the path.
#![allow(clippy::disallowed_methods, clippy::print_stdout, missing_docs, reason = "a bench lives outside the edge rule")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tomoda_release::decide::overlay::{Entry, entries};

const ROUNDS: usize = 5;

fn main() {
    let corpus =
        std::env::var_os("SET_IMAGE_CORPUS").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/corpus"), PathBuf::from);
    let ours_is = std::env::var("TOMODA_RELEASE").unwrap_or_else(|_| env!("CARGO_BIN_EXE_tomoda-release").to_owned());
    // As installing does it: how a file was written decides how dear it is to start.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let installed = folder.path().join("tomoda-release");
    fs::copy(&ours_is, &installed).expect("a copy of the program");
    let theirs = std::env::var("KUSTOMIZE").unwrap_or_else(|_| "kustomize".to_owned());
    let mut files = Vec::new();
    collect(&corpus, &mut files);
    let (mut ours, mut other, mut floor) = (Tally::default(), Tally::default(), Vec::new());
    for file in &files {
        let Ok(text) = fs::read_to_string(file) else { continue };
        let Ok(entries) = entries("k", &text) else { continue };
        for entry in &entries {
            floor.push(run(Command::new("true")).0);
            ours.case(&text, entry, |folder, image| {
                let mut command = Command::new(&installed);
                command.args(["set-image", "kustomization.yaml", image]).current_dir(folder);
                command
            });
            other.case(&text, entry, |folder, image| {
                let mut command = Command::new(&theirs);
                command.args(["edit", "set", "image", image]).current_dir(folder);
                command
            });
        }
    }
    println!("{} files of {}; starting any process: {:.2} ms", files.len(), corpus.display(), millis(median(&mut floor)));
    let ratio = other.time() / ours.time();
    ours.print("tomoda-release set-image");
    other.print("kustomize edit set image");
    println!("ratio of medians: {ratio:.1}");
}

/// What came of one program's runs.
#[derive(Default)]
struct Tally {
    times: Vec<Duration>,
    edited: usize,
    refused: usize,
    with_unrelated: usize,
    unrelated: usize,
}

impl Tally {
    /// Sets one image's tag a few times, each on a fresh copy.
    fn case(&mut self, text: &str, entry: &Entry, command: impl Fn(&Path, &str) -> Command) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("kustomization.yaml");
        let image = format!("{}:v9.9.9-bench", entry.name);
        let mut done = false;
        for _ in 0..ROUNDS {
            fs::write(&file, text).expect("a temporary file");
            let (time, success) = run(command(folder.path(), &image));
            self.times.push(time);
            done = success;
        }
        if !done {
            self.refused += 1;
            return;
        }
        self.edited += 1;
        let unrelated = unrelated_lines(text, &fs::read_to_string(&file).expect("a temporary file"), entry);
        self.unrelated += unrelated;
        self.with_unrelated += usize::from(unrelated > 0);
    }

    fn time(&mut self) -> f64 {
        millis(median(&mut self.times))
    }

    fn print(&mut self, name: &str) {
        let time = self.time();
        println!(
            "{name}: {time:.2} ms a run; {} entries edited, {} refused; {} edits changed unrelated lines, {} lines in all",
            self.edited, self.refused, self.with_unrelated, self.unrelated
        );
    }
}

fn run(mut command: Command) -> (Duration, bool) {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let success = command.status().is_ok_and(|it| it.success());
    (start.elapsed(), success)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Lines taken out or put in, beyond the tag's line and that of a digest that has to go. Where that digest stands behind
/// the dash, the next field has to move up to it.
fn unrelated_lines(before: &str, after: &str, entry: &Entry) -> usize {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let common = common_lines(&before, &after);
    let fields = [entry.new_tag.is_some(), entry.digest.is_some()].into_iter().filter(|it| *it).count();
    let behind_dash = |it: &&str| it.trim_start().starts_with("- digest:");
    let moved = usize::from(before.get(entry.line - 1).is_some_and(behind_dash));
    (before.len() - common).saturating_sub(fields + moved) + (after.len() - common).saturating_sub(1 + moved)
}

/// The length of the longest common subsequence.
fn common_lines(a: &[&str], b: &[&str]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for line in a {
        let mut corner = 0;
        for (i, other) in b.iter().enumerate() {
            let above = row[i + 1];
            row[i + 1] = if line == other { corner + 1 } else { above.max(row[i]) };
            corner = above;
        }
    }
    row[b.len()]
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(found) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = found.flatten().map(|it| it.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && !path.is_symlink() {
            collect(&path, files);
        } else if path.extension().is_some_and(|it| it == "yaml" || it == "yml") && is_kustomization(&path) {
            files.push(path);
        }
    }
}

/// By name, or in a corpus that has only such files.
fn is_kustomization(path: &Path) -> bool {
    path.file_stem().is_some_and(|it| it == "kustomization") || path.parent().is_some_and(|it| it.ends_with("corpus"))
}
