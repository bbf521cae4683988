//! The tokens file: read at start and whenever it changes, and written to by `halcyon token new`.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use halcyon_core::access::{Token, Tokens, secret_digest};
use halcyon_core::config::Environment;
use halcyon_core::text::Seen;
use tokio::time::sleep;

use crate::{documents, replace};

/// The variable that names it.
pub(crate) const VARIABLE: &str = "HALCYON_TOKENS_FILE";

/// How often it is looked at: a token that is taken away is good for so long at most.
const LOOK: Duration = Duration::from_millis(500);

/// By which people and scanners of repositories know a secret.
const PREFIX: &str = "hlc_";

/// Only whoever runs the server reads it.
const MODE: u32 = 0o600;

/// A file of tokens, as it was at the last good look.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    tokens: ArcSwap<Tokens>,
    seen: Mutex<Option<Mark>>,
}

/// By which a changed file is known: device, inode, length, and when it was changed.
type Mark = (u64, u64, u64, i64, i64);

impl TokenFile {
    /// The file that `HALCYON_TOKENS_FILE` names, if it is set.
    ///
    /// # Errors
    /// Everything that is wrong with it, behind the variable's name.
    pub fn of(environment: &dyn Environment) -> Result<Option<Arc<Self>>, Vec<String>> {
        let path = environment.variable(VARIABLE);
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            return Ok(None);
        };
        // Looked at before it is read: what changes in between is seen at the next look.
        let seen = mark(Path::new(&path));
        let tokens = read(&path).map_err(|problems| {
            let say = |why| format!("{VARIABLE}: {}: {why}", Seen(&path));
            problems.into_iter().map(say).collect::<Vec<_>>()
        })?;
        Ok(Some(Arc::new(Self {
            path: path.into(),
            tokens: ArcSwap::from_pointee(tokens),
            seen: Mutex::new(seen),
        })))
    }

    /// What it says.
    pub fn tokens(&self) -> Arc<Tokens> {
        self.tokens.load_full()
    }

    /// Looks at it for ever. A file that cannot be read changes nothing: whoever had access keeps it, and
    /// nobody else gets any.
    pub async fn watch(self: Arc<Self>) {
        loop {
            sleep(LOOK).await;
            let this = self.clone();
            // Of what goes wrong there nobody could say more than it has said.
            let _ = tokio::task::spawn_blocking(move || this.look()).await;
        }
    }

    fn look(&self) {
        let now = mark(&self.path);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return;
        }
        *seen = now;
        match read(&self.path.to_string_lossy()) {
            Ok(tokens) => {
                tracing::info!("{VARIABLE}: read again, {} token(s)", tokens.len());
                self.tokens.store(Arc::new(tokens));
            }
            Err(problems) => {
                let problems = problems.join("; ");
                tracing::error!("{VARIABLE}: {problems}; what it said before stays in force");
            }
        }
    }
}

fn read(path: &str) -> Result<Tokens, Vec<String>> {
    let document = documents::read_toml(path).map_err(|why| vec![why])?;
    Tokens::from_document(&document)
}

fn mark(path: &Path) -> Option<Mark> {
    let found = fs::metadata(path).ok()?;
    Some((
        found.dev(),
        found.ino(),
        found.len(),
        found.mtime(),
        found.mtime_nsec(),
    ))
}

/// A new secret: 256 random bits.
///
/// # Errors
/// When the system has no randomness.
pub(crate) fn new_secret() -> io::Result<String> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).map_err(|why| io::Error::other(why.to_string()))?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits)))
}

/// The token of a secret, as the file has it.
pub(crate) fn token_of(secret: &str, wish: Token) -> Token {
    Token {
        sha256: secret_digest(secret),
        ..wish
    }
}

/// Why a token was not added.
#[derive(Debug)]
pub(crate) enum Unadded {
    /// It is one that no server takes: everything that is wrong with it.
    Wrong(Vec<String>),
    /// It cannot be written.
    Unwritten(String),
}

/// Adds a token to the file at `path`, which is made where there is none. What stands in it stays to the byte.
///
/// # Errors
/// When it cannot be read or written, or is no tokens file: nothing is added to what a server would refuse.
pub(crate) fn add(path: &Path, token: &Token) -> Result<(), Unadded> {
    let shown = path.to_string_lossy();
    let failed =
        |why: io::Error| Unadded::Unwritten(format!("{} cannot be written: {why}", Seen(&shown)));
    // For as long as this is held, nobody else puts another file in its place.
    let _lock = lock(path).map_err(failed)?;
    // As a server that reads it would say it.
    let mut text = documents::text(&shown)
        .map_err(|why| Unadded::Wrong(vec![format!("{} {why}", Seen(&shown))]))?;
    let wrong = |problems: Vec<String>| {
        let say = |why| format!("{}: {why}", Seen(&shown));
        Unadded::Wrong(problems.into_iter().map(say).collect())
    };
    if text.trim().is_empty() {
        text = "# Who may do what with the control API. Whoever may write this file may do everything.\nanonymous_reads = false\n".into();
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&lines(token));
    // With what is added, so that a mistake of either is seen before it is in force.
    let document = documents::toml(&text).map_err(|why| wrong(vec![why]))?;
    Tokens::from_document(&document).map_err(wrong)?;
    replace::replace(path, text.as_bytes()).map_err(failed)
}

