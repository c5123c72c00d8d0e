//! What can be wrong with resources, and where.

use attica_allocator::{InvalidRange, InvalidRole, InvalidScalar, Scalar};
use thiserror::Error;

/// A resource on the wire that cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("resource '{name}' (number {index} of the list) is invalid: {problem}")]
pub struct InvalidResource {
    /// Its place in the list, from 0.
    pub index: usize,
    /// Its name, shortened.
    pub name: String,
    /// What is wrong with it.
    #[source]
    pub problem: ResourceProblem,
}

/// What is wrong with a resource.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ResourceProblem {
    /// The name is empty.
    #[error("its name is empty")]
    Name,
    /// The member that its type demands is absent.
    #[error("its type demands the field '{0}'")]
    Absent(&'static str),
    /// The type is TEXT.
    #[error("a resource is SCALAR, RANGES or SET; only attributes are TEXT")]
    Text,
    /// The quantity is not one.
    #[error(transparent)]
    Scalar(#[from] InvalidScalar),
    /// Graphics processors are whole.
    #[error("graphics processors are given out whole, not {0} of them")]
    Fraction(Scalar),
    /// A range is upside down.
    #[error(transparent)]
    Range(#[from] InvalidRange),
    /// A role is not one.
    #[error(transparent)]
    Role(#[from] InvalidRole),
    /// A reservation does not say for whom.
    #[error("a reservation has no role")]
    NoRole,
    /// A reservation for everybody is none.
    #[error("'*' cannot have a reservation")]
    AnyRole,
    /// A reservation does not say who made it.
    #[error("a reservation is STATIC or DYNAMIC")]
    NoKind,
    /// A refinement does not refine.
    #[error("the reservation for '{inner}' does not refine the one for '{outer}': it has to be for a role below")]
    Refinement {
        /// The role of the coarser reservation.
        outer: String,
        /// The role of the finer one.
        inner: String,
    },
    /// Only the first reservation of a stack can be static.
    #[error("the reservation for '{0}' refines another and can therefore not be STATIC")]
    StaticRefinement(String),
    /// The old and the new way to write reservations contradict each other.
    #[error("'{0}' contradicts 'reservations'")]
    BothFormats(&'static str),
    /// The old way to write a reservation has its role beside it.
    #[error("'reservation.{0}' belongs into 'reservations'; beside 'role' it must not be set")]
    LegacyReservation(&'static str),
    /// The disk's source has no known type.
    #[error("the source of the disk has no type")]
    DiskSource,
    /// The disk's volume has something that only volumes of containers have.
    #[error("the volume of a disk cannot have '{0}'")]
    DiskVolume(&'static str),
}

/// A text that does not describe resources or attributes.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("in '{part}': {problem}")]
pub struct TextError {
    /// The entry that is wrong, shortened.
    pub part: String,
    /// What is wrong with it.
    #[source]
    pub problem: TextProblem,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TextProblem {
    /// There is no colon.
    #[error("expected name:value")]
    Colon,
    /// The name is empty.
    #[error("the name is empty")]
    Name,
    /// A role's parenthesis is open.
    #[error("expected name(role):value")]
    Parenthesis,
    /// The value is empty.
    #[error("the value is empty")]
    Value,
    /// A list of ranges is malformed.
    #[error("expected ranges like [31000-32000,33000-33010], found '{0}'")]
    Ranges(String),
    /// A set is malformed.
    #[error("expected a set like {{a,b}}, found '{0}'")]
    Set(String),
    /// A resource's value is of no known kind.
    #[error("expected a number, [ranges] or a {{set}}, found '{0}'")]
    Kind(String),
    /// An attribute is a set.
    #[error("an attribute is a number, [ranges] or a text, not a set")]
    AttributeSet,
    /// The JSON form is malformed.
    #[error("expected a JSON array of resources: {0}")]
    Json(String),
    /// The text is well formed, what it says is not valid.
    #[error(transparent)]
    Invalid(#[from] InvalidResource),
}
