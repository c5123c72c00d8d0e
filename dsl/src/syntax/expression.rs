//! Lowers the grammar's expressions.

use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::text::TextBuilder;

use super::ast::{
    Argument, BinaryOperator, Clause, Comparison, Comprehension, ComprehensionKind, Expression, ExpressionKind,
    Function, FunctionBody, Name, Parameters, Subscript, Target, UnaryOperator,
};
use super::literal;
use super::python::{Node, Rule, children, written};
use super::statement::Line;

pub(super) type Result<T> = std::result::Result<T, Diagnostic>;

/// How many prefixes, `else` branches and lambdas may follow each other in one expression.
const CHAIN_LIMIT: usize = 100;

const KEYWORDS: &[&str] = &[
    "and", "as", "assert", "break", "class", "continue", "def", "del", "elif", "else", "except", "exec", "finally",
    "for", "from", "global", "if", "import", "in", "is", "lambda", "not", "or", "pass", "print", "raise", "return",
    "try", "while", "with", "yield",
];

/// How strongly an operator of a chain binds, from weak to strong.
const OR: u8 = 0;
const AND: u8 = 1;
const NOT: u8 = 2;
const COMPARE: u8 = 3;
const BINARY: u8 = 4;
const SIGN: u8 = BINARY + 6;
const POWER: u8 = SIGN + 1;

#[derive(Clone, Copy)]
enum Operator {
    Or,
    And,
    Compare(Comparison),
    Binary(BinaryOperator),
}

impl Operator {
    fn rank(self) -> u8 {
        match self {
            Self::Or => OR,
            Self::And => AND,
            Self::Compare(_) => COMPARE,
            Self::Binary(BinaryOperator::Power) => POWER,
            Self::Binary(operator) => BINARY + operator.rank(),
        }
    }
}

