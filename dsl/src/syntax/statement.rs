//! Lowers the lines of a file and puts its blocks together.

use std::rc::Rc;

use crate::diagnostic::{Code, Diagnostic, ERRORS_LIMIT};
use crate::source::{FileId, Span};

use super::ast::{
    BinaryOperator, Block, Expression, ExpressionKind, FieldDefinition, Function, FunctionBody, Import, Name,
    Parameters, Statement, StatementKind,
};
use super::expression::Result;
use super::layout::{Layout, Line as LayoutLine};
use super::python::{self, Node, Rule, children, written};
use super::unexpected::unexpected;

/// How deep blocks may nest: as deep as in Python 2.
const BLOCKS_LIMIT: usize = 100;

/// The line being lowered: gives every node its place in the file.
pub(super) struct Line<'a> {
    file: FileId,
    text: &'a str,
    offset: usize,
}

impl Line<'_> {
    pub(super) fn span(&self, node: &Node<'_>) -> Span {
        let span = node.as_span();
        let end = span.start() + written(node).len();
        Span { file: self.file, start: (self.offset + span.start()) as u32, end: (self.offset + end) as u32 }
    }
}

/// The head of a block, before its body is known.
enum Head {
    Class(Name, Vec<Expression>),
    Function(Name, Parameters),
    For(super::ast::Target, Expression),
    If(Expression),
    Elif(Expression),
    Else,
    While(Expression),
    With(Expression, Name),
}

enum Item {
    Statements(Vec<Statement>),
    Head(Head, Span, Option<Block>),
}

pub(super) struct Lowering<'a> {
    file: FileId,
    layout: &'a Layout,
    diagnostics: &'a mut Vec<Diagnostic>,
    at: usize,
    depth: usize,
}

impl<'a> Lowering<'a> {
    pub(super) fn new(file: FileId, layout: &'a Layout, diagnostics: &'a mut Vec<Diagnostic>) -> Self {
        Self { file, layout, diagnostics, at: 0, depth: 0 }
    }

    pub(super) fn file(&mut self) -> Block {
        let mut block = Vec::new();
        while let Some(line) = self.peek() {
            if line.indent > 0 {
                self.report_line(line, "this line is indented, but no block is open");
                self.skip_deeper(0);
                continue;
            }
            self.block_into(0, &mut block);
        }
        block
    }

    fn peek(&self) -> Option<LayoutLine> {
        self.layout.lines.get(self.at).copied()
    }

    fn report_line(&mut self, line: LayoutLine, message: &str) {
        let span = Span { file: self.file, start: line.start as u32, end: line.end.min(line.start + 1) as u32 };
        let help = "a block is a line that ends with a colon and the lines indented below it, all by the same width";
        self.diagnostics.push(Diagnostic::error(Code::Syntax, span, message).help(help));
    }

    /// Steps over the lines that are indented deeper.
    fn skip_deeper(&mut self, indent: u32) {
        while self.peek().is_some_and(|line| line.indent > indent) {
            self.at += 1;
        }
    }

    /// The statements at exactly this indentation.
    fn block_into(&mut self, indent: u32, block: &mut Block) {
        while let Some(line) = self.peek() {
            if self.diagnostics.len() >= ERRORS_LIMIT {
                self.at = self.layout.lines.len();
                let span = Span { file: self.file, start: line.start as u32, end: line.end as u32 };
                let message = format!("{ERRORS_LIMIT} lines are wrong: what comes behind is not looked at");
                self.diagnostics.push(Diagnostic::error(Code::Limit, span, message));
                return;
            }
            if line.indent < indent {
                return;
            }
            if line.indent > indent {
                self.report_line(line, "this line is indented deeper than the one before");
                self.skip_deeper(indent);
                continue;
            }
            self.at += 1;
            match self.item(line) {
                Ok(Item::Statements(statements)) => block.extend(statements),
                Ok(Item::Head(head, span, inline)) => {
                    let body = self.body(indent, span, inline);
                    match self.compound(head, span, body, indent) {
                        Ok(statement) => block.push(statement),
                        Err(diagnostic) => self.diagnostics.push(diagnostic),
                    }
                }
                Err(diagnostic) => {
                    self.diagnostics.push(diagnostic);
                    self.skip_deeper(indent);
                }
            }
        }
    }

