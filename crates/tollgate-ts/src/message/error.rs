//! Why a call on a message object failed.

/// Why a call on a message object failed. Plugins only see the error value of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The buffer was never made, or has been destroyed.
    #[error("the buffer does not exist any more")]
    NoBuffer,
    /// The handle was released, or belongs to a destroyed buffer.
    #[error("the handle is stale")]
    Stale,
    /// The handle is of another kind than the call needs.
    #[error("the handle is of another kind")]
    WrongKind,
    /// The field does not belong to the header it was given with.
    #[error("the field belongs to another header")]
    WrongParent,
    /// The message may only be read.
    #[error("the message is read-only")]
    ReadOnly,
    /// A request was needed and a response given, or the other way round.
    #[error("the header has another type")]
    WrongType,
    /// The field was destroyed.
    #[error("the field was destroyed")]
    Destroyed,
    /// A name, value or number is outside of what can be stored.
    #[error("a value is out of range")]
    OutOfRange,
    /// The message has a part that the engine cannot carry.
    #[error("the engine has no such scheme")]
    UnknownScheme,
    /// Too many buffers or handles are open.
    #[error("too many objects are open")]
    TooMany,
}