fn lines(token: &Token) -> String {
    // A JSON text is one of TOML too, but for this character.
    let quoted = |text: &str| {
        serde_json::Value::from(text)
            .to_string()
            .replace('\u{7f}', "\\u007f")
    };
    let mut lines = format!(
        "\n[[token]]\nuser = {}\nrole = \"{}\"\nsha256 = \"{}\"\n",
        quoted(&token.user),
        token.role,
        token.sha256
    );
    if let Some(tenant) = &token.tenant {
        lines += &format!("tenant = {}\n", quoted(tenant));
    }
    if let Some(expires) = token.expires {
        lines += &format!("expires = {expires}\n");
    }
    lines
}

/// The lock of the file at `path`, on the very file that is there.
fn lock(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    loop {
        let mut options = File::options();
        let options = options.read(true).append(true).create(true);
        let file = options.mode(MODE).custom_flags(flags).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        file.lock()?;
        let held = file.metadata()?;
        let there = fs::metadata(path).map(|found| (found.dev(), found.ino()));
        if there.is_ok_and(|there| there == (held.dev(), held.ino())) {
            return Ok(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halcyon_core::access::TokenRole;
    use halcyon_core::time::Timestamp;
    use tempfile::TempDir;

    fn token(user: &str, secret: &str) -> Token {
        let wish = Token {
            user: user.into(),
            role: TokenRole::Viewer,
            sha256: String::new(),
            tenant: None,
            expires: None,
        };
        token_of(secret, wish)
    }

    fn file(path: &Path) -> Arc<TokenFile> {
        let path = path.to_str().unwrap().to_owned();
        let env = move |name: &str| (name == VARIABLE).then(|| path.clone());
        TokenFile::of(&env).unwrap().unwrap()
    }

    #[test]
    fn what_stands_in_the_file_stays_and_the_new_token_is_read_back() {
        use std::os::unix::fs::PermissionsExt;
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("tokens.toml");
        let ann = Token {
            tenant: Some("a \"b\" \\ c\u{e9}\u{7f}\n\u{1f600}".into()),
            expires: Some(Timestamp(86_400_000)),
            ..token("ann", "hlc_1")
        };
        add(&path, &ann).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let first = fs::read_to_string(&path).unwrap() + "# mine";
        fs::write(&path, &first).unwrap();
        add(&path, &token("bob", "hlc_2")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(&first), "{text}");
        let tokens = file(&path).tokens();
        assert_eq!(tokens.who("hlc_1", Timestamp(0)), Ok(&ann));
        assert_eq!(tokens.who("hlc_2", Timestamp(0)).unwrap().user, "bob");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_added_to_a_file_that_a_server_would_refuse() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("tokens.toml");
        for text in ["anonymous = true\n", "[[token]", "token = 1\n"] {
            fs::write(&path, text).unwrap();
            assert!(add(&path, &token("ann", "hlc_1")).is_err(), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert!(add(dir.path(), &token("ann", "hlc_1")).is_err());
    }

    #[test]
    fn many_at_once_lose_none() {
        let dir = TempDir::new().unwrap();
        let path = &dir.path().join("tokens.toml");
        std::thread::scope(|scope| {
            for number in 0..16 {
                scope.spawn(move || add(path, &token("ann", &format!("hlc_{number}"))).unwrap());
            }
        });
        assert_eq!(file(path).tokens().len(), 16);
    }

    #[test]
    fn a_changed_file_is_in_force_at_the_next_look_and_a_broken_one_never_is() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("tokens.toml");
        add(&path, &token("ann", "hlc_1")).unwrap();
        let file = file(&path);
        let good = |secret| file.tokens().who(secret, Timestamp(0)).is_ok();
        add(&path, &token("bob", "hlc_2")).unwrap();
        file.look();
        assert!(good("hlc_1") && good("hlc_2"));
        fs::write(&path, "[[token]]\nuser = 1\n").unwrap();
        file.look();
        assert!(good("hlc_1") && good("hlc_2"));
        fs::remove_file(&path).unwrap();
        file.look();
        assert!(good("hlc_1"));
        add(&path, &token("bob", "hlc_3")).unwrap();
        file.look();
        assert!(!good("hlc_1") && good("hlc_3"));
    }

    #[test]
    fn secrets_are_never_the_same() {
        let [one, two] = [(); 2].map(|()| new_secret().unwrap());
        assert_ne!(one, two);
        assert!(one.starts_with("hlc_") && one.len() == 47);
    }
}
