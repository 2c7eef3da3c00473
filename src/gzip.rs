//! Texts packed by gzip, and unpacked within bounds.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

/// Bytes of what is unpacked whole: more than the snapshot of any organization has.
pub const MAX_UNPACKED: u64 = 512 << 20;

/// Packs bytes.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    // INVARIANT: a vector takes whatever is written to it, so neither call fails.
    let packed = packer.write_all(bytes).and_then(|()| packer.finish());
    packed.unwrap_or_default()
}

/// Unpacks bytes. Those that are not packed are given back as they are.
///
/// # Errors
/// Where they are damaged, or unpack to more than `max` bytes.
pub fn unpack(bytes: &[u8], max: u64) -> io::Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.to_vec());
    }
    let mut unpacked = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(max + 1).read_to_end(&mut unpacked)?;
    if read as u64 > max {
        return Err(io::Error::other(format!("it unpacks to more than {max} bytes")));
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_a_bomb_does_not() {
        let text = "dynamodb".repeat(10_000);
        let packed = pack(text.as_bytes());
        assert!(packed.len() < 1_000);
        assert_eq!(unpack(&packed, 80_000).unwrap(), text.as_bytes());
        assert!(unpack(&packed, 79_999).is_err());
        assert!(unpack(packed.get(..packed.len() / 2).unwrap(), 80_000).is_err());
        assert_eq!(unpack(b"{}", 1).unwrap(), b"{}");
    }
}
