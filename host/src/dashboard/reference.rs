//! The page of the API, made from its description.

use std::fmt::Write;
use std::sync::Arc;

use halcyon_core::access::{Ability, TokenRole};
use serde_json::Value;

use super::{Dashboard, routes};

/// `docs/api.md`.
///
/// # Panics
/// Never with the files of this crate: nothing is read.
pub fn api_reference() -> String {
    let nothing = |_: &str| None;
    let dashboard = Dashboard::new(&(Arc::new(nothing) as _), None, None, None);
    let dashboard = dashboard.expect("an empty environment has nothing wrong with it");
    let description = routes::description(&dashboard);
    let mut page = String::from(
        "# Control API\n\nGenerated from the description that a server answers at `/openapi.json`; do not edit. [control-plane.md](control-plane.md)\nsays what it is for.\n",
    );
    let mut tags: Vec<(&str, Vec<(String, &Value)>)> = Vec::new();
    for (path, methods) in description["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let tag = operation["tags"][0].as_str().unwrap_or_default();
            let place = format!("{} {path}", method.to_uppercase());
            match tags.iter_mut().find(|(known, _)| *known == tag) {
                Some((_, all)) => all.push((place, operation)),
                None => tags.push((tag, vec![(place, operation)])),
            }
        }
    }
    tags.sort_by_key(|(tag, _)| *tag);
    for (tag, operations) in tags {
        let _ = writeln!(page, "\n## {tag}");
        for (place, operation) in operations {
            write_operation(&mut page, &place, operation, &description);
        }
    }
    page
}

fn write_operation(page: &mut String, place: &str, operation: &Value, description: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let _ = writeln!(page, "\n### `{place}`\n\n{}", text(&operation["summary"]));
    let more = text(&operation["description"]);
    if !more.is_empty() {
        let _ = writeln!(page, "\n{more}");
    }
    if let Some(roles) = operation["x-ability"].as_str().and_then(roles) {
        let _ = writeln!(page, "\nFor {roles}.");
    }
    let parameters = operation["parameters"].as_array();
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let fields = fields(body, description);
    if parameters.is_some() || !fields.is_empty() {
        page.push_str("\n| in | name | |\n|---|---|---|\n");
    }
    for parameter in parameters.into_iter().flatten() {
        let (place, name) = (text(&parameter["in"]), text(&parameter["name"]));
        let _ = writeln!(
            page,
            "| {place} | `{name}` | {} |",
            text(&parameter["description"])
        );
    }
    for (name, meaning, needed) in fields {
        let needed = if needed { "" } else { " Optional." };
        let _ = writeln!(page, "| body | `{name}` | {meaning}{needed} |");
    }
    let responses = operation["responses"].as_object();
    let statuses = responses.into_iter().flatten().map(|(status, response)| {
        let said = text(&response["description"]);
        match said.is_empty() {
            true => status.clone(),
            false => format!("{status} ({said})"),
        }
    });
    let statuses: Vec<String> = statuses.collect();
    let _ = writeln!(page, "\nAnswers: {}.", statuses.join(", "));
}

/// The members of a body: name, meaning, and whether it must be there.
fn fields(schema: &Value, description: &Value) -> Vec<(String, String, bool)> {
    let named = |schema: &Value| {
        let name = schema["$ref"].as_str()?.rsplit('/').next()?.to_owned();
        Some(description["components"]["schemas"][name].clone())
    };
    let several = schema["oneOf"].as_array();
    let found = named(schema).or_else(|| several?.iter().find_map(named));
    let Some(found) = found else {
        return Vec::new();
    };
    let needed = |name: &str| {
        let needed = found["required"].as_array();
        needed.is_some_and(|all| all.iter().any(|one| one == name))
    };
    let properties = found["properties"].as_object();
    let fields = properties.into_iter().flatten().map(|(name, property)| {
        let meaning = property["description"].as_str();
        let meaning = meaning.unwrap_or_default().to_owned();
        (name.clone(), meaning, needed(name))
    });
    fields.collect()
}

/// The roles that have an ability, by its words.
fn roles(words: &str) -> Option<String> {
    let ability = Ability::ALL
        .into_iter()
        .find(|ability| ability.words() == words)?;
    let roles = TokenRole::ALL.into_iter().filter(|role| role.may(ability));
    let roles: Vec<&str> = roles.map(TokenRole::name).collect();
    Some(roles.join(", "))
}
