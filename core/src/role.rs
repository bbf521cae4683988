//! Who acts, and who may release.

use alloc::string::String;
use core::fmt;

use crate::text::message;

/// A role that may take a release through its steps. Names are exact, case included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Releases, pauses, rolls back.
    Deployer,
    /// Everything a `Deployer` may.
    Admin,
}

impl Role {
    /// Every role that may release, in the order messages list them.
    pub const ALL: [Role; 2] = [Role::Deployer, Role::Admin];

    /// Reads a role.
    ///
    /// ```
    /// use halcyon_core::role::Role;
    /// assert_eq!(Role::parse("Deployer"), Ok(Role::Deployer));
    /// assert!(Role::parse("deployer").unwrap_err().to_string().starts_with("Invalid DEPLOY_RBAC_ROLE"));
    /// ```
    ///
    /// # Errors
    /// `Invalid DEPLOY_RBAC_ROLE: …` with the value seen and the roles allowed.
    pub fn parse(text: &str) -> Result<Self, InvalidRole> {
        match text {
            "Deployer" => Ok(Role::Deployer),
            "Admin" => Ok(Role::Admin),
            _ => Err(InvalidRole {
                found: String::from(text),
            }),
        }
    }

    /// The role's name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Deployer => "Deployer",
            Role::Admin => "Admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A `DEPLOY_RBAC_ROLE` that names no role which may release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRole {
    /// The value seen; empty if unset.
    pub found: String,
}

impl InvalidRole {
    /// What it displays.
    pub fn text(&self) -> String {
        let wrong = match self.found.as_str() {
            "" => message!("unset").text(),
            other => message!("{?}", other).text(),
        };
        message!(
            "Invalid DEPLOY_RBAC_ROLE: {}; allowed: Deployer, Admin",
            &wrong
        )
        .text()
    }
}

impl fmt::Display for InvalidRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl core::error::Error for InvalidRole {}

/// Who gives a command: a user's name, and the role claimed for it as it was configured.
///
/// The role stays text until [`decide`](crate::release::Release::decide) looks at it, so that a
/// refusal is recorded with the words that were used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The `user` of an audit record.
    pub user: String,
    /// The `deploy_role` of an audit record; empty if unset.
    pub role: String,
}

impl Actor {
    /// The role that permits releasing.
    ///
    /// ```
    /// use halcyon_core::role::{Actor, Role};
    /// let actor = Actor { user: "ann".into(), role: "Admin".into() };
    /// assert_eq!(actor.authorise(), Ok(Role::Admin));
    /// ```
    ///
    /// # Errors
    /// When the claimed role is none of those.
    pub fn authorise(&self) -> Result<Role, InvalidRole> {
        Role::parse(&self.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn deployer_and_admin_may_release_and_names_are_exact() {
        assert_eq!(Role::parse("Deployer"), Ok(Role::Deployer));
        assert_eq!(Role::parse("Admin"), Ok(Role::Admin));
        for other in ["", "deployer", "ADMIN", "Viewer", " Admin", "Admin\n"] {
            let error = Role::parse(other).unwrap_err().to_string();
            assert!(error.starts_with("Invalid DEPLOY_RBAC_ROLE: "), "{error}");
            assert!(error.contains("Deployer, Admin"), "{error}");
        }
        assert!(Role::parse("").unwrap_err().to_string().contains("unset"));
    }

    #[test]
    fn a_role_is_shown_by_the_name_it_is_read_by() {
        for role in [Role::Deployer, Role::Admin] {
            assert_eq!(Role::parse(&role.to_string()), Ok(role));
        }
    }
}
