//! A question to a person, on the terminal.

use dialoguer::console::Term;
use dialoguer::{Confirm, Error as Unasked};

use crate::error::{Error, Result};

/// Asks for yes or no; no is what Enter says. Ctrl-C is an answer, too, where it does not end the process.
pub fn confirm(question: &str) -> Result<bool> {
    Confirm::new().with_prompt(question).default(false).interact().map_err(|Unasked::IO(why)| {
        // An unanswered question leaves the cursor hidden, and in the middle of a line.
        let terminal = Term::stderr();
        terminal.show_cursor().and_then(|()| terminal.write_line("")).ok();
        if why.kind() == std::io::ErrorKind::Interrupted {
            return Error::refused("Nothing was done: the question was interrupted.");
        }
        Error::usage("The question could not be asked.").because(why).hint("Use --yes where nobody can answer.")
    })
}
