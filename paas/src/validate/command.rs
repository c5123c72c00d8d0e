//! What an instance runs, and as whom.

use super::{Faults, limits, text};

pub(super) fn shell(cmd: Option<String>, faults: &mut Faults) -> Option<String> {
    let cmd = cmd?;
    if cmd.is_empty() {
        faults.add("/cmd", "must not be an empty string");
    }
    text::check("/cmd", &cmd, limits::COMMAND_LENGTH_MAX, faults);
    Some(cmd)
}

/// An empty list names no program: it is how some clients write that there are none.
pub(super) fn arguments(args: Option<Vec<String>>, faults: &mut Faults) -> Option<Vec<String>> {
    let args = args.filter(|args| !args.is_empty())?;
    check_words("/args", &args, faults);
    Some(args)
}

/// The words of a command: not too many, not too long, and the first one names something.
pub(super) fn check_words(path: &str, words: &[String], faults: &mut Faults) {
    if words.len() > limits::ARGUMENTS_MAX {
        faults.add(path, format!("must not have more than {} items", limits::ARGUMENTS_MAX));
    }
    if words.first().is_some_and(String::is_empty) {
        faults.add(format!("{path}(0)"), "must not be an empty string");
    }
    for (index, word) in words.iter().enumerate() {
        text::check(&format!("{path}({index})"), word, limits::COMMAND_LENGTH_MAX, faults);
    }
}

pub(super) fn user(user: Option<String>, faults: &mut Faults) -> Option<String> {
    let user = user?;
    if user.is_empty() {
        faults.add("/user", "must not be an empty string");
    }
    text::check("/user", &user, limits::NAME_LENGTH_MAX, faults);
    Some(user)
}
