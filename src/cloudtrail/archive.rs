//! Reads log files as they are delivered: gzip, of one member or several, or plain; of any size,
//! in memory that does not grow with it.
//!
//! A small file of one gzip member, which is what CloudTrail delivers, is unpacked at once by
//! libdeflate; anything else as a stream. Both give the same elements.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::GzDecoder;

use super::cursor::Cause;
use super::elements::{self, Bytes, Element, Fault, Whole};

/// Files up to this size are read at once.
const SMALL: usize = 4 << 20;

/// What a small file may unpack to at once. CloudTrail's files hold up to 50 MB; those beyond this
/// go through the stream.
const SMALL_UNPACKED: usize = 16 << 20;

/// Bytes brought into a stream's window at a time.
const CHUNK: usize = 256 << 10;

/// A stream that unpacks to this many bytes without one record is a bomb.
const BARREN: u64 = 256 << 20;

const GZIP: &[u8] = &[0x1f, 0x8b];
const GZIP_DEFLATE: &[u8] = &[0x1f, 0x8b, 0x08];

/// Reads files one after another, keeping its buffers.
pub struct Reader {
    inflate: libdeflater::Decompressor,
    packed: Vec<u8>,
    unpacked: Vec<u8>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { inflate: libdeflater::Decompressor::new(), packed: Vec::new(), unpacked: Vec::new() }
    }
}

impl Reader {
    /// Gives every element of a file to `take`, in order.
    pub fn read(&mut self, source: &mut dyn Read, take: &mut dyn FnMut(Element<'_>)) {
        self.packed.clear();
        let first = (&mut *source).take(SMALL as u64 + 1).read_to_end(&mut self.packed);
        if let Err(error) = first {
            let at = self.packed.len() as u64;
            self.whole(take);
            take(Element::Fault(Fault { at, packed: true, cause: Cause::Io(error.kind()) }));
        } else if self.packed.len() <= SMALL {
            self.whole(take);
        } else {
            stream(BufReader::with_capacity(CHUNK, Cursor::new(&self.packed).chain(source)), take);
        }
    }

    /// All of the file is there.
    fn whole(&mut self, take: &mut dyn FnMut(Element<'_>)) {
        if !self.packed.starts_with(GZIP) {
            elements::each(&mut Whole(&self.packed), take);
            return;
        }
        match self.unpack() {
            Some(len) => elements::each(&mut Whole(&self.unpacked[..len]), take),
            None => stream(Cursor::new(&self.packed), take),
        }
    }

    /// Unpacks a file of a single member; `None` where it is not one, or damaged, or large.
    fn unpack(&mut self) -> Option<usize> {
        let len = u32::from_le_bytes(*self.packed.last_chunk()?) as usize;
        // A second member, even of the same length as the first, shows by its header.
        let second = memchr::memmem::find(self.packed.get(GZIP_DEFLATE.len()..)?, GZIP_DEFLATE);
        if len > SMALL_UNPACKED || second.is_some() {
            return None;
        }
        if self.unpacked.len() < len {
            self.unpacked.resize(len, 0);
        }
        let done = self.inflate.gzip_decompress(&self.packed, self.unpacked.get_mut(..len)?);
        done.ok().filter(|done| *done == len)
    }
}

/// Gives every element of `bytes`, packed or not, to `take`.
pub fn each(bytes: &[u8], take: &mut dyn FnMut(Element<'_>)) {
    if bytes.starts_with(GZIP) {
        stream(Cursor::new(bytes), take);
    } else {
        elements::each(&mut Whole(bytes), take);
    }
}

fn stream(mut source: impl BufRead, take: &mut dyn FnMut(Element<'_>)) {
    let packed = matches!(source.fill_buf(), Ok(bytes) if bytes.starts_with(GZIP));
    let barren = Cell::new(0);
    let mut take = |element: Element<'_>| {
        if matches!(element, Element::Object { .. }) {
            barren.set(0);
        }
        take(element);
    };
    let mut bytes = Stream {
        source: if packed { Source::Gzip(Members::new(source)) } else { Source::Plain(source) },
        window: Vec::new(),
        start: 0,
        barren: &barren,
        fault: None,
    };
    elements::each(&mut bytes, &mut take);
    let fault = bytes.fault.take();
    let members = match bytes.source {
        Source::Gzip(members) => members.faults,
        Source::Plain(_) => Vec::new(),
    };
    members.into_iter().chain(fault).for_each(|fault| take(Element::Fault(fault)));
}

/// A window that moves over a stream.
struct Stream<'b, R> {
    source: Source<R>,
    window: Vec<u8>,
    start: usize,
    /// Bytes since the last record.
    barren: &'b Cell<u64>,
    fault: Option<Fault>,
}

enum Source<R> {
    Plain(R),
    Gzip(Members<R>),
}

impl<R: BufRead> Bytes for Stream<'_, R> {
    fn window(&self) -> &[u8] {
        self.window.get(self.start..).unwrap_or_default()
    }

    fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.window.len());
    }

    fn fill(&mut self) -> bool {
        if self.fault.is_some() {
            return false;
        }
        self.window.drain(..self.start);
        self.start = 0;
        let before = self.window.len();
        self.window.resize(before + CHUNK, 0);
        let space = self.window.get_mut(before..).unwrap_or_default();
        let read = match &mut self.source {
            Source::Plain(source) => read_some(source, space).map_err(|error| Cause::Io(error.kind())),
            Source::Gzip(members) => Ok(members.read(space)),
        };
        let read = read.unwrap_or_else(|cause| {
            self.fault = Some(Fault { at: 0, packed: true, cause });
            0
        });
        self.window.truncate(before + read);
        self.is_bomb(read);
        read > 0
    }
}

