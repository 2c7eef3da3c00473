//! Reads log files as they are delivered: gzip, of one member or several, or plain; of any size,
//! in memory that does not grow with it.
//!
//! A small file of one gzip member, which is what CloudTrail delivers, is unpacked at once by
//! libdeflate; anything else as a stream. Both give the same elements.

use std::cell::Cell;
use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

use super::bytes::Until;
use super::cursor::Cause;
use super::elements::{self, Bytes, Element, Fault, Whole};
use super::resume::SEAM;

/// Files up to this size are read at once.
const SMALL: usize = 4 << 20;

/// Bytes of a file read first.
const FIRST: usize = 1 << 20;

/// What a small file may unpack to at once. CloudTrail's files hold up to 50 MB; those beyond this
/// go through the stream.
const SMALL_UNPACKED: usize = 8 << 20;

/// The part of a reader's memory that packed bytes take: log files unpack to some eight times their size.
const PACKED: usize = 5;

/// Bytes brought into a stream's window at a time.
const CHUNK: usize = 256 << 10;

/// A stream that unpacks to this many bytes without one record is a bomb.
const BARREN: u64 = 256 << 20;

/// What data in an envelope may unpack to. CloudWatch Logs sends about 1 MB of them.
const WRAPPED: u64 = 64 << 20;

const GZIP: &[u8] = &[0x1f, 0x8b];
const GZIP_DEFLATE: &[u8] = &[0x1f, 0x8b, 0x08];

/// Reads files one after another, keeping its buffers.
pub struct Reader {
    inflate: libdeflater::Decompressor,
    packed: Vec<u8>,
    unpacked: Vec<u8>,
    /// Files up to this size are read at once.
    small: usize,
    /// What those may unpack to at once.
    small_unpacked: usize,
}

impl Default for Reader {
    fn default() -> Self {
        Self::within(PACKED * SMALL)
    }
}

impl Reader {
    /// A reader whose buffers take about so many bytes: the fewer they are, the more files are streamed.
    pub fn within(bytes: usize) -> Self {
        Self {
            inflate: libdeflater::Decompressor::new(),
            packed: Vec::new(),
            unpacked: Vec::new(),
            small: (bytes / PACKED).min(SMALL),
            small_unpacked: (bytes - bytes / PACKED).min(SMALL_UNPACKED),
        }
    }

    /// Gives every element of a file to `take`, in order.
    pub fn read(&mut self, source: &mut dyn Read, take: &mut dyn FnMut(Element<'_>)) {
        let mut failed = None;
        let len = self.first_bytes(source, &mut failed);
        if len > self.small {
            let first = self.packed.get(..len).unwrap_or_default();
            return stream(first.chain(source), u64::MAX, &Cell::new(false), take);
        }
        self.whole(len, take);
        if let Some(kind) = failed {
            take(Element::Fault(Fault { at: len as u64, packed: true, cause: Cause::Io(kind) }));
        }
    }

    /// Brings the beginning of a file into the buffer: all of it, where that is small. Returns its length.
    fn first_bytes(&mut self, source: &mut dyn Read, failed: &mut Option<io::ErrorKind>) -> usize {
        let mut len = 0;
        loop {
            if len == self.packed.len() {
                if len > self.small {
                    return len;
                }
                self.packed.resize((2 * len).max(FIRST).min(self.small + 1), 0);
            }
            match read_some(source, self.packed.get_mut(len..).unwrap_or_default(), failed) {
                0 => return len,
                read => len += read,
            }
        }
    }

    /// All of the file is there.
    fn whole(&mut self, len: usize, take: &mut dyn FnMut(Element<'_>)) {
        let Self { inflate, packed, unpacked, small_unpacked, .. } = self;
        let packed = packed.get(..len).unwrap_or_default();
        if !packed.starts_with(GZIP) {
            elements::each(&mut Whole(packed), take);
            return;
        }
        match unpack(inflate, packed, unpacked, *small_unpacked) {
            Some(text) => elements::each(&mut Whole(text), take),
            None => stream(packed, u64::MAX, &Cell::new(false), take),
        }
    }
}

/// Unpacks a file of a single member; `None` where it is not one, or damaged, or large.
fn unpack<'u>(
    inflate: &mut libdeflater::Decompressor,
    packed: &[u8],
    unpacked: &'u mut Vec<u8>,
    limit: usize,
) -> Option<&'u [u8]> {
    // A member ends in its length. Where the file's last length stands nowhere else in it, the member
    // that unpacks to that length is the whole file.
    let (before, length) = packed.split_last_chunk::<4>()?;
    let len = u32::from_le_bytes(*length) as usize;
    if len > limit || memchr::memmem::find(before, length).is_some() {
        return None;
    }
    if unpacked.len() < len {
        unpacked.resize(len, 0);
    }
    let done = inflate.gzip_decompress(packed, unpacked.get_mut(..len)?);
    done.ok().filter(|done| *done == len)?;
    unpacked.get(..len)
}

