//! What stands: the base in pieces, with a pointer to it; the journal of changes; and how what made a finding would be
//! undone.
//!
//! The pieces of a base are written before the pointer, and those of the last one are deleted after it: whoever reads
//! has either the one or the other. The journal is one partition, in order of time: changes are few.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::item::{Reader, VERSION, Writer, begin, number};
use super::retry::{Failure, retry};
use super::schema::{EXPIRES_AT, Key, PK, SK, hex};
use super::{FindingsTable, Item, item};
use crate::findings::sample::EventKey;
use crate::findings::store::StoreError;
use crate::gzip::{self, MAX_UNPACKED};
use crate::iam::state::Edit;
use crate::watch::store::{Base, Entry, Fetched, Mark, StateStore, Window};

/// Bytes of a base in one item: DynamoDB takes 400 KB.
const PIECE: usize = 380 << 10;
/// Bytes, packed, of what would undo a change.
const MAX_UNDO: usize = 350 << 10;
/// Bytes, packed, of what was read beside a change: a record and this fit into one item.
const MAX_FETCHED: usize = 100 << 10;
/// How long the journal keeps a change, from when it was made: the base has it long before.
const JOURNAL: SignedDuration = SignedDuration::from_hours(24 * 180);

/// Where the base is.
struct Pointer {
    taken_at: Timestamp,
    pieces: u64,
}

impl Pointer {
    fn keys(&self) -> Vec<Key> {
        (0..self.pieces).map(|n| Key::piece(self.taken_at, n)).collect()
    }
}

