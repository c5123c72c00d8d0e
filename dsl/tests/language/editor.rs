//! A session of an editor with the language server, as it goes over the wire.

use attica_dsl::editor::serve;
use serde_json::{Value as Json, json};

/// What the server answers to these messages.
fn session(messages: &[Json]) -> Vec<Json> {
    let framed = messages
        .iter()
        .map(|message| message.to_string())
        .map(|text| format!("Content-Length: {}\r\n\r\n{text}", text.len()));
    let mut output = Vec::new();
    serve(framed.collect::<String>().as_bytes(), &mut output).unwrap();
    let output = String::from_utf8(output).unwrap();
    output
        .split("Content-Length: ")
        .skip(1)
        .map(|part| serde_json::from_str(part.split_once("\r\n\r\n").unwrap().1).unwrap())
        .collect()
}

fn ask(id: u32, method: &str, line: u32, character: u32) -> Json {
    let position = json!({"line": line, "character": character});
    json!({"jsonrpc": "2.0", "id": id, "method": format!("textDocument/{method}"), "params": {"textDocument": {"uri": "untitled:a"}, "position": position}})
}

#[test]
fn an_editor_session() {
    let text = "# ä𝄞\nhello = Process(name = '𝄞', cmd_line = 'x')\ntask = Task(processes=[hello])\njobs = []\n";
    let open = json!({"uri": "untitled:a", "languageId": "aurora", "version": 1, "text": text});
    let answers = session(&[
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}),
        json!({"jsonrpc": "2.0", "method": "initialized", "params": {}}),
        json!({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": open}}),
        ask(2, "hover", 1, 17),
        ask(3, "completion", 1, 16),
        ask(4, "definition", 2, 24),
        ask(5, "formatting", 0, 0),
        ask(6, "nonsense", 0, 0),
        json!({"jsonrpc": "2.0", "id": 7, "method": "shutdown"}),
        json!({"jsonrpc": "2.0", "method": "exit"}),
        ask(8, "hover", 0, 0),
    ]);
    assert_eq!(answers.len(), 8, "{answers:#?}");
    assert_eq!(answers[0]["result"]["capabilities"]["hoverProvider"], true);
    let finding = &answers[1]["params"]["diagnostics"][0];
    assert_eq!(finding["message"], "Process has no field `cmd_line`\nhelp: did you mean `cmdline`?");
    assert_eq!(finding["range"], json!({"start": {"line": 1, "character": 29}, "end": {"line": 1, "character": 37}}));
    assert_eq!(answers[2]["result"]["contents"]["value"], "name: String, required");
    let labels: Vec<&str> =
        answers[3]["result"].as_array().unwrap().iter().filter_map(|item| item["label"].as_str()).collect();
    assert!(labels.contains(&"cmdline") && labels.contains(&"max_failures"), "{labels:?}");
    assert_eq!(answers[4]["result"]["range"]["start"], json!({"line": 1, "character": 0}));
    assert!(answers[5]["result"][0]["newText"].as_str().is_some_and(|text| text.contains("processes = [hello]")));
    assert_eq!(answers[6]["error"]["code"], -32601);
    assert_eq!(answers[7]["id"], 7);
}
