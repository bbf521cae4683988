//! The tokens of a control plane: who has one, as whom, for which tenant, and for how long.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::TokenRole;
use crate::document::{Document, Members, enough, say_if_enough};
use crate::hash::TenantId;
use crate::ledger::sha256_hex;
use crate::text::{count, message};
use crate::time::Timestamp;

/// The most tokens of a file.
const TOKENS_MAX: usize = 4096;

/// The most bytes of a user's name.
const USER_MAX: usize = 128;

const KEYS: [&str; 5] = ["user", "role", "sha256", "tenant", "expires"];

/// What a tokens file says: `HALCYON_TOKENS_FILE`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Whether everybody may read, token or not.
    pub anonymous_reads: bool,
    /// By their digests.
    tokens: Vec<Token>,
}

/// Somebody who may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The `user` of what is recorded.
    pub user: String,
    /// What it may do.
    pub role: TokenRole,
    /// SHA-256 of the secret, 64 lower-case hex digits.
    pub sha256: String,
    /// The only tenant it may ask about.
    pub tenant: Option<String>,
    /// From then on it is good for nothing.
    pub expires: Option<Timestamp>,
}

/// Why a secret is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No token has this digest.
    #[error("the token is not known; allowed: one of the tokens file")]
    Unknown,
    /// Its time is over.
    #[error("the token has expired at {0}; allowed: one that has not")]
    Expired(Timestamp),
}

/// What a tokens file has of a secret: SHA-256 in 64 lower-case hex digits. A secret is drawn at random, so that
/// a hash without salt and without stretching gives nothing away.
pub fn secret_digest(secret: &str) -> String {
    sha256_hex(secret.as_bytes())
}

impl Tokens {
    /// Reads a tokens file: `anonymous_reads`, and a `[[token]]` with `user`, `role`, `sha256`, and `tenant` and
    /// `expires` where it has them.
    ///
    /// ```
    /// use halcyon_core::access::{TokenRole, Tokens, secret_digest};
    /// use halcyon_core::document::Document;
    /// use halcyon_core::time::Timestamp;
    ///
    /// let digest = secret_digest("hlc_secret");
    /// let tree = Document::from_json(&format!(
    ///     r#"{{"token":[{{"user":"ci","role":"Deployer","sha256":"{digest}"}}]}}"#
    /// ));
    /// let tokens = Tokens::from_document(&tree.unwrap()).unwrap();
    /// assert_eq!(tokens.who("hlc_secret", Timestamp(0)).unwrap().role, TokenRole::Deployer);
    /// assert!(tokens.who("hlc_other", Timestamp(0)).is_err());
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with it: whoever reads half of such a file lets the wrong people in.
    pub fn from_document(document: &Document) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut this = Self::default();
        if let Some(mut file) = Members::of(
            document,
            "the file",
            &["anonymous_reads", "token"],
            &mut problems,
        ) {
            match file.get("anonymous_reads") {
                None => {}
                Some(Document::Bool(open)) => this.anonymous_reads = *open,
                Some(other) => file.wrong("anonymous_reads", other, "true, false"),
            }
            let tokens = file.list_if_any("token");
            if tokens.len() > TOKENS_MAX {
                let (found, most) = (count(tokens.len()), count(TOKENS_MAX));
                file.problem(message!(
                    "has {} tokens; allowed: at most {}",
                    &found,
                    &most
                ));
            }
            this.read(tokens, &mut problems);
        }
        say_if_enough(&mut problems);
        match problems.is_empty() {
            true => Ok(this),
            false => Err(problems),
        }
    }

    fn read(&mut self, tokens: &[Document], problems: &mut Vec<String>) {
        for (index, token) in tokens.iter().take(TOKENS_MAX).enumerate() {
            if enough(problems) {
                break;
            }
            let place = message!("token {}", &count(index.saturating_add(1))).text();
            let Some(token) = read_token(token, &place, problems) else {
                continue;
            };
            match self.place(&token.sha256) {
                Ok(_) => message!("has the sha256 of another one; allowed: each secret once")
                    .say_at(&place, problems),
                Err(at) => self.tokens.insert(at, token),
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whose secret this is, at this moment.
    ///
    /// # Errors
    /// When it is nobody's, or no longer.
    pub fn who(&self, secret: &str, now: Timestamp) -> Result<&Token, TokenError> {
        let at = self.place(&secret_digest(secret));
        let token = at.ok().and_then(|at| self.tokens.get(at));
        let token = token.ok_or(TokenError::Unknown)?;
        match token.expires {
            Some(end) if end <= now => Err(TokenError::Expired(end)),
            _ => Ok(token),
        }
    }

    /// Whether this token is still one of them, and good.
    pub fn has(&self, token: &Token, now: Timestamp) -> bool {
        let known = self
            .place(&token.sha256)
            .ok()
            .and_then(|at| self.tokens.get(at));
        known == Some(token) && token.expires.is_none_or(|end| now < end)
    }

    fn place(&self, digest: &str) -> Result<usize, usize> {
        let by = |token: &Token| token.sha256.as_str().cmp(digest);
        self.tokens.binary_search_by(by)
    }
}

impl Token {
    /// Whether it may ask about this tenant.
    pub fn knows(&self, tenant: &str) -> bool {
        self.tenant.as_deref().is_none_or(|own| own == tenant)
    }

    /// What is wrong with a user's name, if anything is.
    pub fn check_user(user: &str) -> Result<(), &'static str> {
        let good = !user.is_empty() && user.len() <= USER_MAX && !user.contains(char::is_control);
        match good {
            true => Ok(()),
            false => Err("1 to 128 bytes without control characters"),
        }
    }
}

fn read_token(document: &Document, place: &str, problems: &mut Vec<String>) -> Option<Token> {
    let mut members = Members::of(document, place, &KEYS, problems)?;
    let user = members.text("user").unwrap_or_default();
    if members.get("user").is_some()
        && let Err(allowed) = Token::check_user(user)
    {
        members.problem(message!("has \"user\" = {?}; allowed: {}", user, allowed));
    }
    let role = members.one_of("role", &TokenRole::ALL, TokenRole::name);
    let sha256 = members.text("sha256").map(ToString::to_string);
    if let Some(digest) = &sha256
        && !is_digest(digest)
    {
        // Not shown: somebody may have put the secret itself there.
        members.problem(message!(
            "has a wrong sha256; allowed: 64 lower-case hex digits, as `halcyon token new` writes them"
        ));
    }
    let tenant = members.text_if_any("tenant");
    if let Some(name) = tenant
        && TenantId::new(name).is_err()
    {
        members.problem(message!("has a wrong tenant; allowed: 1 to 16384 bytes"));
    }
    let expires = members.text_if_any("expires").map(Timestamp::parse);
    let expires =
        expires.and_then(|read| read.map_err(|why| members.wrong_text("expires", &why)).ok());
    Some(Token {
        user: user.to_string(),
        role: role?,
        sha256: sha256?,
        tenant: tenant.map(ToString::to_string),
        expires,
    })
}

fn is_digest(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
