//! Who may do what with a control plane, and which tokens say who somebody is.

mod tokens;

use core::fmt;

pub use tokens::{Token, TokenError, Tokens, secret_digest};

/// The role of a token. It comes from the server's file, never from the client's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRole {
    /// Reads.
    Viewer,
    /// An edge: fetches the table, sends telemetry.
    Edge,
    /// Takes releases, drains regions.
    Deployer,
    /// Everything.
    Admin,
}

impl TokenRole {
    /// Every role, in the order messages list them.
    pub const ALL: [TokenRole; 4] = [
        TokenRole::Viewer,
        TokenRole::Edge,
        TokenRole::Deployer,
        TokenRole::Admin,
    ];

    /// Its name. Names are exact, case included.
    pub fn name(self) -> &'static str {
        match self {
            TokenRole::Viewer => "Viewer",
            TokenRole::Edge => "Edge",
            TokenRole::Deployer => "Deployer",
            TokenRole::Admin => "Admin",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == text)
    }

    /// Whether a token of this role may do this.
    ///
    /// ```
    /// use halcyon_core::access::{Ability, TokenRole};
    /// assert!(TokenRole::Deployer.may(Ability::Drain) && !TokenRole::Deployer.may(Ability::Forbid));
    /// assert!(TokenRole::Edge.may(Ability::Table) && !TokenRole::Edge.may(Ability::Read));
    /// ```
    pub fn may(self, ability: Ability) -> bool {
        match ability {
            Ability::Read => self != TokenRole::Edge,
            Ability::Table => true,
            Ability::Telemetry => self == TokenRole::Edge,
            Ability::Release | Ability::Drain => {
                matches!(self, TokenRole::Deployer | TokenRole::Admin)
            }
            Ability::Forbid | Ability::Force | Ability::Freeze => self == TokenRole::Admin,
        }
    }
}

impl fmt::Display for TokenRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What can be done with a control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// See how things are.
    Read,
    /// Fetch the routing table.
    Table,
    /// Send what an edge has counted.
    Telemetry,
    /// Begin, promote, pause, resume and roll back a release.
    Release,
    /// Drain a region, and take that back.
    Drain,
    /// Forbid a region, and take that back.
    Forbid,
    /// Override a region though no healthy one would remain.
    Force,
    /// Stop all automatic change, and let it go on.
    Freeze,
}

impl Ability {
    /// Every ability.
    pub const ALL: [Ability; 8] = [
        Ability::Read,
        Ability::Table,
        Ability::Telemetry,
        Ability::Release,
        Ability::Drain,
        Ability::Forbid,
        Ability::Force,
        Ability::Freeze,
    ];

    /// Whether it changes nothing: it may be had without a token where reading is open to everybody.
    pub fn is_reading(self) -> bool {
        match self {
            Ability::Read | Ability::Table => true,
            Ability::Telemetry
            | Ability::Release
            | Ability::Drain
            | Ability::Forbid
            | Ability::Force
            | Ability::Freeze => false,
        }
    }

    /// Its name, as the control API says it.
    pub fn name(self) -> &'static str {
        match self {
            Ability::Read => "read",
            Ability::Table => "table",
            Ability::Telemetry => "telemetry",
            Ability::Release => "release",
            Ability::Drain => "drain",
            Ability::Forbid => "forbid",
            Ability::Force => "force",
            Ability::Freeze => "freeze",
        }
    }

    /// What it is, as messages say it behind "may not".
    pub fn words(self) -> &'static str {
        match self {
            Ability::Read => "read",
            Ability::Table => "fetch the table",
            Ability::Telemetry => "send telemetry",
            Ability::Release => "change a release",
            Ability::Drain => "drain a region",
            Ability::Forbid => "forbid a region",
            Ability::Force => "force an override",
            Ability::Freeze => "freeze or unfreeze",
        }
    }
}

#[cfg(test)]
mod tests;
