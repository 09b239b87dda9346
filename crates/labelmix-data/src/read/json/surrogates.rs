//! Halves of surrogate pairs in JSON, which Python writes and no text can hold.

/// The JSON with each lone half of a surrogate pair replaced by U+FFFD, and how many there were. Escapes are as long as
/// before, so that places in the JSON stay.
pub(super) fn without_lone_surrogates(json: &str) -> Option<(String, u64)> {
    const REPLACEMENT: &[u8] = b"\\ufffd";
    let mut bytes = json.as_bytes().to_vec();
    let mut replaced = 0;
    let mut position = 0;
    while let Some(next) = memchr::memchr(b'\\', &bytes[position..]) {
        position += next;
        match escaped_unit(&bytes[position..]) {
            Some(0xd800..=0xdbff) if matches!(escaped_unit(&bytes[position + 6..]), Some(0xdc00..=0xdfff)) => {
                position += 12;
            }
            Some(0xd800..=0xdfff) => {
                bytes[position..position + 6].copy_from_slice(REPLACEMENT);
                replaced += 1;
                position += 6;
            }
            _ => position = (position + 2).min(bytes.len()),
        }
    }
    let mended = String::from_utf8(bytes).expect("ASCII was replaced by ASCII");
    (replaced > 0).then_some((mended, replaced))
}

/// The UTF-16 unit of an escape `\uXXXX` at the beginning of `bytes`.
fn escaped_unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
