//! What a backup holds: a line of JSON that says of what it is one, then table by table a line with its name and those of its columns, its
//! rows in the text format of Postgres's `copy`, and the line `\.`. What a program of before wrote stays readable: columns that came
//! since have their defaults.

use std::io::{BufRead, Read, Write};

use attica_core_store::{LeaderRole, migrations};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool};

use super::BackupError;
use super::file::Writer;
use crate::engine::Snapshot;
use crate::tables::{self, LoadError};

/// What people have defined is in these.
const DEFINING: [&str; 9] = [
    "paas_run_spec",
    "paas_run_spec_version",
    "paas_delay",
    "paas_last_failure",
    "paas_group_version",
    "paas_history",
    "paas_secret",
    "paas_user",
    "paas_callback",
];
/// What became of it, and who did what.
const OTHERS: [&str; 7] = [
    "paas_framework",
    "paas_instance",
    "paas_deployment",
    "paas_ended_deployment",
    "paas_consumer",
    "paas_service_port",
    "paas_audit",
];
const JOURNAL: &str = "journal";
const END: &[u8] = b"\\.";
/// Postgres has no longer fields than this.
const LINE_BYTES_MAX: u64 = 1 << 30;
const SENT_BYTES: usize = 256 << 10;

/// Of what a backup is one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    /// Every fact up to here is in it, and no later one.
    pub(super) position: i64,
    /// The last migration that the tables had seen.
    pub(super) migration: i64,
    /// Those of the leaders at that time.
    pub(super) epochs: Epochs,
}

/// How often each role had had a new leader.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Epochs {
    pub(super) master: i64,
    pub(super) paas: i64,
}

/// Writes everything as it is at one moment.
pub(super) async fn write(pool: &PgPool, out: &mut Writer, path: &str) -> Result<(), BackupError> {
    let failed = |source| BackupError::Io { what: "write", path: path.to_owned(), source };
    let mut transaction = pool.begin_with("begin isolation level repeatable read, read only").await?;
    let header = serde_json::to_string(&header(&mut transaction).await?).map_err(|error| failed(error.into()))?;
    writeln!(out, "{header}").map_err(failed)?;
    for table in DEFINING.into_iter().chain(OTHERS).chain([JOURNAL]) {
        let columns = columns(&mut transaction, table).await?;
        writeln!(out, "{table} {}", columns.join(" ")).map_err(failed)?;
        let ours = if table == JOURNAL { " where role = 'paas' order by seq" } else { "" };
        let statement = format!("copy (select {} from {table}{ours}) to stdout", quoted(&columns));
        let mut rows = transaction.copy_out_raw(&statement).await?;
        while let Some(row) = rows.try_next().await? {
            out.write_all(&row).map_err(failed)?;
        }
        drop(rows);
        out.write_all(&[END, b"\n"].concat()).map_err(failed)?;
    }
    Ok(())
}

async fn header(connection: &mut PgConnection) -> Result<Header, sqlx::Error> {
    let [master, paas] = [LeaderRole::Master, LeaderRole::Paas].map(LeaderRole::as_str);
    let lead = sqlx::query!(
        r#"select paas.seq, paas.epoch as paas, master.epoch as master
           from lead paas, lead master where paas.role = $1 and master.role = $2"#,
        paas,
        master
    );
    let lead = lead.fetch_one(connection).await?;
    let epochs = Epochs { master: lead.master, paas: lead.paas };
    Ok(Header { position: lead.seq, migration: migrations::latest(), epochs })
}

async fn columns(connection: &mut PgConnection, table: &str) -> Result<Vec<String>, sqlx::Error> {
    let columns = sqlx::query_scalar!(
        r#"select attname::text as "name!" from pg_attribute
           where attrelid = $1::text::regclass and attnum > 0 and not attisdropped order by attnum"#,
        table
    );
    columns.fetch_all(connection).await
}

fn quoted(columns: &[String]) -> String {
    columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ")
}

/// A backup that is being read.
pub(super) struct Content<'a, R> {
    lines: R,
    line: Vec<u8>,
    path: &'a str,
}

impl<'a, R: BufRead> Content<'a, R> {
    pub(super) fn new(lines: R, path: &'a str) -> Self {
        Self { lines, line: Vec::new(), path }
    }

    /// The first line.
    pub(super) fn header(&mut self) -> Result<Header, BackupError> {
        self.next()?;
        let header: Header = serde_json::from_slice(&self.line).map_err(|error| self.wrong(error.into()))?;
        let ours = migrations::latest();
        match header.migration > ours {
            true => Err(BackupError::Newer { path: self.path.to_owned(), migration: header.migration, ours }),
            false => Ok(header),
        }
    }

    /// The next table and its columns.
    fn table(&mut self) -> Result<Option<(&'static str, Vec<String>)>, BackupError> {
        if !self.next()? {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&self.line);
        let mut words = line.split(' ').map(str::to_owned);
        let name = words.next().unwrap_or_default();
        let known = DEFINING.into_iter().chain(OTHERS).chain([JOURNAL]).find(|table| *table == name);
        let columns: Vec<String> = words.collect();
        let is_name = |name: &String| !name.is_empty() && name.bytes().all(|b| b == b'_' || b.is_ascii_lowercase());
        match known.filter(|_| columns.iter().all(is_name)) {
            Some(table) => Ok(Some((table, columns))),
            None => Err(self.wrong(format!("a table '{}' is not known", line.escape_default()).into())),
        }
    }

