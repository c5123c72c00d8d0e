//! The smallest core there is: its facts are numbers, its table has one row for each.

use sqlx::PgPool;
use tokio_postgres::{Client, Error, Statement};

use crate::writer::{Fact, Tables, Transaction};
use crate::{LeaderRole, Position, journal::Journal};

#[derive(Debug)]
pub(super) struct Numbered(pub(super) i64);

impl Fact for Numbered {
    fn kind(&self) -> &'static str {
        "numbered"
    }

    fn version(&self) -> i16 {
        1
    }

    fn encode(&self) -> Vec<u8> {
        self.0.to_le_bytes().to_vec()
    }
}

pub(super) struct NumberedTable;

impl NumberedTable {
    pub(super) async fn create(pool: &PgPool) {
        sqlx::query("create table if not exists numbered (seq bigint primary key, value bigint not null unique)")
            .execute(pool)
            .await
            .expect("create table");
    }

    pub(super) async fn rows(pool: &PgPool) -> Vec<i64> {
        sqlx::query_scalar("select value from numbered order by seq").fetch_all(pool).await.expect("select")
    }
}

impl Tables<Numbered> for NumberedTable {
    type Statements = Statement;

    async fn prepare(&self, client: &Client) -> Result<Statement, Error> {
        let insert = "insert into numbered select $1 + place - 1, value from unnest($2::bigint[]) with ordinality as facts (value, place)";
        client.prepare(insert).await
    }

    fn write<'a>(
        &'a self,
        transaction: &mut Transaction<'a>,
        insert: &'a Statement,
        first: Position,
        facts: &'a [Numbered],
    ) {
        let values: Vec<i64> = facts.iter().map(|fact| fact.0).collect();
        transaction.execute(insert, [Box::new(first.0), Box::new(values)]);
    }
}

/// The numbers in the journal; checks that the positions have no gap.
pub(super) async fn journal(pool: &PgPool) -> Vec<i64> {
    let entries = Journal::new(pool.clone(), LeaderRole::Master).page(Position::START, 1_000_000).await.expect("read");
    let numbers = entries.iter().enumerate().map(|(index, entry)| {
        assert_eq!(entry.position, Position::START.after(index + 1));
        i64::from_le_bytes(entry.payload.as_slice().try_into().expect("eight bytes"))
    });
    numbers.collect()
}
