//! Which keys there are, as the types of `raw` have them, and which of them the name of a variable
//! stands for.

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor, value::Error as Plain},
    forward_to_deserialize_any,
};
use toml::de::DeTable;

use super::{raw, writes::RawWrites};

/// The keys that a lower-case name with underscores stands for, each with its tables before it: one,
/// unless the names of groups are so alike.
pub(super) fn named(name: &str, file: &DeTable<'_>) -> Vec<Vec<String>> {
    let tables = [
        ("limits", fields::<raw::Limits>()),
        ("deadlines", fields::<raw::Deadlines>()),
        ("cluster", fields::<raw::Cluster>()),
        ("writes", fields::<RawWrites>()),
        ("tls", fields::<raw::Tls>()),
    ];
    let named_tables = [("groups", fields::<raw::Group>()), ("origins", fields::<raw::Origin>())];
    let below = |table: &str| name.strip_prefix(table)?.strip_prefix('_');
    let mut paths = Vec::new();
    for (table, fields) in tables {
        let key = below(table).filter(|key| fields.contains(key));
        paths.extend(key.map(|key| vec![table.to_owned(), key.to_owned()]));
    }
    for (table, fields) in named_tables {
        let named = file.get(table).and_then(|table| table.get_ref().as_table());
        for each in named.into_iter().flat_map(DeTable::keys) {
            let each = each.get_ref();
            let key = below(table).and_then(|rest| rest.strip_prefix(&*plain(each)));
            let key = key.and_then(|key| key.strip_prefix('_')).filter(|key| fields.contains(key));
            paths.extend(key.map(|key| vec![table.to_owned(), each.to_string(), key.to_owned()]));
        }
    }
    // What is a table stands in no variable as a whole.
    let is_table = tables.iter().chain(&named_tables).any(|(table, _)| *table == name);
    if !is_table && fields::<raw::File>().contains(&name) {
        paths.push(vec![name.to_owned()]);
    }
    paths
}

/// The name of a group or an origin as it stands in that of a variable.
fn plain(name: &str) -> String {
    let letter = |letter: char| if letter.is_alphanumeric() { letter } else { '_' };
    name.to_lowercase().chars().map(letter).collect()
}

/// The names of the fields that a type reads.
fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields: &[&str] = &[];
    // It fails when it has seen what was wanted.
    drop(T::deserialize(Fields(&mut fields)));
    fields
}

/// Takes down what a struct asks for, and gives it nothing.
struct Fields<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Plain;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Plain> {
        *self.0 = fields;
        Err(Plain::custom("there is nothing to read"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Plain> {
        Err(Plain::custom("there is nothing to read"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
