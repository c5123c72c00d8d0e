//! The group-committing writer, the journal, migrations and election.
