//! One error type: what kind it is, what happened, what caused it, what to do.
//!
//! Every message is a whole sentence. The kind alone decides the exit code and whether trying again can help.
//!
//! | Exit code | Means |
//! |---|---|
//! | 0 | done, or nothing to do |
//! | 1 | a bug in this program |
//! | 2 | the command line or the configuration is wrong |
//! | 3 | refused by a gate, a guard or a policy |
//! | 4 | gave up on a remote system |
//! | 5 | the ledger is damaged |
//! | 6 | someone else is driving this environment |
//! | 7 | waiting for approval |

use std::fmt;

/// The result of anything that can fail in a way a person should hear of.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure this is; the only thing exit codes depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A bug in this program.
    Bug,
    /// The command line is wrong.
    Usage,
    /// A file this program was told to read is wrong: the pipeline, an overlay, a key.
    Config,
    /// A gate, a guard or a policy says no.
    Refused,
    /// A remote system is there, and did not answer in time or answered with a passing fault.
    Remote,
    /// Nobody is there: the connection is refused, no route leads to it, its name is unknown. A wrong address is likelier than an outage.
    Unreachable,
    /// A remote system answered with a final no: a permission, a missing repository, a protected branch.
    RemoteFinal,
    /// The ledger is damaged or is not the one expected.
    Ledger,
    /// Someone else is driving this environment.
    Busy,
    /// The plan waits for a person's approval.
    Approval,
}

/// Whether doing the same again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The same call may work in a while.
    Retry,
    /// Something has to change first.
    Stop,
    /// This program is wrong.
    Bug,
}

/// A failure: a sentence, its cause, and what to do about it.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind with this sentence.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    /// A bug in this program.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, message)
    }

    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A wrong input file.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message)
    }

    /// A gate, guard or policy said no.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// A remote system failed in a way that may pass.
    pub fn remote(message: impl Into<String>) -> Self {
        Self::new(Kind::Remote, message)
    }

    /// A remote system gave a final no.
    pub fn remote_final(message: impl Into<String>) -> Self {
        Self::new(Kind::RemoteFinal, message)
    }

    /// The ledger is damaged.
    pub fn ledger(message: impl Into<String>) -> Self {
        Self::new(Kind::Ledger, message)
    }

    /// One error out of several: their sentences, one a line. A refusal weighs more than what is merely wrong.
    pub fn together(mut problems: Vec<Self>) -> Self {
        if problems.len() == 1 {
            return problems.remove(0);
        }
        let refused = problems.iter().any(|it| it.kind == Kind::Refused);
        let kind = if refused { Kind::Refused } else { problems.first().map_or(Kind::Bug, Self::kind) };
        let line =
            |it: &Self| it.hint.as_ref().map_or_else(|| format!("\n  - {}", it.chain()), |hint| format!("\n  - {} ({hint})", it.chain()));
        Self::new(kind, format!("{} problems:{}", problems.len(), problems.iter().map(line).collect::<String>()))
    }

    /// Adds what to do about it: one sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Puts what was being done in front of the sentence: `doing: what went wrong`.
    #[must_use]
    pub fn while_doing(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{}: {}", doing.to_string().trim_end_matches('.'), self.message);
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What to do about it, if we know.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether trying again can help.
    pub fn remedy(&self) -> Remedy {
        match self.kind {
            Kind::Bug => Remedy::Bug,
            Kind::Remote | Kind::Unreachable => Remedy::Retry,
            _ => Remedy::Stop,
        }
    }

    /// The exit code of a command that ends with this error: the table at the top of this file.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Bug => 1,
            Kind::Usage | Kind::Config => 2,
            Kind::Refused => 3,
            Kind::Remote | Kind::Unreachable | Kind::RemoteFinal => 4,
            Kind::Ledger => 5,
            Kind::Busy => 6,
            Kind::Approval => 7,
        }
    }

    /// The sentence and every cause behind it, without repeating what is already said.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(it) = cause {
            let said = it.to_string();
            if !text.contains(said.trim_end_matches('.')) {
                text = format!("{}: {said}", text.trim_end_matches(['.', ':']));
            }
            cause = it.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|it| it as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_says_everything_once_and_no_full_stop_before_a_colon() {
        let error = Error::remote("The door is shut.").because(Error::remote("The key broke.").because("Metal tires."));
        assert_eq!(error.chain(), "The door is shut: The key broke: Metal tires.");
        let twice = Error::remote("The door is shut: the key broke.").because("the key broke");
        assert_eq!(twice.chain(), "The door is shut: the key broke.");
        assert_eq!(Error::bug("It broke.").while_doing("Opening the door.").chain(), "Opening the door: It broke.");
    }
}
