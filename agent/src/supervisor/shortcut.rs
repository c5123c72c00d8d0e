//! Commands for which a shell would do nothing but execute a program: they are executed without one, which halves what their start costs.
//!
//! As `make` does it, this only sees what is beyond doubt: words of plain characters, the first of which is no part of the shell's language
//! and none of its own commands. If the program cannot be executed, the shell is asked after all, and says why in its own words. The one
//! difference that is left is that between shells: some stay the program's parent and report a signal that ended it as status 128 plus its
//! number, others execute it in their place, as happens here.

/// Reserved words, and commands that shells have built in, which may differ from programs of the same name.
const OF_THE_SHELL: [&str; 78] = [
    ".",
    ":",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "chdir",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
];

/// The program and its arguments, if `command` is nothing but that for a shell.
pub(super) fn words(command: &str) -> Option<Vec<String>> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./,:@%+= \t".contains(&byte);
    if !command.bytes().all(plain) {
        return None;
    }
    let words: Vec<String> = command.split_ascii_whitespace().map(str::to_owned).collect();
    let program = words.first()?;
    let of_the_shell = OF_THE_SHELL.contains(&program.as_str());
    // With `=` in it, it sets a variable; one that begins with `%` is a job.
    (!of_the_shell && !program.contains(['=', '%'])).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_beyond_doubt_goes_without_a_shell() {
        let plain = [
            ("sleep 100000", vec!["sleep", "100000"]),
            ("  /opt/app/run.sh\t--port=80  -v ", vec!["/opt/app/run.sh", "--port=80", "-v"]),
            (
                "java -Xmx64m -cp a.jar:b.jar com.example.Main",
                vec!["java", "-Xmx64m", "-cp", "a.jar:b.jar", "com.example.Main"],
            ),
        ];
        for (command, expected) in plain {
            assert_eq!(words(command).unwrap(), expected);
        }
        let doubtful = [
            "",
            " ",
            "A=1 run",
            "run $PORT0",
            "run; run",
            "run &",
            "run 'a b'",
            "run \\a",
            "run *",
            "run ~",
            "run a#b",
            "run {a,b}",
            "run [a]",
            "run\nrun",
            "run > out",
            "!run",
            "exec run",
            "echo a",
            ". run",
            "%1",
            "run \u{e9}",
            "wait",
        ];
        for command in doubtful {
            assert_eq!(words(command), None, "{command:?}");
        }
    }
}