    /// The block below a head.
    fn body(&mut self, indent: u32, head: Span, inline: Option<Block>) -> Block {
        if let Some(block) = inline {
            return block;
        }
        let deeper = self.peek().filter(|line| line.indent > indent);
        let Some(first) = deeper else {
            let error = Diagnostic::error(Code::Syntax, head, "an indented block is missing below this line");
            self.diagnostics.push(error.help("write `pass` where nothing is to be done"));
            return Vec::new();
        };
        let mut block = Vec::new();
        if self.depth == BLOCKS_LIMIT {
            self.diagnostics.push(Diagnostic::error(
                Code::Limit,
                head,
                format!("blocks nest deeper than {BLOCKS_LIMIT}"),
            ));
            self.skip_deeper(indent);
            return block;
        }
        self.depth += 1;
        self.block_into(first.indent, &mut block);
        self.depth -= 1;
        while let Some(line) = self.peek().filter(|line| line.indent > indent) {
            self.report_line(line, "this line's indentation fits no block");
            self.block_into(line.indent, &mut block);
        }
        block
    }

    fn item(&mut self, line: LayoutLine) -> Result<Item> {
        let text = &self.layout.text[line.start..line.end];
        let context = Line { file: self.file, text, offset: line.start };
        let pairs = python::parse(text).map_err(|error| {
            let at = match error.location {
                pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
            };
            unexpected(self.file, text, line.start, at)
        })?;
        let mut statements = Vec::new();
        for node in pairs.filter(|node| !python::is_keyword(node.as_rule())) {
            match context.head(node.clone())? {
                Some(item) => return Ok(item),
                None => statements.push(context.simple(node)?),
            }
        }
        Ok(Item::Statements(statements.into_iter().flatten().collect()))
    }

    fn compound(&mut self, head: Head, span: Span, body: Block, indent: u32) -> Result<Statement> {
        let kind = match head {
            Head::Class(name, bases) => class(name, bases, body)?,
            Head::Function(name, parameters) => {
                StatementKind::Function(Rc::new(Function { name, parameters, body: FunctionBody::Block(body) }))
            }
            Head::For(target, iterable) => {
                StatementKind::For { target, iterable, body, otherwise: self.otherwise(indent)? }
            }
            Head::While(condition) => StatementKind::While { condition, body, otherwise: self.otherwise(indent)? },
            Head::With(value, name) => StatementKind::With { value, name, body },
            Head::If(condition) => self.conditional(condition, body, indent)?,
            Head::Elif(_) | Head::Else => {
                return Err(Diagnostic::error(Code::Syntax, span, "there is no `if` this could belong to"));
            }
        };
        Ok(Statement { kind, span })
    }

    /// The next line where it is a head at this indentation that `wanted` takes.
    fn next_head(&mut self, indent: u32, words: &[&str]) -> Result<Option<(Head, Block)>> {
        let Some(line) = self.peek().filter(|line| line.indent == indent) else { return Ok(None) };
        let text = &self.layout.text[line.start..line.end];
        let word = text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        if !words.contains(&word) {
            return Ok(None);
        }
        self.at += 1;
        match self.item(line)? {
            Item::Head(head, span, inline) => {
                let body = self.body(indent, span, inline);
                Ok(Some((head, body)))
            }
            Item::Statements(_) => Ok(None),
        }
    }

    fn otherwise(&mut self, indent: u32) -> Result<Block> {
        Ok(self.next_head(indent, &["else"])?.map(|(_, body)| body).unwrap_or_default())
    }

    fn conditional(&mut self, condition: Expression, body: Block, indent: u32) -> Result<StatementKind> {
        let mut branches = vec![(condition, body)];
        let mut otherwise = Vec::new();
        while let Some((head, body)) = self.next_head(indent, &["elif", "else"])? {
            match head {
                Head::Elif(condition) => branches.push((condition, body)),
                _ => {
                    otherwise = body;
                    break;
                }
            }
        }
        Ok(StatementKind::If { branches, otherwise })
    }
}

