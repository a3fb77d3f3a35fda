//! The three files that are written from one Wasm, and how they differ from those on disk.
//!
//! Invariant: the file of hashes names the sources too, so that a source changed without a build is found by
//! reading alone. Only `--check` proves that the sources give the Wasm.

use std::path::Path;

use sha2::{Digest, Sha256};
use stellar_xdr_28::ScSpecEntry;

use crate::fault::Fault;
use crate::interface::Interface;

/// A file to write.
pub(crate) struct Output {
    pub(crate) name: String,
    content: Vec<u8>,
}

/// What is written for the Wasm of the contract `name` with this spec, built from the crate in `folder`.
///
/// # Errors
/// `Fault` if a source cannot be read.
pub(crate) fn of(
    content: &[u8],
    spec: &[ScSpecEntry],
    folder: &Path,
    name: &str,
) -> Result<[Output; 3], Fault> {
    let interface = Interface::of(spec).json()?;
    let wasm = format!("{name}.wasm");
    let mut hashes = line(content, &wasm);
    for source in sources(folder)? {
        let path = folder.join(&source);
        let source_text = std::fs::read(&path).map_err(|cause| Fault::Read { path, cause })?;
        hashes += &line(&source_text, &source);
    }
    Ok([
        Output { name: wasm.clone(), content: content.to_vec() },
        Output { name: format!("{wasm}.sha256"), content: hashes.into_bytes() },
        Output { name: "interface.json".to_owned(), content: interface.into_bytes() },
    ])
}

/// As `sha256sum` prints and checks it.
fn line(content: &[u8], name: &str) -> String {
    format!("{}  {name}\n", sha256(content))
}

/// The files that the Wasm is made of, in order; tests, which stand in a folder of their own, are not.
fn sources(folder: &Path) -> Result<Vec<String>, Fault> {
    let path = folder.join("src");
    let read = |cause| Fault::Read { path: path.clone(), cause };
    let mut names = Vec::new();
    for file in std::fs::read_dir(&path).map_err(read)? {
        let file = file.map_err(read)?;
        let name = file.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rs") {
            names.push(format!("src/{name}"));
        }
    }
    names.sort();
    Ok(names)
}

/// The hash by which the network knows the code, in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

impl Output {
    /// # Errors
    /// `Fault::Write`.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Fault> {
        let path = folder.join(&self.name);
        std::fs::write(&path, &self.content).map_err(|cause| Fault::Write { path, cause })
    }

    /// How the file in `folder` differs from this one, if it does.
    ///
    /// # Errors
    /// `Fault::Read`, unless the file is just not there.
    pub(crate) fn difference(&self, folder: &Path) -> Result<Option<String>, Fault> {
        let path = folder.join(&self.name);
        match std::fs::read(&path) {
            Ok(found) if found == self.content => Ok(None),
            Ok(found) => Ok(Some(difference(&found, &self.content))),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Some("is not there".to_owned())),
            Err(cause) => Err(Fault::Read { path, cause }),
        }
    }
}

/// The first line that differs for text, sizes and hashes for the rest.
fn difference(committed: &[u8], built: &[u8]) -> String {
    let (Ok(old), Ok(new)) = (std::str::from_utf8(committed), std::str::from_utf8(built)) else {
        let [old, new] =
            [committed, built].map(|bytes| format!("{} bytes, {:.16}…", bytes.len(), sha256(bytes)));
        return format!("committed {old}, built {new}");
    };
    let (mut old, mut new) = (old.lines(), new.lines());
    let mut line = 0;
    loop {
        line += 1;
        match (old.next(), new.next()) {
            (None, None) => return "line ends".to_owned(),
            (old, new) if old == new => {}
            (old, new) => {
                let word = |side: Option<&str>| {
                    side.map_or("nothing".to_owned(), |text| format!("`{}`", text.trim()))
                };
                return format!("line {line}: committed {}, built {}", word(old), word(new));
            }
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// The build itself is too slow for every test run; that the three files belong together is not.
    #[test]
    fn the_committed_files_and_the_sources_belong_together() {
        for name in crate::CONTRACTS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
            let wasm = std::fs::read(folder.join(format!("{name}.wasm"))).unwrap();
            let spec = crate::wasm::spec(&wasm).unwrap();
            let [code, hashes, interface] = of(&wasm, &spec, &folder, name).unwrap();
            for output in [code, hashes] {
                let found = output.difference(&folder).unwrap();
                assert_eq!(found, None, "{}: run `cargo run -p amana-contract-build`", output.name);
            }
            let committed = std::fs::read(folder.join("interface.json")).unwrap();
            let mut committed = serde_json::from_slice(&committed).unwrap();
            drop_docs(&mut committed);
            let mut of_wasm = serde_json::from_slice(&interface.content).unwrap();
            drop_docs(&mut of_wasm);
            assert!(of_wasm == committed, "{name}'s interface is not its Wasm's");
            assert!(spec.iter().all(|e| crate::wasm::bare(e.clone()) == *e), "{name} pays rent for docs");
        }
    }

    fn drop_docs(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                map.remove("doc");
                map.values_mut().for_each(drop_docs);
            }
            serde_json::Value::Array(list) => list.iter_mut().for_each(drop_docs),
            _ => {}
        }
    }

    #[test]
    fn says_what_differs() {
        assert_eq!(difference(b"a\nb\n", b"a\nc\n"), "line 2: committed `b`, built `c`");
        assert_eq!(difference(b"a\n", b"a\nc\n"), "line 2: committed nothing, built `c`");
        let binary = difference(&[0xff], &[0xff, 0xff]);
        assert!(binary.starts_with("committed 1 bytes, a8100ae6aa1940d0…, built 2 bytes, "), "{binary}");
    }

    #[test]
    fn a_file_that_is_not_there_differs() {
        let output = Output { name: "no-such-file".to_owned(), content: Vec::new() };
        assert_eq!(output.difference(Path::new("/")).unwrap().as_deref(), Some("is not there"));
    }
}
