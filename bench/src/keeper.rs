//! What must not outlive the benchmark: its folder and the processes that it starts. A shell watches over them, because
//! a program that is killed can clean nothing up.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// The folder and the shell that keeps it. Both are gone when it is dropped, or when this process is.
pub(crate) struct Keeper {
    shell: Child,
    folder: PathBuf,
}

impl Keeper {
    /// Makes a folder inside of another one, which says what disk is measured.
    pub(crate) fn start(place: &Path) -> anyhow::Result<Self> {
        let place = place.canonicalize().with_context(|| format!("{} is not there", place.display()))?;
        let mut shell = Command::new("sh")
            .args(["-c", include_str!("keeper.sh"), "sh"])
            .arg(place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut folder = String::new();
        BufReader::new(shell.stdout.take().context("no output")?).read_line(&mut folder)?;
        anyhow::ensure!(!folder.is_empty(), "no folder could be made");
        Ok(Self { shell, folder: folder.trim_end().into() })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// From now on this process ends with the benchmark.
    pub(crate) fn started(&self, pid: u32) -> anyhow::Result<()> {
        self.tell("started", pid)
    }

    /// This process ended already; its number may be another one's soon.
    pub(crate) fn ended(&self, pid: u32) -> anyhow::Result<()> {
        self.tell("ended", pid)
    }

    fn tell(&self, word: &str, pid: u32) -> anyhow::Result<()> {
        let mut input = self.shell.stdin.as_ref().context("no input")?;
        Ok(writeln!(input, "{word} {pid}")?)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait(); // until the folder is gone
    }
}
