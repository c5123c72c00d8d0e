//! The tree of a config file. Every node knows where it was written.

use std::rc::Rc;
use std::sync::Arc;

use crate::source::Span;
use crate::text::Text;

/// A name and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) text: Arc<str>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) kind: StatementKind,
    pub(crate) span: Span,
}

pub(crate) type Block = Vec<Statement>;

#[derive(Debug)]
pub(crate) enum StatementKind {
    Pass,
    Break,
    Continue,
    Expression(Expression),
    Assign {
        targets: Vec<Target>,
        value: Expression,
    },
    Augment {
        target: Target,
        operator: BinaryOperator,
        value: Expression,
    },
    Return(Option<Expression>),
    Delete(Vec<Target>),
    Assert {
        condition: Expression,
        message: Option<Expression>,
    },
    Raise(Option<Expression>),
    /// `import os` and `from os import path as p`: the module, the member, the name it is known by.
    Import(Vec<Import>),
    Struct {
        name: Name,
        base: Expression,
        fields: Vec<FieldDefinition>,
    },
    /// A class that is no struct, as hooks are: its body never runs.
    Class {
        name: Name,
    },
    Function(Rc<Function>),
    For {
        target: Target,
        iterable: Expression,
        body: Block,
        otherwise: Block,
    },
    While {
        condition: Expression,
        body: Block,
        otherwise: Block,
    },
    If {
        branches: Vec<(Expression, Block)>,
        otherwise: Block,
    },
    With {
        value: Expression,
        name: Name,
        body: Block,
    },
}

#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) module: Name,
    pub(crate) member: Option<Name>,
    pub(crate) name: Name,
}

#[derive(Debug)]
pub(crate) struct FieldDefinition {
    pub(crate) name: Name,
    pub(crate) value: Expression,
}

#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: Name,
    pub(crate) parameters: Parameters,
    pub(crate) body: FunctionBody,
}

#[derive(Debug)]
pub(crate) enum FunctionBody {
    Block(Block),
    Expression(Expression),
}

#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pub(crate) plain: Vec<(Name, Option<Expression>)>,
    pub(crate) list: Option<Name>,
    pub(crate) map: Option<Name>,
}

#[derive(Debug)]
pub(crate) enum Target {
    Name(Name),
    Tuple(Vec<Target>, Span),
    /// `x.name`, which is refused wherever it is written to.
    Attribute(Name),
    Subscript(Expression, Box<Subscript>, Span),
}

#[derive(Debug)]
pub(crate) struct Expression {
    pub(crate) kind: ExpressionKind,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum ExpressionKind {
    None,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(Text),
    Name(Arc<str>),
    Group(Box<Expression>),
    Tuple(Vec<Expression>),
    List(Vec<Expression>),
    Set(Vec<Expression>),
    Dict(Vec<(Expression, Expression)>),
    Comprehension(Box<Comprehension>),
    Negate(UnaryOperator, Box<Expression>),
    Not(Box<Expression>),
    /// `a + b - c`: operators of one rank, from the left.
    Binary {
        first: Box<Expression>,
        rest: Vec<(BinaryOperator, Expression)>,
    },
    /// `a < b <= c`.
    Compare {
        first: Box<Expression>,
        rest: Vec<(Comparison, Expression)>,
    },
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Conditional {
        condition: Box<Expression>,
        then: Box<Expression>,
        otherwise: Box<Expression>,
    },
    Lambda(Rc<Function>),
    Call {
        callee: Box<Expression>,
        arguments: Vec<Argument>,
    },
    Attribute(Box<Expression>, Name),
    Subscript(Box<Expression>, Box<Subscript>),
}

#[derive(Debug)]
pub(crate) enum Subscript {
    Index(Expression),
    Slice { start: Option<Expression>, end: Option<Expression>, step: Option<Expression> },
}

#[derive(Debug)]
pub(crate) enum Argument {
    Plain(Expression),
    Keyword(Name, Expression),
    SpreadList(Expression),
    SpreadMap(Expression),
}

#[derive(Debug)]
pub(crate) struct Comprehension {
    pub(crate) kind: ComprehensionKind,
    pub(crate) element: Expression,
    /// The value of a dict's entry.
    pub(crate) value: Option<Expression>,
    pub(crate) clauses: Vec<Clause>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ComprehensionKind {
    List,
    Generator,
    Set,
    Dict,
}

#[derive(Debug)]
pub(crate) enum Clause {
    For { target: Target, iterable: Expression },
    If(Expression),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnaryOperator {
    Minus,
    Plus,
    Invert,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOperator {
    Or,
    Xor,
    And,
    ShiftLeft,
    ShiftRight,
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
}

impl BinaryOperator {
    /// The operator of that sign.
    pub(crate) fn of(sign: &str) -> Option<Self> {
        Some(match sign {
            "|" => Self::Or,
            "^" => Self::Xor,
            "&" => Self::And,
            "<<" => Self::ShiftLeft,
            ">>" => Self::ShiftRight,
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "/" => Self::Divide,
            "//" => Self::FloorDivide,
            "%" => Self::Remainder,
            "**" => Self::Power,
            _ => return None,
        })
    }

    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Or => "|",
            Self::Xor => "^",
            Self::And => "&",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::FloorDivide => "//",
            Self::Remainder => "%",
            Self::Power => "**",
        }
    }

    /// How strongly it binds: operators of one rank are worked off from the left.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Or => 0,
            Self::Xor => 1,
            Self::And => 2,
            Self::ShiftLeft | Self::ShiftRight => 3,
            Self::Add | Self::Subtract => 4,
            Self::Multiply | Self::Divide | Self::FloorDivide | Self::Remainder => 5,
            Self::Power => 6,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Is,
    IsNot,
}
