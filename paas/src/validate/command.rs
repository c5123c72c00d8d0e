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
    if args.len() > limits::ARGUMENTS_MAX {
        faults.add("/args", format!("must not have more than {} items", limits::ARGUMENTS_MAX));
    }
    if args[0].is_empty() {
        faults.add("/args(0)", "must not be an empty string");
    }
    for (index, argument) in args.iter().enumerate() {
        text::check(&format!("/args({index})"), argument, limits::COMMAND_LENGTH_MAX, faults);
    }
    Some(args)
}

pub(super) fn user(user: Option<String>, faults: &mut Faults) -> Option<String> {
    let user = user?;
    if user.is_empty() {
        faults.add("/user", "must not be an empty string");
    }
    text::check("/user", &user, limits::NAME_LENGTH_MAX, faults);
    Some(user)
}
