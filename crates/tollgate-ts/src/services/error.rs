//! What a plugin did wrong with a service.

/// A call that cannot be carried out, in words for the log. Expected failures are none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// A null pointer where something is needed.
    #[error("{0} is null")]
    Null(&'static str),
    /// The object was destroyed, or never existed.
    #[error("the {0} does not exist any more, or never did")]
    Gone(&'static str),
    /// A number that names nothing.
    #[error("there is no {0} of that number")]
    Unknown(&'static str),
    /// More than may be.
    #[error("there are too many {0}")]
    TooMany(&'static str),
    /// An index of one kind used with an object of another.
    #[error("the index is not one for this kind of object")]
    WrongKind,
    /// A configuration released more often than it was got.
    #[error("the configuration is released more often than it was got")]
    NotHeld,
}
