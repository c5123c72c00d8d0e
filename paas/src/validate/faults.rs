use attica_paas_api::error::{ErrorBody, Fault};

/// The path of a fault of the whole document.
pub const ROOT: &str = "/";

/// What is wrong with a document, by place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// A single fault.
    #[must_use]
    pub fn one(path: &str, error: impl Into<String>) -> Self {
        let mut faults = Self::default();
        faults.add(path, error);
        faults
    }

    /// Adds a fault, beside those already found at the same place.
    pub fn add(&mut self, path: impl AsRef<str>, error: impl Into<String>) {
        let (path, error) = (path.as_ref(), error.into());
        match self.0.iter_mut().find(|fault| fault.path == path) {
            Some(fault) => fault.errors.push(error),
            None => self.0.push(Fault { path: path.to_owned(), errors: vec![error] }),
        }
    }

    /// The same faults in the element with this index of an array.
    #[must_use]
    pub fn within_element(mut self, index: usize) -> Self {
        for fault in &mut self.0 {
            fault.path = match fault.path.as_str() {
                ROOT => format!("/({index})"),
                path => format!("/({index}){path}"),
            };
        }
        self
    }

    /// The same faults in the part of a document that is at `place`: `/groups(0)/apps(1)`, or nowhere for all of it.
    #[must_use]
    pub fn below(mut self, place: &str) -> Self {
        for fault in self.0.iter_mut().filter(|_| !place.is_empty()) {
            fault.path = if fault.path == ROOT { place.to_owned() } else { format!("{place}{}", fault.path) };
        }
        self
    }

    /// Adds all faults of another list.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// True when nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The body that tells a client.
    #[must_use]
    pub fn into_body(self) -> ErrorBody {
        ErrorBody::faults("Object is not valid", self.0)
    }

    /// `value`, unless something is wrong.
    ///
    /// # Errors
    /// These faults, if there are any.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}
