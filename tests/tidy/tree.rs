//! The repository's files, as the rules read them.

use std::path::Path;
use std::process::Command;

use crate::code::Source;

/// A text file of the repository.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path from the root.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// All text files.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// The repository as it stands: what git tracks or would track; without git, whatever is there.
    pub(crate) fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut git = Command::new("git");
        git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listed = git.output().ok().filter(|out| out.status.success() && !out.stdout.is_empty());
        let mut paths = match listed {
            Some(out) => {
                String::from_utf8(out.stdout).unwrap().split_terminator('\0').map(str::to_owned).collect()
            }
            None => walk(root, root),
        };
        paths.sort();
        let files = paths.into_iter().filter_map(|path| {
            let text = std::fs::read_to_string(root.join(&path)).ok()?;
            Some(File { path, text })
        });
        Self { files: files.collect() }
    }

    /// A repository of one file, to show that a rule can fail.
    pub(crate) fn of(path: &str, text: &str) -> Self {
        Self { files: vec![File { path: path.to_owned(), text: text.to_owned() }] }
    }

    /// The same with one more file.
    pub(crate) fn and(mut self, path: &str, text: &str) -> Self {
        self.files.extend(Self::of(path, text).files);
        self
    }

    pub(crate) fn text(&self, path: &str) -> &str {
        self.files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str())
    }

    /// The Rust files, scanned.
    pub(crate) fn rust(&self) -> Vec<Source> {
        let rust = self.files.iter().filter(|file| file.path.ends_with(".rs"));
        rust.map(|file| Source::scan(&file.path, &file.text)).collect()
    }
}

fn walk(root: &Path, folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != ".git" {
            found.extend(walk(root, &path));
        } else if path.is_file() {
            found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
        }
    }
    found
}
