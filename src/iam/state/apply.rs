//! A state after an edit.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Edit, Endpoint, Holder, HolderId, HolderKind, Made, Managed, Organization, Part, State, Table, Text,
};

/// The version under which a text is kept whose version nobody told.
const UNTOLD_VERSION: &str = "";

impl State {
    /// Carries out an edit. What an edit speaks of and the state does not have is taken in as far as it is told.
    pub fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Made(made) => self.make(made),
            Edit::Gone(id) => self.remove(id),
            Edit::Renamed { from, to, arn } => self.rename(from, to, arn.as_deref()),
            Edit::Inline { holder, name, text } => put(&mut self.holder(holder).inline, name, text.as_ref()),
            Edit::Attached { holder, policy, is } => {
                let attached = &mut self.holder(holder).attached;
                if *is {
                    attached.insert(policy.clone())
                } else {
                    attached.remove(policy)
                };
            }
            Edit::Boundary { holder, policy } => self.holder(holder).boundary.clone_from(policy),
            Edit::Trust { role, text } => self.holder(role).trust = Some(text.clone()),
            Edit::Tagged { holder, set, taken } => retag(&mut self.holder(holder).tags, set, taken),
            Edit::Member { user, group, is } => {
                let groups = &mut self.holder(user).groups;
                if *is {
                    groups.insert(group.clone())
                } else {
                    groups.remove(group)
                };
            }
            Edit::Version { .. }
            | Edit::DefaultVersion { .. }
            | Edit::VersionGone { .. }
            | Edit::ManagedGone(_) => {
                self.managed_policy(edit);
            }
            Edit::Control { .. }
            | Edit::OtherControl(_)
            | Edit::ControlGone(_)
            | Edit::ControlAttached { .. }
            | Edit::ControlType { .. }
            | Edit::Moved { .. }
            | Edit::Left { .. }
            | Edit::Unit { .. } => self.organization_mut().apply(edit),
            Edit::TableMade { table, policy, tags } => {
                self.tables.insert(table.clone(), Table { policy: policy.clone(), tags: tags.clone() });
            }
            Edit::Replica(table) => {
                let bare = || Table { policy: None, tags: Some(BTreeMap::new()) };
                self.tables.get_or_insert_with(table.clone(), bare);
            }
            Edit::TableGone(table) => {
                let stream = format!("{table}/");
                self.tables.retain(|arn| arn != table && !arn.starts_with(&stream));
            }
            Edit::TablePolicy { table, text } => self.table(table).policy.clone_from(text),
            Edit::TableTagged { table, set, taken } => {
                if let Some(tags) = &mut self.table(table).tags {
                    retag(tags, set, taken);
                }
            }
            Edit::EndpointMade { endpoint, vpc, policy } => {
                let made = Endpoint { vpc: vpc.clone(), policy: policy.clone() };
                self.endpoints.insert(endpoint.clone(), made);
            }
            Edit::EndpointPolicy { endpoint, text } => {
                self.endpoint(endpoint).policy.clone_from(text);
            }
            Edit::EndpointGone(endpoint) => {
                self.endpoints.remove(endpoint);
            }
            Edit::Untold(part) => self.forget(part),
        }
    }

    /// What is known of a holder; of one that is not known yet, nothing but this is.
    fn holder(&mut self, id: &HolderId) -> &mut Holder {
        self.holders.get_or_insert_with(id.clone(), unknown)
    }

    fn table(&mut self, arn: &str) -> &mut Table {
        self.tables.get_or_insert_with(arn.to_owned(), Table::default)
    }

    fn endpoint(&mut self, id: &str) -> &mut Endpoint {
        self.endpoints.get_or_insert_with(id.to_owned(), Endpoint::default)
    }

    fn managed(&mut self, arn: &str) -> &mut Managed {
        self.managed.get_or_insert_with(arn.to_owned(), Managed::default)
    }

    fn organization_mut(&mut self) -> &mut Organization {
        Arc::make_mut(&mut self.organization)
    }

    fn make(&mut self, made: &Made) {
        let Made { holder, arn, unique_id, trust, boundary, tags, is_partial } = made.clone();
        let new = Holder { arn, unique_id, trust, boundary, tags, is_partial, ..Holder::default() };
        match self.holders.get_mut(&holder) {
            // The event comes again, or late: what was put on it since then stays.
            Some(known) if known.unique_id == new.unique_id && !known.is_partial => {}
            Some(known) if known.is_partial => {
                let put_since = Holder {
                    inline: std::mem::take(&mut known.inline),
                    attached: std::mem::take(&mut known.attached),
                    groups: std::mem::take(&mut known.groups),
                    ..new
                };
                *known = put_since;
            }
            Some(_) | None => {
                self.holders.insert(holder, new);
            }
        }
    }

    fn remove(&mut self, id: &HolderId) {
        self.holders.remove(id);
        if id.kind == HolderKind::Group {
            self.leave(id);
        }
    }

    /// A group's users are in it no more. Returns who they were.
    fn leave(&mut self, group: &HolderId) -> Vec<HolderId> {
        let members: Vec<HolderId> = self.members(group).cloned().collect();
        for user in &members {
            self.holder(user).groups.remove(&group.name);
        }
        members
    }

    fn rename(&mut self, from: &HolderId, to: &HolderId, arn: Option<&str>) {
        let mut holder = self.holders.remove(from).unwrap_or_else(unknown);
        // Where the event tells no new path, the old one stays.
        let moved = holder.arn.as_deref().and_then(|arn| arn.rsplit_once('/'));
        let moved = moved.map(|(path, _)| format!("{path}/{}", to.name));
        holder.arn = arn.map(str::to_owned).or(moved);
        self.holders.insert(to.clone(), holder);
        if from.kind == HolderKind::Group {
            for user in self.leave(from) {
                self.holder(&user).groups.insert(to.name.clone());
            }
        }
    }

    fn managed_policy(&mut self, edit: &Edit) {
        match edit {
            Edit::Version { policy, version, text, is_default } => {
                let managed = self.managed(policy);
                // One that does not count, and whose id nobody told, is no other's text.
                if version.is_none() && !is_default {
                    return;
                }
                let version = version.as_deref().unwrap_or(UNTOLD_VERSION);
                managed.versions.insert(version.to_owned(), text.clone());
                if *is_default {
                    managed.default = Some(version.to_owned());
                }
            }
            Edit::DefaultVersion { policy, version } => {
                self.managed(policy).default.clone_from(version);
            }
            Edit::VersionGone { policy, version } => {
                if let Some(managed) = self.managed.get_mut(policy) {
                    managed.versions.remove(version);
                }
            }
            Edit::ManagedGone(policy) => {
                self.managed.remove(policy);
            }
            _ => {}
        }
    }

    /// What is known of it no longer stands.
    fn forget(&mut self, part: &Part) {
        match part {
            Part::Holder(id) => *self.holder(id) = unknown(),
            Part::Managed(policy) => {
                self.managed.insert(policy.clone(), Managed::default());
            }
            Part::Organization => self.organization_mut().forget(),
            Part::Table(table) => self.table(table).policy = Some(Text::Untold),
            Part::Endpoint(endpoint) => {
                self.endpoint(endpoint).policy = Some(Text::Untold);
            }
        }
    }
}

/// A holder of which nothing is known but that it is there.
fn unknown() -> Holder {
    Holder { is_partial: true, ..Holder::default() }
}

fn put(inline: &mut BTreeMap<String, Text>, name: &str, text: Option<&Text>) {
    match text {
        Some(text) => inline.insert(name.to_owned(), text.clone()),
        None => inline.remove(name),
    };
}

fn retag(tags: &mut BTreeMap<String, String>, set: &BTreeMap<String, String>, taken: &[String]) {
    tags.extend(set.iter().map(|(key, value)| (key.clone(), value.clone())));
    taken.iter().for_each(|key| {
        tags.remove(key);
    });
}