impl Line<'_> {
    pub(super) fn name(&self, node: &Node<'_>) -> Result<Name> {
        let text = written(node);
        let span = self.span(node);
        if KEYWORDS.contains(&text) {
            let error =
                Diagnostic::error(Code::Syntax, span, format!("`{text}` is a keyword of the language and no name"));
            let help = if text == "print" {
                "a configuration prints nothing"
            } else {
                "a value or another name is expected here"
            };
            return Err(error.help(help));
        }
        Ok(Name { text: Arc::from(text), span })
    }

    /// `a, b` is a tuple, `a` is itself.
    pub(super) fn expressions(&self, node: Node<'_>) -> Result<Expression> {
        let span = self.span(&node);
        let mut has_trailing_comma = false;
        let mut items = Vec::new();
        for child in children(node) {
            match child.as_rule() {
                Rule::trailing => has_trailing_comma = true,
                _ => items.push(self.expression(child)?),
            }
        }
        if items.len() == 1 && !has_trailing_comma {
            return items.pop().ok_or_else(|| self.unreadable(span));
        }
        Ok(Expression { kind: ExpressionKind::Tuple(items), span })
    }

    /// The grammar and this lowering disagree: reported as an error of the text rather than by ending the program.
    pub(super) fn unreadable(&self, span: Span) -> Diagnostic {
        Diagnostic::error(Code::Syntax, span, "this cannot be read")
    }

    pub(super) fn expression(&self, node: Node<'_>) -> Result<Expression> {
        let span = self.span(&node);
        if node.as_rule() == Rule::plain {
            let atom = node.into_inner().next().ok_or_else(|| self.unreadable(span))?;
            return self.atom(atom);
        }
        let parts: Vec<Node<'_>> = children(node).collect();
        if parts.len() > CHAIN_LIMIT {
            return Err(Diagnostic::error(
                Code::Limit,
                span,
                format!("more than {CHAIN_LIMIT} conditions in one expression"),
            ));
        }
        let mut parts = parts.into_iter();
        self.conditional(&mut parts, span)
    }

    fn conditional<'a>(&self, parts: &mut std::vec::IntoIter<Node<'a>>, span: Span) -> Result<Expression> {
        let Some(first) = parts.next() else { return Err(self.unreadable(span)) };
        if first.as_rule() == Rule::lambda {
            let start = self.span(&first);
            let parameters = children(first).next();
            let parameters = parameters.map_or(Ok(Parameters::default()), |parameters| self.parameters(parameters))?;
            let body = self.conditional(parts, span)?;
            let name = Name { text: Arc::from("lambda"), span: start };
            let function = Function { name, parameters, body: FunctionBody::Expression(body) };
            return Ok(Expression { kind: ExpressionKind::Lambda(Rc::new(function)), span: start.to(span) });
        }
        let then = self.chain(first)?;
        let Some(condition) = parts.next() else { return Ok(then) };
        let condition = Box::new(self.chain(condition)?);
        let otherwise = Box::new(self.conditional(parts, span)?);
        let span = then.span.to(otherwise.span);
        Ok(Expression { kind: ExpressionKind::Conditional { condition, then: Box::new(then), otherwise }, span })
    }

    pub(super) fn chain(&self, node: Node<'_>) -> Result<Expression> {
        let span = self.span(&node);
        let parts: Vec<Node<'_>> = node.into_inner().collect();
        let climbing = parts.iter().filter(|part| part.as_rule() == Rule::prefix || written(part) == "**").count();
        if climbing > CHAIN_LIMIT {
            return Err(Diagnostic::error(
                Code::Limit,
                span,
                format!("more than {CHAIN_LIMIT} operators pile up in one expression"),
            ));
        }
        let mut parts = parts.into_iter().peekable();
        self.climb(&mut parts, OR, span)
    }

    /// Works off everything that binds at least as strongly as `least`.
    fn climb(
        &self,
        parts: &mut std::iter::Peekable<std::vec::IntoIter<Node<'_>>>,
        least: u8,
        span: Span,
    ) -> Result<Expression> {
        let Some(first) = parts.next() else { return Err(self.unreadable(span)) };
        let mut left = if first.as_rule() == Rule::prefix {
            let start = self.span(&first);
            let (sign, rank) = match written(&first) {
                "-" => (Some(UnaryOperator::Minus), SIGN),
                "+" => (Some(UnaryOperator::Plus), SIGN),
                "~" => (Some(UnaryOperator::Invert), SIGN),
                _ => (None, NOT),
            };
            let operand = Box::new(self.climb(parts, rank, span)?);
            let span = start.to(operand.span);
            let kind = match sign {
                Some(sign) => ExpressionKind::Negate(sign, operand),
                None => ExpressionKind::Not(operand),
            };
            Expression { kind, span }
        } else {
            self.primary(first)?
        };
        while let Some(next) = parts.peek() {
            let operator = self.operator(next)?;
            if operator.rank() < least {
                break;
            }
            parts.next();
            let tighter = if operator.rank() == POWER { SIGN } else { operator.rank() + 1 };
            let right = self.climb(parts, tighter, span)?;
            left = join(left, operator, right);
        }
        Ok(left)
    }

    fn operator(&self, node: &Node<'_>) -> Result<Operator> {
        let span = self.span(node);
        let sign = written(node);
        Ok(match sign {
            "or" => Operator::Or,
            "and" => Operator::And,
            "in" => Operator::Compare(Comparison::In),
            "is" => Operator::Compare(Comparison::Is),
            "==" => Operator::Compare(Comparison::Equal),
            "!=" | "<>" => Operator::Compare(Comparison::NotEqual),
            "<" => Operator::Compare(Comparison::Less),
            "<=" => Operator::Compare(Comparison::LessOrEqual),
            ">" => Operator::Compare(Comparison::Greater),
            ">=" => Operator::Compare(Comparison::GreaterOrEqual),
            _ if sign.starts_with("not") => Operator::Compare(Comparison::NotIn),
            _ if sign.starts_with("is") => Operator::Compare(Comparison::IsNot),
            _ => Operator::Binary(BinaryOperator::of(sign).ok_or_else(|| self.unreadable(span))?),
        })
    }

    pub(super) fn primary(&self, node: Node<'_>) -> Result<Expression> {
        let span = self.span(&node);
        let mut parts = node.into_inner();
        let Some(atom) = parts.next() else { return Err(self.unreadable(span)) };
        let mut value = self.atom(atom)?;
        for trailer in parts {
            let span = value.span.to(self.span(&trailer));
            let rule = trailer.as_rule();
            let inner = trailer.into_inner();
            let kind = match rule {
                Rule::attribute => {
                    let mut names = inner.map(|name| self.name(&name));
                    let name = names.next().unwrap_or_else(|| Err(self.unreadable(span)))?;
                    ExpressionKind::Attribute(Box::new(value), name)
                }
                Rule::call => {
                    let arguments = inner.map(|argument| self.argument(argument)).collect::<Result<_>>()?;
                    ExpressionKind::Call { callee: Box::new(value), arguments }
                }
                _ => {
                    let inner = inner.into_iter().next().ok_or_else(|| self.unreadable(span))?;
                    ExpressionKind::Subscript(Box::new(value), Box::new(self.subscript(inner)?))
                }
            };
            value = Expression { kind, span };
        }
        Ok(value)
    }

    fn argument(&self, node: Node<'_>) -> Result<Argument> {
        let span = self.span(&node);
        let rule = node.as_rule();
        let mut parts = node.into_inner();
        let first = parts.next().ok_or_else(|| self.unreadable(span))?;
        match rule {
            Rule::keyword => {
                let value = parts.next().ok_or_else(|| self.unreadable(span))?;
                Ok(Argument::Keyword(self.name(&first)?, self.expression(value)?))
            }
            Rule::spread_list => Ok(Argument::SpreadList(self.expression(first)?)),
            Rule::spread_map => Ok(Argument::SpreadMap(self.expression(first)?)),
            _ => {
                let element = self.expression(first)?;
                match parts.next() {
                    None => Ok(Argument::Plain(element)),
                    Some(clauses) => Ok(Argument::Plain(self.comprehension(
                        ComprehensionKind::Generator,
                        element,
                        None,
                        clauses,
                        span,
                    )?)),
                }
            }
        }
    }

    fn subscript(&self, node: Node<'_>) -> Result<Subscript> {
        if node.as_rule() != Rule::slice {
            return Ok(Subscript::Index(self.expressions(node)?));
        }
        let (mut start, mut end, mut step) = (None, None, None);
        for part in node.into_inner() {
            let rule = part.as_rule();
            let value = part.into_inner().next().map(|value| self.expression(value)).transpose()?;
            match rule {
                Rule::slice_start => start = value,
                Rule::slice_end => end = value,
                _ => step = value,
            }
        }
        Ok(Subscript::Slice { start, end, step })
    }

    fn atom(&self, node: Node<'_>) -> Result<Expression> {
        let span = self.span(&node);
        let kind = match node.as_rule() {
            Rule::strings => {
                let mut text = TextBuilder::default();
                for string in node.into_inner() {
                    let span = self.span(&string);
                    literal::push_string(&mut text, written(&string), span)?;
                }
                ExpressionKind::Text(text.finish())
            }
            Rule::number => literal::number(written(&node), span)?,
            Rule::name => match written(&node) {
                "None" => ExpressionKind::None,
                "True" => ExpressionKind::Boolean(true),
                "False" => ExpressionKind::Boolean(false),
                _ => ExpressionKind::Name(self.name(&node)?.text),
            },
            Rule::group => return self.group(node, span),
            Rule::list => {
                let mut items = Vec::new();
                for child in children(node) {
                    if child.as_rule() == Rule::comprehension {
                        let element = items.pop().ok_or_else(|| self.unreadable(span))?;
                        return self.comprehension(ComprehensionKind::List, element, None, child, span);
                    }
                    items.push(self.expression(child)?);
                }
                ExpressionKind::List(items)
            }
            _ => return self.braces(node, span),
        };
        Ok(Expression { kind, span })
    }

    fn group(&self, node: Node<'_>, span: Span) -> Result<Expression> {
        let mut items = Vec::new();
        let mut has_trailing_comma = false;
        for child in children(node) {
            match child.as_rule() {
                Rule::trailing => has_trailing_comma = true,
                Rule::comprehension => {
                    let element = items.pop().ok_or_else(|| self.unreadable(span))?;
                    return self.comprehension(ComprehensionKind::Generator, element, None, child, span);
                }
                _ => items.push(self.expression(child)?),
            }
        }
        let kind = match items.pop() {
            Some(only) if items.is_empty() && !has_trailing_comma => ExpressionKind::Group(Box::new(only)),
            Some(last) => {
                items.push(last);
                ExpressionKind::Tuple(items)
            }
            None => ExpressionKind::Tuple(items),
        };
        Ok(Expression { kind, span })
    }

    fn braces(&self, node: Node<'_>, span: Span) -> Result<Expression> {
        let (mut pairs, mut items) = (Vec::new(), Vec::new());
        for child in children(node) {
            if child.as_rule() == Rule::comprehension {
                return match (pairs.pop(), items.pop()) {
                    (Some((key, value)), _) => {
                        self.comprehension(ComprehensionKind::Dict, key, Some(value), child, span)
                    }
                    (None, Some(element)) => self.comprehension(ComprehensionKind::Set, element, None, child, span),
                    (None, None) => Err(self.unreadable(span)),
                };
            }
            let place = self.span(&child);
            let mut entry = child.into_inner();
            let key = entry.next().ok_or_else(|| self.unreadable(place))?;
            let key = self.expression(key)?;
            match entry.next() {
                Some(value) => pairs.push((key, self.expression(value)?)),
                None => items.push(key),
            }
        }
        match (pairs.is_empty(), items.is_empty()) {
            (_, true) => Ok(Expression { kind: ExpressionKind::Dict(pairs), span }),
            (true, false) => Ok(Expression { kind: ExpressionKind::Set(items), span }),
            (false, false) => {
                Err(Diagnostic::error(Code::Syntax, span, "entries with and without a value in one pair of braces"))
            }
        }
    }

    fn comprehension(
        &self,
        kind: ComprehensionKind,
        element: Expression,
        value: Option<Expression>,
        node: Node<'_>,
        span: Span,
    ) -> Result<Expression> {
        let mut clauses = Vec::new();
        for clause in children(node) {
            let place = self.span(&clause);
            let is_for = clause.as_rule() == Rule::clause_for;
            let mut parts = children(clause);
            let first = parts.next().ok_or_else(|| self.unreadable(place))?;
            clauses.push(if is_for {
                let iterable = parts.next().ok_or_else(|| self.unreadable(place))?;
                Clause::For { target: self.targets(first)?, iterable: self.chain(iterable)? }
            } else if first.as_rule() == Rule::lambda {
                return Err(Diagnostic::error(Code::Unsupported, place, "a lambda is no condition"));
            } else {
                Clause::If(self.chain(first)?)
            });
        }
        let comprehension = Comprehension { kind, element, value, clauses };
        Ok(Expression { kind: ExpressionKind::Comprehension(Box::new(comprehension)), span })
    }

    pub(super) fn targets(&self, node: Node<'_>) -> Result<Target> {
        let span = self.span(&node);
        let mut has_trailing_comma = false;
        let mut targets = Vec::new();
        for child in children(node) {
            match child.as_rule() {
                Rule::trailing => has_trailing_comma = true,
                _ => targets.push(self.target(self.primary(child)?)?),
            }
        }
        match targets.pop() {
            Some(only) if targets.is_empty() && !has_trailing_comma => Ok(only),
            Some(last) => {
                targets.push(last);
                Ok(Target::Tuple(targets, span))
            }
            None => Err(self.unreadable(span)),
        }
    }

    /// What stands left of `=`.
    pub(super) fn target(&self, expression: Expression) -> Result<Target> {
        let span = expression.span;
        match expression.kind {
            ExpressionKind::Name(text) => Ok(Target::Name(Name { text, span })),
            ExpressionKind::Group(inner) => self.target(*inner),
            ExpressionKind::Tuple(items) | ExpressionKind::List(items) => {
                let targets = items.into_iter().map(|item| self.target(item)).collect::<Result<_>>()?;
                Ok(Target::Tuple(targets, span))
            }
            ExpressionKind::Attribute(_, name) => Ok(Target::Attribute(name)),
            ExpressionKind::Subscript(value, subscript) => Ok(Target::Subscript(*value, subscript, span)),
            _ => Err(Diagnostic::error(Code::Syntax, span, "nothing can be assigned to this")
                .help("`==` compares, `=` assigns to a name")),
        }
    }

    pub(super) fn parameters(&self, node: Node<'_>) -> Result<Parameters> {
        let mut parameters = Parameters::default();
        for parameter in children(node) {
            let place = self.span(&parameter);
            let mut parts = parameter.into_inner();
            let first = parts.next().ok_or_else(|| self.unreadable(place))?;
            let rule = first.as_rule();
            let inner = if rule == Rule::name { Some(first) } else { first.into_inner().next() };
            let name = self.name(&inner.ok_or_else(|| self.unreadable(place))?)?;
            let named = parameters.plain.iter().map(|(name, _)| name).chain(&parameters.list).chain(&parameters.map);
            if let Some(earlier) = named.into_iter().find(|earlier| earlier.text == name.text) {
                let message = format!("the parameter `{}` is there twice", name.text);
                return Err(Diagnostic::error(Code::Syntax, name.span, message).note("first here", earlier.span));
            }
            match rule {
                Rule::map_name => parameters.map = Some(name),
                Rule::list_name => parameters.list = Some(name),
                _ => {
                    let default = parts.next().map(|value| self.expression(value)).transpose()?;
                    if default.is_none() && parameters.plain.iter().any(|(_, default)| default.is_some()) {
                        let message = format!("`{}` needs a value, and a parameter before it has a default", name.text);
                        return Err(Diagnostic::error(Code::Syntax, name.span, message));
                    }
                    parameters.plain.push((name, default));
                }
            }
        }
        Ok(parameters)
    }
}

