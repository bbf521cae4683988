//! The part of an address behind its question mark.

/// The value of the first parameter of this name, decoded; an error where it is no UTF-8.
///
/// Strict, unlike what forms are usually read with: a tenant id with other bytes in it is another tenant.
pub(super) fn parameter(query: &str, name: &str) -> Option<Result<String, ()>> {
    let mut pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (hex(rest.next()), hex(rest.next())) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Some(Err(())),
            },
            other => other,
        });
    }
    Some(String::from_utf8(bytes).map_err(drop))
}

fn hex(digit: Option<u8>) -> Option<u8> {
    let digit = char::from(digit?).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::parameter;

    #[test]
    fn a_value_is_decoded_or_refused_and_never_changed() {
        let tenant = |query| parameter(query, "tenant");
        for (query, expected) in [
            ("tenant=acme", "acme"),
            ("x=1&tenant=a+b%26c&tenant=other", "a b&c"),
            ("tenant", ""),
            ("tenant=", ""),
            ("tenant=Zo%C3%ab", "Zo\u{eb}"),
            ("tenant=a=b", "a=b"),
        ] {
            assert_eq!(tenant(query), Some(Ok(expected.into())), "{query}");
        }
        for query in [
            "tenant=%FF",
            "tenant=%C3",
            "tenant=%",
            "tenant=%4",
            "tenant=%4x",
            "tenant=%+1",
        ] {
            assert_eq!(tenant(query), Some(Err(())), "{query}");
        }
        for query in ["", "tenants=1", "x=tenant"] {
            assert_eq!(tenant(query), None, "{query}");
        }
    }
}
