//! Where configuration comes from: variables, and files that variables name.

use alloc::string::String;
use alloc::vec::Vec;

use super::Topology;
use super::lint::OfFiles;
use crate::document::Document;
use crate::placement::TenantRules;
use crate::region::RegionName;

/// Variables by name, and the files they name.
///
/// Every function `|name: &str| -> Option<String>` is one, of variables alone: for it, a variable that
/// names a file is an error, because ignoring a file of residency rules would send a tenant to a
/// country it must not be in.
///
/// ```
/// use halcyon_core::config::Environment;
/// let env = |name: &str| (name == "REGIONS").then(|| String::from("us-east"));
/// assert_eq!(env.variable("REGIONS").as_deref(), Some("us-east"));
/// assert!(env.document("TENANT_RULES_FILE", "rules.json").is_err());
/// ```
pub trait Environment {
    /// The value of a variable. An empty one counts as unset.
    fn variable(&self, name: &str) -> Option<String>;

    /// The content of the file at `path`, which `variable` names.
    ///
    /// # Errors
    /// Why it cannot be had, as one line that does not repeat the path.
    fn document(&self, variable: &str, path: &str) -> Result<Document, String> {
        let _ = (variable, path);
        Err(String::from(
            "names a file, and no file is read here; give its content to the program that reads it",
        ))
    }

    /// What the topology file at `path` says, and everything that is wrong with it.
    ///
    /// Here, and not where it is asked for: so a program that reads no file has no reader of files in it.
    ///
    /// # Errors
    /// As [`document`](Self::document).
    fn topology(&self, path: &str) -> Result<(Topology, Vec<String>), String> {
        let document = self.document("HALCYON_TOPOLOGY", path)?;
        Ok(Topology::from_document(&document))
    }

    /// What the file of tenant rules at `path` says of `regions`, and everything that is wrong with it.
    ///
    /// # Errors
    /// As [`document`](Self::document).
    fn rules(
        &self,
        path: &str,
        regions: &[RegionName],
    ) -> Result<(TenantRules, Vec<String>), String> {
        let document = self.document("TENANT_RULES_FILE", path)?;
        Ok(TenantRules::from_document(&document, regions))
    }

    /// Finds what the files say that is legal and probably not meant. Here for the same reason: where no
    /// file can be had, none said anything.
    fn lint(&self, found: &mut OfFiles<'_>) {
        if let Some(path) = found.path_of("TENANT_RULES_FILE")
            && self.document("TENANT_RULES_FILE", &path).is_ok()
        {
            found.look_at_rules();
        }
        if let Some(path) = found.path_of("HALCYON_TOPOLOGY")
            && self.document("HALCYON_TOPOLOGY", &path).is_ok()
        {
            found.look_at_topology();
        }
    }
}

impl<F: Fn(&str) -> Option<String>> Environment for F {
    fn variable(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// How a variable is looked up.
pub type Lookup<'a> = &'a dyn Environment;
