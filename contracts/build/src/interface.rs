//! A contract's spec in words: what may be called, what is said, what is refused, what is stored.
//!
//! Invariant: everything comes from the Wasm itself, in the order it has there; numbered things in number
//! order.

use serde::Serialize;
use stellar_xdr_28::{
    ScSpecEntry, ScSpecEventDataFormat, ScSpecEventParamLocationV0, ScSpecEventV0, ScSpecFunctionV0,
    ScSpecTypeDef, ScSpecUdtUnionCaseV0,
};

/// The interface of one contract.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Interface {
    functions: Vec<Function>,
    events: Vec<Event>,
    errors: Vec<Number>,
    structs: Vec<Struct>,
    unions: Vec<Union>,
    enums: Vec<Enum>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Function {
    name: String,
    doc: String,
    inputs: Vec<Field>,
    output: String,
}

/// Topics in order: words in quotes of their own, the names of fields in braces.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Event {
    name: String,
    doc: String,
    topics: Vec<String>,
    format: &'static str,
    fields: Vec<Field>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Field {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    doc: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Number {
    number: u32,
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    doc: String,
}

/// `map`: a map by field name; `vec`: a tuple, fields named by position.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Struct {
    name: String,
    doc: String,
    layout: &'static str,
    fields: Vec<Field>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Union {
    name: String,
    doc: String,
    cases: Vec<Case>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Case {
    name: String,
    doc: String,
    types: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Enum {
    name: String,
    doc: String,
    cases: Vec<Number>,
}

impl Interface {
    /// Reads a spec.
    pub(crate) fn of(spec: &[ScSpecEntry]) -> Self {
        let mut all = Self::default();
        for entry in spec {
            match entry {
                ScSpecEntry::FunctionV0(function) => all.functions.push(function_of(function)),
                ScSpecEntry::EventV0(event) => all.events.push(event_of(event)),
                ScSpecEntry::UdtErrorEnumV0(errors) => {
                    all.errors.extend(errors.cases.iter().map(|case| Number {
                        number: case.value,
                        name: case.name.to_utf8_string_lossy(),
                        doc: one_line(&case.doc.to_utf8_string_lossy()),
                    }))
                }
                ScSpecEntry::UdtStructV0(found) => {
                    let fields: Vec<_> = found
                        .fields
                        .iter()
                        .map(|f| {
                            field(&f.name.to_utf8_string_lossy(), &f.type_, &f.doc.to_utf8_string_lossy())
                        })
                        .collect();
                    let tuple = fields.first().is_some_and(|first| first.name == "0");
                    all.structs.push(Struct {
                        name: found.name.to_utf8_string_lossy(),
                        doc: one_line(&found.doc.to_utf8_string_lossy()),
                        layout: if tuple { "vec" } else { "map" },
                        fields,
                    });
                }
                ScSpecEntry::UdtUnionV0(union) => all.unions.push(Union {
                    name: union.name.to_utf8_string_lossy(),
                    doc: one_line(&union.doc.to_utf8_string_lossy()),
                    cases: union.cases.iter().map(case_of).collect(),
                }),
                ScSpecEntry::UdtEnumV0(found) => all.enums.push(Enum {
                    name: found.name.to_utf8_string_lossy(),
                    doc: one_line(&found.doc.to_utf8_string_lossy()),
                    cases: found
                        .cases
                        .iter()
                        .map(|case| Number {
                            number: case.value,
                            name: case.name.to_utf8_string_lossy(),
                            doc: one_line(&case.doc.to_utf8_string_lossy()),
                        })
                        .collect(),
                }),
            }
        }
        all.errors.sort_by_key(|error| error.number);
        all
    }

    /// The committed text.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub(crate) fn json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

fn function_of(function: &ScSpecFunctionV0) -> Function {
    Function {
        name: function.name.to_utf8_string_lossy(),
        doc: one_line(&function.doc.to_utf8_string_lossy()),
        inputs: function
            .inputs
            .iter()
            .map(|input| {
                field(&input.name.to_utf8_string_lossy(), &input.type_, &input.doc.to_utf8_string_lossy())
            })
            .collect(),
        output: function.outputs.first().map_or_else(|| "()".to_owned(), kind),
    }
}

fn event_of(event: &ScSpecEventV0) -> Event {
    let located = |place| event.params.iter().filter(move |param| param.location == place);
    let words = event.prefix_topics.iter().map(|word| word.to_utf8_string_lossy());
    let topics =
        located(ScSpecEventParamLocationV0::TopicList).map(|p| format!("{{{}: {}}}", p.name, kind(&p.type_)));
    Event {
        name: event.name.to_utf8_string_lossy(),
        doc: one_line(&event.doc.to_utf8_string_lossy()),
        topics: words.chain(topics).collect(),
        format: match event.data_format {
            ScSpecEventDataFormat::SingleValue => "single value",
            ScSpecEventDataFormat::Vec => "vec",
            ScSpecEventDataFormat::Map => "map",
        },
        fields: located(ScSpecEventParamLocationV0::Data)
            .map(|p| field(&p.name.to_utf8_string_lossy(), &p.type_, &p.doc.to_utf8_string_lossy()))
            .collect(),
    }
}

fn case_of(case: &ScSpecUdtUnionCaseV0) -> Case {
    match case {
        ScSpecUdtUnionCaseV0::VoidV0(case) => Case {
            name: case.name.to_utf8_string_lossy(),
            doc: one_line(&case.doc.to_utf8_string_lossy()),
            types: Vec::new(),
        },
        ScSpecUdtUnionCaseV0::TupleV0(case) => Case {
            name: case.name.to_utf8_string_lossy(),
            doc: one_line(&case.doc.to_utf8_string_lossy()),
            types: case.type_.iter().map(kind).collect(),
        },
    }
}

fn field(name: &str, of: &ScSpecTypeDef, doc: &str) -> Field {
    Field { name: name.to_owned(), kind: kind(of), doc: one_line(doc) }
}

fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A type as the contract's source names it.
fn kind(of: &ScSpecTypeDef) -> String {
    let all = |types: &[ScSpecTypeDef]| types.iter().map(kind).collect::<Vec<_>>().join(", ");
    match of {
        ScSpecTypeDef::Val => "Val".to_owned(),
        ScSpecTypeDef::Bool => "bool".to_owned(),
        ScSpecTypeDef::Void => "()".to_owned(),
        ScSpecTypeDef::Error => "Error".to_owned(),
        ScSpecTypeDef::U32 => "u32".to_owned(),
        ScSpecTypeDef::I32 => "i32".to_owned(),
        ScSpecTypeDef::U64 => "u64".to_owned(),
        ScSpecTypeDef::I64 => "i64".to_owned(),
        ScSpecTypeDef::Timepoint => "Timepoint".to_owned(),
        ScSpecTypeDef::Duration => "Duration".to_owned(),
        ScSpecTypeDef::U128 => "u128".to_owned(),
        ScSpecTypeDef::I128 => "i128".to_owned(),
        ScSpecTypeDef::U256 => "U256".to_owned(),
        ScSpecTypeDef::I256 => "I256".to_owned(),
        ScSpecTypeDef::Bytes => "Bytes".to_owned(),
        ScSpecTypeDef::String => "String".to_owned(),
        ScSpecTypeDef::Symbol => "Symbol".to_owned(),
        ScSpecTypeDef::Address => "Address".to_owned(),
        ScSpecTypeDef::MuxedAddress => "MuxedAddress".to_owned(),
        ScSpecTypeDef::Option(of) => format!("Option<{}>", kind(&of.value_type)),
        ScSpecTypeDef::Result(of) => format!("Result<{}, {}>", kind(&of.ok_type), kind(&of.error_type)),
        ScSpecTypeDef::Vec(of) => format!("Vec<{}>", kind(&of.element_type)),
        ScSpecTypeDef::Map(of) => format!("Map<{}, {}>", kind(&of.key_type), kind(&of.value_type)),
        ScSpecTypeDef::Tuple(of) => format!("({})", all(&of.value_types)),
        ScSpecTypeDef::BytesN(of) => format!("BytesN<{}>", of.n),
        ScSpecTypeDef::Udt(of) => of.name.to_utf8_string_lossy(),
    }
}
