//! Traps that show in the text.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{Argument, BinaryOperator, Block, Expression, ExpressionKind, StatementKind, Target};
use crate::syntax::visit;

/// Reports the traps of a file's statements.
pub(super) fn check(block: &Block, found: &mut Vec<Diagnostic>) {
    let sequential = sequential_tasks(block);
    visit::expressions(block, &mut |expression| {
        super_name(expression, found);
        inexact_division(expression, found);
        repeated_keys(expression, found);
        if let ExpressionKind::Call { callee, arguments } = &expression.kind
            && let ExpressionKind::Name(name) = &callee.kind
        {
            unnamed_combination(expression, name, arguments, found);
            if sequential.contains(&**name) {
                lost_order(expression, arguments, found);
            }
        }
    });
}

fn warn(found: &mut Vec<Diagnostic>, expression: &Expression, message: String, help: &str) {
    found.push(Diagnostic::warning(Code::Lint, expression.span, message).help(help));
}

fn super_name(expression: &Expression, found: &mut Vec<Diagnostic>) {
    if let ExpressionKind::Text(text) = &expression.kind
        && text.as_str().contains("{{super.name}}")
    {
        let span = text.span_of_part("{{super.name}}").unwrap_or(expression.span);
        let warning =
            Diagnostic::warning(Code::Lint, span, "`{{super.name}}` in a process is the job's name, not the task's");
        found.push(warning.help("write {{task.name}} for the task's"));
    }
}

fn inexact_division(expression: &Expression, found: &mut Vec<Diagnostic>) {
    let ExpressionKind::Binary { first, rest } = &expression.kind else { return };
    let operands = std::iter::once(&**first).chain(rest.iter().map(|(_, operand)| operand));
    for (left, (operator, right)) in operands.zip(rest) {
        if let (ExpressionKind::Integer(dividend), BinaryOperator::Divide, ExpressionKind::Integer(divisor)) =
            (&left.kind, operator, &right.kind)
            && dividend.checked_rem(*divisor).is_some_and(|rest| rest != 0)
        {
            let message = format!(
                "`{dividend} / {divisor}` is {}: whole numbers divide to whole numbers",
                dividend.div_euclid(*divisor)
            );
            warn(found, expression, message, "write one of them with a point for the exact value");
        }
    }
}

fn repeated_keys(expression: &Expression, found: &mut Vec<Diagnostic>) {
    let ExpressionKind::Dict(entries) = &expression.kind else { return };
    let mut seen = BTreeSet::new();
    for (key, _) in entries {
        if let ExpressionKind::Text(text) = &key.kind
            && !seen.insert(text.as_str())
        {
            warn(
                found,
                key,
                format!("the key `{}` is there twice, and only the last value counts", text.as_str()),
                "take one of them away",
            );
        }
    }
}

fn unnamed_combination(expression: &Expression, name: &str, arguments: &[Argument], found: &mut Vec<Diagnostic>) {
    let is_named =
        arguments.iter().any(|argument| matches!(argument, Argument::Keyword(name, _) if *name.text == *"name"));
    if matches!(name, "combine_tasks" | "concat_tasks") && !is_named && arguments.len() > 1 {
        let message = format!("`{name}` keeps the name of the last task");
        warn(found, expression, message, "say which: name = '…'");
    }
}

fn lost_order(expression: &Expression, arguments: &[Argument], found: &mut Vec<Diagnostic>) {
    let sets_processes =
        arguments.iter().any(|argument| matches!(argument, Argument::Keyword(name, _) if *name.text == *"processes"));
    if sets_processes {
        let message =
            "these processes are not in the order of the SequentialTask, which knows only its first ones".to_owned();
        warn(found, expression, message, "give the processes to SequentialTask itself, or add constraints = order(…)");
    }
}

/// The names that a file gives to sequential tasks.
fn sequential_tasks(block: &Block) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for statement in block {
        if let StatementKind::Assign { targets, value } = &statement.kind
            && let ExpressionKind::Call { callee, .. } = &value.kind
            && matches!(&callee.kind, ExpressionKind::Name(name) if **name == *"SequentialTask" || names.contains(&**name))
        {
            for target in targets {
                if let Target::Name(name) = target {
                    names.insert(name.text.to_string());
                }
            }
        }
    }
    names
}
