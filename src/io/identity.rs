//! Who runs this program: a person on a host, a CI run.

use super::credentials::environment;
use crate::model::Actor;

/// Who asked for this, and what carries it out.
pub fn actor() -> Actor {
    Actor { initiator: initiator(), executor: executor() }
}

fn initiator() -> String {
    if let Some(login) = environment("GITHUB_ACTOR") {
        let id = environment("GITHUB_ACTOR_ID").map_or(String::new(), |it| format!("#{it}"));
        return format!("github:{login}{id}");
    }
    if let Some(trigger) = environment("TRIGGER_NAME").filter(|_| environment("BUILD_ID").is_some()) {
        return format!("cloudbuild:{trigger}");
    }
    let email = git2::Config::open_default().and_then(|it| it.get_string("user.email")).ok().filter(|it| !it.is_empty());
    match (email, environment("USER").or_else(|| environment("LOGNAME"))) {
        (Some(email), _) => format!("git:{email}"),
        (None, Some(user)) => format!("user:{user}"),
        (None, None) => "user:unknown".to_owned(),
    }
}

fn executor() -> String {
    if let (Some(server), Some(repo), Some(run)) =
        (environment("GITHUB_SERVER_URL"), environment("GITHUB_REPOSITORY"), environment("GITHUB_RUN_ID"))
    {
        let attempt = environment("GITHUB_RUN_ATTEMPT").map_or(String::new(), |it| format!("/attempts/{it}"));
        return format!("{server}/{repo}/actions/runs/{run}{attempt}");
    }
    if let (Some(project), Some(build)) = (environment("PROJECT_ID"), environment("BUILD_ID")) {
        return format!("cloudbuild:{project}/{build}");
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").map(|it| it.trim().to_owned());
    let host = host.ok().filter(|it| !it.is_empty()).or_else(|| environment("HOSTNAME")).unwrap_or_else(|| "unknown-host".to_owned());
    format!("{host}/{}", std::process::id())
}
