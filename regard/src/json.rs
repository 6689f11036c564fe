//! JSON that says one thing: objects whose keys repeat are found.
//!
//! Readers differ in which of two equal keys they take, so a file with both may hold one tensor here and another one
//! elsewhere. Such files are refused.

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::{collections::BTreeSet, fmt};

/// The first key that stands twice in one object of a JSON text, at any depth. Whether the text is JSON at all is left
/// to its reader.
pub(crate) fn repeated_key(text: &[u8]) -> Option<String> {
    let mut repeated = None;
    let mut reader = serde_json::Deserializer::from_slice(text);
    // Whatever else is wrong with the text ends the search.
    let _ = reader.deserialize_any(Search { repeated: &mut repeated });
    repeated
}

struct Search<'a> {
    repeated: &'a mut Option<String>,
}

impl<'de> serde::de::DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if keys.contains(&key) {
                *self.repeated = Some(key);
                return Err(A::Error::custom("a key stands twice"));
            }
            keys.insert(key);
            map.next_value_seed(Search { repeated: self.repeated })?;
        }
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Search { repeated: self.repeated })?.is_some() {}
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_repeat_in_one_object_only() {
        let found = |text: &str| repeated_key(text.as_bytes());
        assert_eq!(found(r#"{"a": {"b": 1}, "b": [{"a": null}, {"a": 1.5}], "c": "a"}"#), None);
        assert_eq!(found(r#"{"a": 1, "b": 2, "a": 3}"#).as_deref(), Some("a"));
        assert_eq!(found(r#"{"a": 1, "\u0061": 3}"#).as_deref(), Some("a"));
        assert_eq!(found(r#"{"m": [{"x": {"k": true, "k": -1}}]}"#).as_deref(), Some("k"));
        assert_eq!(found("{not JSON"), None);
    }
}
