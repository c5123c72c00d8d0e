//! One transaction, sent without waiting in between.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};

/// One parameter of a statement, usually a whole column.
pub type Parameter<'a> = Box<dyn ToSql + Sync + Send + 'a>;

type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// A transaction under construction: every statement is on its way as soon as it is added, none is waited for before the
/// end. When one fails Postgres ignores all later ones and turns the final `commit` into a rollback.
pub struct Transaction<'a> {
    client: &'a Client,
    answers: Vec<Answer<'a>>,
    /// A statement that could not be sent at all: the server does not know of it, so that a `commit` would succeed.
    unsent: Option<Error>,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(client: &'a Client) -> Self {
        let mut transaction = Transaction { client, answers: Vec::new(), unsent: None };
        transaction.send(async move { client.batch_execute("begin").await });
        transaction
    }

    /// Adds one statement. Its types are checked here; its result is known when the transaction ends.
    pub fn execute<const N: usize>(&mut self, statement: &'a Statement, parameters: [Parameter<'a>; N]) {
        let client = self.client;
        self.send(async move { client.execute_raw(statement, parameters).await.map(|_rows| ()) });
    }

    /// Ends the transaction and reports the first error.
    pub(super) async fn commit(mut self) -> Result<(), Error> {
        let client = self.client;
        if let Some(error) = self.unsent.take() {
            self.send(async move { client.batch_execute("rollback").await });
            for answer in self.answers {
                let _ = answer.await;
            }
            return Err(error);
        }
        self.send(async move { client.batch_execute("commit").await });
        let mut outcome = self.unsent.map_or(Ok(()), Err);
        for answer in self.answers {
            outcome = outcome.and(answer.await);
        }
        outcome
    }

    /// `tokio-postgres` hands a request to its connection when the future is first polled: so it is polled here, once, and
    /// the order of requests is the order of calls.
    fn send(&mut self, request: impl Future<Output = Result<(), Error>> + Send + 'a) {
        if self.unsent.is_some() {
            return;
        }
        let mut answer: Answer<'a> = Box::pin(request);
        match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => self.answers.push(answer),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => self.unsent = Some(error),
        }
    }
}