/// Gives every element of `bytes`, packed or not, to `take`: data that came in an envelope, which
/// unpack to no more than 64 MiB. Soon after `stop` is set, it is read no further.
pub fn each(bytes: &[u8], stop: &Cell<bool>, take: &mut dyn FnMut(Element<'_>)) {
    if bytes.starts_with(GZIP) {
        stream(bytes, WRAPPED, stop, take);
    } else {
        elements::each(&mut Until { bytes: Whole(bytes), stop }, take);
    }
}

/// Reads no more than `limit` unpacked bytes.
fn stream(source: impl Read, limit: u64, stop: &Cell<bool>, take: &mut dyn FnMut(Element<'_>)) {
    let mut source = Packed::new(source);
    let packed = source.peek(GZIP.len()).starts_with(GZIP);
    let barren = Cell::new(0);
    let mut take = |element: Element<'_>| {
        if let Element::Object { record, .. } = &element
            && record.holds_anything()
        {
            barren.set(0);
        }
        take(element);
    };
    let bytes = Stream {
        source: if packed { Source::Gzip(Members::new(source)) } else { Source::Plain(source) },
        window: Vec::new(),
        start: 0,
        left: limit,
        barren: &barren,
        fault: None,
    };
    let mut bytes = Until { bytes, stop };
    elements::each(&mut bytes, &mut take);
    let mut bytes = bytes.bytes;
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
    /// Bytes that may still be read.
    left: u64,
    /// Bytes since the last record.
    barren: &'b Cell<u64>,
    /// Why it is read no further.
    fault: Option<Fault>,
}

enum Source<R> {
    Plain(Packed<R>),
    Gzip(Members<R>),
}

impl<R: Read> Bytes for Stream<'_, R> {
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
        let mut end = before;
        // Whatever the source gives at a time, the window is looked at when much is new.
        while let Some(space) = self.window.get_mut(end..).filter(|space| !space.is_empty()) {
            let read = match &mut self.source {
                Source::Plain(source) => source.take(space),
                Source::Gzip(members) => members.read(space),
            };
            if read == 0 {
                break;
            }
            end += read;
        }
        self.window.truncate(end);
        self.check((end - before) as u64);
        end > before
    }
}

impl<R: Read> Stream<'_, R> {
    /// Looks whether to read on behind these `read` bytes.
    fn check(&mut self, read: u64) {
        self.barren.set(self.barren.get() + read);
        self.left = self.left.saturating_sub(read);
        match &self.source {
            Source::Plain(source) => {
                let fault = |kind| Fault { at: source.at(), packed: true, cause: Cause::Io(kind) };
                self.fault = source.failed.map(fault);
            }
            Source::Gzip(members) => {
                let stop =
                    |what| Some(Fault { at: members.packed.at(), packed: true, cause: Cause::Packed(what) });
                if self.barren.get() > BARREN {
                    self.fault = stop("unpacks to more than 256 MiB without a record: not read further");
                } else if self.left == 0 {
                    self.fault = stop("unpacks to more than 64 MiB inside an envelope: not read further");
                }
            }
        }
    }
}

