//! The bound that `scripts/speed` measures against: reads each gzip file below a folder, unpacks it with
//! libdeflate, and searches it for `"eventSource"` with memchr's memmem. Nothing can audit a record that
//! it has not unpacked and found.

use std::error::Error;
use std::fs;
use std::path::Path;

use libdeflater::Decompressor;
use memchr::memmem::Finder;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("a folder, please")?;
    let mut bound =
        Bound { inflate: Decompressor::new(), finder: Finder::new("\"eventSource\""), text: Vec::new() };
    let found = bound.folder(Path::new(&folder))?;
    eprintln!("{found} records");
    Ok(())
}

struct Bound {
    inflate: Decompressor,
    finder: Finder<'static>,
    text: Vec<u8>,
}

impl Bound {
    fn folder(&mut self, folder: &Path) -> Result<usize, Box<dyn Error>> {
        let mut found = 0;
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                found += self.folder(&path)?;
            } else if path.extension().is_some_and(|ending| ending == "gz") {
                found += self.file(&path)?;
            }
        }
        Ok(found)
    }

    fn file(&mut self, path: &Path) -> Result<usize, Box<dyn Error>> {
        let packed = fs::read(path)?;
        let len = u32::from_le_bytes(*packed.last_chunk().ok_or("a gzip file, please")?) as usize;
        if self.text.len() < len {
            self.text.resize(len, 0);
        }
        let len = self.inflate.gzip_decompress(&packed, &mut self.text)?;
        Ok(self.finder.find_iter(&self.text[..len]).count())
    }
}
