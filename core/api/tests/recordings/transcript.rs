//! The text form of the recordings: `##### KIND title`, then the raw text of a request, a response or an event.

use std::path::Path;

/// A recording, as its sections.
pub struct Transcript(Vec<Section>);

struct Section {
    kind: String,
    title: String,
    text: String,
}

/// A request with a body, and the body of its response.
pub struct Exchange<'a> {
    pub title: &'a str,
    pub request: &'a str,
    pub response: &'a str,
}

impl Transcript {
    /// Reads a file; the few bytes of protobuf requests that are no text come out mangled, which nobody looks at.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = String::from_utf8_lossy(&bytes).replace('\r', "");
        let sections = text.split("##### ").skip(1).map(|section| {
            let (head, text) = section.split_once('\n').expect("a section has a line of its own");
            let (kind, title) = head.split_once(' ').expect("a kind and a title");
            Section { kind: kind.to_owned(), title: title.to_owned(), text: text.trim_end_matches('\n').to_owned() }
        });
        Self(sections.collect())
    }

    /// Events, whether they stand in sections of their own or as records of a response.
    pub fn events(&self) -> Vec<&str> {
        let sections = self.0.iter().filter(|section| section.kind == "EVENT").map(|section| section.text.as_str());
        let lines = self.0.iter().filter(|section| section.kind == "RESPONSE").flat_map(|section| section.text.lines());
        let records = lines.filter_map(|line| line.strip_prefix("record(")?.split_once("): "));
        sections.chain(records.map(|(_, event)| event)).collect()
    }

    /// Requests to `path` with their responses (none for a stream: its events are in sections of their own).
    pub fn exchanges(&self, path: &str) -> Vec<Exchange<'_>> {
        let start = format!("POST {path} HTTP");
        let requests = self.0.iter().enumerate().filter(|(_, section)| section.text.starts_with(&start));
        requests
            .map(|(index, section)| {
                let is_response =
                    |other: &&Section| other.kind == "RESPONSE" && name(&other.title) == name(&section.title);
                let response = self.0[index..].iter().find(is_response).map_or("", |response| body(&response.text));
                Exchange { title: &section.title, request: body(&section.text), response }
            })
            .collect()
    }
}

/// The title without the time.
fn name(title: &str) -> &str {
    title.split_once("] ").map_or(title, |(_, name)| name)
}

fn body(text: &str) -> &str {
    text.split_once("\n\n").map_or("", |(_, body)| body)
}