    /// The next row of a table, with the end of its line.
    fn row(&mut self) -> Result<Option<&[u8]>, BackupError> {
        match self.next()? {
            true if self.line == END => Ok(None),
            true => {
                self.line.push(b'\n');
                Ok(Some(&self.line))
            }
            false => Err(self.wrong("a table has no end".into())),
        }
    }

    /// Whether there is another line; it is in `line`.
    fn next(&mut self) -> Result<bool, BackupError> {
        self.line.clear();
        let read = (&mut self.lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| self.wrong(error.into()))?;
        match self.line.pop() {
            None => Ok(false),
            Some(b'\n') => Ok(true),
            Some(_) => Err(self.wrong(format!("a line of {read} bytes has no end").into())),
        }
    }

    fn wrong(&self, source: Box<dyn std::error::Error + Send + Sync>) -> BackupError {
        BackupError::Content { path: self.path.to_owned(), source }
    }

    /// What the database says of what it is given.
    fn refused(&self, error: sqlx::Error) -> BackupError {
        match error {
            sqlx::Error::Database(said) => self.wrong(said),
            error => BackupError::Database(error),
        }
    }

    /// Puts the rows of those tables that are wanted where the connection finds these.
    pub(super) async fn copy(&mut self, into: &mut PgConnection, wanted: &[&str]) -> Result<(), BackupError> {
        while let Some((table, columns)) = self.table()? {
            if !wanted.contains(&table) {
                while self.row()?.is_some() {}
                continue;
            }
            let statement = format!("copy {table} ({}) from stdin", quoted(&columns));
            let mut copy = into.copy_in_raw(&statement).await.map_err(|error| self.refused(error))?;
            let mut rows = Vec::new();
            while let Some(row) = self.row()? {
                rows.extend_from_slice(row);
                if rows.len() >= SENT_BYTES {
                    copy.send(rows.as_slice()).await.map_err(|error| self.refused(error))?;
                    rows.clear();
                }
            }
            copy.send(rows.as_slice()).await.map_err(|error| self.refused(error))?;
            copy.finish().await.map_err(|error| self.refused(error))?;
        }
        Ok(())
    }

    /// Puts the rows of all tables there.
    pub(super) async fn copy_all(&mut self, into: &mut PgConnection) -> Result<(), BackupError> {
        let all: Vec<&str> = DEFINING.into_iter().chain(OTHERS).chain([JOURNAL]).collect();
        self.copy(into, &all).await
    }
}

/// Reads what people have defined by way of tables that are there for this connection alone and have the names of the lasting ones.
pub(super) async fn definitions(
    database: &PgConnectOptions,
    content: impl BufRead,
    path: &str,
) -> Result<Snapshot, BackupError> {
    let mut content = Content::new(content, path);
    content.header()?;
    let mut connection = database.connect().await?;
    for table in DEFINING {
        let statement = AssertSqlSafe(format!("create temporary table {table} (like {table})"));
        sqlx::raw_sql(statement).execute(&mut connection).await?;
    }
    content.copy(&mut connection, &DEFINING).await?;
    let read = tables::load_definitions(&mut connection).await;
    let snapshot = read.map_err(|error| match error {
        LoadError::Query(error) => content.refused(error),
        error => content.wrong(error.into()),
    })?;
    connection.close().await?;
    Ok(snapshot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<Vec<String>, BackupError> {
        let mut content = Content::new(content.as_bytes(), "x");
        content.header()?;
        let mut read = Vec::new();
        while let Some((table, columns)) = content.table()? {
            read.push(format!("{table} {}", columns.join(" ")));
            while let Some(row) = content.row()? {
                read.push(String::from_utf8_lossy(row).into_owned());
            }
        }
        Ok(read)
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let header = r#"{"position":7,"migration":1,"epochs":{"master":2,"paas":3}}"#;
        let whole = format!("{header}\npaas_delay run_spec delay\n/a\t{{}}\n\\.\npaas_history known_from\n\\.\n");
        let expected = ["paas_delay run_spec delay", "/a\t{}\n", "paas_history known_from"];
        assert_eq!(read(&whole).unwrap(), expected);
        let newer = read(&whole.replace("\"migration\":1", "\"migration\":4000")).unwrap_err();
        assert!(newer.to_string().contains("migration 4000, the last one here is"), "{newer}");
        for (content, says) in [
            (String::new(), "EOF"),
            ("{}\n".to_owned(), "missing field"),
            (format!("{header}\nlead role\n\\.\n"), "'lead role' is not known"),
            (format!("{header}\npaas_delay a;b\n\\.\n"), "'paas_delay a;b' is not known"),
            (format!("{header}\npaas_delay run_spec\n/a\n"), "has no end"),
            (format!("{header}\npaas_delay run_spec\n/a"), "a line of 2 bytes has no end"),
        ] {
            let error = read(&content).unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains(says), "{cause}");
        }
    }
}
