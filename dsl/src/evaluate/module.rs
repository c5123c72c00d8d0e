//! The few modules a configuration may import, and what they show of the machine.

use std::sync::Arc;

use md5::{Digest as _, Md5};
use sha2::Sha256;

use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::source::Span;
use crate::syntax::ast::{Import, Name};

use super::builtin::Builtin;
use super::host::Host;
use super::value::{Arguments, Module, Value};
use super::{Evaluator, Result, fail};

impl Module {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "os" => Self::Os,
            "os.path" => Self::OsPath,
            "getpass" => Self::Getpass,
            "hashlib" => Self::Hashlib,
            _ => return None,
        })
    }

    fn members(self) -> &'static [&'static str] {
        match self {
            Self::Os => &["environ", "getenv", "path"],
            Self::OsPath => &["basename", "dirname", "join"],
            Self::OsEnviron => &["get"],
            Self::Getpass => &["getuser"],
            Self::Hashlib => &["md5", "sha256"],
            Self::Options => &["java", "python"],
            Self::Processes => &["order"],
            Self::Tasks => &["SIMPLE_CPU", "SIMPLE_DISK", "SIMPLE_RAM", "combine", "concat", "sequential", "simple"],
        }
    }
}

/// What Python 3 brought that changes nothing here, or is refused: its division.
fn future(import: &Import) -> Result<()> {
    let member = import.member.as_ref().unwrap_or(&import.module);
    match &*member.text {
        "absolute_import" | "generators" | "nested_scopes" | "print_function" | "with_statement" => Ok(()),
        other => {
            let message = format!("`{other}` cannot be imported: the language is Python 2's");
            let error = Diagnostic::error(Code::Unsupported, member.span, message);
            let help = "write a / float(b) where whole numbers are not to be rounded down";
            Err(error.help_if((other == "division").then(|| help.to_owned())).into())
        }
    }
}

