//! A file system of our own.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Something mounted, until it is dropped.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// A tmpfs of 64 KiB.
    pub(crate) fn small(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        Self::mount(at, &["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
    }

    /// What is there already, for reading only.
    pub(crate) fn read_only(at: &Path) -> Option<Self> {
        let mounted = Self::mount(at, &["--bind", at.to_str().unwrap()])?;
        let again = Command::new("mount")
            .args(["-o", "remount,bind,ro"])
            .arg(at)
            .status();
        assert!(again.unwrap().success());
        Some(mounted)
    }

    /// Without the right to mount there is nothing to see, unless the whole suite was asked for.
    fn mount(at: &Path, arguments: &[&str]) -> Option<Self> {
        let mounted = Command::new("mount").args(arguments).arg(at).output();
        if mounted
            .as_ref()
            .is_ok_and(|mounted| mounted.status.success())
        {
            return Some(Self(at.to_owned()));
        }
        assert!(
            std::env::var("HALCYON_TEST_PEERS").as_deref() != Ok("1"),
            "cannot mount: {mounted:?}"
        );
        eprintln!("skipped: cannot mount: {mounted:?}");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a process that is just ending may still hold a file.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
