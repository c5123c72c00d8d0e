//! Pages and retention.

use std::time::Duration;

use crate::journal::{Bounds, Journal, Retention};
use crate::testing::TestServer;
use crate::{Epoch, LeaderRole, Position};

/// Master's journal with `count` entries, each a minute younger than the one before; the newest is of now.
async fn journal(count: i64) -> (TestServer, Journal) {
    let server = TestServer::start().await;
    for statement in [
        "insert into journal (role, seq, kind, version, payload, frames, at)
         select 'master', seq, 'kind', 7, int8send(seq), case when seq = 2 then 'frame'::bytea end, now() - ($1 - seq) * interval '1 minute'
         from generate_series(1, $1) seq",
        "update lead set epoch = 3, seq = $1 where role = 'master'",
    ] {
        sqlx::query(statement).bind(count).execute(&server.pool).await.expect(statement);
    }
    let journal = Journal::new(server.pool.clone(), LeaderRole::Master);
    (server, journal)
}

const FOR_EVER: Retention = Retention { entries: u64::MAX, age: Duration::from_secs(1_000_000_000) };

#[tokio::test]
async fn a_follower_reads_page_by_page() {
    let (server, journal) = journal(25).await;
    let mut position = Position::START;
    let mut pages = Vec::new();
    loop {
        let page = journal.page(position, 10).await.expect("read");
        let Some(last) = page.last() else { break };
        for (index, entry) in page.iter().enumerate() {
            assert_eq!(entry.position, position.after(index + 1));
            assert_eq!((entry.kind.as_str(), entry.version), ("kind", 7));
            assert_eq!(entry.payload, entry.position.0.to_be_bytes());
            assert_eq!(entry.frames.as_deref(), (entry.position.0 == 2).then_some(&b"frame"[..]));
        }
        position = last.position;
        pages.push(page.len());
    }
    assert_eq!(pages, [10, 10, 5]);
    let others = Journal::new(server.pool.clone(), LeaderRole::Paas);
    assert_eq!(others.page(Position::START, 10).await.expect("read"), []);
    assert_eq!(others.bounds().await.expect("read"), Bounds { tail: Position::START, head: Position::START });
}

#[tokio::test]
async fn the_oldest_are_forgotten_by_count_and_by_age() {
    let (_server, journal) = journal(25).await;
    let bounds = |tail| Bounds { tail: Position(tail), head: Position(25) };
    assert_eq!(journal.forget(Epoch(3), FOR_EVER).await.expect("forget"), 0);
    assert_eq!(journal.bounds().await.expect("read"), bounds(0));
    let by_count = Retention { entries: 20, ..FOR_EVER };
    assert_eq!(journal.forget(Epoch(3), by_count).await.expect("forget"), 5);
    assert_eq!(journal.bounds().await.expect("read"), bounds(5));
    let by_age = Retention { age: Duration::from_secs(9 * 60 + 30), ..FOR_EVER };
    assert_eq!(journal.forget(Epoch(3), by_age).await.expect("forget"), 10);
    assert_eq!(journal.bounds().await.expect("read"), bounds(15));
    let nothing = Retention { entries: 0, ..FOR_EVER };
    assert_eq!(journal.forget(Epoch(3), nothing).await.expect("forget"), 10);
    assert_eq!(journal.bounds().await.expect("read"), bounds(25));
}

#[tokio::test]
async fn a_deposed_leader_forgets_nothing() {
    let (_server, journal) = journal(5).await;
    let nothing = Retention { entries: 0, ..FOR_EVER };
    assert_eq!(journal.forget(Epoch(2), nothing).await.expect("forget"), 0);
}

#[tokio::test]
async fn more_than_one_deletion_is_needed_for_many() {
    let (_server, journal) = journal(25_000).await;
    let few = Retention { entries: 100, ..FOR_EVER };
    assert_eq!(journal.forget(Epoch(3), few).await.expect("forget"), 24_900);
    let page = journal.page(Position::START, 1_000).await.expect("read");
    assert_eq!((page.len(), page[0].position), (100, Position(24_901)));
}
