//! The language server: what an editor asks about a configuration, over standard input and output.
//!
//! A message in gives messages out, without anything else happening: [`Server::handle`] is the whole protocol, [`serve`] only frames
//! it. Documents are kept as the editor sends them, whole each time.

mod answers;
mod place;

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use serde_json::{Value as Json, json};

use crate::evaluate::Host;
use crate::lint::lint;
use crate::load::{self, Configuration, Options};

/// The longest message an editor may send.
const MESSAGE_LIMIT_BYTES: usize = 16 << 20;

/// How many documents are kept.
const DOCUMENTS_LIMIT: usize = 1000;

/// JSON-RPC's code for a method that is not known.
const UNKNOWN_METHOD: i64 = -32601;

/// The documents an editor has open.
#[derive(Debug, Default)]
pub struct Server {
    documents: BTreeMap<String, String>,
    is_over: bool,
}

/// Serves one editor until it says goodbye.
pub fn serve(mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut server = Server::default();
    while let Some(message) = read(&mut input)? {
        for answer in server.handle(&message) {
            let text = answer.to_string();
            write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        }
        output.flush()?;
        if server.is_over {
            break;
        }
    }
    Ok(())
}

/// The next message; nothing at the end of the input.
fn read(input: &mut impl BufRead) -> io::Result<Option<Json>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if io::Read::take(&mut *input, 1 << 10).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let length = length
        .filter(|length| *length <= MESSAGE_LIMIT_BYTES)
        .ok_or_else(|| wrong("a message without a usable Content-Length"))?;
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    serde_json::from_slice(&body).map(Some).map_err(|error| wrong(&error.to_string()))
}

impl Server {
    /// What to answer to a message.
    pub fn handle(&mut self, message: &Json) -> Vec<Json> {
        let method = message["method"].as_str().unwrap_or_default();
        let params = &message["params"];
        let uri = params["textDocument"]["uri"].as_str().unwrap_or_default();
        let result = match method {
            "initialize" => capabilities(),
            "shutdown" => Json::Null,
            "exit" => {
                self.is_over = true;
                return Vec::new();
            }
            "textDocument/didOpen" => return self.changed(uri, params["textDocument"]["text"].as_str()),
            "textDocument/didChange" => {
                let last = params["contentChanges"].as_array().and_then(|changes| changes.last());
                return self.changed(uri, last.and_then(|change| change["text"].as_str()));
            }
            "textDocument/didClose" => {
                self.documents.remove(uri);
                return vec![published(uri, Vec::new())];
            }
            "textDocument/hover" => self.answer(uri, params, answers::hover),
            "textDocument/completion" => self.answer(uri, params, answers::completion),
            "textDocument/definition" => self.answer(uri, params, |configuration, text, offset| {
                answers::definition(configuration, text, offset, uri)
            }),
            "textDocument/formatting" => self.documents.get(uri).map_or(Json::Null, |text| answers::formatting(text)),
            _ if message["id"].is_null() => return Vec::new(),
            _ => {
                let error = json!({"code": UNKNOWN_METHOD, "message": format!("`{method}` is not known")});
                return vec![json!({"jsonrpc": "2.0", "id": message["id"], "error": error})];
            }
        };
        vec![json!({"jsonrpc": "2.0", "id": message["id"], "result": result})]
    }

    fn changed(&mut self, uri: &str, text: Option<&str>) -> Vec<Json> {
        let Some(text) = text else { return Vec::new() };
        if self.documents.len() >= DOCUMENTS_LIMIT && !self.documents.contains_key(uri) {
            return Vec::new();
        }
        self.documents.insert(uri.to_owned(), text.to_owned());
        let configuration = configuration(uri, text);
        let mut told = std::collections::BTreeSet::new();
        let linted = lint(&configuration);
        let all = configuration.all_diagnostics().chain(&linted);
        let first = all.filter(|finding| told.insert((finding.span, finding.message.clone())));
        let findings = first.map(|finding| answers::diagnostic(finding, &configuration.sources)).collect();
        vec![published(uri, findings)]
    }

    fn answer(&self, uri: &str, params: &Json, answer: impl FnOnce(&Configuration, &str, usize) -> Json) -> Json {
        let Some(text) = self.documents.get(uri) else { return Json::Null };
        let offset = place::offset(text, &params["position"]);
        answer(&configuration(uri, text), text, offset)
    }
}

fn configuration(uri: &str, text: &str) -> Configuration {
    let path = uri.strip_prefix("file://").map(PathBuf::from).filter(|path| path.exists());
    let options = Options { host: Host::of_process(Vec::new()), ..Options::default() };
    let name = path
        .as_deref()
        .and_then(|path| path.file_name())
        .map_or(uri.to_owned(), |name| name.to_string_lossy().into_owned());
    load::text_of(&name, path, text, &options)
}

fn capabilities() -> Json {
    json!({
        "capabilities": {
            "textDocumentSync": 1,
            "hoverProvider": true,
            "completionProvider": {"triggerCharacters": ["(", ","]},
            "definitionProvider": true,
            "documentFormattingProvider": true,
        },
        "serverInfo": {"name": "attica"},
    })
}

fn published(uri: &str, diagnostics: Vec<Json>) -> Json {
    json!({"jsonrpc": "2.0", "method": "textDocument/publishDiagnostics", "params": {"uri": uri, "diagnostics": diagnostics}})
}
