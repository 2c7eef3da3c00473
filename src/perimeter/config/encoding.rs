//! From a file's bytes to text, and no further than a perimeter can be long.

use super::diagnostic::Diagnostic;
use super::node::Place;
use super::{ConfigErrors, MAX_BYTES};

/// How UTF-16 begins, in either order of bytes.
const UTF16: [&[u8]; 2] = [&[0xff, 0xfe], &[0xfe, 0xff]];

/// The bytes as text.
///
/// # Errors
/// Where they are too many, or no UTF-8: with the place of the first byte that is none.
pub fn decode(bytes: &[u8]) -> Result<&str, ConfigErrors> {
    bounded(bytes.len())?;
    let is_utf16 = UTF16.iter().any(|mark| bytes.starts_with(mark)) || is_bare_utf16(bytes);
    let (text, bad) = match std::str::from_utf8(bytes) {
        Ok(text) if !is_utf16 => return Ok(text),
        Ok(text) => (text, text.find('\0').unwrap_or_default()),
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            (std::str::from_utf8(good).unwrap_or_default(), good.len())
        }
    };
    let message = match bytes.get(bad) {
        Some(byte) => format!("the file is not UTF-8 text: byte {bad}, counted from 0, is 0x{byte:02x}"),
        None => "the file is not UTF-8 text".to_owned(),
    };
    let before = text.get(..bad).unwrap_or_default();
    let last = before.rsplit('\n').next().unwrap_or_default();
    let help = if is_utf16 {
        "it looks like UTF-16, which PowerShell's `>` and some editors write: save it as UTF-8"
    } else {
        "save it as UTF-8"
    };
    let diagnostic = Diagnostic::error(&Place::default(), message).help(help);
    let (line, column) = (1 + before.matches('\n').count(), 1 + last.chars().count());
    Err(Diagnostic { line, column, ..diagnostic }.into())
}

/// Is a text of that many bytes short enough?
pub(super) fn bounded(bytes: usize) -> Result<(), ConfigErrors> {
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let limit = MAX_BYTES >> 20;
    let message = format!("the file is longer than {limit} MiB: no perimeter is");
    let help = "is it the right file? Of networks and accounts that are many, list the blocks that hold them";
    Err(Diagnostic::error(&Place::default(), message).help(help).into())
}

/// UTF-16 without its mark: Latin letters have a NUL byte beside them.
fn is_bare_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 1..=255, 0, 1..=255, ..] | [1..=255, 0, 1..=255, 0, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        decode(bytes).map_or_else(|errors| errors.to_string(), str::to_owned)
    }

    #[test]
    fn utf_8_goes_through_as_it_is() {
        for text in ["", "version = 1\n", "\u{feff}version = 1", "# für Ängstliche 漢字", "a\0"] {
            assert_eq!(decode(text.as_bytes()).unwrap(), text);
        }
    }

    #[test]
    fn the_first_byte_that_is_no_utf_8_is_named_with_its_place() {
        insta::assert_snapshot!(refused(b"version = 1\n# f\xc3\xbcr \xfcbel"), @"line 2, column 7: the file is not UTF-8 text: byte 19, counted from 0, is 0xfc; save it as UTF-8");
        insta::assert_snapshot!(refused(b"\x80"), @"line 1, column 1: the file is not UTF-8 text: byte 0, counted from 0, is 0x80; save it as UTF-8");
        insta::assert_snapshot!(refused(b"a\xc3"), @"line 1, column 2: the file is not UTF-8 text: byte 1, counted from 0, is 0xc3; save it as UTF-8");
    }

    #[test]
    fn utf_16_is_told_with_a_mark_and_without() {
        let wide = |mark: &[u8], unit: fn(u16) -> [u8; 2]| {
            mark.iter().copied().chain("version = 1".encode_utf16().flat_map(unit)).collect::<Vec<u8>>()
        };
        insta::assert_snapshot!(refused(&wide(b"\xff\xfe", u16::to_le_bytes)), @"line 1, column 1: the file is not UTF-8 text: byte 0, counted from 0, is 0xff; it looks like UTF-16, which PowerShell's `>` and some editors write: save it as UTF-8");
        insta::assert_snapshot!(refused(&wide(b"", u16::to_le_bytes)), @"line 1, column 2: the file is not UTF-8 text: byte 1, counted from 0, is 0x00; it looks like UTF-16, which PowerShell's `>` and some editors write: save it as UTF-8");
        for bytes in [wide(b"\xfe\xff", u16::to_be_bytes), wide(b"", u16::to_be_bytes)] {
            assert!(refused(&bytes).contains("UTF-16"));
        }
    }

    #[test]
    fn a_file_ends_at_four_mebibytes() {
        let longest = vec![b'#'; MAX_BYTES];
        assert!(decode(&longest).is_ok());
        assert!(bounded(MAX_BYTES).is_ok());
        insta::assert_snapshot!(refused(&vec![b'#'; MAX_BYTES + 1]), @"the file is longer than 4 MiB: no perimeter is; is it the right file? Of networks and accounts that are many, list the blocks that hold them");
        assert!(super::super::parse(&"#".repeat(MAX_BYTES + 1)).is_err());
    }
}
