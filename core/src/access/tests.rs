use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::document::Document;
use crate::time::Timestamp;

fn read(json: &str) -> Result<Tokens, Vec<String>> {
    Tokens::from_document(&Document::from_json(json).unwrap())
}

#[test]
fn the_table_of_who_may_do_what() {
    use Ability::{Drain, Forbid, Force, Freeze, Read, Release, Table, Telemetry};
    let may = |role: TokenRole| -> Vec<Ability> {
        Ability::ALL
            .into_iter()
            .filter(|ability| role.may(*ability))
            .collect()
    };
    assert_eq!(may(TokenRole::Viewer), [Read, Table]);
    assert_eq!(may(TokenRole::Edge), [Table, Telemetry]);
    assert_eq!(may(TokenRole::Deployer), [Read, Table, Release, Drain]);
    assert_eq!(
        may(TokenRole::Admin),
        [Read, Table, Release, Drain, Forbid, Force, Freeze]
    );
    let reading: Vec<Ability> = Ability::ALL
        .into_iter()
        .filter(|one| one.is_reading())
        .collect();
    assert_eq!(reading, [Read, Table]);
}

#[test]
fn a_role_is_read_by_its_exact_name() {
    for role in TokenRole::ALL {
        assert_eq!(TokenRole::parse(role.name()), Some(role));
        assert_eq!(TokenRole::parse(&role.name().to_lowercase()), None);
    }
}

#[test]
fn a_token_is_good_until_it_expires_and_for_its_tenant() {
    let digest = secret_digest("hlc_a");
    let tokens = read(&format!(
        r#"{{"anonymous_reads":true,"token":[{{"user":"ann","role":"Viewer","sha256":"{digest}","tenant":"acme","expires":"1970-01-01T00:00:10Z"}}]}}"#
    ))
    .unwrap();
    assert!(tokens.anonymous_reads && tokens.len() == 1 && !tokens.is_empty());
    let ann = tokens.who("hlc_a", Timestamp(9_999)).unwrap();
    assert!(ann.knows("acme") && !ann.knows("acme2") && ann.user == "ann");
    assert_eq!(
        tokens.who("hlc_a", Timestamp(10_000)),
        Err(TokenError::Expired(Timestamp(10_000)))
    );
    assert!(tokens.has(ann, Timestamp(9_999)) && !tokens.has(ann, Timestamp(10_000)));
    assert!(!Tokens::default().has(ann, Timestamp(0)));
    assert_eq!(tokens.who("hlc_b", Timestamp(0)), Err(TokenError::Unknown));
    assert_eq!(tokens.who("", Timestamp(0)), Err(TokenError::Unknown));
}

#[test]
fn an_empty_file_has_no_tokens_and_opens_nothing() {
    let tokens = read("{}").unwrap();
    assert!(tokens.is_empty() && !tokens.anonymous_reads);
}

#[test]
fn everything_wrong_with_a_file_is_said_at_once_and_no_secret_of_it() {
    let digest = secret_digest("x");
    let problems = read(&format!(
        r#"{{"anonymous_read":true,"anonymous_reads":"yes","token":[
            {{"user":"","role":"admin","sha256":"hlc_secret","expires":"soon","tenant":""}},
            {{"user":"a","role":"Admin","sha256":"{digest}"}},
            {{"user":"b","role":"Admin","sha256":"{digest}"}},
            {{"rol":"Edge"}}]}}"#
    ))
    .unwrap_err();
    let all = problems.join("\n");
    for part in [
        "unknown key \"anonymous_read\"; did you mean \"anonymous_reads\"?",
        "\"anonymous_reads\" = \"yes\"; allowed: true, false",
        "token 1 has \"user\" = \"\"",
        "token 1 has \"role\" = \"admin\"; allowed: Viewer, Edge, Deployer, Admin",
        "token 1 has a wrong sha256",
        "token 1 has a wrong expires: \"soon\"",
        "token 1 has a wrong tenant",
        "token 3 has the sha256 of another one",
        "token 4 has the unknown key \"rol\"",
        "token 4 has no \"user\"",
    ] {
        assert!(all.contains(part), "{part}\n{all}");
    }
    assert!(!all.contains("hlc_secret"), "{all}");
}
