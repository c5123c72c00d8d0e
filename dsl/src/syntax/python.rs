//! The grammar's generated parser.

use pest::Parser as _;
use pest::iterators::{Pair, Pairs};

#[allow(missing_docs, reason = "the rules are described in the grammar")]
mod grammar {
    /// Parses one logical line.
    #[derive(pest_derive::Parser)]
    #[grammar = "syntax/python.pest"]
    pub(crate) struct Grammar;
}

pub(super) use grammar::Rule;

pub(super) type Node<'a> = Pair<'a, Rule>;

/// Parses one logical line, whose text ends with its last token.
pub(super) fn parse(line: &str) -> Result<Pairs<'_, Rule>, Box<pest::error::Error<Rule>>> {
    grammar::Grammar::parse(Rule::line, line).map_err(Box::new)
}

/// What is written there, without the blanks that every token takes along.
pub(super) fn written<'a>(node: &Node<'a>) -> &'a str {
    node.as_str().trim_end_matches(' ')
}

/// Whether the rule is a keyword's, which says nothing that the rule around it does not.
pub(super) fn is_keyword(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::kw_as
            | Rule::kw_assert
            | Rule::kw_class
            | Rule::kw_def
            | Rule::kw_del
            | Rule::kw_elif
            | Rule::kw_else
            | Rule::kw_for
            | Rule::kw_from
            | Rule::kw_if
            | Rule::kw_import
            | Rule::kw_in
            | Rule::kw_lambda
            | Rule::kw_raise
            | Rule::kw_return
            | Rule::kw_while
            | Rule::kw_with
            | Rule::EOI
    )
}

/// A node's children without keywords.
pub(super) fn children(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    node.into_inner().filter(|child| !is_keyword(child.as_rule()))
}
