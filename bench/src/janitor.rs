//! Clean-up of the working directory and of the processes that the benchmark starts. It runs in a separate
//! shell, because a killed program cannot clean up.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// The janitor process and its working directory. On drop, or when this process dies, the janitor kills the
/// tracked processes and removes the directory.
pub(crate) struct Janitor {
    shell: Child,
    directory: PathBuf,
}

impl Janitor {
    /// Creates a working directory inside `parent`. The benchmark measures the disk of `parent`.
    pub(crate) fn start(parent: &Path) -> anyhow::Result<Self> {
        let parent = parent
            .canonicalize()
            .with_context(|| format!("directory {} does not exist", parent.display()))?;
        let mut shell = Command::new("sh")
            .args(["-c", include_str!("janitor.sh"), "sh"])
            .arg(&parent)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut directory = String::new();
        BufReader::new(shell.stdout.take().context("janitor has no output")?).read_line(&mut directory)?;
        anyhow::ensure!(
            !directory.is_empty(),
            "cannot create a working directory in {}; check its permissions",
            parent.display()
        );
        Ok(Self { shell, directory: directory.trim_end().into() })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Tracks a process group, which is killed when the benchmark ends.
    pub(crate) fn track(&self, pid: u32) -> anyhow::Result<()> {
        self.send("started", pid)
    }

    /// Stops tracking a process that has ended. The system may reuse its id.
    pub(crate) fn untrack(&self, pid: u32) -> anyhow::Result<()> {
        self.send("ended", pid)
    }

    fn send(&self, event: &str, pid: u32) -> anyhow::Result<()> {
        let mut input = self.shell.stdin.as_ref().context("janitor has no input")?;
        Ok(writeln!(input, "{event} {pid}")?)
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait(); // until the directory is removed
    }
}