/// A class is a struct where it has a base other than `object`; a struct's body is its fields.
fn class(name: Name, mut bases: Vec<Expression>, body: Block) -> Result<StatementKind> {
    let is_plain =
        bases.first().is_none_or(|base| matches!(&base.kind, ExpressionKind::Name(base) if **base == *"object"));
    if is_plain {
        return Ok(StatementKind::Class { name });
    }
    if let Some(second) = bases.get(1) {
        return Err(
            Diagnostic::error(Code::Unsupported, second.span, "a struct has one base").help("write `class X(Struct):`")
        );
    }
    let mut fields = Vec::new();
    for statement in body {
        let span = statement.span;
        match statement.kind {
            StatementKind::Pass => {}
            StatementKind::Expression(Expression { kind: ExpressionKind::Text(_), .. }) => {}
            StatementKind::Assign { mut targets, value } if targets.len() == 1 => match targets.pop() {
                Some(super::ast::Target::Name(name)) => fields.push(FieldDefinition { name, value }),
                _ => return Err(not_a_field(span)),
            },
            _ => return Err(not_a_field(span)),
        }
    }
    Ok(StatementKind::Struct { name, base: bases.remove(0), fields })
}

fn not_a_field(span: Span) -> Diagnostic {
    let error = Diagnostic::error(Code::Unsupported, span, "a struct consists of fields only");
    error.help("write `name = String`, `name = Required(Integer)` or `name = Default(Float, 1.5)`")
}

