use clap::Args;
use http::StatusCode;
use serde_json::{Map, Value};

use super::plan::shortened;
use crate::client::definition::definition_of;
use crate::client::failure::Failure;
use crate::client::options::GlobalOptions;
use crate::client::server::{Request, encode};
use crate::client::session::{Form, Session};
use crate::product::{Tree, write};

/// Writes a group that runs as a file.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
  attica config export /shop > shop.aurora      every app below /shop, without what is as the defaults are")]
pub struct Export {
    /// The group; / is all there is
    #[arg(value_name = "GROUP")]
    group: String,
    #[command(flatten)]
    pub(in crate::client) options: GlobalOptions,
}

impl Export {
    pub(in crate::client) async fn run(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        let segments: Vec<String> = self.group.split('/').filter(|segment| !segment.is_empty()).map(encode).collect();
        let request = Request::get(format!("/v2/groups/{}", segments.join("/")));
        let answer = session.server.call(&request).await.map_err(|failure| match failure {
            Failure::Refused { request, status: StatusCode::NOT_FOUND, body, .. } => {
                let hint = Some("a group is there as long as apps lie in it: attica app list shows them".to_owned());
                Failure::Refused { request, status: StatusCode::NOT_FOUND, body, hint }
            }
            other => other,
        })?;
        if session.form == Form::Json {
            return session.show_document(&answer);
        }
        let tree = tree(&answer.read()?, "/")?;
        let text = write(&tree);
        session.screen.out.raw(text.as_bytes())?;
        Ok(session.screen.out.flush()?)
    }
}

/// The group as it is written: ids relative to what they stand in.
fn tree(group: &Value, around: &str) -> Result<Tree, Failure> {
    let path = group["id"].as_str().unwrap_or("/");
    let list = |name: &str| group[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let apps = list("apps").iter().map(|app| {
        let id = app["id"].as_str().unwrap_or_default();
        let definition = shortened(&definition_of(app))
            .map_err(|field| Failure::failed(format!("{id} has a `{field}`, which a file cannot say yet")))?;
        let id = ("id".to_owned(), Value::from(relative(id, path)));
        Ok(std::iter::once(id).chain(definition).collect())
    });
    Ok(Tree {
        id: relative(path, around),
        apps: apps.collect::<Result<Vec<Map<String, Value>>, Failure>>()?,
        groups: list("groups").iter().map(|group| tree(group, path)).collect::<Result<_, _>>()?,
    })
}

fn relative(id: &str, group: &str) -> String {
    match group {
        "/" => id.to_owned(),
        group => id.strip_prefix(group).and_then(|rest| rest.strip_prefix('/')).unwrap_or(id).to_owned(),
    }
}