impl Evaluator<'_> {
    pub(super) fn import(&mut self, import: &Import) -> Result<()> {
        let path = &*import.module.text;
        // What old files import of the schema is there without it.
        if path.starts_with("pystachio") || path.starts_with("apache.") || path.starts_with("twitter.") {
            return Ok(());
        }
        if path == "__future__" {
            return future(import);
        }
        if let Some(member) = import.member.as_ref().filter(|member| *member.text == *"*") {
            let error = Diagnostic::error(Code::Unsupported, member.span, "`import *` is not supported");
            return Err(error.help("name what is needed; the schema needs no import").into());
        }
        let Some(module) = Module::named(path) else {
            let error = Diagnostic::error(
                Code::Unsupported,
                import.module.span,
                format!("`{path}` cannot be imported in config files"),
            );
            return Err(error.help("getpass, hashlib and os can; other values come with --bind").into());
        };
        let value = match &import.member {
            Some(member) => self.module_attribute(module, member)?,
            None => Value::Module(module),
        };
        let name = if path == "os.path" && import.member.is_none() && import.name.text == import.module.text {
            "os".into()
        } else {
            Arc::clone(&import.name.text)
        };
        let value = if &*name == "os" && import.member.is_none() { Value::Module(Module::Os) } else { value };
        self.set_name(&name, value);
        Ok(())
    }

    pub(super) fn module_attribute(&self, module: Module, name: &Name) -> Result<Value> {
        let value = match (module, &*name.text) {
            (Module::Os, "path") => Value::Module(Module::OsPath),
            (Module::Os, "environ") => Value::Module(Module::OsEnviron),
            (Module::Os, "getenv") | (Module::OsEnviron, "get") => Value::Builtin(Builtin::GetEnvironment),
            (Module::OsPath, "join") => Value::Builtin(Builtin::JoinPath),
            (Module::OsPath, "basename") => Value::Builtin(Builtin::BaseName),
            (Module::OsPath, "dirname") => Value::Builtin(Builtin::DirectoryName),
            (Module::Getpass, "getuser") => Value::Builtin(Builtin::GetUser),
            (Module::Hashlib, "md5") => Value::Builtin(Builtin::Md5),
            (Module::Hashlib, "sha256") => Value::Builtin(Builtin::Sha256),
            (Module::Options, "java") => Value::Helper(crate::schema::Helper::JavaOptions),
            (Module::Options, "python") => Value::Helper(crate::schema::Helper::PythonOptions),
            (Module::Processes, "order") => Value::Helper(crate::schema::Helper::Order),
            (Module::Tasks, "SIMPLE_CPU") => Value::Float(1.0),
            (Module::Tasks, "SIMPLE_RAM" | "SIMPLE_DISK") => Value::Integer(1 << 30),
            (Module::Tasks, "combine") => Value::Helper(crate::schema::Helper::Combine),
            (Module::Tasks, "concat") => Value::Helper(crate::schema::Helper::Concatenate),
            (Module::Tasks, "sequential") => Value::Helper(crate::schema::Helper::Sequence),
            (Module::Tasks, "simple") => Value::Helper(crate::schema::Helper::Simple),
            _ => {
                let members = module.members();
                let error = Diagnostic::error(
                    Code::Unsupported,
                    name.span,
                    format!("`{}` cannot be used in config files", name.text),
                );
                let help = did_you_mean(&name.text, members.iter().copied());
                return Err(error
                    .help(help.unwrap_or_else(|| format!("of this module there are {}", members.join(", "))))
                    .into());
            }
        };
        Ok(value)
    }

    pub(super) fn module_item(&self, module: Module, index: &Value, span: Span) -> Result<Value> {
        match (module, index) {
            (Module::OsEnviron, Value::Text(name)) => match self.variable(name.as_str(), span)? {
                Value::None => fail(Code::Name, span, format!("the variable `{}` is not set", name.as_str())),
                value => Ok(value),
            },
            _ => fail(Code::Type, span, "a module has no elements"),
        }
    }

    /// Whether a variable that a configuration may see is set.
    pub(super) fn module_contains(&self, module: Module, item: &Value, span: Span) -> Result<bool> {
        match (module, item) {
            (Module::OsEnviron, Value::Text(name)) => Ok(!matches!(self.variable(name.as_str(), span)?, Value::None)),
            _ => fail(Code::Type, span, "a module has no elements"),
        }
    }

    fn variable(&self, name: &str, span: Span) -> Result<Value> {
        if !Host::is_visible(name) {
            let error = Diagnostic::error(
                Code::Unsupported,
                span,
                format!("the variable `{name}` is not visible to config files"),
            );
            return Err(error.help("HOME, LOGNAME and USER are; give other values with --bind").into());
        }
        Ok(self.host.variable(name).map_or(Value::None, Value::text))
    }

    pub(super) fn call_module(&mut self, builtin: Builtin, arguments: &Arguments, span: Span) -> Result<Value> {
        let given = |index: usize| arguments.plain.get(index).map(|argument| &argument.value);
        let text = |this: &Self, index: usize| {
            given(index)
                .map_or_else(|| fail(Code::Type, span, "a string is missing here"), |value| Ok(this.shown(value)))
        };
        match builtin {
            Builtin::GetUser => Ok(Value::text(self.host.user())),
            Builtin::GetEnvironment => match self.variable(&text(self, 0)?, span)? {
                Value::None => Ok(given(1).cloned().unwrap_or(Value::None)),
                value => Ok(value),
            },
            Builtin::JoinPath => {
                let mut path = String::new();
                for index in 0..arguments.plain.len() {
                    let part = text(self, index)?;
                    if part.starts_with('/') {
                        path.clear();
                    } else if !path.is_empty() && !path.ends_with('/') {
                        path.push('/');
                    }
                    path.push_str(&part);
                }
                Ok(Value::text(path))
            }
            Builtin::BaseName => Ok(Value::text(text(self, 0)?.rsplit('/').next().unwrap_or_default())),
            Builtin::DirectoryName => {
                let path = text(self, 0)?;
                let directory = &path[..path.rfind('/').map_or(0, |at| at + 1)];
                let trimmed = directory.trim_end_matches('/');
                Ok(Value::text(if trimmed.is_empty() { directory } else { trimmed }))
            }
            _ => {
                let bytes = match given(0) {
                    Some(Value::Bytes(bytes)) => bytes.to_vec(),
                    Some(_) => text(self, 0)?.into_bytes(),
                    None => Vec::new(),
                };
                let digest = if builtin == Builtin::Md5 {
                    hexadecimal(&Md5::digest(bytes))
                } else {
                    hexadecimal(&Sha256::digest(bytes))
                };
                Ok(Value::Digest(digest.into()))
            }
        }
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