impl StateStore for FindingsTable {
    async fn base_taken_at(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.pointer().await?.map(|pointer| pointer.taken_at))
    }

    async fn base(&self) -> Result<Option<Base>, StoreError> {
        let mut pointer = self.pointer().await?;
        while let Some(at) = pointer {
            let mut snapshot = Vec::new();
            let mut is_whole = true;
            for key in at.keys() {
                match self.get(&key).await? {
                    Some(piece) => snapshot.extend_from_slice(Reader::of(&piece)?.bytes("data")?),
                    None => is_whole = false,
                }
            }
            if is_whole {
                return Ok(Some(Base { taken_at: at.taken_at, snapshot }));
            }
            // Another took its place meanwhile; if none did, it is lost.
            pointer = self.pointer().await?.filter(|now| now.taken_at != at.taken_at);
            if pointer.is_none() {
                let item = format!("the base of {}", at.taken_at);
                return Err(StoreError::Damaged { item, cause: "a piece of it is missing".to_owned() });
            }
        }
        Ok(None)
    }

    async fn rebase(&self, base: &Base) -> Result<(), StoreError> {
        let before = self.pointer().await?;
        if before.as_ref().is_some_and(|before| before.taken_at >= base.taken_at) {
            return Ok(());
        }
        let pieces: Vec<Item> = (0u64..)
            .zip(base.snapshot.chunks(PIECE))
            .map(|(n, data)| piece(base.taken_at, n, data))
            .collect();
        let pointer = pointer(base.taken_at, pieces.len() as u64);
        self.put_all(pieces).await?;
        retry(|| self.try_point(&pointer)).await?;
        if let Some(before) = before {
            self.delete_all(&before.keys()).await?;
        }
        Ok(())
    }

    async fn append(&self, entry: &Entry) -> Result<(), StoreError> {
        self.put_once(write_entry(entry)?).await.map(drop)
    }

    async fn entries(&self, of: &[(Timestamp, EventKey)]) -> Result<Window, StoreError> {
        let mut keys: Vec<(Timestamp, EventKey)> = of.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let keys: Vec<Key> = keys.iter().map(|(time, key)| Key::change(*time, *key)).collect();
        Ok(window(&self.get_all(&keys).await?))
    }

    async fn window(&self, since: Timestamp) -> Result<Window, StoreError> {
        let (mut items, mut from) = (Vec::new(), None);
        loop {
            let page = retry(|| async {
                let query = self.client.query().table_name(&self.table).consistent_read(true);
                let query = query
                    .key_condition_expression("#pk = :pk AND #sk >= :since")
                    .expression_attribute_names("#pk", PK)
                    .expression_attribute_names("#sk", SK)
                    .expression_attribute_values(":pk", item::text(super::schema::JOURNAL))
                    .expression_attribute_values(":since", item::text(super::schema::moment(since)))
                    .set_exclusive_start_key(Option::<Item>::clone(&from));
                query.send().await.map_err(Failure::of)
            });
            let page = page.await?;
            items.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(window(&items));
            }
        }
    }

    async fn mark(&self, entry: &mut Entry, mark: Mark) -> Result<bool, StoreError> {
        let marked = Entry { mark, version: entry.version + 1, ..entry.clone() };
        self.replace(entry, marked).await
    }

    async fn keep_fetched(&self, entry: &mut Entry, fetched: Fetched) -> Result<bool, StoreError> {
        let fetched = if packed(&fetched)?.len() > MAX_FETCHED { too_long(fetched) } else { fetched };
        let mark = Mark { is_done: false, ..entry.mark.clone() };
        let version = entry.version + 1;
        let kept = Entry { fetched: Some(fetched), mark, version, ..entry.clone() };
        self.replace(entry, kept).await
    }

    async fn keep_undo(&self, finding: &str, key: EventKey, undo: &[Edit]) -> Result<bool, StoreError> {
        let json = serde_json::to_vec(undo).map_err(|error| StoreError::Failed(error.to_string()))?;
        let packed = gzip::pack(&json);
        if packed.len() > MAX_UNDO {
            return Ok(false);
        }
        let mut item = begin(&Key::undo(finding, key));
        item.insert("edits".to_owned(), AttributeValue::B(Blob::new(packed)));
        self.put_all(vec![item]).await.map(|()| true)
    }

    async fn undo(&self, finding: &str) -> Result<Vec<(EventKey, Vec<Edit>)>, StoreError> {
        let items = self.partition(&Key::undo(finding, EventKey(0)).pk, None).await?;
        let read = |item: &Item| {
            let reader = Reader::of(item)?;
            let json = gzip::unpack(reader.bytes("edits")?, MAX_UNPACKED);
            let json = json.map_err(|error| reader.damaged(error))?;
            let edits = serde_json::from_slice(&json).map_err(|error| reader.damaged(error))?;
            Ok((reader.event_key(SK)?, edits))
        };
        items.iter().map(read).collect()
    }
}

impl FindingsTable {
    async fn pointer(&self) -> Result<Option<Pointer>, StoreError> {
        let Some(item) = self.get(&Key::base()).await? else { return Ok(None) };
        let reader = Reader::of(&item)?;
        let taken_at = Timestamp::from_microsecond(reader.parsed("taken_at")?);
        let taken_at = taken_at.map_err(|error| reader.damaged(error))?;
        Ok(Some(Pointer { taken_at, pieces: reader.parsed("pieces")? }))
    }

    /// Lets the pointer point there, unless it points to what was taken as late.
    async fn try_point(&self, pointer: &Item) -> Result<(), Failure> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(pointer.clone()));
        let put = put
            .condition_expression("attribute_not_exists(#pk) OR #taken < :taken")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#taken", "taken_at")
            .set_expression_attribute_values(
                pointer.get("taken_at").map(|taken| Item::from([(":taken".to_owned(), taken.clone())])),
            );
        match put.send().await {
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(()),
            other => other.map(drop).map_err(Failure::of),
        }
    }

    /// Puts an entry in the place of what was read. Returns whether that was still there.
    async fn replace(&self, entry: &mut Entry, new: Entry) -> Result<bool, StoreError> {
        let item = write_entry(&new)?;
        let is_ours = retry(|| self.try_mark(&item, entry.version)).await?;
        if is_ours {
            *entry = new;
        }
        Ok(is_ours)
    }

    /// Puts an entry if it has that version yet. An answer may get lost after it was put: then it has the new one, and
    /// whether somebody else put that cannot be told, so it is not taken for ours.
    async fn try_mark(&self, item: &Item, before: u64) -> Result<bool, Failure> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item.clone()));
        let put = put
            .condition_expression("#version = :before")
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_values(":before", number(before));
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(Failure::of(error)),
        }
    }
}