/// Joins two operands. Operators of one rank that follow each other become one flat node, so that depth is only where brackets are.
fn join(left: Expression, operator: Operator, right: Expression) -> Expression {
    let span = left.span.to(right.span);
    let left_span = left.span;
    let kind = match (operator, left.kind) {
        (Operator::Or, ExpressionKind::Or(mut items)) => {
            items.push(right);
            ExpressionKind::Or(items)
        }
        (Operator::And, ExpressionKind::And(mut items)) => {
            items.push(right);
            ExpressionKind::And(items)
        }
        (Operator::Compare(comparison), ExpressionKind::Compare { first, mut rest }) => {
            rest.push((comparison, right));
            ExpressionKind::Compare { first, rest }
        }
        (Operator::Binary(operator), ExpressionKind::Binary { first, mut rest })
            if rest.last().is_some_and(|(last, _)| last.rank() == operator.rank())
                && operator != BinaryOperator::Power =>
        {
            rest.push((operator, right));
            ExpressionKind::Binary { first, rest }
        }
        (operator, kind) => {
            let left = Expression { kind, span: left_span };
            match operator {
                Operator::Or => ExpressionKind::Or(vec![left, right]),
                Operator::And => ExpressionKind::And(vec![left, right]),
                Operator::Compare(comparison) => {
                    ExpressionKind::Compare { first: Box::new(left), rest: vec![(comparison, right)] }
                }
                Operator::Binary(operator) => {
                    ExpressionKind::Binary { first: Box::new(left), rest: vec![(operator, right)] }
                }
            }
        }
    };
    Expression { kind, span }
}