impl<R> Stream<'_, R> {
    fn is_bomb(&mut self, read: usize) {
        self.barren.set(self.barren.get() + read as u64);
        if let Source::Gzip(members) = &self.source
            && self.barren.get() > BARREN
        {
            let cause = Cause::Packed("unpacks to more than 256 MiB without a record: not read further");
            self.fault = Some(Fault { at: members.at(), packed: true, cause });
        }
    }
}

/// As [`Read::read`], and an interruption is no error.
fn read_some(source: &mut impl Read, space: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(space) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Unpacks gzip members one after another; where one is damaged, goes on at the next.
struct Members<R> {
    member: Option<GzDecoder<Counted<R>>>,
    faults: Vec<Fault>,
    end: u64,
}

/// Damaged members named one by one; after that many the rest is not worth the list.
const MAX_FAULTS: usize = 100;

impl<R: BufRead> Members<R> {
    fn new(source: R) -> Self {
        Self { member: Some(GzDecoder::new(Counted { source, read: 0 })), faults: Vec::new(), end: 0 }
    }

    /// Unpacks further bytes. 0: there are no more.
    fn read(&mut self, space: &mut [u8]) -> usize {
        while let Some(member) = &mut self.member {
            match read_some(member, space) {
                Ok(0) => self.next(None),
                Ok(read) => return read,
                Err(error) => self.next(Some(error.kind())),
            }
        }
        0
    }

    /// Goes on to the next member, if there is one.
    fn next(&mut self, error: Option<io::ErrorKind>) {
        let Some(member) = self.member.take() else { return };
        let mut source = member.into_inner();
        let at = source.read;
        let fault = match error {
            Some(io::ErrorKind::UnexpectedEof) => Some("the gzip data end too early"),
            Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
                Some("the gzip data are damaged")
            }
            Some(_) => Some("the gzip data cannot be read"),
            None => None,
        };
        let skipped = source.skip_to_member();
        let fault =
            fault.or((skipped && error.is_none()).then_some("bytes behind the gzip data that are none"));
        if let Some(what) = fault {
            self.faults.push(Fault { at, packed: true, cause: Cause::Packed(what) });
        }
        self.end = source.read;
        let more = matches!(source.source.fill_buf(), Ok(bytes) if !bytes.is_empty());
        if more && self.faults.len() < MAX_FAULTS {
            self.member = Some(GzDecoder::new(source));
        }
    }
}

impl<R> Members<R> {
    /// Byte offset in the packed file.
    fn at(&self) -> u64 {
        self.member.as_ref().map_or(self.end, |member| member.get_ref().read)
    }
}

/// Counts what is read.
struct Counted<R> {
    source: R,
    read: u64,
}

impl<R: BufRead> Counted<R> {
    /// Goes to the next member's header or to the end. Returns whether anything but zero bytes,
    /// with which archives are padded, was gone past.
    fn skip_to_member(&mut self) -> bool {
        let mut skipped = false;
        loop {
            let Ok(bytes) = self.source.fill_buf() else { return skipped };
            if bytes.is_empty() {
                return skipped;
            }
            let header = memchr::memmem::find(bytes, GZIP_DEFLATE);
            // A header may be cut by the end of the buffer: its first byte is then a last one.
            let step = match header {
                Some(0) => return skipped,
                Some(at) => at,
                None => bytes.len(),
            };
            skipped |= bytes.iter().take(step).any(|byte| *byte != 0);
            self.consume(step);
        }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(space)?;
        self.read += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.source.consume(n);
        self.read += n as u64;
    }
}