impl Line<'_> {
    /// The head of a block, or nothing for another statement.
    fn head(&self, node: Node<'_>) -> Result<Option<Item>> {
        let span = self.span(&node);
        let rule = node.as_rule();
        if rule == Rule::refused {
            return Err(self.refused(span, node));
        }
        let is_head = matches!(
            rule,
            Rule::class_head
                | Rule::def_head
                | Rule::for_head
                | Rule::if_head
                | Rule::elif_head
                | Rule::else_head
                | Rule::while_head
                | Rule::with_head
        );
        if !is_head {
            return Ok(None);
        }
        let mut inline = None;
        let mut parts = Vec::new();
        for child in children(node) {
            if child.as_rule() == Rule::body {
                let mut block = Vec::new();
                for statement in children(child) {
                    block.extend(self.simple(statement)?);
                }
                inline = Some(block);
            } else {
                parts.push(child);
            }
        }
        let mut parts = parts.into_iter();
        let mut next = || parts.next().ok_or_else(|| self.unreadable(span));
        let head = match rule {
            Rule::class_head => {
                let name = self.name(&next()?)?;
                Head::Class(name, parts.map(|base| self.expression(base)).collect::<Result<_>>()?)
            }
            Rule::def_head => {
                let name = self.name(&next()?)?;
                Head::Function(name, parts.next().map_or(Ok(Parameters::default()), |node| self.parameters(node))?)
            }
            Rule::for_head => Head::For(self.targets(next()?)?, self.expressions(next()?)?),
            Rule::if_head => Head::If(self.expression(next()?)?),
            Rule::elif_head => Head::Elif(self.expression(next()?)?),
            Rule::while_head => Head::While(self.expression(next()?)?),
            Rule::with_head => Head::With(self.expression(next()?)?, self.name(&next()?)?),
            _ => Head::Else,
        };
        Ok(Some(Item::Head(head, span, inline)))
    }

    fn refused(&self, span: Span, node: Node<'_>) -> Diagnostic {
        let word = node
            .into_inner()
            .next()
            .map(|word| word.as_str().trim_end_matches([' ', '(']).to_owned())
            .unwrap_or_default();
        let span = Span { end: span.start + word.len() as u32, ..span };
        let advice = match word.as_str() {
            "try" | "except" | "finally" => "nothing can be caught: test the condition with `if` before",
            "print" => "a configuration prints nothing; use `assert condition, 'message'` to stop with a message",
            "global" | "nonlocal" => "return the value and assign it where it is needed",
            "@" => "decorators are not part of the language: call the function instead",
            "yield" => "build a list with a comprehension and return it",
            _ => "the language is the part of Python 2 that needs no access to the machine",
        };
        let message = format!("`{word}` is not supported in config files");
        Diagnostic::error(Code::Unsupported, span, message).help(advice)
    }

    fn simple(&self, node: Node<'_>) -> Result<Vec<Statement>> {
        let span = self.span(&node);
        let rule = node.as_rule();
        let mut parts = children(node);
        let kind = match rule {
            Rule::pass => StatementKind::Pass,
            Rule::break_ => StatementKind::Break,
            Rule::continue_ => StatementKind::Continue,
            Rule::return_ => StatementKind::Return(parts.next().map(|value| self.expressions(value)).transpose()?),
            Rule::raise => StatementKind::Raise(parts.next().map(|value| self.expressions(value)).transpose()?),
            Rule::delete => {
                let value = parts.next().ok_or_else(|| self.unreadable(span))?;
                StatementKind::Delete(vec![self.target(self.expressions(value)?)?])
            }
            Rule::assert_ => {
                let condition = parts.next().ok_or_else(|| self.unreadable(span))?;
                let condition = self.expression(condition)?;
                StatementKind::Assert {
                    condition,
                    message: parts.next().map(|message| self.expression(message)).transpose()?,
                }
            }
            Rule::import => StatementKind::Import(parts.map(|module| self.module(module)).collect::<Result<_>>()?),
            Rule::from_import => {
                let module = parts.next().ok_or_else(|| self.unreadable(span))?;
                let module = Name { text: written(&module).into(), span: self.span(&module) };
                StatementKind::Import(parts.map(|member| self.imported(&module, member)).collect::<Result<_>>()?)
            }
            Rule::assignment => {
                let mut values = Vec::new();
                let mut augmented = None;
                for part in parts {
                    match part.as_rule() {
                        Rule::augmented => augmented = Some(written(&part).trim_end_matches('=').to_owned()),
                        _ => values.push(self.expressions(part)?),
                    }
                }
                let value = values.pop().ok_or_else(|| self.unreadable(span))?;
                match (augmented, values.pop()) {
                    (_, None) => StatementKind::Expression(value),
                    (Some(sign), Some(target)) => {
                        let operator = BinaryOperator::of(&sign).ok_or_else(|| self.unreadable(span))?;
                        StatementKind::Augment { target: self.target(target)?, operator, value }
                    }
                    (None, Some(last)) => {
                        values.push(last);
                        let targets = values.into_iter().map(|target| self.target(target)).collect::<Result<_>>()?;
                        StatementKind::Assign { targets, value }
                    }
                }
            }
            _ => return Err(unexpected(self.file, self.text, self.offset, 0)),
        };
        Ok(vec![Statement { kind, span }])
    }

    fn module(&self, node: Node<'_>) -> Result<Import> {
        let span = self.span(&node);
        let mut parts = children(node);
        let module = parts.next().ok_or_else(|| self.unreadable(span))?;
        let module = Name { text: written(&module).into(), span: self.span(&module) };
        let name = match parts.next() {
            Some(name) => self.name(&name)?,
            None => module.clone(),
        };
        Ok(Import { module, member: None, name })
    }

    fn imported(&self, module: &Name, node: Node<'_>) -> Result<Import> {
        let span = self.span(&node);
        if node.as_rule() == Rule::star {
            let star = Name { text: "*".into(), span };
            return Ok(Import { module: module.clone(), member: Some(star.clone()), name: star });
        }
        let mut parts = children(node);
        let member = parts.next().ok_or_else(|| self.unreadable(span))?;
        let member = self.name(&member)?;
        let name = parts.next().map(|name| self.name(&name)).transpose()?.unwrap_or_else(|| member.clone());
        Ok(Import { module: module.clone(), member: Some(member), name })
    }
}
