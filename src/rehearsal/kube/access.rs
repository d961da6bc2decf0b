//! Who may ask, and for what.

use crate::model::Secret;

/// Who may use the API. Clients of client-go (`kubectl`) never send a token over plain HTTP; the `kube` crate and `curl` do.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// Everybody may do everything.
    #[default]
    Open,
    /// Whoever shows this token may do everything.
    Token(Secret),
    /// Whoever shows this token may look.
    ReadOnly(Secret),
}

impl Access {
    /// The token a client has to show.
    pub fn token(&self) -> Option<&Secret> {
        match self {
            Self::Open => None,
            Self::Token(token) | Self::ReadOnly(token) => Some(token),
        }
    }

    /// Whether this `Authorization` header opens the door.
    pub fn admits(&self, authorization: Option<&str>) -> bool {
        let shown = authorization.and_then(|it| it.strip_prefix("Bearer "));
        self.token().is_none_or(|token| shown == Some(token.expose()))
    }

    /// Whether writes are allowed.
    pub fn may_write(&self) -> bool {
        !matches!(self, Self::ReadOnly(_))
    }
}