fn piece(taken_at: Timestamp, n: u64, data: &[u8]) -> Item {
    let mut item = begin(&Key::piece(taken_at, n));
    item.insert("data".to_owned(), AttributeValue::B(Blob::new(data)));
    item
}

fn pointer(taken_at: Timestamp, pieces: u64) -> Item {
    let mut item = begin(&Key::base());
    item.insert("taken_at".to_owned(), AttributeValue::N(taken_at.as_microsecond().to_string()));
    item.insert("pieces".to_owned(), number(pieces));
    item
}

fn packed(fetched: &Fetched) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::to_vec(fetched).map_err(|error| StoreError::Failed(error.to_string()))?;
    Ok(gzip::pack(&json))
}

/// What is kept of what is too long.
fn too_long(fetched: Fetched) -> Fetched {
    let why = format!("it is too long to keep ({} KiB at most, packed)", MAX_FETCHED >> 10);
    let failed = [("what was read".to_owned(), why)].into_iter().chain(fetched.failed.into_iter().take(8));
    Fetched { failed: failed.collect(), ..Fetched::default() }
}

fn write_entry(entry: &Entry) -> Result<Item, StoreError> {
    let key = Key::change(entry.time, entry.key);
    let mut writer = Writer { item: begin(&key), key: &key };
    writer.set(VERSION, number(entry.version));
    writer.set("time", item::text(entry.time.to_string()));
    writer.set("key", item::text(hex(entry.key)));
    writer.set("record", AttributeValue::B(Blob::new(gzip::pack(entry.record.as_bytes()))));
    writer.set("unseen", AttributeValue::Bool(entry.is_unseen));
    if let Some(fetched) = &entry.fetched {
        writer.set("fetched", AttributeValue::B(Blob::new(packed(fetched)?)));
    }
    writer.document("mark", &entry.mark)?;
    let expires = entry.time.checked_add(JOURNAL).unwrap_or(Timestamp::MAX).as_second();
    writer.set(EXPIRES_AT, AttributeValue::N(expires.to_string()));
    Ok(writer.item)
}

fn read_entry(item: &Item) -> Result<Entry, StoreError> {
    let reader = Reader::of(item)?;
    let record =
        gzip::unpack(reader.bytes("record")?, MAX_UNPACKED).map_err(|error| reader.damaged(error))?;
    Ok(Entry {
        time: reader.time("time", reader.text("time")?)?,
        key: reader.event_key("key")?,
        record: String::from_utf8(record).map_err(|error| reader.damaged(error))?,
        is_unseen: reader.bool("unseen")?,
        fetched: read_fetched(item, &reader)?,
        mark: reader.document("mark")?,
        version: reader.parsed(VERSION)?,
    })
}

fn read_fetched(item: &Item, reader: &Reader<'_>) -> Result<Option<Fetched>, StoreError> {
    if !item.contains_key("fetched") {
        return Ok(None);
    }
    let json = gzip::unpack(reader.bytes("fetched")?, MAX_UNPACKED).map_err(|error| reader.damaged(error))?;
    serde_json::from_slice(&json).map(Some).map_err(|error| reader.damaged(error))
}

fn window(items: &[Item]) -> Window {
    let mut window = Window::default();
    for item in items {
        match read_entry(item) {
            Ok(entry) => window.entries.push(entry),
            Err(error) => window.damaged.push(error),
        }
    }
    window.entries.sort_by_key(|entry| (entry.time, entry.key));
    window
}
