//! The structs of a configuration: types, fields, defaults, and objects of these types.
//!
//! Types and objects never change once made, and are shared: binding or changing a field makes a new object that shares the rest.

mod construct;
mod helper;
pub(crate) mod object;
pub(crate) mod prelude;
pub(crate) mod services;
pub(crate) mod types;

pub(crate) use construct::{Constructor, coerce, rebind};
pub(crate) use helper::{Helper, call as call_helper};
pub(crate) use object::{Bound, Environment, Object, Raw, Shape};
pub use prelude::schema_json;
pub(crate) use types::{EnumType, Field, StructType, Type};
