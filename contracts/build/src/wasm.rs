//! Takes from a contract's Wasm the spec entries that nothing in it uses, and all docs; other bytes stay.

use soroban_spec::{read, shaking};
use stellar_xdr_28::{Limits, ScSpecEntry, ScSpecUdtUnionCaseV0, StringM, VecM, WriteXdr};

use crate::fault::Fault;

const SPEC: &str = "contractspecv0";
const HEADER: [u8; 8] = *b"\0asm\x01\0\0\0";

/// A contract without its unused spec entries, and the docs of those it has.
pub(crate) struct Shaken {
    pub(crate) bytes: Vec<u8>,
    /// What is left, with its docs: they are written beside the Wasm, where nobody pays rent for them.
    pub(crate) kept: Vec<ScSpecEntry>,
    pub(crate) found: usize,
}

/// Drops unused types and events from the spec, and the docs of the rest.
///
/// # Errors
/// `Fault` if the Wasm or its spec cannot be read.
pub(crate) fn shake(wasm: &[u8]) -> Result<Shaken, Fault> {
    let all = spec(wasm)?;
    let found = all.len();
    let markers = shaking::find_all(wasm);
    let mut kept: Vec<ScSpecEntry> = Vec::with_capacity(found);
    for entry in shaking::filter(all, &markers) {
        if !kept.contains(&entry) {
            kept.push(entry);
        }
    }
    let mut content = Vec::new();
    for entry in &kept {
        let bare = bare(entry.clone());
        content.extend(bare.to_xdr(Limits::none()).map_err(|cause| Fault::Spec(cause.to_string()))?);
    }
    Ok(Shaken { bytes: replace(wasm, SPEC, &content)?, kept, found })
}

/// An entry without docs.
pub(crate) fn bare(mut entry: ScSpecEntry) -> ScSpecEntry {
    let empty = StringM::<1024>::default;
    match &mut entry {
        ScSpecEntry::FunctionV0(function) => {
            function.doc = empty();
            bare_each(&mut function.inputs, |input| input.doc = empty());
        }
        ScSpecEntry::UdtStructV0(udt) => {
            udt.doc = empty();
            bare_each(&mut udt.fields, |field| field.doc = empty());
        }
        ScSpecEntry::UdtUnionV0(udt) => {
            udt.doc = empty();
            bare_each(&mut udt.cases, |case| match case {
                ScSpecUdtUnionCaseV0::VoidV0(case) => case.doc = empty(),
                ScSpecUdtUnionCaseV0::TupleV0(case) => case.doc = empty(),
            });
        }
        ScSpecEntry::UdtEnumV0(udt) => {
            udt.doc = empty();
            bare_each(&mut udt.cases, |case| case.doc = empty());
        }
        ScSpecEntry::UdtErrorEnumV0(udt) => {
            udt.doc = empty();
            bare_each(&mut udt.cases, |case| case.doc = empty());
        }
        ScSpecEntry::EventV0(event) => {
            event.doc = empty();
            bare_each(&mut event.params, |param| param.doc = empty());
        }
    }
    entry
}

/// Changes each of a list that cannot be changed in place.
fn bare_each<T: Clone, const MAX: u32>(list: &mut VecM<T, MAX>, change: impl Fn(&mut T)) {
    let mut items = list.to_vec();
    items.iter_mut().for_each(change);
    if let Ok(items) = items.try_into() {
        *list = items;
    }
}

/// The spec of a contract.
///
/// # Errors
/// `Fault` if the Wasm has none or it cannot be decoded.
pub(crate) fn spec(wasm: &[u8]) -> Result<Vec<ScSpecEntry>, Fault> {
    read::from_wasm(wasm).map_err(|cause| Fault::Spec(cause.to_string()))
}

/// Copies a module section by section, with other content in the custom section `name`.
fn replace(wasm: &[u8], name: &str, content: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut rest = Reader { bytes: wasm, at: 0 };
    if rest.take(HEADER.len())? != HEADER {
        return Err(Fault::Wasm { at: 0, what: "not a Wasm module of version 1" });
    }
    let mut out = HEADER.to_vec();
    while rest.at < wasm.len() {
        let start = rest.at;
        let id = rest.take(1)?[0];
        let length = rest.number()?;
        let body = rest.take(length)?;
        let custom = id == 0 && {
            let mut body = Reader { bytes: body, at: 0 };
            let length = body.number()?;
            body.take(length)? == name.as_bytes()
        };
        if custom {
            let mut body = Vec::new();
            push_number(&mut body, name.len());
            body.extend(name.as_bytes());
            body.extend(content);
            out.push(0);
            push_number(&mut out, body.len());
            out.extend(body);
        } else {
            out.extend(&wasm[start..rest.at]);
        }
    }
    Ok(out)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(Fault::Wasm { at: self.at, what: "ends too early" })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// An unsigned LEB128 number of at most 32 bits, as the format has them.
    fn number(&mut self) -> Result<usize, Fault> {
        let at = self.at;
        let mut number = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let fits = u32::try_from(number).ok().and_then(|n| usize::try_from(n).ok());
                return fits.ok_or(Fault::Wasm { at, what: "a length is out of range" });
            }
        }
        Err(Fault::Wasm { at, what: "a length is too long" })
    }
}

fn push_number(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn module(sections: &[&[u8]]) -> Vec<u8> {
        [HEADER.as_slice(), &sections.concat()].concat()
    }

    #[test]
    fn replaces_one_section_and_keeps_the_others() {
        let before: &[u8] = &[1, 2, 9, 9];
        let after: &[u8] = &[0, 3, 1, b'y', 7];
        let wasm = module(&[before, &[0, 4, 1, b'x', 5, 6], after]);
        let long = vec![8; 200];
        let grown = replace(&wasm, "x", &long).unwrap();
        let section = [&[0, 0xca, 1, 1, b'x'], long.as_slice()].concat();
        assert_eq!(grown, module(&[before, &section, after]));
        assert_eq!(replace(&grown, "x", &[5, 6]).unwrap(), wasm);
    }

    #[test]
    fn names_what_is_malformed() {
        let fails = |wasm: &[u8]| replace(wasm, "x", &[]).unwrap_err().to_string();
        assert_eq!(
            fails(b"\0asm\x02\0\0\0"),
            "the Wasm is malformed at byte 0: not a Wasm module of version 1"
        );
        assert_eq!(fails(&module(&[&[1, 9, 0]])), "the Wasm is malformed at byte 10: ends too early");
        assert_eq!(
            fails(&module(&[&[1, 255, 255, 255, 255, 255]])),
            "the Wasm is malformed at byte 9: a length is too long"
        );
        assert_eq!(
            fails(&module(&[&[1, 255, 255, 255, 255, 127]])),
            "the Wasm is malformed at byte 9: a length is out of range"
        );
    }
}
