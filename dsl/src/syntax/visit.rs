//! Walks through a tree.

use super::ast::{
    Argument, Block, Clause, Expression, ExpressionKind, FunctionBody, Statement, StatementKind, Subscript, Target,
};

/// Calls `visit` with every expression of a block, outer ones first.
pub(crate) fn expressions<'a>(block: &'a Block, visit: &mut impl FnMut(&'a Expression)) {
    for statement in block {
        of_statement(statement, visit);
    }
}

fn of_statement<'a>(statement: &'a Statement, visit: &mut impl FnMut(&'a Expression)) {
    match &statement.kind {
        StatementKind::Pass
        | StatementKind::Break
        | StatementKind::Continue
        | StatementKind::Import(_)
        | StatementKind::Class { .. } => {}
        StatementKind::Expression(value) => expression(value, visit),
        StatementKind::Assign { targets, value } => {
            targets.iter().for_each(|target| of_target(target, visit));
            expression(value, visit);
        }
        StatementKind::Augment { target, value, .. } => {
            of_target(target, visit);
            expression(value, visit);
        }
        StatementKind::Return(value) | StatementKind::Raise(value) => {
            value.iter().for_each(|value| expression(value, visit))
        }
        StatementKind::Delete(targets) => targets.iter().for_each(|target| of_target(target, visit)),
        StatementKind::Assert { condition, message } => {
            std::iter::once(condition).chain(message).for_each(|value| expression(value, visit))
        }
        StatementKind::Struct { base, fields, .. } => {
            expression(base, visit);
            fields.iter().for_each(|field| expression(&field.value, visit));
        }
        StatementKind::Function(function) => of_function(function, visit),
        StatementKind::For { target, iterable, body, otherwise } => {
            of_target(target, visit);
            expression(iterable, visit);
            expressions(body, visit);
            expressions(otherwise, visit);
        }
        StatementKind::While { condition, body, otherwise } => {
            expression(condition, visit);
            expressions(body, visit);
            expressions(otherwise, visit);
        }
        StatementKind::If { branches, otherwise } => {
            for (condition, body) in branches {
                expression(condition, visit);
                expressions(body, visit);
            }
            expressions(otherwise, visit);
        }
        StatementKind::With { value, body, .. } => {
            expression(value, visit);
            expressions(body, visit);
        }
    }
}

fn of_function<'a>(function: &'a super::ast::Function, visit: &mut impl FnMut(&'a Expression)) {
    function
        .parameters
        .plain
        .iter()
        .filter_map(|(_, default)| default.as_ref())
        .for_each(|default| expression(default, visit));
    match &function.body {
        FunctionBody::Block(block) => block.iter().for_each(|statement| of_statement(statement, &mut *visit)),
        FunctionBody::Expression(value) => expression(value, visit),
    }
}

fn of_target<'a>(target: &'a Target, visit: &mut impl FnMut(&'a Expression)) {
    match target {
        Target::Name(_) | Target::Attribute(_) => {}
        Target::Tuple(targets, _) => targets.iter().for_each(|target| of_target(target, visit)),
        Target::Subscript(container, subscript, _) => {
            expression(container, visit);
            of_subscript(subscript, visit);
        }
    }
}

fn of_subscript<'a>(subscript: &'a Subscript, visit: &mut impl FnMut(&'a Expression)) {
    match subscript {
        Subscript::Index(index) => expression(index, visit),
        Subscript::Slice { start, end, step } => {
            [start, end, step].into_iter().flatten().for_each(|bound| expression(bound, visit))
        }
    }
}

fn expression<'a>(value: &'a Expression, visit: &mut impl FnMut(&'a Expression)) {
    visit(value);
    match &value.kind {
        ExpressionKind::None
        | ExpressionKind::Boolean(_)
        | ExpressionKind::Integer(_)
        | ExpressionKind::Float(_)
        | ExpressionKind::Text(_)
        | ExpressionKind::Name(_) => {}
        ExpressionKind::Group(inner)
        | ExpressionKind::Negate(_, inner)
        | ExpressionKind::Not(inner)
        | ExpressionKind::Attribute(inner, _) => {
            expression(inner, visit);
        }
        ExpressionKind::Tuple(items)
        | ExpressionKind::List(items)
        | ExpressionKind::Set(items)
        | ExpressionKind::And(items)
        | ExpressionKind::Or(items) => items.iter().for_each(|item| expression(item, visit)),
        ExpressionKind::Dict(entries) => {
            for (key, value) in entries {
                expression(key, visit);
                expression(value, visit);
            }
        }
        ExpressionKind::Comprehension(comprehension) => {
            expression(&comprehension.element, visit);
            comprehension.value.iter().for_each(|value| expression(value, visit));
            for clause in &comprehension.clauses {
                match clause {
                    Clause::For { target, iterable } => {
                        of_target(target, visit);
                        expression(iterable, visit);
                    }
                    Clause::If(condition) => expression(condition, visit),
                }
            }
        }
        ExpressionKind::Binary { first, rest } => {
            expression(first, visit);
            rest.iter().for_each(|(_, operand)| expression(operand, visit));
        }
        ExpressionKind::Compare { first, rest } => {
            expression(first, visit);
            rest.iter().for_each(|(_, operand)| expression(operand, visit));
        }
        ExpressionKind::Conditional { condition, then, otherwise } => {
            [condition, then, otherwise].into_iter().for_each(|part| expression(part, visit));
        }
        ExpressionKind::Lambda(function) => of_function(function, visit),
        ExpressionKind::Call { callee, arguments } => {
            expression(callee, visit);
            for argument in arguments {
                match argument {
                    Argument::Plain(value)
                    | Argument::Keyword(_, value)
                    | Argument::SpreadList(value)
                    | Argument::SpreadMap(value) => {
                        expression(value, visit);
                    }
                }
            }
        }
        ExpressionKind::Subscript(container, subscript) => {
            expression(container, visit);
            of_subscript(subscript, visit);
        }
    }
}