/// Unpacks gzip members one after another; where one is damaged, goes on at the next.
struct Members<R> {
    packed: Packed<R>,
    inflate: Decompress,
    faults: Vec<Fault>,
    /// Behind a damaged member, before the next one: not yet given.
    seam: &'static [u8],
    done: bool,
}

/// Damaged members named one by one; after that many the rest is not worth the list.
const MAX_FAULTS: usize = 100;

const WINDOW_BITS: u8 = 15;

/// Bytes of a member behind its data: checksum and length.
const TRAILER: usize = 8;

/// A member's packed bytes are kept up to this many, so that what it swallowed can be read again.
const KEPT: usize = 8 << 20;

/// Bytes that are read again in a file, in all. A file made for it could have each of its many members
/// read again from near its beginning.
const READ_AGAIN: usize = 4 * KEPT;

impl<R: Read> Members<R> {
    fn new(packed: Packed<R>) -> Self {
        let mut members = Self {
            packed,
            inflate: Decompress::new_gzip(WINDOW_BITS),
            faults: Vec::new(),
            seam: b"",
            done: false,
        };
        members.packed.mark();
        members
    }

    /// Unpacks further bytes. 0: there are no more.
    fn read(&mut self, space: &mut [u8]) -> usize {
        loop {
            if let Some((first, rest)) = self.seam.split_first()
                && let Some(slot) = space.first_mut()
            {
                self.seam = rest;
                *slot = *first;
                return 1;
            }
            if self.done {
                return 0;
            }
            let input = self.packed.peek(1);
            let at_end = input.is_empty();
            let (read, made) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(input, space, FlushDecompress::None);
            let read = usize::try_from(self.inflate.total_in() - read).unwrap_or_default();
            let made = usize::try_from(self.inflate.total_out() - made).unwrap_or_default();
            self.packed.consume(read);
            match status {
                Ok(Status::StreamEnd) => self.next_member(),
                Ok(Status::Ok | Status::BufError) if made > 0 || read > 0 => {}
                Ok(Status::Ok | Status::BufError) if at_end => self.cut_off(),
                Ok(Status::Ok | Status::BufError) => self.pass_damage("the gzip data are damaged"),
                Err(error) if error.message().is_some_and(|text| text.ends_with("data check")) => {
                    self.pass_damage("the gzip data have another checksum than they should");
                }
                Err(error) if error.message().is_some_and(|text| text.ends_with("length check")) => {
                    self.pass_damage("the gzip data have another length than they should");
                }
                Err(_) => self.pass_damage("the gzip data are damaged"),
            }
            if made > 0 {
                return made;
            }
        }
    }

    /// A member is whole.
    fn next_member(&mut self) {
        let at = self.packed.at();
        if self.packed.skip_to_member() {
            self.name(at, Cause::Packed("bytes behind the gzip data that are none"));
            self.seam = SEAM;
        }
        self.begin();
    }

    /// A member cannot be unpacked further, or not to what was packed. Its header may be no more than
    /// bytes that look like one, and its end may be missing, so that the next one's beginning was taken
    /// for it: the next is looked for right behind the header.
    fn pass_damage(&mut self, what: &'static str) {
        self.name(self.packed.at(), Cause::Packed(what));
        self.packed.return_to_mark(1);
        self.packed.skip_to_member();
        self.seam = SEAM;
        self.begin();
    }

    /// The file ends inside a member; what seemed to be of that one may have been the next.
    fn cut_off(&mut self) {
        match self.packed.failed {
            None => self.pass_damage("the gzip data end too early"),
            Some(kind) => {
                self.name(self.packed.at(), Cause::Io(kind));
                self.done = true;
            }
        }
    }

    fn name(&mut self, at: u64, cause: Cause) {
        self.faults.push(Fault { at, packed: true, cause });
    }

    fn begin(&mut self) {
        if self.packed.peek(1).is_empty() {
            self.seam = b"";
            self.done = true;
            if let Some(kind) = self.packed.failed {
                self.name(self.packed.at(), Cause::Io(kind));
            }
        } else if self.faults.len() >= MAX_FAULTS {
            self.done = true;
            self.name(self.packed.at(), Cause::Packed("too many damaged gzip members: not read further"));
        } else {
            self.packed.mark();
            self.inflate = Decompress::new_gzip(WINDOW_BITS);
        }
    }
}

