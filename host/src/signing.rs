//! Who a routing table is from: Ed25519 (RFC 8032) over its bytes, as they are.
//!
//! A signature is verified before anything of a table is parsed. It stands in base64 in the header
//! [`SIGNATURE_HEADER`], or in a file of the table's name with `.sig` behind it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use ed25519_dalek::{Signer, SigningKey};
use halcyon_core::config::Environment;
pub use halcyon_core::table::TableKeys;
use halcyon_core::text::{Seen, printable};

/// The header that carries a table's signature.
pub const SIGNATURE_HEADER: &str = "x-halcyon-signature";

/// A key file is some hundred bytes; more is none.
const KEY_FILE_MAX: u64 = 16 * 1024;

/// Only whoever runs the program reads it.
const MODE: u32 = 0o600;

/// A key that signs tables.
#[derive(Clone)]
pub struct TableSigner(SigningKey);

impl TableSigner {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> io::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|why| io::Error::other(why.to_string()))?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Reads a key in PKCS#8, as PEM: what `halcyon keygen` writes, and `openssl genpkey -algorithm ed25519`.
    ///
    /// # Errors
    /// Why there is no key, without anything of what the file says.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.to_string_lossy();
        let wrong = |why: &str| {
            let seen = Seen(&shown);
            format!(
                "{seen} {why}; allowed: an Ed25519 key in PKCS#8 and PEM, as `halcyon keygen` writes it"
            )
        };
        let text = read_text(path).map_err(|why| wrong(&why))?;
        let key = SigningKey::from_pkcs8_pem(&text);
        key.map(Self).map_err(|_| wrong("holds no such key"))
    }

    /// The key that `HALCYON_SIGNING_KEY_FILE` names, if it is set.
    ///
    /// # Errors
    /// As [`TableSigner::read`], behind the variable's name.
    pub fn of(environment: &dyn Environment) -> Result<Option<Self>, String> {
        let name = "HALCYON_SIGNING_KEY_FILE";
        let path = environment.variable(name).filter(|path| !path.is_empty());
        let key = path.map(|path| Self::read(Path::new(&path)));
        key.transpose().map_err(|why| format!("{name}: {why}"))
    }

    /// Writes it to a new file that its owner alone may read.
    ///
    /// # Errors
    /// When there is something at `path` already, or it cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        // Without the public key, which would make it a version of the format that OpenSSL does not read.
        let key = KeypairBytes {
            secret_key: *self.0.as_bytes(),
            public_key: None,
        };
        let pem = key.to_pkcs8_pem(LineEnding::LF);
        let pem = pem.map_err(|why| io::Error::other(why.to_string()))?;
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(path)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()
    }

    /// The public half, in base64: what goes into `TABLE_KEYS`.
    pub fn public(&self) -> String {
        STANDARD.encode(self.0.verifying_key().as_bytes())
    }

    /// The signature of a table's bytes, in base64.
    pub fn sign(&self, table: &[u8]) -> String {
        STANDARD.encode(self.0.sign(table).to_bytes())
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let cannot = |why: io::Error| format!("cannot be read: {}", printable(&why.to_string()));
    // Not waited for, where it is a pipe.
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = File::options().read(true).custom_flags(flags).open(path);
    let file = file.map_err(cannot)?;
    if !file.metadata().map_err(cannot)?.is_file() {
        return Err("is no regular file".into());
    }
    let mut text = String::new();
    let mut part = file.take(KEY_FILE_MAX);
    part.read_to_string(&mut text).map_err(cannot)?;
    Ok(text)
}

/// The file beside a table's in which its signature stands.
pub fn signature_file(table: &Path) -> PathBuf {
    let mut name = table.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn keys(of: &[&TableSigner]) -> TableKeys {
        let texts: Vec<String> = of.iter().map(|key| key.public()).collect();
        TableKeys::parse(&texts).unwrap()
    }

    #[test]
    fn a_table_is_good_with_the_signature_of_any_of_the_keys() {
        let [ours, next, other] = [(); 3].map(|()| TableSigner::generate().unwrap());
        let known = keys(&[&ours, &next]);
        for signer in [&ours, &next] {
            let signature = format!("{}\n", signer.sign(b"table"));
            assert_eq!(known.verify(b"table", Some(&signature)), Ok(()));
        }
        let foreign = known.verify(b"table", Some(&other.sign(b"table")));
        assert!(foreign.unwrap_err().contains("not one of TABLE_KEYS"));
        assert!(
            known
                .verify(b"table", None)
                .unwrap_err()
                .contains("not signed")
        );
        assert!(
            known
                .verify(b"table", Some("abc"))
                .unwrap_err()
                .contains("88 characters")
        );
        assert_eq!(TableKeys::default().verify(b"table", None), Ok(()));
    }

    #[test]
    fn no_changed_bit_of_a_table_or_of_its_signature_is_good() {
        let signer = TableSigner::generate().unwrap();
        let known = keys(&[&signer]);
        let table = b"{\"format\":1,\"epoch\":7}";
        let signature = STANDARD.decode(signer.sign(table)).unwrap();
        for bit in 0..table.len() * 8 {
            let mut changed = table.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(
                known
                    .verify(&changed, Some(&STANDARD.encode(&signature)))
                    .is_err()
            );
        }
        for bit in 0..signature.len() * 8 {
            let mut changed = signature.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(
                known
                    .verify(table, Some(&STANDARD.encode(changed)))
                    .is_err()
            );
        }
    }

    #[test]
    fn what_is_no_key_is_said_of_each() {
        // The last one is a point of small order, with which one signature is good for any table.
        let weak = STANDARD.encode([0; 32]);
        let texts = [
            "abc".to_owned(),
            TableSigner::generate().unwrap().public(),
            weak,
        ];
        let problems = TableKeys::parse(&texts).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("TABLE_KEYS: \"abc\" is no public key; allowed: 44"));
    }

    #[test]
    fn a_key_is_read_back_from_a_file_that_its_owner_alone_may_read() {
        use std::os::unix::fs::PermissionsExt;
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("key.pem");
        let key = TableSigner::generate().unwrap();
        key.write(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(TableSigner::read(&path).unwrap().public(), key.public());
        let again = key.write(&path).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        for (name, text) in [
            ("empty", ""),
            ("words", "not a key, but secret"),
            ("folder", ""),
        ] {
            let path = dir.path().join(name);
            match name {
                "folder" => std::fs::create_dir(&path).unwrap(),
                _ => std::fs::write(&path, text).unwrap(),
            }
            let why = TableSigner::read(&path).map(drop).unwrap_err();
            assert!(why.contains("keygen") && !why.contains("secret"), "{why}");
        }
        assert_eq!(signature_file(&path), dir.path().join("key.pem.sig"));
    }
}