/// A file's bytes as they are, with a view of what comes next.
struct Packed<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes of the file before the buffer.
    before: u64,
    /// Where in the buffer the present member begins, while it is there.
    marked: Option<usize>,
    /// Bytes that were gone back.
    again: usize,
    /// Why no more can be read.
    failed: Option<io::ErrorKind>,
}

impl<R: Read> Packed<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            before: 0,
            marked: None,
            again: 0,
            failed: None,
        }
    }

    /// Byte offset in the file.
    fn at(&self) -> u64 {
        self.before + self.start as u64
    }

    /// What comes next: `n` bytes, if there are as many, or more.
    fn peek(&mut self, n: usize) -> &[u8] {
        while self.end - self.start < n && self.fill() {}
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn fill(&mut self) -> bool {
        if self.end == self.buffer.len() {
            self.make_room();
        }
        let read = self
            .buffer
            .get_mut(self.end..)
            .map_or(0, |space| read_some(&mut self.source, space, &mut self.failed));
        self.end += read;
        read > 0
    }

    /// Lets go what nobody will look at again. The buffer grows only while a member is kept in it.
    fn make_room(&mut self) {
        self.marked = self.marked.filter(|mark| self.end - mark < KEPT);
        let kept = self.marked.unwrap_or(self.start);
        self.buffer.copy_within(kept..self.end, 0);
        self.before += kept as u64;
        self.start -= kept;
        self.end -= kept;
        self.marked = self.marked.map(|_| 0);
        let room = CHUNK.max(2 * self.end).min(KEPT + CHUNK);
        self.buffer.resize(room, 0);
        self.buffer.shrink_to(room);
    }

    fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
    }

    /// Moves bytes into `space`. 0: there are no more.
    fn take(&mut self, space: &mut [u8]) -> usize {
        if self.start == self.end {
            let read = read_some(&mut self.source, space, &mut self.failed);
            self.before += read as u64;
            return read;
        }
        let there = self.buffer.get(self.start..self.end).unwrap_or_default();
        let n = there.len().min(space.len());
        space.iter_mut().zip(there).for_each(|(to, from)| *to = *from);
        self.consume(n);
        n
    }

    /// A member begins here.
    fn mark(&mut self) {
        self.marked = Some(self.start);
    }

    /// Goes back to `n` bytes behind the mark; where that is gone, by as many bytes as a trailer has.
    fn return_to_mark(&mut self, n: usize) {
        let mark = self.marked.take().filter(|_| self.again < READ_AGAIN);
        let back = mark.map_or(self.start.saturating_sub(TRAILER), |mark| mark + n).min(self.start);
        self.again += self.start - back;
        self.start = back;
    }

    /// Goes to the next member's header or to the end. Returns whether anything but zero bytes,
    /// with which archives are padded, was gone past.
    fn skip_to_member(&mut self) -> bool {
        let mut skipped = false;
        loop {
            let there = self.peek(GZIP_DEFLATE.len());
            let header = memchr::memmem::find(there, GZIP_DEFLATE);
            let ended = there.len() < GZIP_DEFLATE.len();
            // A header may be cut by the end of the buffer.
            let kept = if ended { 0 } else { GZIP_DEFLATE.len() - 1 };
            let step = header.unwrap_or(there.len() - kept);
            skipped |= there.iter().take(step).any(|byte| *byte != 0);
            self.consume(step);
            if header.is_some() || ended {
                return skipped;
            }
        }
    }
}

/// As [`Read::read`]: an interruption is no error, and after an error nothing more is read.
fn read_some(
    source: &mut (impl Read + ?Sized),
    space: &mut [u8],
    failed: &mut Option<io::ErrorKind>,
) -> usize {
    while failed.is_none() {
        match source.read(space) {
            Ok(read) => return read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => *failed = Some(error.kind()),
        }
    }
    0
}
